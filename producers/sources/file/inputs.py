"""Which files `--from` means, and what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from avro_data_contracts.contracts.errors import ConfigurationError

Format = Literal["jsonl", "csv", "parquet"]

STDIN: Final = "-"
#: Ending of a file's name -> what is in it.
_ENDINGS: Final[dict[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
#: The bytes at the beginning tell whether a file is compressed; its name only has to end in something known.
_COMPRESSED: Final = (".gz", ".zst", ".zstd")
FORMATS: Final[tuple[Format, ...]] = ("jsonl", "csv", "parquet")


@dataclass(frozen=True)
class Input:
    """One file, or standard input.

    Attributes:
        path: as the user wrote it, or `-`.
        size: bytes on disk, for the progress; 0 for a pipe.
    """

    path: str
    format: Format
    size: int = 0

    @property
    def name(self) -> str:
        """For messages."""
        return "standard input" if self.path == STDIN else self.path


def find(given: str, format_: str | None = None) -> list[Input]:
    """Return the files of `--from`, in the order of their names.

    Args:
        format_: `--format`, for files whose names do not tell.

    Raises:
        ConfigurationError: there is no such file, or nothing tells what is in it.
    """
    if format_ is not None and format_ not in FORMATS:
        raise ConfigurationError(f"--format {format_!r} is not known", fix=f"valid: {', '.join(FORMATS)}")
    asked: Format | None = next((one for one in FORMATS if one == format_), None)
    if given == STDIN:
        return [Input(STDIN, asked or "jsonl")]
    path = Path(given)
    if path.is_dir():
        return _in_folder(path, asked)
    if not path.exists():
        raise ConfigurationError("there is no such file", where=f"--from {given}", fix="name a file, a folder, or -")
    found = asked or _format(path.name)
    if found is None:
        raise ConfigurationError(
            "the name of the file does not show its format",
            where=f"--from {given}",
            fix=f"give --format {'|'.join(FORMATS)}",
        )
    return [Input(given, found, path.stat().st_size)]


def _in_folder(folder: Path, asked: Format | None) -> list[Input]:
    """Files of other kinds in the folder would be left out, so one of them is an error."""
    found, strange = [], []
    for path in sorted(_files(folder)):
        format_ = asked or _format(path.name)
        if format_ is None:
            strange.append(path)
        else:
            found.append(Input(os.fspath(path), format_, path.stat().st_size))
    if strange:
        more = f", and {len(strange) - 1} more" if len(strange) > 1 else ""
        raise ConfigurationError(
            f"the name does not show the format of {strange[0]}{more}",
            where=f"--from {folder}",
            fix=f"move them away, or give --format {'|'.join(FORMATS)}, which applies to all files of the folder",
        )
    if not found:
        raise ConfigurationError(
            "the folder has no files", where=f"--from {folder}", fix=f"files end in {', '.join(_ENDINGS)} (.gz, .zst)"
        )
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Yield all files, without those that begin with a dot (.DS_Store) or `_` (_SUCCESS of Spark)."""

    def stop(error: OSError) -> None:
        raise ConfigurationError(
            f"cannot read the folder: {error.strerror}", where=str(error.filename), fix="name one that you can read"
        )

    for above, folders, names in os.walk(folder, onerror=stop, followlinks=True):
        folders[:] = [one for one in folders if not one.startswith((".", "_"))]
        yield from (Path(above, name) for name in names if not name.startswith((".", "_")))


def _format(name: str) -> Format | None:
    path = Path(name.lower())
    return _ENDINGS.get((Path(path.stem) if path.suffix in _COMPRESSED else path).suffix)
