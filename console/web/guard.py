"""What stands before every page: only this machine's names, signed-in people, and forms of our own pages.

A browser that is signed in can be sent here by any page.  So the host has to be one of ours (a name of somebody
else's that leads here is refused), a form has to come from our own page, and to bring the token of its session.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from avro_data_contracts.console.rendering import POLICY
from avro_data_contracts.console.sessions import Sessions

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: Bytes of a form: a schema, written with % and two digits for each byte; and of that which anybody may send.
MOST_BYTES: Final = 4 * 1024 * 1024
MOST_LOGIN_BYTES: Final = 4 * 1024
#: How long a form may take to arrive, seconds.
BODY_S, LOGIN_BODY_S = 60.0, 5.0
#: Forms of people who are not signed in, that may arrive at the same time.
MOST_LOGINS: Final = 20
_HEADERS: Final = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With `no-referrer`, a browser would send no origin with a form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
LOGIN: Final = "/login"
_OPEN: Final = ("/static/",)


class Guard:
    """An ASGI application around another one.

    Args:
        hosts: the values of the header Host that are ours; empty: any.
        cookie: the name of the session's cookie.

    The state of a request has `session` (None for `/login` and files) and `form`, a mapping of texts.
    """

    def __init__(self, app: Any, sessions: Sessions, hosts: Collection[str], cookie: str) -> None:
        self._app = app
        self._sessions = sessions
        self._hosts = frozenset(hosts)
        self._cookie = cookie
        self._arriving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_file = scope["path"].startswith(_OPEN)

        async def sent(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if not is_file:
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = await self._refused(scope, receive)
        try:
            await (answer or self._app)(scope, receive, sent)
        except Exception:
            # The application has answered, and logged where it failed (`answers.bug`), before it raises again.  The
            # server would log a traceback, with values.
            if not _is_answered(scope):
                raise

    async def _refused(self, scope: Scope, receive: Receive) -> Response | None:
        """Return the answer to a request that goes no further."""
        headers, path = Headers(scope=scope), str(scope["path"])
        host = headers.get("host", "")
        if self._hosts and host not in self._hosts:
            return PlainTextResponse("this is not the address of the console\n", 421)
        scope.setdefault("state", {})
        state = scope["state"]
        state["session"], state["form"] = None, {}
        cookie = HTTPConnection(scope).cookies.get(self._cookie, "")
        session = self._sessions.of(cookie) if cookie else None
        if scope["method"] == "POST":
            if not _is_own(headers, host):
                return PlainTextResponse("this form is not from a page of the console\n", 403)
            if path == LOGIN:
                return await self._login(scope, headers, receive)
            if session is None:
                return _unread(_sign_in(path, "POST"))
            body = await _body(headers, receive, MOST_BYTES, BODY_S)
            if isinstance(body, Response):
                return body
            state["form"] = _form(body)
            if not hmac.compare_digest(state["form"].get("csrf", "").encode(), session.csrf.encode()):
                return PlainTextResponse("this form is of a session that has ended: load the page again\n", 403)
        elif scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("GET or POST\n", 405, {"Allow": "GET, HEAD, POST"})
        elif path == LOGIN or path.startswith(_OPEN):
            return None
        if session is None:
            query = scope.get("query_string", b"").decode("latin-1")
            return _sign_in(f"{path}?{query}" if query else path, "GET")
        state["session"] = session
        return None

    async def _login(self, scope: Scope, headers: Headers, receive: Receive) -> Response | None:
        """Read the form of somebody who is not signed in."""
        if self._arriving >= MOST_LOGINS:
            return _unread(PlainTextResponse("too many people sign in: try again in a moment\n", 429))
        self._arriving += 1
        try:
            body = await _body(headers, receive, MOST_LOGIN_BYTES, LOGIN_BODY_S)
        finally:
            self._arriving -= 1
        if isinstance(body, Response):
            return body
        scope["state"]["form"] = _form(body)
        return None


def _is_answered(scope: Scope) -> bool:
    return bool(scope["state"].get("failed"))


def _sign_in(path: str, method: str) -> Response:
    if path.partition("?")[0].endswith(".json"):
        return JSONResponse({"error": "signed out"}, 401)
    after = f"?next={quote(path, safe='')}" if method == "GET" and path not in ("/", "/index.html") else ""
    return RedirectResponse(f"{LOGIN}{after}", 303)


def _is_own(headers: Headers, host: str) -> bool:
    """Whether a form comes from a page of this server; every browser says so in at least one of two headers."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    if origin is not None:
        return origin == f"http://{host}"
    return site is not None


async def _body(headers: Headers, receive: Receive, most: int, seconds: float) -> bytes | Response:
    """Return the body; or the answer, if it is too long, does not arrive in time, or breaks off."""
    too_long = PlainTextResponse(f"a form may have {most:,} bytes here\n", 413)
    told = headers.get("content-length", "0")
    if not told.isdecimal() or int(told) > most:
        return _unread(too_long)
    parts, length = [], 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":  # nobody reads the answer
                    return _unread(PlainTextResponse("the form broke off\n", 400))
                part = message.get("body", b"")
                length += len(part)
                if length > most:
                    return _unread(too_long)
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        return _unread(PlainTextResponse(f"the form did not arrive within {seconds:g} s\n", 408))


def _unread(answer: Response) -> Response:
    """An answer to a request whose body was not read: what would follow in the connection is not the next request."""
    answer.headers["Connection"] = "close"
    return answer


def _form(body: bytes) -> dict[str, str]:
    """The last value of each name of a form."""
    try:
        found = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="replace")
    except ValueError:
        return {}
    return {name: values[-1] for name, values in found.items()}
