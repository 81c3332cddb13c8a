"""Records and dead letters: filters, what is masked, revealing it, and putting records back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import Response

from avro_data_contracts.console.kept import Kept
from avro_data_contracts.console.pages.contract import ContractPage
from avro_data_contracts.console.records import LIMITS, Filters, Reader, Records, Replay
from avro_data_contracts.console.web import answers
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError

log = structlog.get_logger("console")


class RecordPages:
    """Makes these pages."""

    def __init__(self, kept: Kept, reader: Reader) -> None:
        self._kept = kept
        self._reader = reader

    def choose(self, request: Request) -> Response:
        """The page that leads to the topics."""
        catalogue = self._kept.snapshot.catalogue
        return answers.page(request, "topics.html", pages=list(catalogue.pages.values()) if catalogue else [])

    def records(self, request: Request) -> Response:
        """The newest records of a contract; with a form, personal data revealed."""
        page = self._page(request)
        if page is None:
            return answers.not_found(request, "There is no such contract.")
        return _refused(request) or self._shown(request, page, page.name, "records.html")

    def dead(self, request: Request) -> Response:
        """The dead letters of a contract by reason, and the newest of them."""
        page = self._page(request)
        if page is None:
            return answers.not_found(request, "There is no such contract.")
        contract = self._catalog.get(page.name)
        form, replayed = answers.form_of(request), None
        if refused := _refused(request):
            return refused
        if request.method == "POST" and form.get("action") in ("dry-run", "replay"):
            replayed = self._replayed(request, page.name, form["action"] == "replay", form)
        reasons = self._reader.reasons(contract)
        topic = contract.dead_letter_topic
        return self._shown(request, page, topic, "dead.html", reasons=reasons, replayed=replayed)

    def _shown(self, request: Request, page: ContractPage, topic: str, template: str, **values: Any) -> Response:
        form = answers.form_of(request)
        account = answers.signed_in(request).account
        reveal = request.method == "POST" and form.get("action") == "reveal"
        filters = Filters.of(form if reveal else request.query_params)
        found, fault = Records(), ""
        try:
            if reveal:
                log.warning("personal data revealed", account=account.name, topic=topic, limit=filters.limit)
            found = self._reader.records(self._catalog, topic, filters, reveal=reveal)
        except ContractsError as error:
            fault = str(error)
        older = _query(filters, found.older) if found.older else ""
        return answers.page(
            request,
            template,
            page=page,
            filters=filters,
            found=found,
            fault=fault,
            older=older,
            limits=LIMITS,
            revealed=reveal,
            acts=account.acts,
            topic=topic,
            **values,
        )

    def _replayed(self, request: Request, name: str, is_meant: bool, form: Mapping[str, str]) -> Replay:
        account = answers.signed_in(request).account
        number = form.get("expected", "")
        if is_meant and not re.fullmatch(r"[0-9]{1,9}", number):
            raise ConfigurationError(
                "the form does not say how many records to put back", fix="ask first what a replay would do"
            )
        expected = int(number) if is_meant else None
        done = self._reader.replay(self._catalog.get(name), form.get("reason", ""), expected=expected)
        if is_meant:
            log.warning("dead letters put back", account=account.name, contract=name, records=done.records)
        return done

    def _page(self, request: Request) -> ContractPage | None:
        catalogue = self._kept.snapshot.catalogue
        return catalogue.by_slug.get(request.path_params["slug"]) if catalogue else None

    @property
    def _catalog(self) -> Catalog:
        catalogue = self._kept.snapshot.catalogue
        assert catalogue is not None  # a page of it was found
        return catalogue.loaded.catalog


#: What only an operator may do, by the form's action.
_ACTS: Final = {"reveal": "reveal personal data", "replay": "put records back"}


def _refused(request: Request) -> Response | None:
    """Return the answer to a form of somebody who may not send it."""
    account = answers.signed_in(request).account
    what = _ACTS.get(answers.form_of(request).get("action", ""))
    if what is None or account.acts:
        return None
    log.warning("not permitted", account=account.name, what=what)
    told = f"The account {account.name} may not {what}."
    fix = "sign in as operator"
    return answers.page(request, "error.html", code=403, title="Not permitted", what=told, fix=fix)


def _query(filters: Filters, before: str) -> str:
    given = {
        "key": filters.key,
        "where": filters.where,
        "version": filters.version,
        "since": filters.since,
        "until": filters.until,
        "reason": filters.reason,
        "limit": str(filters.limit),
        "before": before,
    }
    return urlencode({name: value for name, value in given.items() if value})
