"""A gateway in front of the real registry, as companies have them: it asks for an account, refuses, or fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from contracts_tests.conftest import RunningStack

JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """What was asked for.  `authorization`: the header, empty for none."""

    method: str
    path: str
    authorization: str
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is answered instead of, or after, the registry's own."""

    status: int
    body: bytes
    kind: str = JSON


Rule = Callable[[Request], Answer | None]


def as_it_is(_: Request) -> Answer | None:
    """The registry's own answer."""
    return None


@dataclass
class Gateway:
    """Everything goes to the registry, but for what `before` answers; and its answer comes back, but for what `after`
    puts in its place.

    Args:
        registry: URL of the real one.
        url: of the gateway.
        seen: all requests.
    """

    registry: str
    url: str = ""
    before: Rule = as_it_is
    after: Rule = as_it_is
    seen: list[Request] = field(default_factory=list)

    def answer(self, asked: Request) -> Answer:
        self.seen.append(asked)
        if early := self.before(asked):
            return early
        real = self.real(asked)
        return self.after(asked) or real

    def real(self, asked: Request) -> Answer:
        """The registry's own answer."""
        headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"} if asked.body else {}
        real = requests.request(
            asked.method, self.registry + asked.path, data=asked.body, headers=headers, timeout=30
        )
        return Answer(real.status_code, real.content, real.headers.get("Content-Type", JSON))


class Server(ThreadingHTTPServer):
    """Says nothing of a client that went away: some tests are about that."""

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def served(made: Gateway) -> Iterator[Gateway]:
    """The gateway at a URL of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            account = self.headers.get("Authorization", "")
            answer = made.answer(Request(self.command, self.path, account, self.rfile.read(length)))
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the base class calls them so

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = Server(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def gateway(stack: RunningStack) -> Iterator[Gateway]:
    with served(Gateway(stack.exports["SCHEMA_REGISTRY_URL"])) as made:
        yield made
