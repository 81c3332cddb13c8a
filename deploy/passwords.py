"""The passwords in `.env` that the compose files require, generated once and never changed afterwards."""

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
from dotenv.parser import parse_stream

from avro_data_contracts.stack.errors import UsageError

# Characters that need no quoting in URLs, properties, CQL and YAML.  `=` ends a base64 key; during a rotation there
# are two keys, separated by a comma.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+=*(,[A-Za-z0-9_-]+=*)?")


def read(path: Path) -> dict[str, str]:
    """Variables of an `.env` file, read as compose does, except that `$` stays; empty if there is no file.

    Raises:
        UsageError: the file, or a line of it, cannot be read.
    """
    text = _text(path)
    wrong = [str(one.original.line) for one in parse_stream(io.StringIO(text)) if one.error]
    if wrong:
        # The line itself may have a password.
        raise UsageError(
            f"not NAME=value: line {', '.join(wrong)}",
            where=str(path),
            fix="correct these lines; a merge of two versions of the file leaves such lines behind",
        )
    found = dotenv_values(stream=io.StringIO(text), interpolate=False)
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
    return UsageError(
        f"the passwords in this file cannot be used: {why}",
        where=str(path),
        fix="make it a UTF-8 text file that your account may read and write",
    )


def known(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that compose sees: the environment takes precedence over `.env`."""
    return {**read(path), **environment}


def demand(names: Sequence[str], environment: Mapping[str, str]) -> None:
    """Check that all passwords are set, and need no quoting where the compose files use them.

    Raises:
        UsageError: a password is missing, or has a character that needs quoting.
    """
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise UsageError(f"not set: {', '.join(missing)}", where=".env", fix="run `make compose-env`")
    if "${" in environment.get("MASK_KEY", ""):
        raise UsageError(
            "MASK_KEY has ${, which commands outside of Docker would replace: the same values would get other hashes",
            where=".env",
            fix="make another key: openssl rand -hex 32",
        )
    odd = [name for name in names if not _PLAIN.fullmatch(environment[name])]
    if odd:
        raise UsageError(
            f"these passwords contain characters that a URL or a properties file would change: {', '.join(odd)}",
            where=".env",
            fix="use only letters, digits, _ and -; if a server already has the old password, see "
            "docs/how-to/operations.md, Rotate",
        )


def add_missing(path: Path, wanted: Sequence[str]) -> list[str]:
    """Append a generated value for each name without one; returns those names.  The file gets mode 0600.

    Raises:
        UsageError: the file cannot be read or written.
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
    # Under another name until it is complete: passwords in use must not get lost.
    half = path.with_name(f"{path.name}.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    half.replace(path)


def _generated(name: str) -> str:
    if name.endswith("_FERNET_KEY"):
        return base64.urlsafe_b64encode(os.urandom(32)).decode()
    if name.endswith("_CLUSTER_ID"):
        # Kafka expects a UUID in base64 without padding that does not begin with a dash.
        return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
    # Letters and digits need no quoting in URLs, CQL, properties and YAML.
    return secrets.token_hex(24)
