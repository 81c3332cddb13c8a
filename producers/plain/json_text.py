"""Reads JSON exactly: numbers keep all their digits, and an object must not have a key twice."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final, NoReturn

from avro_data_contracts.producers.rejection import Rejection


class _Repeated(ValueError):
    pass


class _NotANumber(ValueError):
    pass


def decode(text: str) -> Any:
    """Return the value of a JSON text: whole numbers as int, others as Decimal.

    Raises:
        Rejection: NOT_JSON, DUPLICATE_KEY, NOT_A_NUMBER (NaN, Infinity).  The message contains no data.
    """
    try:
        try:
            # `decode` would look for blanks on both sides, which takes as long as a short line itself.
            value, end = _decoder.raw_decode(text)
        except json.JSONDecodeError:
            return _decoder.decode(text)
        return value if end == len(text) or not text[end:].strip(_BLANKS) else _decoder.decode(text)
    except json.JSONDecodeError as error:
        if text.startswith("\ufeff"):
            raise Rejection("NOT_JSON", "begins with a byte order mark, which JSON does not have") from None
        where = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        raise Rejection("NOT_JSON", f"is not JSON: {_words(error.msg)} at {where}") from None
    except _Repeated as error:
        raise Rejection("DUPLICATE_KEY", str(error)) from None
    except _NotANumber as error:
        raise Rejection("NOT_A_NUMBER", str(error)) from None
    except RecursionError:
        raise Rejection("NOT_JSON", "is nested too deeply") from None
    except ValueError:  # Python's limit for whole numbers
        raise Rejection("NOT_A_NUMBER", "has a whole number of more than 4300 digits") from None


def _words(message: str) -> str:
    return message[:1].lower() + message[1:]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Repeated("has an object with the same key twice, so one of its values would be lost")
    return found


def _constant(name: str) -> NoReturn:
    raise _NotANumber(f'has {name}, which is not a JSON number; for a float or double, write "{name}" in quotes')


_BLANKS: Final = " \t\n\r"
_decoder: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_object)
