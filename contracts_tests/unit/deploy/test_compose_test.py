"""`make compose-test` without Docker: what it finds in Docker's answers, its report, and parts of the stand-ins."""

from __future__ import annotations

import base64
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import pytest
import yaml

from avro_data_contracts.contracts import settings
from avro_data_contracts.stack.errors import ServerError, UsageError
from avro_data_contracts.stack.jars.pins import image_versions
from contracts_tests.compose import contexts, engine, images, look, showing
from contracts_tests.compose.project import WITHOUT
from contracts_tests.compose.report import Report
from contracts_tests.fixtures.catalogued import shop
from contracts_tests.fixtures.console import RunningConsole, running
from contracts_tests.fixtures.quiet_server import QuietServer

KEYS = {"mem_limit": "1g", "read_only": True}


def host(**changed: Any) -> dict[str, Any]:
    """Return what `docker inspect` says about the host's side of a container that is in order."""
    return {
        "Memory": 1 << 30,
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        "PortBindings": {"9092/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9092"}]},
        **changed,
    }


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """A console whose servers are down."""
    folder = tmp_path_factory.mktemp("console")
    schemas, _ = shop(folder)
    nowhere = {"kafka_bootstrap_servers": "127.0.0.1:1", "schema_registry_url": "http://127.0.0.1:1"}
    configured = settings.load(contracts_dir=schemas, postgres_dsn="postgresql://127.0.0.1:1/none", **nowhere)
    with running(schemas, folder / "secret", looks=True, configured=configured) as console:
        yield console


def test_console_that_lets_people_in_has_one_fault_without_servers(visited: RunningConsole):
    found = showing.faults(visited.url, visited.accounts.passwords, ["orders"], sees_within_s=20)
    assert [one.partition(": ")[0] for one in found] == ["it does not see the servers (partly)"] * 2
    assert "kafka" in found[0]


def test_console_with_other_passwords_or_contracts_is_a_fault(visited: RunningConsole):
    known = visited.accounts.passwords
    wrong = {"viewer": "another", "operator": known["operator"]}
    found = showing.faults(visited.url, wrong, ["orders", "nothing"], sees_within_s=0)
    assert found[:2] == ["viewer cannot sign in: 403", "the list has no nothing"]
    assert len(found) == 3


def test_console_that_everybody_may_see_is_a_fault():
    class Open(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - its name is that of the request

        def log_message(self, *_: Any) -> None:
            pass

    with QuietServer(("127.0.0.1", 0), Open) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = showing._outside(f"http://127.0.0.1:{server.server_address[1]}", {"viewer": "password"})
        server.shutdown()
    assert [one.partition(" answers ")[0] for one in found] == [
        "its login page", "/index.html", "/live.json", "it", "it",
    ]  # fmt: skip


def test_container_in_order_has_no_faults():
    assert look._faults_of(KEYS, {"State": {}}, host()) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Memory": 0}, "memory limit"),
        ({"ReadonlyRootfs": False}, "writable"),
        ({"CapDrop": None}, "privileges"),
        ({"SecurityOpt": []}, "privileges"),
        ({"LogConfig": {"Type": "json-file", "Config": {}}}, "not rotated"),
        ({"PortBindings": {"1/tcp": [{"HostIp": "", "HostPort": "1"}]}}, "reachable from outside"),
    ],
)
def test_each_difference_is_a_fault(changed: dict[str, Any], words: str):
    (fault,) = look._faults_of(KEYS, {"State": {}}, host(**changed))
    assert words in fault


def test_container_that_ran_out_of_memory_is_a_fault():
    assert look._faults_of(KEYS, {"State": {"OOMKilled": True}}, host()) == ["it was killed for its memory"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-29T23:05:43.123456789Z", datetime(2026, 11, 29, 23, 5, 43, 123456, UTC)),
        ("2026-11-29T23:05:43.1Z", datetime(2026, 11, 29, 23, 5, 43, 100000, UTC)),
        ("2026-11-30T00:05:43.5+01:00", datetime(2026, 11, 29, 23, 5, 43, 500000, UTC)),
    ],
)
def test_times_of_docker_are_read(text: str, expected: datetime):
    assert look._time(text) == expected


def test_failed_step_is_told_with_its_reason():
    said: list[str] = []
    report = Report(said.append)
    with report.step("plain", "good") as step:
        step.found = "1,000 rows"
    with pytest.raises(ServerError), report.step("plain", "bad"):
        raise ServerError("it broke", where="broker", fix="repair it")
    assert report.document()["passed"] is False
    assert [step.name for step in report.problems] == ["bad"]
    assert "PROBLEM plain, bad: broker: it broke\n  fix: repair it" in report.table()
    assert "good: 1,000 rows" in said[0]
    assert "bad: FAILED: broker: it broke" in said[1]


def test_other_account_than_root_gets_exit_2(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UsageError, match=r"only root can start a Docker daemon\n  fix: run it as root"):
        engine._demand()


def test_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: None if name == "debootstrap" else f"/usr/bin/{name}")
    with pytest.raises(UsageError, match=r"missing: debootstrap\n  fix: apt-get install debootstrap"):
        engine._demand()


def test_every_image_of_the_compose_file_has_a_stand_in_or_is_named_as_lacking_one():
    made = yaml.safe_load((contexts.STANDINS / "docker-compose.yml").read_text())["services"]
    tags = {name: value["image"] for name, value in made.items()}
    for name, tag in images.versions().items():
        tags = {key: re.sub(rf"\$\{{{name}:\?\}}", tag, value) for key, value in tags.items()}
    for image, tag in [*image_versions().items(), *image_versions(zookeeper=True).items()]:
        there = f"{image}:{tag}" in tags.values()
        assert there or image == "python" or image.startswith(WITHOUT), image
    for value in made.values():
        folder = value["build"]["context"].removeprefix("${CONTEXTS:?}/").removesuffix("-7")
        assert (contexts.STANDINS / folder / "Dockerfile").is_file()


def test_packages_of_the_stand_ins_are_locked():
    text = contexts._locked(contexts._TOOL_PACKAGES) + contexts._locked(contexts._SOURCE_PACKAGES)
    assert text.count("==") == len(contexts._TOOL_PACKAGES) + len(contexts._SOURCE_PACKAGES)
    text += (contexts.STANDINS / "cqlsh.lock").read_text()
    assert all("--hash=sha256:" in block for block in text.split("==")[1:])


@pytest.fixture
def proxied() -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """Yield the address of the registry's proxy, with one account, and the requests that reach what is behind it."""
    seen: list[tuple[str, str, bytes]] = []

    class Behind(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            seen.append((self.command, self.path, self.rfile.read(int(self.headers.get("Content-Length") or 0))))
            body = json.dumps({"error_code": 40401}).encode() if self.path.endswith("missing") else b"{}"
            self.send_response(404 if self.path.endswith("missing") else 200)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    behind = QuietServer(("127.0.0.1", 0), Behind)
    found = spec_from_file_location("proxy", contexts.STANDINS / "cp-schema-registry" / "proxy.py")
    assert found
    assert found.loader
    found.loader.exec_module(module := module_from_spec(found))
    proxy = module.Proxy(0, behind.server_port, {"stream": "pw"})
    for server in (behind, proxy):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{proxy.server_port}", seen
    for server in (behind, proxy):
        server.shutdown()
        server.server_close()


def asked(url: str, account: str, body: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body)
    if account:
        request.add_header("Authorization", f"Basic {base64.b64encode(account.encode()).decode()}")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_proxy_of_the_registry_passes_requests_on_with_the_right_account_only(proxied: Any):
    address, seen = proxied
    assert asked(f"{address}/subjects", "stream:pw") == (200, b"{}")
    assert asked(f"{address}/subjects/a%2Fb/versions", "stream:pw", b'{"schema": 1}') == (200, b"{}")
    assert asked(f"{address}/missing", "stream:pw") == (404, b'{"error_code": 40401}')
    prefix = "/apis/ccompat/v7"
    assert seen == [
        ("GET", f"{prefix}/subjects", b""),
        ("POST", f"{prefix}/subjects/a%2Fb/versions", b'{"schema": 1}'),
        ("GET", f"{prefix}/missing", b""),
    ]
    for account in ("", "stream:wrong", "nobody:pw", "stream"):
        assert asked(f"{address}/subjects", account)[0] == 401
    assert len(seen) == 3
