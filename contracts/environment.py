"""The variables of the environment and, below them, of `.env`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from avro_data_contracts.contracts.errors import ConfigurationError

_FILE: Final = ".env"


def variables() -> dict[str, str]:
    """Return the variables, by their names.

    Raises:
        ConfigurationError: `.env` cannot be read.
    """
    return {**_written(), **os.environ}


def told() -> dict[str, str]:
    """Return the variables, by their names in small letters.  Raises as `variables`."""
    return {name.lower(): value for name, value in (*_written().items(), *os.environ.items())}


def secret(name: str, given: Mapping[str, str]) -> str:
    """Return the value of a variable, or what is in the file that `NAME_FILE` names; empty if neither is set.

    A secret in a file is not in the environment of the process, where a container's owner can see it.

    Args:
        name: the variable, in the letters of `given`.

    Raises:
        ConfigurationError: both are set, or the file cannot be read.
    """
    by_file = f"{name}_FILE" if name.isupper() else f"{name}_file"
    value, path = given.get(name, ""), given.get(by_file, "")
    if not path:
        return value
    if value:
        raise ConfigurationError(
            f"both {name.upper()} and {by_file.upper()} are set", where="the environment and .env", fix="set only one"
        )
    try:
        # An editor ends a file with a line feed, which is not part of the password.
        return Path(path).read_text(encoding="utf-8-sig").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(
            f"the file cannot be read: {why}",
            where=f"{by_file.upper()}={path}",
            fix="correct its path or permissions",
        ) from None


def _written() -> dict[str, str]:
    if not os.path.isfile(_FILE):
        return {}
    from dotenv import dotenv_values  # only where there is a file

    try:
        found = dotenv_values(_FILE, encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError("the file is not UTF-8", where=_FILE, fix="save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(
            f"the file cannot be read: {error.strerror}", where=_FILE, fix="correct its permissions"
        ) from None
    return {name: value for name, value in found.items() if value is not None}
