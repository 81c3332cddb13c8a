"""`.env`: the passwords that the compose files want, generated once and never changed after that."""

from __future__ import annotations

import base64
import io
import os
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from dotenv import dotenv_values

from stack.errors import UsageError

# They stand in URLs, properties, CQL and YAML as they are.  `=` ends a key in base64; while keys are
# rotated there are two.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+=*(,[A-Za-z0-9_-]+=*)?")


def read(path: Path) -> dict[str, str]:
    """Name -> value of the lines of an `.env`, read as compose does but for `$`, which stays; empty without the file.

    Raises:
        UsageError: it cannot be read.
    """
    found = dotenv_values(stream=io.StringIO(_text(path)), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from None


def _unusable(path: Path, error: Exception) -> UsageError:
    why = (
        "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", None) or str(error)
    )
    return UsageError(f"no use as a file of passwords: {why}", where=str(path), fix="make it a text file of yours")


def known(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What compose sees: the environment, before `.env`."""
    return {**read(path), **environment}


def demand(names: Sequence[str], environment: Mapping[str, str]) -> None:
    """All of them are set, to what can stand wherever the compose files put it.

    Raises:
        UsageError: they are not.
    """
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise UsageError(f"not set: {', '.join(missing)}", where=".env", fix="run `make compose-env`")
    odd = [name for name in names if not _PLAIN.fullmatch(environment[name])]
    if odd:
        raise UsageError(
            f"characters that a URL or a file of properties would change: {', '.join(odd)}",
            where=".env",
            fix="choose letters, digits, _ and -; where a server has the old one: docs/how-to/operations.md, Rotate",
        )


def add_missing(path: Path, wanted: Sequence[str]) -> list[str]:
    """Appends a generated value for each wanted name that has none; returns the names.  The file is mode 0600.

    Raises:
        UsageError: it cannot be read or written.
    """
    text = _text(path)
    have = read(path)
    missing = [name for name in wanted if not have.get(name)]
    if text and not text.endswith("\n"):
        text += "\n"
    text += "".join(f"{name}={_generated(name)}\n" for name in missing)
    try:
        if missing:
            _replace(path, text)
        elif path.exists():
            path.chmod(0o600)
    except OSError as error:
        raise _unusable(path, error) from None
    return missing


def _replace(path: Path, text: str) -> None:
    # Under another name until it is whole: passwords that are in use must not get lost.
    half = path.with_name(f"{path.name}.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    half.replace(path)


def _generated(name: str) -> str:
    if name.endswith("_FERNET_KEY"):
        return base64.urlsafe_b64encode(os.urandom(32)).decode()
    if name.endswith("_CLUSTER_ID"):
        # Kafka takes a UUID in base64 without padding, and none that begins with a dash.
        return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
    # Of letters and digits: it stands in URLs, CQL, properties and YAML.
    return secrets.token_hex(24)
