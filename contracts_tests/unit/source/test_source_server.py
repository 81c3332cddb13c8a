"""The source API over HTTP."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests

from avro_data_contracts.stack.errors import PortTaken, UsageError
from avro_data_contracts.stack.source.server import SourceServer, start
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.source_servers import source_servers


@pytest.fixture
def serve() -> Iterator[Callable[..., SourceServer]]:
    with source_servers() as serve:
        yield serve


@pytest.fixture
def api(serve: Callable[..., SourceServer]) -> str:
    return serve().url


def get(url: str, **params: object) -> dict:
    answer = requests.get(url, params=params, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    return answer.json()


def test_response_has_the_shape_of_the_real_api(api: str) -> None:
    document = get(api, results=3, page=2, seed="abc")
    assert list(document) == ["results", "info"]
    assert document["info"] == {"seed": "abc", "results": 3, "page": 2, "version": "1.4"}
    assert len(document["results"]) == 3


def test_same_request_returns_the_same_bytes(api: str) -> None:
    first, again = (requests.get(f"{api}?results=50&seed=a&page=3", timeout=10).content for _ in range(2))
    assert first == again


def test_concurrent_requests_return_the_same_bytes(api: str) -> None:
    alone = [requests.get(f"{api}?results=100&seed=a&page={page}", timeout=30).content for page in range(1, 9)]
    together: dict[int, bytes] = {}

    def ask(page: int) -> None:
        together[page] = requests.get(f"{api}?results=100&seed=a&page={page}", timeout=30).content

    threads = [threading.Thread(target=ask, args=(page,)) for page in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[page] for page in range(1, 9)] == alone


def test_missing_seed_is_drawn_and_returned(api: str) -> None:
    first, second = get(api, results=2), get(api, results=2)
    assert first["info"]["seed"] != second["info"]["seed"]
    assert get(api, results=2, seed=first["info"]["seed"]) == first


def test_drawn_seeds_repeat_with_the_seed_of_the_server(serve: Callable[..., SourceServer]) -> None:
    first, second = serve(seed="s").url, serve(seed="s").url
    drawn = get(first)
    assert drawn == get(second)
    assert drawn["info"]["seed"] != get(first)["info"]["seed"]


def test_query_parameters_are_applied(api: str) -> None:
    assert get(api, seed="a", nat="jp")["results"][0]["nat"] == "JP"
    assert list(get(api, seed="a", inc="name,email")["results"][0]) == ["name", "email"]
    assert "login" not in get(api, seed="a", exc="login")["results"][0]
    assert list(get(api, seed="a", noinfo="")) == ["results"]
    assert get(api, seed="a", page=10_001)["info"]["page"] == 1
    assert get(api, seed="a", results=5001)["info"]["results"] == 1


def test_omitting_fields_keeps_the_values_of_the_others(api: str) -> None:
    whole = get(api, seed="a", results=20)["results"]
    names = get(api, seed="a", results=20, inc="name")["results"]
    assert names == [{"name": user["name"]} for user in whole]


def test_pretty_json_is_offered_and_csv_is_refused(api: str) -> None:
    pretty = requests.get(f"{api}?seed=a&format=pretty", timeout=10)
    assert pretty.text.startswith('{\n  "results"')
    assert pretty.json() == get(api, seed="a")
    refused = requests.get(f"{api}?format=csv", timeout=10)
    assert refused.status_code == 400
    assert list(refused.json()) == ["error"]


def test_text_is_utf_8_and_not_escaped(api: str) -> None:
    content = requests.get(f"{api}?seed=a&nat=ir&results=5", timeout=10).content
    assert json.loads(content)["results"][0]["name"]["first"].encode() in content


def test_api_paths_answer_and_other_paths_return_404(api: str) -> None:
    root = api.removesuffix("/api/")
    assert get(f"{root}/api/1.4/", seed="a") == get(f"{root}/api", seed="a")
    assert get(f"{root}/health")["status"] == "ok"
    for path in ("/", "/api/1.3/", "/api/portraits/men/1.jpg"):
        answer = requests.get(root + path, timeout=10)
        assert answer.status_code == 404
        assert "error" in answer.json()
    assert requests.post(api, timeout=10).status_code == 404
    head = requests.head(f"{api}?seed=a", timeout=10)
    assert head.status_code == 200
    assert head.content == b""


def test_replay_serves_every_user_unchanged(serve: Callable[..., SourceServer], tmp_path: Path) -> None:
    users = [{"n": n, "name": {"first": "زهرا\u200c "}, "odd": "half \ud83d", "postcode": "0123"} for n in range(7)]
    (tmp_path / "1.json").write_text(json.dumps(users[:3]), encoding="utf-8")
    (tmp_path / "2.json").write_text(json.dumps({"results": users[3:], "info": {"version": "1.1"}}), encoding="utf-8")
    url = serve(replay=tmp_path).url
    pages = [get(url, results=3, page=page, seed="x") for page in (1, 2, 3, 4)]
    assert [user for page in pages for user in page["results"]] == users
    assert [len(page["results"]) for page in pages] == [3, 3, 1, 0]
    assert pages[2]["info"] == {"seed": "x", "results": 1, "page": 3, "version": "mixed"}
    assert get(url, results=7, inc="name")["results"] == [{"name": user["name"]} for user in users]


def control(url: str, *faults: str) -> None:
    address = url.replace("/api/", "/_control")
    answer = requests.post(address, json={"faults": faults}, timeout=10)
    assert answer.json()["faults"] == list(faults)


@pytest.mark.parametrize("how", ["control", "start", "query"])
def test_fault_can_be_requested_in_three_ways(serve: Callable[..., SourceServer], how: str) -> None:
    url = serve(faults=("500*1",) if how == "start" else ()).url
    if how == "control":
        control(url, "500*1")
    answer = requests.get(url, params={"_fault": "500"} if how == "query" else {}, timeout=10)
    assert answer.status_code == 500
    assert list(answer.json()) == ["error"]
    assert len(get(url)["results"]) == 1


def test_server_answers_after_two_queued_faults(api: str) -> None:
    control(api, "500*1", "429:retry_after=7*1")
    assert requests.get(api, timeout=10).status_code == 500
    second = requests.get(api, timeout=10)
    assert (second.status_code, second.headers["Retry-After"]) == (429, "7")
    assert get(api)["results"]


def test_retry_after_can_be_a_date(api: str) -> None:
    answer = requests.get(f"{api}?_fault=503:retry_at=60", timeout=10)
    wait = parsedate_to_datetime(answer.headers["Retry-After"]) - parsedate_to_datetime(answer.headers["Date"])
    assert 59 <= wait.total_seconds() <= 61


def test_connection_and_content_faults_take_effect(api: str) -> None:
    with pytest.raises(requests.RequestException):
        requests.get(f"{api}?_fault=cut&results=10", timeout=10)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{api}?_fault=hang_up", timeout=10)
    with pytest.raises(requests.Timeout):
        requests.get(f"{api}?_fault=slow:30", timeout=0.2)
    not_json = requests.get(f"{api}?_fault=not_json", timeout=10)
    assert not_json.headers["Content-Type"].startswith("text/html")
    assert list(get(api, _fault="error_200")) == ["error"]
    empty = get(api, _fault="empty", results=5)
    assert (empty["results"], empty["info"]["results"]) == ([], 0)
    assert len(get(api, _fault="slow:0.01", results=2)["results"]) == 2


def test_unknown_fault_is_refused(api: str) -> None:
    assert requests.get(f"{api}?_fault=explode", timeout=10).status_code == 400
    address = api.replace("/api/", "/_control")
    for body in (b"", b"x", b"[]", b'{"faults": "500"}', b'{"faults": [500]}', b'{"faults": ["500*1", "explode"]}'):
        assert requests.post(address, data=body, timeout=10).status_code == 400
    assert requests.get(address, timeout=10).json()["faults"] == []


def test_oversized_body_is_refused_without_waiting_for_it(api: str) -> None:
    host, port = api.removeprefix("http://").removesuffix("/api/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.putrequest("POST", "/_control")
    connection.putheader("Content-Length", "9999999999")
    connection.endheaders()
    assert connection.getresponse().status == 400


def asked(api: str, method: str, path: str, **headers: str) -> int:
    """Return the status of a request with these headers (`_` for `-`); a POST clears all faults."""
    body = json.dumps({"faults": []}) if method == "POST" else None
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    host, _, port = api.removeprefix("http://").removesuffix("/api/").rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=10)
    connection.request(method, path, body, sent)
    return connection.getresponse().status


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/_control"), ("GET", "/_control"), ("GET", "/api/"), ("HEAD", "/")]
)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://localhost:3000"},
        {"Host": "evil.example"},
        {"Host": "evil.example:18000", "Origin": "http://evil.example:18000"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "evil.example@127.0.0.1.evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_requests_from_other_websites_are_refused(
    serve: Callable[..., SourceServer], method: str, path: str, headers: dict[str, str]
) -> None:
    server = serve(faults=("500*3",))
    assert asked(server.url, method, path, **headers) == 403
    assert (server.faults.waiting(), server.requests) == (["500*3"], 0)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost"},
        {"Host": "127.0.0.1:9"},
        {"Host": "[::1]:18000"},
        {"Host": "localhost:18000", "Origin": "http://localhost:18000", "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
    ],
)
def test_requests_from_local_programs_are_answered(
    serve: Callable[..., SourceServer], headers: dict[str, str]
) -> None:
    server = serve(faults=("500*3",))
    assert asked(server.url, "POST", "/_control", **headers) == 200
    assert server.faults.waiting() == []
    assert asked(server.url, "GET", "/api/?results=1", **headers) == 200


def test_start_on_a_taken_port_names_the_port(serve: Callable[..., SourceServer]) -> None:
    port = serve().server_address[1]
    with pytest.raises(PortTaken) as caught:
        start("127.0.0.1", port)
    assert str(port) in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])
def test_start_refuses_hosts_other_than_loopback(host: str) -> None:
    with pytest.raises(UsageError, match="loopback"):
        start(host, 0)


def program(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stack.source.server", *arguments],
        cwd=CLONE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signal_stops_the_program_during_a_slow_answer(number: signal.Signals, code: int) -> None:
    with program("--port", "0", "--fault", "slow:600") as running:
        try:
            assert running.stdout is not None
            port = int(running.stdout.readline().split("/")[2].split(":")[1])
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(b"GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
                client.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    client.recv(1)
                running.send_signal(number)
                assert running.wait(timeout=10) == code
        finally:
            running.kill()
        assert running.stderr is not None
        assert "Traceback" not in running.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--port", "70000"], 2),
        (["--port", "x"], 2),
        (["--host", "0.0.0.0", "--port", "0"], 2),
        (["--fault", "explode", "--port", "0"], 2),
        (["--replay", "no/such/folder", "--port", "0"], 2),
    ],
)
def test_invalid_arguments_exit_without_a_traceback(arguments: list[str], code: int) -> None:
    with program(*arguments) as running:
        output = running.communicate(timeout=60)
    assert running.returncode == code
    assert "error: " in output[1]
    assert "Traceback" not in output[1]


def test_program_reports_a_taken_port(serve: Callable[..., SourceServer]) -> None:
    with program("--port", str(serve().server_address[1])) as running:
        _, told = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "taken" in told
    assert "Traceback" not in told
