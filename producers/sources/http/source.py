"""Records of an HTTP API that the contract describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from avro_data_contracts.contracts.avro.nodes import Record as RecordType
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.sources.expressions import NotApplicable, compiled
from avro_data_contracts.contracts.sources.http.spec import HttpSpec
from avro_data_contracts.contracts.sources.increment import Order
from avro_data_contracts.producers.dead_letter import Document
from avro_data_contracts.producers.plain.asked import Asked
from avro_data_contracts.producers.plain.conversion import plain
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.environment import Environment
from avro_data_contracts.producers.sources.http import pages
from avro_data_contracts.producers.sources.http.client import Client
from avro_data_contracts.producers.sources.http.mapping import Mapped
from avro_data_contracts.producers.sources.increments import Increment, OutOfOrder, text_of
from avro_data_contracts.producers.sources.positions import Origin, Positions
from avro_data_contracts.producers.sources.source import Item, Opens, Record, Request

log = structlog.get_logger()


class HttpSource:
    """An HTTP API.  See `producers.sources.source.Source`, and `Resumable` there."""

    def __init__(self, contract: Contract, settings: Settings) -> None:
        spec = contract.spec.source
        assert isinstance(spec, HttpSpec)
        self._spec = spec
        self._contract, self._settings = contract, settings
        self._client = Client(
            spec,
            Environment(contract.file),
            url=_override(spec, settings),
            timeout_s=settings.datasource_timeout_s,
            retries=settings.datasource_retries,
        )
        root = contract.value.schema.resolve(contract.value.schema.root)
        self._mapped = Mapped(root.by_name if isinstance(root, RecordType) else (), spec.fields)
        self._asked = Asked.of(spec.coerce)
        self._plain = plain(contract.value.schema, self._asked)
        self._page = self._record = 0
        self._increment: Increment | None = None
        self._positions: Positions | None = None
        self._complete = False

    @property
    def where(self) -> str:
        return self._client.address

    @property
    def position(self) -> str:
        return f"page {self._page}, record {self._record}" if self._page else ""

    def items(self, request: Request) -> Iterator[Item]:
        since = self._since()
        if self._spec.incremental and request.count and self._spec.incremental.order is Order.any:
            log.warning("the position moves only if the run reads everything that is new; leave --count out")
        paging, repeats = pages.of(self._spec.pagination), pages.Repeats()
        ask: pages.Ask | None = paging.first()
        while ask is not None:
            if ask.page > self._spec.max_pages:
                raise self._failure(
                    f"page {self._spec.max_pages} is not the last: the API has more pages than `max_pages` allows",
                    "raise source.max_pages, or correct `pagination` if the pages never end this way",
                )
            page = self._client.page(ask, since)
            try:
                repeats.check(page)
                for number, given in enumerate(page.records, 1):
                    self._page, self._record = ask.page, number
                    outcome = self._seen(given)
                    yield Item(Document(given), outcome)
                ask = paging.after(page)
            except pages.Unsound as error:
                raise self._failure(error.what, error.fix) from None
            if paging.notice:
                log.warning("the API changed its page size; nothing is lost", pages=paging.notice)
        self._complete = True
        log.info("the source has no more records", pages=self._page)

    def notices(self) -> list[str]:
        return [*self._mapped.notices(), *self._asked.epochs.notices()]

    @property
    def place(self) -> str | None:
        """The cursor to go on from."""
        return self._increment.position(complete=self._complete) if self._increment else None

    def keep(self, place: str) -> None:
        assert self._positions is not None  # only with them is there a place
        self._positions.keep(place)

    def _since(self) -> dict[str, str]:
        """The parameter for what is new."""
        spec = self._spec.incremental
        if spec is None:
            return {}
        self._cursor = compiled(spec.cursor)
        self._positions = Positions(
            self._settings, self._contract, Origin(self._client.address, spec.param, spec.cursor)
        )
        since = self._positions.claim() or spec.start
        self._increment = Increment(spec.order, since)
        log.info("reads what is new", position=str(self._positions.file), first=since in (None, spec.start))
        return {} if since is None else {spec.param: since}

    def _seen(self, given: Any) -> Record | Rejection:
        """The outcome of a record, whose place in the order of changes counts."""
        if self._increment is not None:
            try:
                cursor = text_of(self._cursor(given))
            except NotApplicable:
                cursor = None
            if cursor is None:
                return Rejection("MISSING_CURSOR", f"there is no text or number at `{self._cursor.text}`")
            try:
                self._increment.see(cursor)
            except OutOfOrder as error:
                raise self._failure(
                    f"{self.position}: {error}", "correct `incremental.order` or `.cursor` of the contract's source"
                ) from None
        try:
            return self._plain(self._mapped(given))
        except Rejection as rejection:
            return rejection

    def _failure(self, what: str, fix: str) -> ServiceError:
        return ServiceError(what, where=self._client.where, fix=fix, server="source")


#: The host that the embedded stack's source API stands in for.
_STOOD_IN_FOR: Final = "randomuser.me"


def _override(spec: HttpSpec, settings: Settings) -> str:
    """Return DATASOURCE_URL if it is set, empty otherwise.

    The embedded stack and Docker set it too, for the contracts that have no address of their own; they repeat it in
    DATASOURCE_DEFAULT_URL.
    """
    url = settings.datasource_url if "datasource_url" in settings.model_fields_set else ""
    if not url:
        return ""
    if url == settings.datasource_default_url and urlsplit(spec.url).hostname != _STOOD_IN_FOR:
        return ""
    if not url.startswith(("http://", "https://")) or not urlsplit(url).hostname:
        raise ConfigurationError(
            "is not an http or https address", where="DATASOURCE_URL", fix="correct it, or unset it"
        )
    return url


SOURCE: Final[Opens] = HttpSource
