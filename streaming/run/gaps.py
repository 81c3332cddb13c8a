"""Records that Kafka deleted before a store had read them: found, refused, and passed over when somebody says so.

A stream that was off for longer than the topic keeps its records stands before a gap.  Another attempt does not help,
and going on without a word would lose records in silence.  `--accept-loss` moves the store's checkpoint behind the
gap, and writes what is lost into `losses.json` beside it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from contracts.catalog.contract import Contract
from contracts.errors import ConfigurationError
from contracts.settings import Settings
from streaming import topic
from streaming.run.checkpoints import next_offsets

log = structlog.get_logger("streaming")

LOSSES_FILE = "losses.json"


@dataclass(frozen=True)
class Gap:
    """Offsets that are gone from one partition, `first` to `last`, for one store."""

    sink: str
    topic: str
    partition: int
    first: int
    last: int

    @property
    def records(self) -> int:
        """How many there were at most: an offset may also be a transaction's marker, or compacted away."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        some = f"record {self.first} was" if self.records == 1 else f"records {self.first} to {self.last} were"
        return (
            f"topic {self.topic}, partition {self.partition}: {some} deleted (retention, or kafka-delete-records) "
            f"before {self.sink} read them: {self.records:,} lost"
        )


class RecordsLost(ConfigurationError):
    """A store cannot be written on without a gap.  Exit code 2: no other attempt helps.

    Attributes:
        gaps: what is gone.
    """

    def __init__(self, gaps: Iterable[Gap], contract: str, checkpoint: Path) -> None:
        self.gaps = tuple(gaps)
        super().__init__(
            "; ".join(map(str, self.gaps)),
            where=str(checkpoint),
            fix=f"`python -m streaming --contract {contract} --accept-loss` goes on behind the gap and records the "
            "loss; rows that are stored stay. `retention.ms` in contract.yaml (kafka.config) keeps records longer",
        )


def pass_over(settings: Settings, contract: Contract, folder: Path, sinks: Iterable[str], accept_loss: bool) -> None:
    """Move each store's checkpoint behind its gaps and log what is lost, if somebody has accepted the loss.

    Args:
        folder: holds a folder for each store, see `Checkpoints.folder`.
        sinks: names of the stores.

    Raises:
        RecordsLost: there are gaps, and nobody has accepted them.
        ServiceError: Kafka does not answer.
    """
    begins = topic.begins(settings, contract.topic)
    found = {sink: of(folder, sink, contract.topic, begins) for sink in sinks}
    lost = [gap for some in found.values() for gap in some]
    if lost and not accept_loss:
        raise RecordsLost(lost, contract.name, folder)
    for sink, some in found.items():
        if some:
            accept(folder, sink, some)
        for gap in some:
            log.warning("records lost", contract=contract.name, sink=sink, records=gap.records, what=str(gap))


def of(folder: Path, sink: str, topic: str, begins: Mapping[int, int]) -> list[Gap]:
    """The gaps between a store's checkpoint and the topic.

    Args:
        folder: holds a folder for each store, see `Checkpoints.folder`.
        begins: partition -> the first offset that the topic has.

    Raises:
        OSError, ValueError, KeyError: the checkpoint is not as Spark 3.5 writes it.
    """
    there = next_offsets(folder / sink, topic)
    if there is None:
        return []
    # A partition that was added since is read from its beginning.
    wanted = {partition: there.get(partition, 0) for partition in begins}
    return [
        Gap(sink, topic, partition, wanted[partition], begin - 1)
        for partition, begin in sorted(begins.items())
        if wanted[partition] < begin
    ]


def accept(folder: Path, sink: str, gaps: Iterable[Gap]) -> None:
    """Moves the store's checkpoint behind the gaps, and records them first.  It may be killed, and done again."""
    gaps = list(gaps)
    file = folder / LOSSES_FILE
    known = losses(folder)
    new = [gap for gap in gaps if gap not in known]
    draft = file.with_name(f".{file.name}")
    draft.write_text(json.dumps([asdict(gap) for gap in [*known, *new]], indent=2), encoding="utf-8")
    draft.replace(file)
    checkpoint = folder / sink
    ended = [int(one.name) for one in (checkpoint / "commits").glob("[0-9]*")]
    if not ended:
        # Nothing was written: the query begins anew, at the beginning of what is there.
        for name in ("offsets", "sources", "commits"):
            shutil.rmtree(checkpoint / name, ignore_errors=True)
        return
    batch = max(ended)
    version, settings, offsets = (checkpoint / "offsets" / str(batch)).read_text(encoding="utf-8").splitlines()
    document = json.loads(offsets)
    for gap in gaps:
        document[gap.topic][str(gap.partition)] = gap.last + 1
    commit = (checkpoint / "commits" / str(batch)).read_text(encoding="utf-8")
    # A batch that ends behind the gap and is written already.  One that was planned across the gap makes room for it.
    _replace(checkpoint / "offsets" / str(batch + 1), "\n".join((version, settings, json.dumps(document))))
    _replace(checkpoint / "commits" / str(batch + 1), commit)


def losses(folder: Path) -> list[Gap]:
    """What was accepted as lost, of all stores."""
    try:
        return [Gap(**one) for one in json.loads((folder / LOSSES_FILE).read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []


def _replace(file: Path, text: str) -> None:
    """With a file of Hadoop's beside it goes its checksum, which would be that of another content."""
    file.with_name(f".{file.name}.crc").unlink(missing_ok=True)
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)
