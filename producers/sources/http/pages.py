"""Which page of an HTTP API comes next, and what an answer says that no sound API says.  Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urljoin, urlsplit

from avro_data_contracts.contracts.sources.documents import ABSENT, written
from avro_data_contracts.contracts.sources.expressions import NotApplicable, compiled
from avro_data_contracts.contracts.sources.http.pagination import (
    CursorSpec,
    LinkSpec,
    OffsetSpec,
    PageSpec,
    PaginationSpec,
)


class Unsound(ValueError):
    """An answer that makes it uncertain that every record is read.

    Args:
        what: one sentence, with the page, and without a value.
        fix: what to do about it.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


@dataclass(frozen=True)
class Ask:
    """One request.

    Attributes:
        page: its number, from 1.
        params: beyond those of every request.
        url: the whole address, for a link of the API; empty: that of the contract.
    """

    page: int
    params: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


@dataclass(frozen=True)
class Page:
    """One answer.

    Attributes:
        ask: what was asked.
        url: its address, to resolve links.
        document: its JSON.
        records: those in it.
        link: the `next` of its Link header; empty if there is none.
    """

    ask: Ask
    url: str
    document: Any
    records: list[Any]
    link: str = ""


class Paging(Protocol):
    """The pages of one run, in their order.

    Attributes:
        notice: what a person should know of the last page although no record is lost; empty for nothing.
    """

    notice: str

    def first(self) -> Ask:
        """The first request."""
        ...

    def after(self, page: Page) -> Ask | None:
        """The request after a page, which may be the same again; None at the end.  Raises Unsound."""
        ...


def of(spec: PaginationSpec | None) -> Paging:
    """The pages of an API that pages as `spec` says."""
    if isinstance(spec, (PageSpec, OffsetSpec)):
        return _Numbered(spec)
    if isinstance(spec, CursorSpec):
        return _Cursor(spec)
    return _Links(spec) if isinstance(spec, LinkSpec) else _Single()


class _Single:
    """One page."""

    notice = ""

    def first(self) -> Ask:
        return Ask(1)

    def after(self, page: Page) -> Ask | None:
        return None


def _size(spec: Any) -> dict[str, str]:
    return {spec.size_param: str(spec.size)} if spec.size_param else {}


class _Numbered:
    """Pages by number, or by the number of records before them.  The end is a page that is empty twice."""

    def __init__(self, spec: PageSpec | OffsetSpec) -> None:
        self._spec = spec
        self._by_page = isinstance(spec, PageSpec)
        self._may_differ = not isinstance(spec, PageSpec) or spec.uneven
        self._number = spec.start
        self._empty = False
        self._full = self._short = 0  # records of the first page, and of one that had fewer
        self.notice = ""

    def first(self) -> Ask:
        return self._ask(1)

    def _ask(self, page: int) -> Ask:
        return Ask(page, {self._spec.param: str(self._number), **_size(self._spec)})

    def after(self, page: Page) -> Ask | None:
        number, size = page.ask.page, len(page.records)
        if not size:
            # An API under load may answer so once; only the second time it is the end.
            if self._empty:
                return None
            self._empty = True
            return None if _ended(self._spec, page) else page.ask
        self._empty = False
        self._check_size(number, size)
        if _ended(self._spec, page):
            return None
        self._number += 1 if self._by_page else size
        return self._ask(number + 1)

    def _check_size(self, page: int, size: int) -> None:
        """Page numbers count pages of one size: with another one, they leave records out."""
        self._full = self._full or size
        self.notice = ""
        if size > self._full or self._short:
            before = self._short or self._full
            what = f"page 1 has {self._full} records, page {page - 1} has {before}, and page {page} has {size}"
            if not self._may_differ:
                raise Unsound(f"changed its page size: {what}, so records may be missing", _EVEN)
            self.notice = what
        self._short = size if size < self._full else 0


class _Cursor:
    """Pages whose answer has the cursor of the next."""

    notice = ""

    def __init__(self, spec: CursorSpec) -> None:
        self._spec = spec
        self._next = compiled(spec.next)
        self._seen: dict[str, int] = {}

    def first(self) -> Ask:
        return Ask(1, _size(self._spec))

    def after(self, page: Page) -> Ask | None:
        number = page.ask.page
        if _ended(self._spec, page):
            return None
        cursor = _evaluated("next", self._spec.next, page)
        if _is_nothing(cursor):
            return None
        if isinstance(cursor, (dict, list, bool)):
            raise Unsound(f"the cursor after page {number} is neither text nor a number", _CORRECT.format("next"))
        text = str(cursor)
        if text in self._seen:
            raise Unsound(f"gives page {self._seen[text]} again after page {number}: its cursor repeats", _ENDLESS)
        self._seen[text] = number + 1
        return Ask(number + 1, {self._spec.param: text, **_size(self._spec)})


class _Links:
    """Pages whose answer has the URL of the next."""

    notice = ""

    def __init__(self, spec: LinkSpec) -> None:
        self._spec = spec
        self._seen: dict[str, int] = {}

    def first(self) -> Ask:
        return Ask(1, _size(self._spec))

    def after(self, page: Page) -> Ask | None:
        number = page.ask.page
        self._seen.setdefault(page.url, number)
        if _ended(self._spec, page):
            return None
        if self._spec.next is None:
            link: Any = page.link
        else:
            link = _evaluated("next", self._spec.next, page)
        if _is_nothing(link):
            return None
        if not isinstance(link, str):
            raise Unsound(f"the link after page {number} is not text", _CORRECT.format("next"))
        url = urljoin(page.url, link)
        if _origin(url) != _origin(page.url):
            raise Unsound(
                f"page {number} links to another server ({_origin(url)}), which must not get this one's credentials",
                "correct the address that the API thinks it has, or write that server into source.url",
            )
        if url in self._seen:
            raise Unsound(f"page {number} links back to page {self._seen[url]}", _ENDLESS)
        self._seen[url] = number + 1
        return Ask(number + 1, {}, url)


_CORRECT: Final = "correct pagination.{} of the contract's source"
_EVEN: Final = (
    "fetch pages of a size that the API keeps (pagination.size_param and .size), or page by offset, cursor or link; "
    "if it leaves records out of full pages, write `uneven: true`"
)
_ENDLESS: Final = "the pages never end this way: correct `pagination`, or have the API corrected"


def _is_nothing(value: Any) -> bool:
    """Whether there is no next page.  An API that has no more may also leave the key out."""
    return value is ABSENT or value is None or value is False or value == ""


def _ended(spec: PaginationSpec, page: Page) -> bool:
    """Whether `more` says that no page follows."""
    if spec.more is None:
        return False
    more = _evaluated("more", spec.more, page)
    if more is ABSENT or (more is None and not compiled(spec.more).is_path):
        raise Unsound(f"page {page.ask.page} has nothing at `{spec.more}`", _CORRECT.format("more"))
    return more in (None, False, "", 0) or more == [] or more == {}


def _evaluated(key: str, expression: str, page: Page) -> Any:
    try:
        return compiled(expression)(page.document)
    except NotApplicable as error:
        raise Unsound(f"page {page.ask.page}: {error}", _CORRECT.format(key)) from None


def _origin(url: str) -> str:
    """Scheme, host and port; empty parts for a URL that is not one."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        return f"{parts.scheme}://{parts.hostname}:{port}"
    except ValueError:
        return "an address that is not one"


def same_origin(url: str, other: str) -> bool:
    """Whether two addresses are on one server."""
    return _origin(url) == _origin(other)


class Repeats:
    """Notices a page whose records are all those of an earlier page."""

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def check(self, page: Page) -> None:
        """Raise Unsound if an earlier page of the run had these records."""
        if not page.records:
            return
        digest = hashlib.sha256(written(page.records).encode("utf-8", "surrogatepass")).digest()
        before = self._seen.setdefault(digest, page.ask.page)
        if before != page.ask.page:
            raise Unsound(f"page {page.ask.page} has the same records as page {before}", _ENDLESS)
