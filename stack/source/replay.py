"""Recorded responses to serve again: every user of every file, unchanged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avro_data_contracts.stack.errors import UsageError


@dataclass(frozen=True)
class Recording:
    """All users of a folder.

    Attributes:
        users: in the order of the file names, and in each file's own order.
        version: the API version that all files name; `mixed` if they differ or one names none.
        files: number of files read.
    """

    users: tuple[dict[str, Any], ...]
    version: str
    files: int

    def page(self, number: int, size: int) -> tuple[dict[str, Any], ...]:
        """Users of page `number` (from 1); empty after the last one."""
        return self.users[(number - 1) * size : number * size]


def read(folder: Path) -> Recording:
    """Read the `*.json` files in `folder`, each a response of the API or a bare list of users.

    Raises:
        UsageError: the folder does not exist or contains no users, or a file contains something else.
    """
    if not folder.is_dir():
        raise UsageError("this folder does not exist", where=str(folder), fix="name a folder of recorded responses")
    files = sorted(path for path in folder.glob("*.json") if path.is_file())
    users: list[dict[str, Any]] = []
    versions = set()
    for path in files:
        found, version = _read_file(path)
        users.extend(found)
        versions.add(version)
    if not users:
        raise UsageError(
            f"this folder contains no users ({len(files)} *.json files)",
            where=str(folder),
            fix="put recorded responses there",
        )
    version = versions.pop() if len(versions) == 1 else ""
    return Recording(tuple(users), version or "mixed", len(files))


def _read_file(path: Path) -> tuple[list[dict[str, Any]], str]:
    fix = 'write a recorded response as {"results": [user, …]} or [user, …], in UTF-8'
    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(f"this file is not UTF-8 at byte {error.start}", where=str(path), fix=fix) from None
    except json.JSONDecodeError as error:
        raise UsageError(f"this file is not JSON: {error.msg}", where=f"{path}:{error.lineno}", fix=fix) from None
    except RecursionError:
        raise UsageError("this file is nested too deeply", where=str(path), fix=fix) from None
    except OSError as error:
        what = f"this file cannot be read ({error.strerror})"
        raise UsageError(what, where=str(path), fix="check its permissions") from None
    users = document.get("results") if isinstance(document, dict) else document
    if not isinstance(users, list):
        raise UsageError("this file is JSON but not a response of the API", where=str(path), fix=fix)
    for position, user in enumerate(users):
        if not isinstance(user, dict):
            raise UsageError(f"result {position} is not an object", where=str(path), fix=fix)
    info = document.get("info") if isinstance(document, dict) else None
    version = info.get("version") if isinstance(info, dict) else None
    return users, version if isinstance(version, str) else ""
