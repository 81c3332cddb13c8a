"""Contents of messages that are not Avro: JSON with every digit of its numbers, or text.  Pure."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any, Final

from avro_data_contracts.contracts.sources.documents import written


def read(data: bytes) -> Any:
    """Return what JSON says, if `written` can say the same again; else the text; in base64 what is not UTF-8."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()
    try:
        value = exactly(text)
        # UTF-8 cannot express half of a surrogate pair, and the depth may be more than a writer can do, who has the
        # value inside of a message.
        written([[[[value]]]]).encode()
    except (ValueError, RecursionError):
        return text
    return value


def exactly(text: str) -> Any:
    """Return a document of JSON, all of whose numbers are Decimal.

    Raises:
        ValueError: it is not JSON, gives a name of an object twice, or has a number that Decimal cannot hold.
        RecursionError: it is nested too deeply.
    """
    try:
        return _DECODER.decode(text)
    except ArithmeticError:
        raise ValueError("a number is too large") from None


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(members)
    if len(made) < len(members):
        raise ValueError("a name is there twice")
    return made


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(
    parse_float=Decimal, parse_int=Decimal, parse_constant=_constant, object_pairs_hook=_object
)
