"""The producer's client against a source API over HTTP that fails in every possible way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import structlog

from avro_data_contracts.contracts.errors import ConfigurationError, Refused, ServiceError
from avro_data_contracts.producers.sources.attempts import retry_after
from avro_data_contracts.producers.sources.randomuser.api import RandomuserApi
from avro_data_contracts.stack import ports
from avro_data_contracts.stack.source.server import SourceServer
from contracts_tests.fixtures.source_servers import source_servers


@pytest.fixture
def serve() -> Iterator[Callable[..., SourceServer]]:
    with source_servers() as serve:
        yield serve


def client(url: str, retries: int = 3, timeout_s: float = 10.0) -> RandomuserApi:
    return RandomuserApi(url, retries=retries, timeout_s=timeout_s, first_wait_s=0.01)


def test_pages_end_when_the_recording_ends(serve: Callable[..., SourceServer], tmp_path: Path) -> None:
    users = [{"n": n} for n in range(25)]
    (tmp_path / "1.json").write_text(json.dumps(users), encoding="utf-8")
    pages = list(client(serve(replay=tmp_path).url).pages("s", 10))
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [user for page in pages for user in page] == users


def test_pages_of_a_seed_match_the_api(serve: Callable[..., SourceServer]) -> None:
    server = serve()
    pages = client(server.url).pages("s", 4)
    assert next(pages) == requests.get(f"{server.url}?seed=s&results=4", timeout=10).json()["results"]
    assert next(pages) == requests.get(f"{server.url}?seed=s&results=4&page=2", timeout=10).json()["results"]


@pytest.mark.parametrize(
    "fault",
    ["500", "502", "503", "504", "408", "429", "429:retry_after=0", "503:retry_after=0.1", "429:retry_at=1", "cut",
     "hang_up", "not_json", "error_200"],
)  # fmt: skip
def test_transient_failure_is_retried(serve: Callable[..., SourceServer], fault: str) -> None:
    server = serve(faults=(f"{fault}*2",))
    with structlog.testing.capture_logs() as logged:
        users = client(server.url).page(1, 5, "s")
    assert users == client(server.url).page(1, 5, "s")
    assert server.requests == 4
    assert [line["attempt"] for line in logged] == [1, 2]
    assert all(line["because"] for line in logged)


def test_timed_out_request_is_retried(serve: Callable[..., SourceServer]) -> None:
    server = serve(faults=("slow:60*1",))
    assert len(client(server.url, timeout_s=0.5).page(1, 5, "s")) == 5


def test_client_waits_as_long_as_retry_after_asks(serve: Callable[..., SourceServer]) -> None:
    with structlog.testing.capture_logs() as logged:
        client(serve(faults=("429:retry_after=1*1",)).url).page(1, 1, "s")
    assert [1 <= line["wait_s"] < 1.1 for line in logged] == [True]


def test_client_gives_up_when_retry_after_is_too_long(serve: Callable[..., SourceServer]) -> None:
    server = serve(faults=("429:retry_after=3600",))
    with pytest.raises(ServiceError, match="asks to wait 3600 s"):
        client(server.url).page(1, 1, "s")
    assert server.requests == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("500", "answered 500: Uh oh"),
        ("429", "answered 429: Too many requests"),
        ("slow:60", "did not answer within 0.5 s"),
        ("cut", "broke off"),
        ("hang_up", "cannot be reached"),
        ("not_json", "not JSON (text/html"),
        ("error_200", "answered with an error: Uh oh"),
    ],
)
def test_lasting_failure_raises_error_with_cause_and_fix(
    serve: Callable[..., SourceServer], fault: str, words: str
) -> None:
    server = serve(faults=(fault,))
    with pytest.raises(ServiceError) as caught:
        client(server.url, retries=1, timeout_s=0.5).page(3, 5, "s")
    assert words in caught.value.what
    assert "page 3, 2 attempts" in caught.value.what
    assert caught.value.where == f"source API {server.url}"
    assert "make up" in caught.value.fix
    assert server.requests == 2


def test_refused_connection_error_says_how_to_start_the_server() -> None:
    port = ports.pick(["nobody"])["nobody"]
    with pytest.raises(ServiceError) as caught:
        client(f"http://127.0.0.1:{port}/api/", retries=0).page(1, 1, "s")
    assert str(port) in str(caught.value)
    assert "refused" in caught.value.what.lower()
    assert "make up" in caught.value.fix


def test_unresolvable_host_error_mentions_the_network() -> None:
    with pytest.raises(ServiceError) as caught:
        client("http://source.invalid/api/", retries=0).page(1, 1, "s")
    assert "source.invalid" in str(caught.value)
    assert "network" in caught.value.fix


def test_client_error_response_is_not_retried(serve: Callable[..., SourceServer]) -> None:
    server = serve(faults=("410",))
    with pytest.raises(Refused) as caught:
        client(server.url).page(1, 1, "s")
    assert caught.value.code == 410
    assert server.requests == 1
    with pytest.raises(Refused, match="404"):
        client(server.url.replace("/api/", "/other/")).page(1, 1, "s")


@pytest.mark.parametrize("status", ["401", "403"])
def test_rejected_api_key_is_a_configuration_error(serve: Callable[..., SourceServer], status: str) -> None:
    server = serve(faults=(status,))
    with pytest.raises(ConfigurationError) as caught:
        client(server.url).page(1, 1, "s")
    assert status in caught.value.what
    assert "DATASOURCE_URL" in caught.value.fix
    assert server.requests == 1


def test_response_without_results_is_an_error(serve: Callable[..., SourceServer]) -> None:
    with pytest.raises(ServiceError, match="no list of results"):
        client(serve().url.replace("/api/", "/health")).page(1, 1, "s")


def test_empty_page_is_requested_again(serve: Callable[..., SourceServer]) -> None:
    assert len(next(client(serve(faults=("empty*1",)).url).pages("s", 5))) == 5


def test_source_without_users_is_an_error(serve: Callable[..., SourceServer]) -> None:
    with pytest.raises(ServiceError, match="without any user"):
        next(client(serve(faults=("empty",)).url).pages("s", 5))


def test_response_with_another_page_is_an_error(serve: Callable[..., SourceServer]) -> None:
    with pytest.raises(ServiceError, match="answered with page 1"):
        client(serve().url).page(10_001, 1, "s")


def test_loopback_requests_bypass_the_proxy(
    serve: Callable[..., SourceServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert len(client(serve().url, retries=0).page(1, 1, "s")) == 1


def test_reported_address_omits_the_password() -> None:
    assert RandomuserApi("https://user:secret@example.com/api/?key=k").address == "https://example.com/api/"


INVALID_URLS = ["", "randomuser.me/api", "ftp://x/", "http://", "file:///etc/passwd", "ftp://me:s3cret@x/"]


@pytest.mark.parametrize("url", [*INVALID_URLS, "http://[::1", "http://me:s3cret@x:port/"])
def test_invalid_url_is_reported_with_its_setting_only(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATASOURCE_URL") as refused:
        RandomuserApi(url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("header", [None, "", "soon", "-1", "nan", "1e9", "Fri, 99 Foo 2025"])
def test_invalid_retry_after_is_ignored(header: str | None) -> None:
    assert retry_after(header) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0), ("120", 120), (" 2 ", 2), ("0.5", 0.5), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_valid_retry_after_is_converted_to_seconds(header: str, seconds: float) -> None:
    assert retry_after(header) == seconds
