"""The parameters of a request, read as randomuser.me 1.4 reads them: an invalid value becomes the default."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from avro_data_contracts.stack.source.nationalities import BY_CODE

FIELDS = (
    "gender", "name", "location", "email", "login", "dob", "registered", "phone", "cell", "id", "picture", "nat",
)  # fmt: skip
MAX_RESULTS = 5_000
MAX_PAGE = 10_000
_FORMATS_NOT_OFFERED = ("csv", "xml", "yaml")


class UnofferedFormat(ValueError):
    """`format` is one that the real API offers and this one does not."""


@dataclass(frozen=True)
class Query:
    """A request for users.

    Attributes:
        results: users per page, 1 to 5000.
        page: 1 or more; the server limits the highest page.
        seed: empty if the request has none.
        nats: nationality codes in the order of the request; empty for all.
        gender: `male` or `female`; empty for both.
        fields: the user's fields to include.
        pretty: whether the JSON has line breaks.
        info: whether the answer has `info`.
        faults: `_fault` specifications, for this request only.
    """

    results: int = 1
    page: int = 1
    seed: str = ""
    nats: tuple[str, ...] = ()
    gender: str = ""
    fields: tuple[str, ...] = FIELDS
    pretty: bool = False
    info: bool = True
    faults: tuple[str, ...] = ()


def parse(query_string: str) -> Query:
    """Parse the query of a URL.  An invalid value never fails; like the real API, it becomes the default.

    Raises:
        UnofferedFormat: `format` is one of the real API's other than JSON.
    """
    pairs = parse_qsl(query_string, keep_blank_values=True, errors="replace")
    given = dict(pairs)  # the last one wins if a parameter is repeated
    form = given.get("fmt", given.get("format", "json")).lower()
    if form in _FORMATS_NOT_OFFERED:
        raise UnofferedFormat(form)
    seed = given.get("seed", "")
    included = _words(given.get("inc", "")) or list(FIELDS)
    excluded = _words(given.get("exc", ""))
    gender = given.get("gender", "")
    return Query(
        results=_whole_number(given.get("results", ""), MAX_RESULTS),
        page=_whole_number(given.get("page", ""), 10**9),
        seed=seed,
        nats=_nats(given.get("nat") or given.get("nationality") or ""),
        # With a seed the real API ignores the gender: a seed always gives the same users.
        gender=gender if gender in ("male", "female") and not seed else "",
        fields=tuple(field for field in FIELDS if field in included and field not in excluded),
        pretty=form in ("pretty", "prettyjson"),
        info="noinfo" not in given,
        faults=tuple(value for name, value in pairs if name == "_fault"),
    )


def _whole_number(text: str, highest: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= highest:
        return 1
    return int(text)


def _nats(text: str) -> tuple[str, ...]:
    codes = tuple(word.upper() for word in _words(text))
    return codes if all(code in BY_CODE for code in codes) else ()


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",") if word.strip()]
