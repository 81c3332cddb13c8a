"""What a message says of a request that an API refused: the API's own words, and what was sent; without a secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from avro_data_contracts.contracts.sources import secrets
from avro_data_contracts.contracts.sources.documents import ABSENT, written
from avro_data_contracts.contracts.terminal import clean

#: Puts the name of a secret in its place.
Hide = Callable[[str], str]

#: Where APIs put their words about an error.
_WORDS: Final = ("error", "message", "detail", "title", "error_description")
_LONGEST: Final = 200
_LONGEST_VALUE: Final = 60
_MOST_PARAMETERS: Final = 20


def of_error(document: Any, hide: Hide) -> str:
    """The API's sentence about an error, if its answer has one where most APIs have it."""
    words = next((document[key] for key in _WORDS if document.get(key)), None) if isinstance(document, dict) else None
    if isinstance(words, dict):
        words = next((words[key] for key in _WORDS if isinstance(words.get(key), str)), None)
    return f": {_line(hide(words))}" if isinstance(words, str) else ""


def of_answer(document: Any, content: bytes, kind: str, hide: Hide) -> str:
    """The beginning of a whole answer, if it is JSON or plain text: a page of HTML says little.

    Args:
        document: its JSON; ABSENT if it has none.
        kind: its content type.
    """
    if document is not ABSENT:
        try:
            # First inside, because a text has other characters once it is written as JSON; then also in the numbers.
            text = hide(written(_hidden(document, hide)))
        except RecursionError:
            return ""
    elif kind.partition(";")[0].strip().lower() == "text/plain":
        text = hide(content.decode(errors="replace"))
    else:
        return ""
    line = _line(text)
    return f": {line}" if line else ""


def of_request(url: str, params: Mapping[str, str], hide: Hide) -> str:
    """The parameters of a request; of a secret one only the name.

    Args:
        url: as it was sent.
        params: name -> value, as in contract.yaml.
    """
    sent = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    told = [f"{_line(hide(name))}={_value(name, value, params.get(name, ''), hide)}" for name, value in sent]
    more = [f"{len(told) - _MOST_PARAMETERS} more"] if len(told) > _MOST_PARAMETERS else []
    return f", sent {', '.join([*told[:_MOST_PARAMETERS], *more])}" if told else ""


def _value(name: str, value: str, own: str, hide: Hide) -> str:
    if secrets.variables(own) or secrets.written_out(name, value) or hide(value) != value:
        return "…"
    return _line(value, _LONGEST_VALUE)


def _hidden(value: Any, hide: Hide) -> Any:
    if isinstance(value, dict):
        return {hide(name): _hidden(one, hide) for name, one in value.items()}
    if isinstance(value, list):
        return [_hidden(one, hide) for one in value]
    return hide(value) if isinstance(value, str) else value


def _line(text: str, longest: int = _LONGEST) -> str:
    line = clean(" ".join(text.split()))
    return line if len(line) <= longest else f"{line[:longest]}…"
