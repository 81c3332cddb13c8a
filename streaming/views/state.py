"""The state of an aggregation, beside the checkpoint of its query: one file for each batch, the last two of them.

A file has a checksum, a line of JSON, and behind it the groups whose window is still open, as Avro.  The state of a
batch is made from that of the batch before, so a batch that is repeated after a crash makes the same state again.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from avro_data_contracts.contracts.errors import ConfigurationError

FOLDER: Final = "groups"
#: Version of the file's form.
LAYOUT: Final = 1


@dataclass(frozen=True)
class State:
    """The state of an aggregation after a batch.

    Attributes:
        identity: `Grouping.identity`, which decides what is in a group.
        columns: of a group, each with its type in Spark; a column of the state is told by what it is (`Kept.said`).
        newest_us: the newest time of an event so far, µs since the epoch; None before the first event.
        closed_us: windows that end up to this time are closed for ever, µs since the epoch.
        groups: number of groups.
        late: events so far that came when their window was closed.
        timeless: events so far without a time.
        schema: of the pieces, in Avro; empty if there are none.
        pieces: the groups.
    """

    identity: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    newest_us: int | None = None
    closed_us: int | None = None
    groups: int = 0
    late: int = 0
    timeless: int = 0
    schema: str = ""
    pieces: tuple[bytes, ...] = ()


class States:
    """The files of one query.

    Args:
        checkpoint: the folder of the query's checkpoint.
        view: for messages.
    """

    def __init__(self, checkpoint: Path, view: str) -> None:
        self._checkpoint = checkpoint
        self._folder = checkpoint / FOLDER
        self._view = view

    def before(self, batch: int, first: State) -> State:
        """Return the state that a batch begins with: `first` if it is the first batch.

        Raises:
            ConfigurationError: it is missing or damaged.
        """
        return first if batch == 0 else self._read(batch - 1)

    def latest(self) -> State | None:
        """Return the state after the last batch that is finished; None if none is.

        Raises:
            ConfigurationError: it is missing or damaged.
        """
        ended = [int(one.name) for one in (self._checkpoint / "commits").glob("[0-9]*")]
        return self._read(max(ended)) if ended else None

    def begun(self) -> bool:
        """Return whether the query has begun a batch; it may have written rows."""
        return any((self._checkpoint / "offsets").glob("[0-9]*"))

    def keep(self, batch: int, state: State) -> None:
        """Write the state after a batch, all of it or nothing; delete those that no batch begins with any more."""
        body = b"".join(state.pieces)
        head = {name: value for name, value in asdict(state).items() if name != "pieces"}
        head |= {"layout": LAYOUT, "sizes": list(map(len, state.pieces))}
        text = json.dumps(head).encode() + b"\n" + body
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / str(batch)
        draft = self._folder / f".{batch}.{os.getpid()}-{threading.get_ident()}"
        with draft.open("wb") as file:
            file.write(_checksum(text) + b"\n" + text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        for one in self._folder.glob("[0-9]*"):
            if int(one.name) < batch - 1:
                one.unlink(missing_ok=True)

    def refusal(self, why: str) -> ConfigurationError:
        """Return the error of a state that the view cannot go on from."""
        return ConfigurationError(
            f"the state of view {self._view} is not one that it can go on from: {why}",
            where=str(self._folder),
            fix=f"run `python -m avro_data_contracts.streaming --contract NAME views rebuild {self._view}`: it "
            "empties the view's tables, and the stream reads the topic from its beginning; or put the view back "
            "as it was",
        )

    def with_rows(self, table: str) -> ConfigurationError:
        """Return the error of a query without a state whose table has rows."""
        return ConfigurationError(
            f"{table} has rows of view {self._view}, and no state says of which events: they are of another "
            "checkpoint, or of a topic that was deleted",
            where=str(self._checkpoint),
            fix=f"run `python -m avro_data_contracts.streaming --contract NAME views rebuild {self._view}`: it "
            "empties the view's tables, and the stream reads the topic from its beginning; to keep the rows, "
            "name another table; or bring the checkpoint back",
        )

    def _read(self, batch: int) -> State:
        file = self._folder / str(batch)
        try:
            checksum, _, text = file.read_bytes().partition(b"\n")
        except FileNotFoundError:
            raise self.refusal(f"it has none for batch {batch}, which is written") from None
        except OSError as error:
            raise self.refusal(f"{file.name} cannot be read: {error.strerror}") from None
        if checksum != _checksum(text):
            raise self.refusal(f"{file.name} is damaged")
        line, _, body = text.partition(b"\n")
        head = json.loads(line)
        if (layout := head.pop("layout")) != LAYOUT:
            raise self.refusal(f"{file.name} has layout {layout}; this version reads layout {LAYOUT}")
        pieces = _cut(body, head.pop("sizes"))
        return State(**{**head, "identity": tuple(head["identity"]), "pieces": pieces})


def left_out(checkpoints: Path, query: str) -> tuple[int, int] | None:
    """Return how many events were late, and how many had no time, since the view began.

    Args:
        checkpoints: the folder of the contract, on this machine.
        query: of the view.

    Returns:
        None if the query has no state there.
    """
    files = list(checkpoints.glob(f"topic-*/{query}/{FOLDER}/[0-9]*"))
    try:
        with max(files, key=lambda one: one.stat().st_mtime_ns).open("rb") as file:
            file.readline()
            head = json.loads(file.readline())
            return head["late"], head["timeless"]
    except (OSError, ValueError, KeyError):  # there is none, or the stream has just replaced it
        return None


def carry(checkpoint: Path, batch: int) -> None:
    """Keep the state of a batch as that of the next one, which is said to be written, and is empty."""
    file = checkpoint / FOLDER / str(batch)
    if file.is_file():
        draft = file.with_name(f".{batch + 1}.{os.getpid()}")
        draft.write_bytes(file.read_bytes())
        draft.replace(file.with_name(str(batch + 1)))


def forget(checkpoint: Path, batch: int) -> None:
    """Delete the state of a batch that is said to be written; then the view cannot go on (`States.latest`)."""
    (checkpoint / FOLDER / str(batch)).unlink(missing_ok=True)


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


def _cut(body: bytes, sizes: Iterable[int]) -> tuple[bytes, ...]:
    found, at = [], 0
    for size in sizes:
        found.append(body[at : at + size])
        at += size
    return tuple(found)
