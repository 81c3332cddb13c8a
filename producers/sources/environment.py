"""The values of the environment variables that a source of a contract.yaml names, and how they stay secret."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, quote_plus

from avro_data_contracts.contracts import environment
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.sources import secrets


class Environment:
    """Values of variables, from the environment, else from `.env`.

    Args:
        file: the contract, for messages.
    """

    def __init__(self, file: str, variables: Mapping[str, str] | None = None) -> None:
        self._file = file
        self._known = environment.variables() if variables is None else variables
        self._used: dict[str, str] = {}

    def fill(self, text: str) -> str:
        """Return a text with the values of its variables.

        Raises:
            ConfigurationError: a variable is not set.  The message names it, and has no value.
        """
        return secrets.filled(text, self._value)

    def header(self, name: str, text: str) -> str:
        """Return the value of a header.  Raises as `fill`, and if no header can have it."""
        value = self.fill(text)
        if not value.isascii() or not value.isprintable() or value != value.strip():
            named = " and ".join(f"${{{one}}}" for one in secrets.variables(text)) or "its value"
            raise ConfigurationError(
                f"source: {named} cannot be sent in the header {name}: it has blanks around it, a line break, or "
                "characters that are not ASCII",
                where=self._file,
                fix="set it to the token alone",
            )
        return value

    def hide(self, text: str) -> str:
        """Return a text with `${NAME}` in place of the values that were filled in, however a URL writes them."""
        for name, value in sorted(self._used.items(), key=lambda item: -len(item[1])):
            for form in {value, quote(value, safe=""), quote(value), quote_plus(value)}:
                text = text.replace(form, f"${{{name}}}")
        return text

    def _value(self, name: str) -> str:
        value = self._known.get(name)
        if not value:
            state = "is empty" if value == "" else "is not set"
            raise ConfigurationError(
                f"source: the environment variable {name} {state}",
                where=self._file,
                fix=f"export {name}=…, or write it into .env",
            )
        self._used[name] = value
        return value
