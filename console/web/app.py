"""The routes of the console."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from avro_data_contracts.console import rendering
from avro_data_contracts.console.accounts import Accounts
from avro_data_contracts.console.kept import Kept
from avro_data_contracts.console.live import Live
from avro_data_contracts.console.records import Reader
from avro_data_contracts.console.sessions import Sessions
from avro_data_contracts.console.web import answers
from avro_data_contracts.console.web.catalogue_pages import CataloguePages
from avro_data_contracts.console.web.entrance import Entrance
from avro_data_contracts.console.web.files import file
from avro_data_contracts.console.web.guard import LOGIN, Guard
from avro_data_contracts.console.web.live_pages import LivePages
from avro_data_contracts.console.web.record_pages import RecordPages
from avro_data_contracts.contracts.errors import ContractsError

_FORM = ["GET", "POST"]


def app(
    kept: Kept,
    live: Live,
    reader: Reader,
    accounts: Accounts,
    sessions: Sessions,
    hosts: Collection[str],
    cookie: str,
) -> Any:
    """Return the console as an ASGI application.

    Args:
        hosts: see `Guard`.
        cookie: the name of the cookie; other servers on this machine share the host's cookies.
    """
    pages, entrance, figures = CataloguePages(kept, live), Entrance(accounts, sessions, cookie), LivePages(kept, live)
    records = RecordPages(kept, reader)
    rendering.prepare()
    routes = [
        Route("/", pages.first),
        Route("/index.html", pages.index),
        Route("/search.json", pages.search_index),
        Route("/contracts/{slug}.html", pages.contract),
        Route("/versions/{slug}.html", pages.versions),
        Route("/live.html", figures.live),
        Route("/live.json", figures.all),
        Route("/live/{slug}.json", figures.one),
        Route("/records.html", records.choose),
        Route("/records/{slug}.html", records.records, methods=_FORM),
        Route("/dead/{slug}.html", records.dead, methods=_FORM),
        Route("/try.html", pages.tried, methods=_FORM),
        Route(LOGIN, entrance.login, methods=_FORM),
        Route("/logout", entrance.logout, methods=["POST"]),
        Route("/static/{name}", file),
    ]
    handlers: Any = {ContractsError: answers.contracts_error, 404: _nothing, 405: _nothing, 500: answers.bug}
    inner = Starlette(routes=routes, exception_handlers=handlers)
    return Guard(inner, sessions, hosts, cookie)


async def _nothing(request: Request, error: Exception) -> Response:
    return answers.not_found(request, "There is no such page.")
