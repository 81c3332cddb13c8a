"""The variables of the environment and, below them, of `.env`."""

from __future__ import annotations

import os
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
