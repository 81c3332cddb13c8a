"""The folder `.secrets/`: a file for each password, which Compose mounts into the containers that need it.

A container runs under another account than whoever made the file, so each file is readable for all; the folder,
through which no container goes, has mode 0700.  A password in a file is not in the environment, which
`docker inspect` shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from avro_data_contracts.stack.errors import UsageError


def changed(names: Iterable[str], environment: Mapping[str, str], folder: Path) -> list[str]:
    """Return the secrets whose files have another value, or are gone: a container may have read what was there."""
    return [name for name in names if _content(folder / name) != environment.get(name, "")]


def write(names: Iterable[str], environment: Mapping[str, str], folder: Path) -> None:
    """Write a file for each secret; one that is not set is empty.

    Raises:
        UsageError: a file cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        for name in names:
            value = environment.get(name, "")
            if _content(folder / name) != value:
                # In place: a container keeps the file that it has mounted.
                (folder / name).write_text(value, encoding="utf-8")
            (folder / name).chmod(0o644)
    except OSError as error:
        what = f"a password cannot be written: {error.strerror}"
        raise UsageError(what, where=str(folder), fix="make it a folder that your account may write") from None


def _content(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
