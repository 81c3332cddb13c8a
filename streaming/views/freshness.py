"""When a view was refreshed, beside the checkpoints of its contract: one file for each of its tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.streaming import whole_file

_ENDING: Final = ".refreshed.json"
#: A table is late when its rows are older than so many intervals.
LATE_AFTER: Final = 3


@dataclass(frozen=True)
class Freshness:
    """What is known of the rows of a view's table.

    Attributes:
        as_of: they are those of the contract's table at this time, seconds since the epoch, or of a later one.
        rows: how many there are.
        seconds: how long the last refresh took.
        said: of the view's text, so that another one is not taken for it (`said_by`).
        written: partition -> the offset after the last one that was in the contract's table before it was read;
            None: unknown, or a batch was being written.
    """

    as_of: float
    rows: int
    seconds: float
    said: str
    written: Mapping[int, int] | None


def said_by(view: View) -> str:
    """Return what tells the text of a view from every other."""
    return hashlib.sha256(view.text.encode()).hexdigest()


def file_of(checkpoints: Path, name: str) -> Path:
    """Return the file of a table.

    Args:
        checkpoints: the folder of the contract's topic (`Checkpoints.folder`).
        name: of the table (`queries.of_view`).
    """
    return checkpoints / f"{name}{_ENDING}"


def keep(file: Path, found: Freshness) -> None:
    """Write all of it, or nothing."""
    whole_file.write(file, json.dumps(asdict(found)))


def read(file: Path) -> Freshness | None:
    """Return what is known; None if nothing is."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        written = found.pop("written")
        return Freshness(**found, written=None if written is None else {int(one): at for one, at in written.items()})
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or another version has written it
        return None


def forget(checkpoints: Path, name: str) -> None:
    """Forget what is known of a table, because its rows are gone.

    Args:
        checkpoints: the folder of the contract.
    """
    for file in checkpoints.glob(f"topic-*/{name}{_ENDING}"):
        file.unlink(missing_ok=True)


def newest(checkpoints: Path, name: str) -> Freshness | None:
    """Return what is known of a table on this machine.

    Args:
        checkpoints: the folder of the contract.
    """
    found = [one for file in checkpoints.glob(f"topic-*/{name}{_ENDING}") if (one := read(file)) is not None]
    return max(found, key=lambda one: one.as_of, default=None)
