"""The pages of contracts and versions, as the static catalogue has them, of what is on disk now."""

from __future__ import annotations

import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from avro_data_contracts.console import proposal
from avro_data_contracts.console.catalogue import Catalogue
from avro_data_contracts.console.kept import Kept
from avro_data_contracts.console.live import Live
from avro_data_contracts.console.pages.figures import stores
from avro_data_contracts.console.pages.overview import Query, search
from avro_data_contracts.console.pages.versions import name_at, row_of
from avro_data_contracts.console.web import answers
from avro_data_contracts.contracts.catalog.addresses import slug
from avro_data_contracts.contracts.check.commits import History
from avro_data_contracts.contracts.errors import ConfigurationError

_SHA: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class CataloguePages:
    """Makes these pages from what is kept."""

    def __init__(self, kept: Kept, live: Live) -> None:
        self._kept = kept
        self._live = live

    def first(self, request: Request) -> Response:
        return RedirectResponse("index.html", 302)

    def index(self, request: Request) -> Response:
        catalogue, snapshot = self.catalogue, self._kept.snapshot
        text = request.query_params.get("q", "")[:200]
        shown = catalogue.overview(snapshot.past.versions)
        if text.strip():
            shown = shown.narrowed(search(catalogue.index, Query.of(text)))
        return answers.page(
            request, "index.html", overview=shown, query=text, fault=snapshot.fault, figures=self._live.figures
        )

    def search_index(self, request: Request) -> Response:
        return answers.document(self.catalogue.index)

    def contract(self, request: Request) -> Response:
        found = self.catalogue.by_slug.get(request.path_params["slug"])
        if found is None:
            return answers.not_found(request, "There is no such contract.")
        past, figures = self._kept.snapshot.past, self._live.figures
        status = self._live.status_of(found.name)
        return answers.page(
            request,
            "contract.html",
            page=found,
            versions=past.versions.get(found.name, ()),
            notes=past.notes,
            figures=figures,
            status=status,
            stores=stores(status, figures.silent) if status else {},
        )

    def versions(self, request: Request) -> Response:
        past, catalogue = self._kept.snapshot.past, self.catalogue
        names = {slug(name): name for name in (*past.versions, *catalogue.pages)}
        name = names.get(request.path_params["slug"])
        if name is None:
            return answers.not_found(request, "There is no such contract, and never was one.")
        choices = past.versions.get(name, ())
        old, new = (request.query_params.get(key, "") for key in ("from", "to"))
        return answers.page(
            request,
            "versions.html",
            name=name,
            is_there=name in catalogue.pages,
            versions=choices,
            notes=past.notes,
            choices=choices,
            compared=self._compared(name, old, new) if old else None,
            asked=(old, new),
        )

    def _compared(self, name: str, old: str, new: str) -> dict[str, Any]:
        if not _SHA.fullmatch(old) or not (new == "" or _SHA.fullmatch(new)):
            raise ConfigurationError("a version is the whole hash of a commit", fix="choose both from the lists")
        history = History(self._kept.folder, tuple(self.catalogue.files.texts))
        found = history.between(old, new or None)
        versions = self._kept.snapshot.past.versions.get(name, ())
        was, now = name_at(versions, name, old), name_at(versions, name, new)
        if not was and not now:
            raise ConfigurationError(
                f"neither {old[:9]} nor {new[:9]} is a version of {name}",
                fix="choose both from the lists; while the versions are being read, wait until all are there",
            )
        mine = [one for one in found if now and one.contract == now] or [
            one for one in found if was and one.was == was
        ]
        row = row_of(mine[0]) if mine else None
        return {"from": old[:9], "to": new[:9] or "now", "row": row}

    def tried(self, request: Request) -> Response:
        """The page where somebody tries a schema, and the verdict on it."""
        catalogue = self.catalogue
        form = answers.form_of(request)
        names = list(catalogue.pages)
        name = form.get("contract") or request.query_params.get("contract") or next(iter(names), "")
        against = proposal.HEAD if form.get("against") == proposal.HEAD else None
        text, judged = "", None
        if name in catalogue.pages:
            text = proposal.one_line_end(form.get("avsc", catalogue.pages[name].avsc))
            if request.method == "POST":
                judged = proposal.judge(catalogue, self._kept.folder, name, text, against)
        elif name:
            return answers.not_found(request, f"There is no contract {name}.")
        return answers.page(request, "try.html", names=names, name=name, text=text, judged=judged, against=against)

    @property
    def catalogue(self) -> Catalogue:
        found = self._kept.snapshot.catalogue
        assert found is not None  # `Kept.start` has read it
        return found
