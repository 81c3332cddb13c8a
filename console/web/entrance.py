"""Signing in and out."""

from __future__ import annotations

import math
import re
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from avro_data_contracts.console.accounts import Accounts
from avro_data_contracts.console.sessions import Sessions
from avro_data_contracts.console.web import answers
from avro_data_contracts.console.web.guard import LOGIN

#: An address of this server, never of another one.
_OWN: Final = re.compile(r"/(?![/\\])[\w.~%/?=&+:-]*", re.ASCII)

log = structlog.get_logger("console")


class Entrance:
    """Begins and ends sessions.  `cookie`: the name of their cookie."""

    def __init__(self, accounts: Accounts, sessions: Sessions, cookie: str) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._cookie = cookie

    def login(self, request: Request) -> Response:
        """The form, and what comes of it."""
        form = answers.form_of(request)
        after = form.get("next", request.query_params.get("next", ""))
        after = after if _OWN.fullmatch(after) else "/index.html"
        if request.method != "POST":
            return self._form(request, after)
        name = form.get("name", "")
        if (wait := self._sessions.wait_s) > 0:
            return self._form(request, after, name, 429, f"Too many wrong passwords: wait {math.ceil(wait)} s.")
        account = self._accounts.signed_in(name, form.get("password", ""))
        if account is None:
            self._sessions.failed()
            log.warning("a wrong password")
            return self._form(request, after, name, 403, "The account or the password is wrong.")
        session, cookie = self._sessions.begin(account)
        log.info("signed in", account=account.name, session=session.id[:8])
        answer = RedirectResponse(after, 303)
        answer.set_cookie(
            self._cookie, cookie, max_age=int(self._sessions.lasts_s), path="/", httponly=True, samesite="strict"
        )
        return answer

    def logout(self, request: Request) -> Response:
        session = answers.signed_in(request)
        self._sessions.end(session)
        log.info("signed out", account=session.account.name, session=session.id[:8])
        answer = RedirectResponse(LOGIN, 303)
        answer.delete_cookie(self._cookie, path="/", httponly=True, samesite="strict")
        return answer

    def _form(self, request: Request, after: str, name: str = "", code: int = 200, fault: str = "") -> Response:
        values = {"next": after, "name": name[:100], "fault": fault, "source": self._accounts.source}
        return answers.page(request, "login.html", code=code, **values)
