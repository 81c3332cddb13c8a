"""Checkpoints of a contract's stream: one folder for each topic and store, with a file that says what it belongs to.

Spark keeps there what it has read.  Its offsets mean nothing in another topic, nor its files in another layout.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings

LAYOUT = 1
LAYOUT_FILE = "layout.json"
# Which store's query sends the dead letters.
DEAD_LETTERS_FILE = "dead-letters.json"


@dataclass(frozen=True)
class Layout:
    """What a checkpoint belongs to.

    Attributes:
        layout: version number of the folder's layout.
        contract: the contract's name.
        topic, topic_id: the topic; a topic with another id is another topic, even if it has the same name.
        partitions: how many the topic had when the checkpoint was made.
        sink: the store that the checkpoint is for.
    """

    layout: int
    contract: str
    topic: str
    topic_id: str
    partitions: int
    sink: str


class Checkpoints:
    """The checkpoints of one contract, for its topic as it is now.

    Args:
        settings: `checkpoint_dir` gets `<contract>/topic-<id>/<sink>`.  Offsets mean nothing in another topic of the
            same name: on another cluster, or deleted and created again.

    Attributes:
        folder: holds a folder for each store.
        topic_id: the id of the topic.
    """

    def __init__(self, settings: Settings, contract: Contract) -> None:
        topics = Topics(settings)
        self._contract = contract
        self.topic_id = topics.id_of(contract.topic)
        state = topics.read([contract.topic])[contract.topic]
        self._partitions = state.partitions if state else 0
        self._of_contract = settings.checkpoint_dir / contract.name
        self.folder = self._of_contract / f"topic-{self.topic_id}"

    def claim(self, sinks: Iterable[str]) -> None:
        """Create the missing folders, with their layout files.

        Args:
            sinks: the stores, the one that sends the dead letters first.

        Raises:
            ConfigurationError: an existing folder belongs to something else or has an older layout, or another store
                sent the dead letters before and is behind this one.  Nothing was created.
        """
        sinks = list(sinks)
        for sink in sinks:
            self._check(sink)
        self._check_dead_letters(sinks[0])
        for sink in sinks:
            if not _used(self.folder / sink):
                _write(self.folder / sink / LAYOUT_FILE, asdict(self._layout(sink)))
        _write(self.folder / DEAD_LETTERS_FILE, {"sink": sinks[0]})

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other stream of this topic and folder out, until the `with` block or the process ends.

        Raises:
            ServiceError: another stream is running.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ServiceError(
                    "another stream of this contract writes from these checkpoints",
                    where=str(self.folder),
                    fix="wait until it ends, or stop it (kill -TERM); two streams would write everything twice",
                    server="",
                ) from None
            yield

    def begun(self, sink: str) -> bool:
        """Return whether the store's query has finished a batch."""
        return self._position(sink) is not None

    def _position(self, sink: str) -> dict[int, int] | None:
        try:
            return position(self.folder / sink, self._contract.topic)
        except (OSError, ValueError, KeyError) as error:
            words = f"it is not a checkpoint as Spark writes it ({type(error).__name__}: {error})"
            raise _refusal(self.folder / sink, words) from None

    def without_table(self, sink: str, table: str) -> ConfigurationError:
        """Return the error for a store whose table is gone."""
        return _refusal(self.folder / sink, f"it records what was written to {table}, but there is no such table")

    def _check_dead_letters(self, first: str) -> None:
        """Raise when the store takes over the dead letters from one that is behind it.

        It would send none of the letters up to its own position.
        """
        before = (_read(self.folder / DEAD_LETTERS_FILE) or {}).get("sink", first)
        if before == first:
            return
        theirs, mine = self._position(str(before)) or {}, self._position(first) or {}
        if behind := sorted(one for one, offset in mine.items() if theirs.get(one, 0) < offset):
            numbers = ", ".join(map(str, behind))
            words = f"{before} sent the dead letters so far, and it is behind {first} in partition {numbers}"
            raise _refusal(self.folder / first, words, f"Or put sinks.{before} back until it has caught up")

    def _broken_off(self, folder: Path, sink: str) -> ConfigurationError:
        program, name = "python -m avro_data_contracts.streaming", self._contract.name
        if view := sink.rpartition(".")[0]:
            what, command = f"a rebuild of view {view}", f"{program} --contract {name} views rebuild {view}"
        else:
            what, command = f"a rewrite of the {sink} table", f"{program} rewrite {name}"
        return ConfigurationError(
            f"{what} was broken off", where=str(rebuilding(folder)), fix=f"run it again: {command}"
        )

    def _layout(self, sink: str) -> Layout:
        return Layout(LAYOUT, self._contract.name, self._contract.topic, self.topic_id, self._partitions, sink)

    def _check(self, sink: str) -> None:
        before_topic_ids = self._of_contract / sink
        if _used(before_topic_ids):
            raise _refusal(
                before_topic_ids, "it has an older layout, which did not tell topics of the same name apart"
            )
        folder = self.folder / sink
        if rebuilding(folder).exists():
            raise self._broken_off(folder, sink)
        if not _used(folder):
            return
        found = _read(folder / LAYOUT_FILE)
        if found is None:
            raise _refusal(
                folder, f"it has no readable {LAYOUT_FILE}: it has an older layout, or another program made it"
            )
        if found.get("layout") != LAYOUT:
            raise _refusal(folder, f"it has layout {found.get('layout')}; this version reads layout {LAYOUT}")
        for name, wanted in asdict(self._layout(sink)).items():
            if name != "partitions" and found.get(name) != wanted:
                words = f"it belongs to another {name.replace('_', ' ')}: {found.get(name)!r}, not {wanted!r}"
                raise _refusal(folder, words)
        if not isinstance(found.get("partitions"), int) or found["partitions"] > self._partitions:
            words = f"it belongs to a topic with {found.get('partitions')} partitions; {self._contract.topic} has"
            raise _refusal(folder, f"{words} {self._partitions}")


def newest(checkpoint: Path, log: str = "commits") -> int | None:
    """Return the number of the last batch in a log (`offsets`: begun, `commits`: finished); None if there is none."""
    return max((int(one.name) for one in (checkpoint / log).glob("[0-9]*")), default=None)


def rebuilding(checkpoint: Path) -> Path:
    """Return where the checkpoint of a query is while its table is emptied."""
    return checkpoint.with_name(f"{checkpoint.name}.rebuilding")


def position(checkpoint: Path, topic: str, batch: int | None = None) -> dict[int, int] | None:
    """Read partition -> the offset after a batch's last record from Spark's checkpoint.

    Args:
        checkpoint: the query's folder.
        topic: the topic that it reads.
        batch: number of a batch that has begun; None for the last one that is finished.

    Returns:
        None when no batch is finished yet.

    Raises:
        OSError, ValueError, KeyError: the checkpoint is not as Spark 3.5 writes it.
    """
    if batch is None:
        batch = newest(checkpoint)
        if batch is None:
            return None
    # A version, the batch's settings, then one line for each source.
    _, _, offsets = (checkpoint / "offsets" / str(batch)).read_text(encoding="utf-8").splitlines()
    return {int(partition): offset for partition, offset in json.loads(offsets)[topic].items()}


def next_offsets(checkpoint: Path, topic: str) -> dict[int, int] | None:
    """Return partition -> the offset that a query reads next; None when it has not begun."""
    ended = position(checkpoint, topic)
    if ended is not None:
        return ended
    initial = checkpoint / "sources" / "0" / "0"
    if not initial.is_file():
        return None
    # A zero byte, a version, one line.
    _, offsets = initial.read_text(encoding="utf-8").lstrip("\0").splitlines()
    return {int(partition): offset for partition, offset in json.loads(offsets)[topic].items()}


def settled(checkpoint: Path, topic: str) -> dict[int, int] | None:
    """Return partition -> the offset after the last record that a query has written; None while it writes some.

    None too if it has not begun, or if Spark is writing the checkpoint.
    """
    begun, ended = newest(checkpoint, "offsets"), newest(checkpoint)
    try:
        return position(checkpoint, topic) if begun == ended else None
    except (OSError, ValueError, KeyError):
        return None


def ranges(checkpoint: Path, topic: str, batch: int) -> dict[int, tuple[int, int]]:
    """Return partition -> first and last offset of a batch that has begun, for each partition that it reads.

    Raises:
        OSError, ValueError, KeyError: the checkpoint is not as Spark 3.5 writes it.
    """
    begin, end = next_offsets(checkpoint, topic) or {}, position(checkpoint, topic, batch) or {}
    return {at: (begin.get(at, 0), last - 1) for at, last in end.items() if begin.get(at, 0) < last}


def _used(folder: Path) -> bool:
    return folder.is_dir() and any(one.name != f".{LAYOUT_FILE}" for one in folder.iterdir())


def _read(file: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _write(target: Path, document: dict[str, Any]) -> None:
    """Write all of it or nothing, even when the power fails: a folder with half a file would be refused."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)


def _refusal(folder: Path, why: str, otherwise: str = "") -> ConfigurationError:
    names = (folder.with_name(f"{folder.name}.away{number or ''}") for number in count())
    away = next(name for name in names if not name.exists())
    return ConfigurationError(
        f"the checkpoint is not this stream's: {why}",
        where=str(folder),
        fix=f"move it away: mv '{folder}' '{away}'. The topic is then read from its beginning; rows are upserts, so"
        f" none is doubled, and nothing that the stores hold is lost{otherwise and f'. {otherwise}'}",
    )
