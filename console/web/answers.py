"""Answers to requests: pages in their frame, JSON, and errors in the words of the project."""

from __future__ import annotations

import json
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from avro_data_contracts.console import rendering
from avro_data_contracts.console.frame import Frame, Link
from avro_data_contracts.console.pages.names import anchor
from avro_data_contracts.console.sessions import Session
from avro_data_contracts.contracts.catalog.addresses import slug
from avro_data_contracts.contracts.errors import EXIT_SERVICE, ContractsError

LINKS: Final = (
    Link("index.html", "Contracts"),
    Link("live.html", "Live"),
    Link("records.html", "Records"),
    Link("try.html", "Try a change"),
)

log = structlog.get_logger("console")


def session_of(request: Request) -> Session | None:
    """The session of a request; None where nobody has to be signed in."""
    found: Session | None = request.state.session
    return found


def signed_in(request: Request) -> Session:
    """The session of a request that the guard lets through only with one."""
    found = session_of(request)
    assert found is not None
    return found


def form_of(request: Request) -> dict[str, str]:
    """The values of the form that a request brings."""
    found: dict[str, str] = request.state.form
    return found


def page(request: Request, template: str, *, code: int = 200, **values: Any) -> Response:
    """Return a page."""
    path = request.url.path.lstrip("/")
    session = session_of(request)
    frame = Frame(
        root="../" * path.count("/"),
        here=path or "index.html",
        live=True,
        user=session.account.name if session else "",
        csrf=session.csrf if session else "",
        told="Times are in UTC.",
        links=LINKS if session else (),
    )
    text = rendering.render(template, site=frame, slug=slug, anchor=anchor, **values)
    return HTMLResponse(text.encode("utf-8", "backslashreplace"), code)


def document(content: Any) -> Response:
    """Return JSON."""
    return Response(json.dumps(content, ensure_ascii=True, separators=(",", ":")), media_type="application/json")


def not_found(request: Request, what: str) -> Response:
    """Return the page that says that there is no such thing."""
    return page(request, "error.html", code=404, title="Not found", what=what, fix="")


async def contracts_error(request: Request, error: Exception) -> Response:
    """Return the page of an error that says what happened, and how to fix it."""
    assert isinstance(error, ContractsError)
    code = 503 if error.exit_code == EXIT_SERVICE else 400
    title = "A server does not answer" if code == 503 else "This does not work"
    where = f"{error.where}: " if error.where else ""
    return page(request, "error.html", code=code, title=title, what=f"{where}{error.what}", fix=error.fix)


async def bug(request: Request, error: Exception) -> Response:
    """Return the page of an error that nobody expected; the log has its place and kind, and no data."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    at = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    log.error("a page failed", path=request.url.path, at=at, why=type(error).__name__)
    request.state.failed = True
    what = "This is a bug of the console; its log has the place."
    return page(request, "error.html", code=500, title="The page failed", what=what, fix="")
