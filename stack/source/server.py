"""The local source API over HTTP, on the loopback address only (`python -m stack.source.server`).

GET  /api/        users, as randomuser.me/api/ 1.4 answers (also /api/1.4/); docs/reference/local-source.md
GET  /health      {"status": "ok", …}
GET  /_control    the faults still to come, and the number of requests for users so far
POST /_control    {"faults": ["429:retry_after=1*2", …]}: see stack/source/faults.py
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import ipaddress
import json
import secrets
import signal
import socket
import sys
import threading
import time
from email.message import Message
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from avro_data_contracts.stack.errors import EXIT_CANCELLED, EXIT_OK, PortTaken, ServerError, StackError, UsageError
from avro_data_contracts.stack.source import query as queries
from avro_data_contracts.stack.source.faults import BadFault, Fault, FaultQueue
from avro_data_contracts.stack.source.faults import parse as parse_fault
from avro_data_contracts.stack.source.generator import UserGenerator
from avro_data_contracts.stack.source.query import Query
from avro_data_contracts.stack.source.replay import Recording
from avro_data_contracts.stack.source.replay import read as read_recording

VERSION = "1.4"
DEFAULT_PORT = 18_000
_API_PATHS = ("/api", "/api/", f"/api/{VERSION}", f"/api/{VERSION}/")
_API_ERROR = "Uh oh, something has gone wrong. Please tweet us @randomapi about the issue. Thank you."
_RATE_ERROR = "Too many requests. Please slow down and try again later."
_MAX_CONTROL_BYTES = 65_536


class SourceServer(ThreadingHTTPServer):
    """The HTTP server.  Its threads end with the process, even in the middle of a slow answer.

    Args:
        recording: users to replay; None to generate them.
        seed: makes the seeds of requests without one predictable; None for random ones.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, *, recording: Recording | None, faults: FaultQueue, seed: str | None):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.recording = recording
        self.faults = faults
        self.generator = UserGenerator()
        self.requests = 0
        self._seed = seed
        self._lock = threading.Lock()
        super().__init__((host, port), SourceHandler)

    @property
    def url(self) -> str:
        host, port = str(self.server_address[0]), self.server_address[1]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/api/"

    @property
    def version(self) -> str:
        return self.recording.version if self.recording else VERSION

    def next_request(self) -> int:
        """Count a request for users; returns its number."""
        with self._lock:
            self.requests += 1
            return self.requests

    def draw_seed(self, request: int) -> str:
        """Draw a seed, 16 hex digits, for a request without one."""
        if self._seed is None:
            return secrets.token_hex(8)
        return hashlib.sha256(f"{self._seed}/{request}".encode()).hexdigest()[:16]

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class SourceHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: SourceServer
    protocol_version = "HTTP/1.1"
    server_version = "source-api"
    # Send head and body in one packet: otherwise each answer on a kept connection waits 40 ms for an acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def parse_request(self) -> bool:
        """Parse as the base class does, and refuse requests that a foreign web page sends through a local browser."""
        if not super().parse_request():
            return False
        foreign = _foreign(self.headers)
        if foreign:
            self.close_connection = True  # a body was not read
            self._json(403, {"error": f"{foreign}. This server answers only programs on its own machine."})
        return not foreign

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path in _API_PATHS:
            self._users()
        elif path == "/health":
            recording = self.server.recording
            source = "replay" if recording else "generator"
            recorded = len(recording.users) if recording else None
            self._json(200, {"status": "ok", "version": VERSION, "source": source, "recorded": recorded})
        elif path == "/_control":
            self._json(200, self._control())
        else:
            self._json(404, {"error": f"{path} does not exist. Users are at /api/ and /api/{VERSION}/."})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        if urlsplit(self.path).path != "/_control":
            self.close_connection = True  # the body was not read
            return self._json(404, {"error": "POST works for /_control only."})
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MAX_CONTROL_BYTES:
            self.close_connection = True
            return self._json(400, {"error": f"The body needs a Content-Length of at most {_MAX_CONTROL_BYTES}."})
        try:
            self.server.faults.replace(_fault_specs(self.rfile.read(int(length))))
        except BadFault as error:
            return self._json(400, {"error": str(error)})
        return self._json(200, self._control())

    def _control(self) -> dict[str, Any]:
        return {"faults": self.server.faults.waiting(), "requests": self.server.requests}

    def _users(self) -> None:
        request = self.server.next_request()
        try:
            query = queries.parse(urlsplit(self.path).query)
            faults = [parse_fault(spec) for spec in query.faults]
        except queries.UnofferedFormat as error:
            return self._json(400, {"error": f"This local API answers only in JSON, not in {error}."})
        except BadFault as error:
            return self._json(400, {"error": str(error)})
        queued = None if faults else self.server.faults.take()
        for fault in (*faults, *([queued] if queued else [])):
            if fault.kind == "slow":
                time.sleep(fault.seconds or 0)
            else:
                return self._misbehave(fault, query, request)
        return self._send(200, _as_json(self._answer(query, request), query.pretty))

    def _answer(self, query: Query, request: int, *, empty: bool = False) -> dict[str, Any]:
        """The answer for one page, as a JSON document."""
        seed = query.seed or self.server.draw_seed(request)
        page = query.page
        if self.server.recording:
            users: Any = self.server.recording.page(page, query.results)
            count = len(users)
        else:
            page = page if page <= queries.MAX_PAGE else 1
            users = self.server.generator.page(seed, page, query.results, nats=query.nats, gender=query.gender)
            count = query.results
        if len(query.fields) < len(queries.FIELDS):
            users = [{name: value for name, value in user.items() if name in query.fields} for user in users]
        document: dict[str, Any] = {"results": [] if empty else users}
        if query.info:
            info_results = 0 if empty else count
            document["info"] = {"seed": seed, "results": info_results, "page": page, "version": self.server.version}
        return document

    def _misbehave(self, fault: Fault, query: Query, request: int) -> None:
        if fault.kind == "status":
            headers = {}
            if fault.seconds is not None:
                when = time.time() + fault.seconds
                headers["Retry-After"] = formatdate(when, usegmt=True) if fault.as_date else f"{fault.seconds:g}"
            self._json(fault.status, {"error": _RATE_ERROR if fault.status == 429 else _API_ERROR}, headers)
        elif fault.kind == "error_200":
            self._json(200, {"error": _API_ERROR})
        elif fault.kind == "not_json":
            self._send(200, b"<!DOCTYPE html><title>Maintenance</title><p>Back soon.", content_type="text/html")
        elif fault.kind == "empty":
            self._send(200, _as_json(self._answer(query, request, empty=True), query.pretty))
        elif fault.kind == "cut":
            self._send(200, _as_json(self._answer(query, request), query.pretty), cut=True)
        else:
            self.close_connection = True

    def _json(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, _as_json(document), headers=headers)

    def _send(
        self,
        status: int,
        body: bytes,
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        cut: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{content_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-cache")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.wfile.flush()
        self.close_connection = self.close_connection or cut


def _foreign(headers: Message) -> str:
    """Why a request must come from a web page of another site; empty if it need not.

    A foreign page that requests 127.0.0.1 sends its own Origin or, for an image or a link, Sec-Fetch-Site.  A page
    whose name was changed to resolve to 127.0.0.1 (DNS rebinding) sends that name as Host.
    """
    hosts = headers.get_all("Host", [])
    for host in hosts:
        if not _is_loopback(_host_of(f"//{host}")):
            return "The Host is not a loopback address"
    for origin in headers.get_all("Origin", []):
        if [origin] != [f"http://{host}" for host in hosts]:
            return "The Origin is another site"
    if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return "The request comes from another site"
    return ""


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _as_json(document: Any, pretty: bool = False) -> bytes:
    layout: dict[str, Any] = {"indent": 2} if pretty else {"separators": (",", ":")}
    try:
        return json.dumps(document, ensure_ascii=False, **layout).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which a recording can contain as \ud83d
        return json.dumps(document, **layout).encode()


def _fault_specs(body: bytes) -> list[str]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    specs = document.get("faults") if isinstance(document, dict) else None
    if not isinstance(specs, list) or not all(isinstance(spec, str) for spec in specs):
        raise BadFault('the body must be {"faults": ["500*2", …]}; an empty list ends all faults')
    return specs


def start(
    host: str, port: int, *, replay: Path | None = None, seed: str | None = None, faults: tuple[str, ...] = ()
) -> SourceServer:
    """Create a server that listens but does not serve yet.

    Args:
        port: 0 for one that the system assigns.
    Raises:
        UsageError: `host` is not a loopback address, or a fault or the recording is invalid.
        ServerError: the port is taken, or the system refuses it.
    """
    if not _is_loopback(host):
        raise UsageError(f"{host} is not a loopback address", fix="leave out --host, or use 127.0.0.1 or ::1")
    try:
        queue = FaultQueue(faults)
    except BadFault as error:
        raise UsageError(str(error), where="--fault", fix="docs/reference/local-source.md lists them") from None
    recording = read_recording(replay) if replay else None
    try:
        return SourceServer(host, port, recording=recording, faults=queue, seed=seed)
    except OSError as error:
        where = f"source API {host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                "the port is taken", where=where, fix="stop the program that listens there, or choose another port"
            ) from None
        raise ServerError(
            f"cannot listen on this port ({error.strerror})", where=where, fix="choose another port"
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def main(arguments: list[str] | None = None) -> NoReturn:
    """Serve until SIGTERM (exit 0) or Ctrl-C (exit 130)."""
    parser = argparse.ArgumentParser(prog="python -m stack.source.server", description="Serve the local source API.")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="0 for a free one (default: %(default)s)")
    parser.add_argument("--replay", type=Path, metavar="DIR", help="serve the recorded responses in DIR")
    parser.add_argument("--seed", help="make the seeds of requests without a seed predictable")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="SPEC", help="misbehave, for example 429:retry_after=1*2"
    )
    flags = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_OK))
    try:
        server = start(flags.host, flags.port, replay=flags.replay, seed=flags.seed, faults=tuple(flags.fault))
        recording = server.recording
        what = f"{len(recording.users)} recorded users, {flags.replay}" if recording else "generated users"
        sys.stdout.write(f"source API {server.url} ({what}, version {server.version})\n")
        sys.stdout.flush()
        server.serve_forever()
    except StackError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_CANCELLED)
    sys.exit(EXIT_OK)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


if __name__ == "__main__":
    main()
