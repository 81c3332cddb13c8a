"""The live figures: a page of all contracts and servers, and the JSON that its script asks for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from avro_data_contracts.console.kept import Kept
from avro_data_contracts.console.live import Figures, Live
from avro_data_contracts.console.pages.figures import stores as stores_of
from avro_data_contracts.console.web import answers


class LivePages:
    """Answers with the newest figures."""

    def __init__(self, kept: Kept, live: Live) -> None:
        self._kept = kept
        self._live = live

    def live(self, request: Request) -> Response:
        """The page; without a script, it shows the figures of when it was loaded."""
        catalogue = self._kept.snapshot.catalogue
        pages = list(catalogue.pages.values()) if catalogue else []
        figures = self._live.figures
        return answers.page(
            request,
            "live.html",
            pages=pages,
            servers=figures.status.servers if figures.status else (),
            figures=figures,
        )

    async def all(self, request: Request) -> Response:
        """The figures of all contracts.  Nothing is waited for, so no thread is needed."""
        return _same_or(request, self._live.figures)

    def one(self, request: Request) -> Response:
        """The last hour of one contract, and what its stores hold."""
        catalogue = self._kept.snapshot.catalogue
        page = catalogue.by_slug.get(request.path_params["slug"]) if catalogue else None
        if page is None:
            return answers.not_found(request, "There is no such contract.")
        status, silent = self._live.status_of(page.name), self._live.figures.silent
        stores = {one.sink: one.told for one in stores_of(status, silent).values()} if status else {}
        return answers.document({"points": self._live.points(page.name), "stores": stores})


def _same_or(request: Request, figures: Figures) -> Response:
    """JSON, or the answer that it has not changed."""
    # The time is not in the document: it would never be the same.
    headers = {"ETag": figures.tag, "Cache-Control": "no-cache", "Looked-At": figures.moment}
    if request.headers.get("if-none-match") == figures.tag:
        return Response(status_code=304, headers=headers)
    return Response(figures.text, headers=headers, media_type="application/json")
