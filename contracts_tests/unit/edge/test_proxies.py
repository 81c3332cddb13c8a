"""Requests to this machine ignore the proxy settings of the environment."""

from __future__ import annotations

import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from avro_data_contracts.contracts.registry.address import is_loopback
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.producers.sources.randomuser.api import RandomuserApi
from avro_data_contracts.stack import ports
from avro_data_contracts.stack.servers.airflow import Airflow
from avro_data_contracts.stack.site import CLONE, Site

PACKAGES = ("contracts", "producers", "streaming", "orchestration", "stack", "deploy", "dags")
NO_SUCH_PROXY = "socks5://127.0.0.1:9"
PROXIES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY")
POST = "from avro_data_contracts.orchestration import alerts; alerts.post('hello')"


def behind_a_proxy(proxy: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return kept | dict.fromkeys([*PROXIES, *map(str.lower, PROXIES)], proxy)


@pytest.fixture
def hook() -> Iterator[str]:
    """The URL of a local webhook that accepts every request."""

    class Taker(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Taker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("proxy", [NO_SUCH_PROXY, "http://127.0.0.1:9"])
def test_webhook_on_loopback_bypasses_proxies(hook: str, proxy: str) -> None:
    environment = behind_a_proxy(proxy) | {"ALERT_WEBHOOK_URL": hook, "AIRFLOW_HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", POST], cwd=CLONE, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost.example.com", False),
        ("128.0.0.1", False),
        ("", False),
    ],
)
def test_clients_ignore_proxies_only_for_loopback_hosts(host: str, own: bool) -> None:
    assert is_loopback(host) is own
    if host:
        url = f"http://[{host}]/" if ":" in host else f"http://{host}/"
        assert Registry(url)._http._session.trust_env is not own
        assert RandomuserApi(url)._session.trust_env is not own


def test_only_known_modules_make_http_clients() -> None:
    """Each of these modules uses proxies depending on the address; confluent-kafka's client always uses them."""
    client = re.compile(
        r"requests\.(Session|get|post|put|request)\(|httpx|SchemaRegistryClient|urlopen|HTTPConnection"
    )
    found = {
        str(path.relative_to(CLONE)): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in (CLONE / package).rglob("*.py")
        # These run inside of a container, and ask the server beside them.
        if "standins" not in path.parts
    }
    clients = {name for name, text in found.items() if client.search(text)}
    assert clients == {"contracts/registry/http.py", "producers/sources/attempts.py", "orchestration/alerts.py"}
    assert all("trust_env = not" in found[name] for name in clients)
    openers = [line for text in found.values() for line in text.splitlines() if "build_opener(" in line]
    assert openers
    assert all("ProxyHandler({})" in line for line in openers)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": ".internal"}, ".internal,127.0.0.1,localhost,::1"),
        ({"no_proxy": "a", "NO_PROXY": "b"}, "a,127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_airflow_processes_reach_each_other_without_proxy(
    tmp_path: Path, told: dict[str, str], expected: str
) -> None:
    site = Site(tmp_path)
    site.create()
    airflow = Airflow(site, ports.FIXED, "airflow", dict)
    airflow.remember(told | {"HTTP_PROXY": "http://proxy:3128", "HTTPS_PROXY": "socks5h://proxy:1080"})
    environment = airflow.environment()
    assert environment["NO_PROXY"] == environment["no_proxy"] == expected
    assert environment["HTTP_PROXY"] == "http://proxy:3128"
    assert "HTTPS_PROXY" not in environment
