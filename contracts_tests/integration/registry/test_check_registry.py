"""`contracts check --against registry`, with the versions of the real registry and with servers that are not one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from contracts_tests.fixtures.repository import Repository

AGAINST = ("check", "--against", "registry")


def test_new_and_unchanged_subjects_pass(repository: Repository) -> None:
    assert repository.findings(*AGAINST) == {}
    assert repository.registered().findings(*AGAINST) == {}


def test_check_and_registry_refuse_a_new_field_without_default(repository: Repository) -> None:
    repository.registered().add_field(name="new", type="string")
    assert list(repository.findings(*AGAINST)) == ["READER_FIELD_MISSING_DEFAULT_VALUE"]
    assert repository.run("register").returncode == 3


def test_check_and_registry_accept_a_compatible_change(repository: Repository) -> None:
    repository.registered().add_field(name="new", type="string", default="")
    assert repository.findings(*AGAINST) == {}
    assert repository.run("register").returncode == 0


@pytest.mark.parametrize(("level", "rules"), [("BACKWARD", []), ("BACKWARD_TRANSITIVE", ["TYPE_MISMATCH"])])
def test_transitive_level_compares_with_every_version(repository: Repository, level: str, rules: list[str]) -> None:
    """A field is removed and returns with another type: the newest version alone permits that."""
    repository.write(compatibility=level)
    repository.add_field(name="gone", type="string", default="")
    repository.registered().write(compatibility=level)
    repository.registered().add_field(name="gone", type="int", default=0)
    assert list(repository.findings(*AGAINST)) == rules
    assert repository.run("register").returncode == (3 if rules else 0)


def test_lowered_compatibility_level_is_a_finding(repository: Repository) -> None:
    repository.registered().write(compatibility="BACKWARD")
    assert list(repository.findings(*AGAINST)) == ["LEVEL_LOWERED"]


def test_changed_shared_type_is_checked_where_it_is_used(repository: Repository) -> None:
    repository.registered()
    schema = {"type": "enum", "name": repository.shared, "symbols": ["A"]}
    repository.save(repository.folder / "shared.avsc", schema)
    assert "MISSING_ENUM_SYMBOLS" in repository.findings(*AGAINST)


@pytest.mark.parametrize("command", [AGAINST, ("drift",), ("plan",), ("register",), ("pull",)])
def test_unreachable_registry_exits_with_code_3(repository: Repository, command: tuple[str, ...]) -> None:
    done = repository.run(*command, SCHEMA_REGISTRY_URL="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (3, "")
    assert "schema registry http://127.0.0.1:9: not reachable" in done.stderr
    assert "fix: start it" in done.stderr


@pytest.fixture
def answering() -> Iterator[HTTPServer]:
    """An HTTP server, not a registry, that responds to every request with its attribute `answer`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = server.answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET  # noqa: N815 - the base class requires these names

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            (401, "application/json", b'{"error_code": 401, "message": "Unauthorized"}'),
            ["401: Unauthorized", "_USER"],
        ),
        ((403, "application/json", b'{"error_code": 40301, "message": "no"}'), ["with 40301: no", "_PASSWORD"]),
        ((401, "text/html", b"<h1>Log in</h1>"), ["answered 401", "Log in", "_USER"]),
        ((403, "text/plain", b""), ["answered 403", "_USER"]),
        ((200, "text/html", b"<html>hello</html>"), ["not in JSON", "hello", "SCHEMA_REGISTRY_URL"]),
        ((200, "application/json", b""), ["not in JSON"]),
        ((200, "application/json", b'{"a": 1}'), ["SCHEMA_REGISTRY_URL"]),
        ((200, "application/json", b'["a"]'), ["SCHEMA_REGISTRY_URL"]),
        ((500, "application/json", b'{"error_code": 50001, "message": "store down"}'), ["store down"]),
        ((503, "text/html", b"<h1>busy</h1>"), ["answered 503", "busy"]),
        ((403, "application/json", b'{"error_code": "FORBIDDEN", "message": "no"}'), ["with 403: no", "_USER"]),
        ((403, "application/json", b'{"error_code": null, "message": null}'), ["with 403", "_USER"]),
        ((429, "application/json", b'{"error_code": 42901, "message": "slow"}'), ["(42901)", "slow", "wait"]),
        ((409, "application/json", b'{"error_code": 409, "message": "a\\u001b[31mb"}'), ["409: a\\x1b[31mb"]),
        ((200, "application/json", b'["a", {}]'), ["unlike a schema registry", "SCHEMA_REGISTRY_URL"]),
        ((200, "application/json", b'[1, {"a": 1}]'), ["unlike a schema registry"]),
        ((404, "text/html", b"<h1>no such page</h1>"), ["answered 404", "SCHEMA_REGISTRY_URL"]),
        ((307, "text/html", b"moved"), ["answered 307"]),
    ],
)
def test_unexpected_registry_response_is_explained(
    repository: Repository, answering: HTTPServer, answer: tuple[int, str, bytes], words: list[str]
) -> None:
    answering.answer = answer
    url = f"http://127.0.0.1:{answering.server_port}"
    done = repository.run(*AGAINST, SCHEMA_REGISTRY_URL=url, SCHEMA_REGISTRY_RETRY_FOR_S="0.5")
    assert (done.returncode, done.stdout) == (3, "")
    assert "schema registry http://127.0.0.1" in done.stderr
    assert "bug" not in done.stderr
    for word in words:
        assert word in done.stderr
