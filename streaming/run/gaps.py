"""Finds records that Kafka deleted before a store read them, and skips them only when the user accepts the loss.

A stream that was off for longer than the topic keeps its records faces a gap.  Another attempt does not help, and
skipping the gap without a word would lose records silently.  `--accept-loss` moves the store's checkpoint behind the
gap, and records the loss in `losses.json` beside it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import topic, whole_file
from avro_data_contracts.streaming.run.checkpoints import newest, next_offsets
from avro_data_contracts.streaming.views import state

log = structlog.get_logger("streaming")

LOSSES_FILE = "losses.json"


@dataclass(frozen=True)
class Gap:
    """The offsets `first` to `last` of one partition, deleted before one store read them."""

    sink: str
    topic: str
    partition: int
    first: int
    last: int

    @property
    def records(self) -> int:
        """The largest possible number of records: an offset may also be a transaction marker, or compacted away."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        some = f"record {self.first} was" if self.records == 1 else f"records {self.first} to {self.last} were"
        return (
            f"topic {self.topic}, partition {self.partition}: {some} deleted (retention, or kafka-delete-records) "
            f"before {self.sink} read them: {self.records:,} lost"
        )


class RecordsLost(ConfigurationError):
    """A store cannot continue without a gap.  Exit code 2: another attempt does not help.

    Attributes:
        gaps: what is lost.
    """

    def __init__(self, gaps: Iterable[Gap], contract: str, checkpoint: Path) -> None:
        self.gaps = tuple(gaps)
        super().__init__(
            "; ".join(map(str, self.gaps)),
            where=str(checkpoint),
            fix=f"`python -m avro_data_contracts.streaming --contract {contract} --accept-loss` continues after the "
            "gap and records the loss; stored rows stay. `retention.ms` in contract.yaml (kafka.config) keeps "
            "records longer",
        )


def pass_over(settings: Settings, contract: Contract, folder: Path, sinks: Iterable[str], accept_loss: bool) -> None:
    """Move each store's checkpoint behind its gaps and log the loss, if the user has accepted it.

    Args:
        folder: holds a folder for each store, see `Checkpoints.folder`.
        sinks: names of the stores.

    Raises:
        RecordsLost: there are gaps, and the loss is not accepted.
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
    """Return the gaps between a store's checkpoint and the topic.

    Args:
        folder: holds a folder for each store, see `Checkpoints.folder`.
        begins: partition -> the first offset that is still in the topic.

    Raises:
        OSError, ValueError, KeyError: the checkpoint is not as Spark 3.5 writes it.
    """
    there = next_offsets(folder / sink, topic)
    if there is None:
        return []
    # A partition that was added later is read from its beginning.
    wanted = {partition: there.get(partition, 0) for partition in begins}
    return [
        Gap(sink, topic, partition, wanted[partition], begin - 1)
        for partition, begin in sorted(begins.items())
        if wanted[partition] < begin
    ]


def accept(folder: Path, sink: str, gaps: Iterable[Gap]) -> None:
    """Record the gaps, then move the store's checkpoint behind them.  It can be repeated if it was killed."""
    gaps = list(gaps)
    file = folder / LOSSES_FILE
    known = losses(folder)
    new = [gap for gap in gaps if gap not in known]
    whole_file.write(file, json.dumps([asdict(gap) for gap in [*known, *new]], indent=2))
    checkpoint = folder / sink
    batch = newest(checkpoint)
    if batch is None:
        # Nothing was written: the query starts over, at the first records that are left.
        for name in ("offsets", "sources", "commits"):
            shutil.rmtree(checkpoint / name, ignore_errors=True)
        return
    version, settings, offsets = (checkpoint / "offsets" / str(batch)).read_text(encoding="utf-8").splitlines()
    document = json.loads(offsets)
    for gap in gaps:
        document[gap.topic][str(gap.partition)] = gap.last + 1
    commit = (checkpoint / "commits" / str(batch)).read_text(encoding="utf-8")
    planned, pretended = checkpoint / "offsets" / str(batch + 1), "\n".join((version, settings, json.dumps(document)))
    if not planned.exists():
        state.carry(checkpoint, batch)
    elif planned.read_text(encoding="utf-8") != pretended:
        # It may have written rows of events that are gone now, so the state of an aggregation does not fit its rows.
        state.forget(checkpoint, batch + 1)
    # Pretend that a batch up to the end of the gap is written.  It replaces one that was planned across the gap.
    _replace(planned, pretended)
    _replace(checkpoint / "commits" / str(batch + 1), commit)


def losses(folder: Path) -> list[Gap]:
    """Return the accepted losses of all stores."""
    try:
        return [Gap(**one) for one in json.loads((folder / LOSSES_FILE).read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []


def _replace(file: Path, text: str) -> None:
    """Replace the file, and remove Hadoop's checksum beside it, which would no longer match."""
    file.with_name(f".{file.name}.crc").unlink(missing_ok=True)
    whole_file.write(file, text)
