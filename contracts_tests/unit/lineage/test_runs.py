"""Telling OpenLineage of runs: off until configured, by its own configuration, and never in the way of the run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from avro_data_contracts.contracts.errors import ConfigurationError, Interrupted
from avro_data_contracts.contracts.lineage import emitter, events, runs
from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures import lineage
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.contract_files import load
from contracts_tests.fixtures.lineage import Receiver, receiving

CONTRACT = load().get("orders")
SETTINGS = Settings.model_construct(kafka_bootstrap_servers="kafka:9092", postgres_dsn="postgresql://pg/shop")
PARENT = "airflow/dag.task/3f5e83fa-3480-44ff-99c5-ff943904e5e9"


@pytest.fixture(autouse=True)
def _nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("URL", "CONFIG", "DISABLED", "NAMESPACE", "PARENT_ID"):
        monkeypatch.delenv(f"OPENLINEAGE_{name}", raising=False)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that the client sends to, without repeating."""
    with receiving() as found:
        monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "http")
        monkeypatch.setenv("OPENLINEAGE__TRANSPORT__URL", found.url)
        monkeypatch.setenv("OPENLINEAGE__TRANSPORT__RETRY", '{"total": 0}')
        yield found


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    """The lines of the log."""
    with structlog.testing.capture_logs() as lines:
        yield lines


def a_run(**rows: int) -> None:
    with runs.of_stream(CONTRACT, SETTINGS) as run:
        run.rows |= rows


def test_run_begins_and_ends(receiver: Receiver, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "shop")
    monkeypatch.setenv("OPENLINEAGE_PARENT_ID", PARENT)
    a_run(postgres=3)
    for event in receiver.events:
        lineage.validate(event)
    assert receiver.states == ["START", "COMPLETE"]
    assert len({one["run"]["runId"] for one in receiver.events}) == 1
    start, end = receiver.events
    assert start["job"] == end["job"]
    assert (start["job"]["namespace"], start["job"]["name"]) == ("shop", "streaming.orders")
    assert start["run"]["facets"]["parent"]["run"]["runId"] == PARENT.rpartition("/")[2]
    assert end["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 3
    # What is sent is what the contract says, whatever the client makes of it.
    made = events.job_event(events.stream(CONTRACT, SETTINGS, "shop"), datetime.now(UTC))
    for side in ("inputs", "outputs"):
        assert [{key: one[key] for key in ("namespace", "name", "facets")} for one in start[side]] == made[side]
    assert told == []


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (ConfigurationError("no table", fix="make one"), "FAIL", "no table"),
        (ValueError("ann@example.com"), "FAIL", "ValueError"),
        (Interrupted("stopped"), "ABORT", ""),
        (KeyboardInterrupt(), "ABORT", ""),
    ],
)
def test_error_ends_the_run_and_goes_on(receiver: Receiver, error: BaseException, state: str, words: str) -> None:
    with pytest.raises(type(error)), runs.of_stream(CONTRACT, SETTINGS):
        raise error
    assert receiver.states == ["START", state]
    facet = receiver.events[1]["run"]["facets"].get("errorMessage", {"message": ""})
    assert words in facet["message"]
    assert "ann@example.com" not in json.dumps(receiver.events)


def test_run_that_knows_that_it_failed_says_so(receiver: Receiver) -> None:
    with runs.of_producer(CONTRACT, SETTINGS, "https://api.example/orders") as run:
        run.error = "the API is away"
    assert receiver.states == ["START", "FAIL"]
    assert receiver.events[1]["run"]["facets"]["errorMessage"]["message"] == "the API is away"
    assert receiver.events[0]["inputs"][0]["name"] == "orders"


def test_run_goes_on_while_the_receiver_does_not_answer(
    receiver: Receiver, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter.Emitter.finish, "__defaults__", (0.2,))
    receiver.released.clear()
    worked = False
    with runs.of_stream(CONTRACT, SETTINGS):
        assert receiver.asked.wait(30)
        worked = not receiver.events
    assert worked
    assert [(one["event"], one["events"], one["lost"]) for one in told] == [("lineage not delivered", 2, 2)]
    assert "no answer in 0.2 s" in told[0]["why"]


def test_receiver_that_refuses_is_told_and_counted(receiver: Receiver, told: list[dict[str, Any]]) -> None:
    receiver.answer = 500
    a_run()
    assert [(one["log_level"], one["lost"], one["sent"], one["contract"]) for one in told] == [
        ("warning", 1, 0, "orders"),
        ("warning", 2, 0, "orders"),
    ]
    assert "500" in told[0]["why"]


def test_account_in_the_url_is_not_in_the_log(
    receiver: Receiver, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answer = 403
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__URL", receiver.url.replace("//", "//ann:s3cret@"))
    a_run()
    assert len(told) == 2
    assert "s3cret" not in str(told)


def test_receiver_that_is_away_is_told(told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as gone:
        url = gone.url
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "http")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__URL", url)
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__RETRY", '{"total": 0}')
    a_run()
    assert [one["lost"] for one in told] == [1, 2]
    assert "ConnectionError" in told[0]["why"]


def _transport(kind: str, url: str) -> dict[str, Any]:
    """A transport of the client's, without repeating; Kafka's has no broker there."""
    if kind == "kafka":
        config = {"bootstrap.servers": url.removeprefix("http://"), "message.timeout.ms": 300, "log_level": 0}
        return {"type": "kafka", "topic": "lineage", "config": config}
    return {"type": kind, "url": url, "retry": {"total": 0}}


#: Transports whose `emit` returns before there is an answer, alone and inside others.
LATER: dict[str, Callable[[str], dict[str, Any]]] = {
    "async_http": lambda url: _transport("async_http", url),
    "composite": lambda url: {"type": "composite", "transports": {"a": _transport("async_http", url)}},
    "two": lambda url: {"type": "composite", "transports": [{"type": "console"}, _transport("async_http", url)]},
    "transform": lambda url: {
        "type": "transform",
        "transformer_class": "openlineage.client.transport.transform.JobNamespaceReplaceTransformer",
        "transformer_properties": {"new_job_namespace": "shop"},
        "transport": _transport("async_http", url),
    },
}


def configure(monkeypatch: pytest.MonkeyPatch, transport: dict[str, Any]) -> None:
    Path("configured.yml").write_text(json.dumps({"transport": transport}), encoding="utf-8")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", "configured.yml")


@pytest.mark.parametrize("kind", LATER)
def test_answer_that_comes_later_is_waited_for(
    kind: str, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as found:
        configure(monkeypatch, LATER[kind](found.url))
        a_run()
        assert (found.states, told) == (["START", "COMPLETE"], [])


@pytest.mark.parametrize("kind", LATER)
def test_refusal_that_comes_later_is_told_and_counted(
    kind: str, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter.Emitter.finish, "__defaults__", (30.0,))
    with receiving() as found:
        found.answer = 403
        configure(monkeypatch, LATER[kind](found.url))
        a_run()
    assert (told[-1]["lost"], told[-1]["sent"]) == (2, 0)
    assert sum(one["events"] for one in told) == 2
    assert told[0]["why"] == "the receiver refused it or is away"


@pytest.mark.parametrize("kind", LATER)
def test_receiver_that_hangs_is_told_at_the_end(
    kind: str, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter.Emitter.finish, "__defaults__", (0.3,))
    with receiving() as found:
        found.released.clear()
        configure(monkeypatch, LATER[kind](found.url))
        with runs.of_stream(CONTRACT, SETTINGS):
            assert found.asked.wait(30)
    assert [(one["events"], one["lost"], one["sent"]) for one in told] == [(2, 2, 0)]
    assert "no answer in 0.3 s" in told[0]["why"]


@pytest.mark.parametrize("kind", LATER)
def test_receiver_that_hangs_is_told_while_the_run_goes_on(
    kind: str, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter, "PATIENCE_S", 0.3)
    with receiving() as found:
        found.released.clear()
        configure(monkeypatch, LATER[kind](found.url))
        with runs.of_stream(CONTRACT, SETTINGS):
            assert found.asked.wait(30)
            assert _until(lambda: bool(told))
            assert [(one["events"], one["lost"], one["sent"]) for one in told] == [(1, 1, 0)]
            monkeypatch.setattr(emitter, "PATIENCE_S", 30.0)
            found.released.set()
    assert len(told) == 1
    assert "COMPLETE" in found.states


@pytest.mark.parametrize("inside", [False, True])
def test_kafka_that_is_away_is_told(
    inside: bool, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter.Emitter.finish, "__defaults__", (30.0,))
    with receiving() as gone:
        kafka = _transport("kafka", gone.url)
    configure(monkeypatch, {"type": "composite", "transports": [kafka]} if inside else kafka)
    a_run()
    assert (told[-1]["lost"], told[-1]["sent"]) == (2, 0)
    assert {one["why"] for one in told} == {"Kafka: Local: Message timed out"}


def _until(done: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.02)
    return done()


@pytest.mark.parametrize(
    "config", ["transport: {type: unheard-of}", "transport: {type: http}", "transport: {type: file}"]
)
def test_wrong_configuration_is_told(
    config: str, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("wrong.yml").write_text(config, encoding="utf-8")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", "wrong.yml")
    a_run()
    assert [one["lost"] for one in told] == [1, 2]


def test_package_that_is_missing_is_told(told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(emitter, "find_spec", lambda _: None)
    a_run()
    assert "pip install 'avro-data-contracts[openlineage]'" in told[0]["why"]


def test_bug_in_an_event_stops_nothing(
    receiver: Receiver, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "stream", lambda *_: 1 / 0)
    ran = threading.Event()
    with runs.of_stream(CONTRACT, SETTINGS):
        ran.set()
    assert ran.is_set()
    assert [one["why"] for one in told] == ["ZeroDivisionError: division by zero"] * 2


def test_events_go_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.yml"
    config.write_text(f"transport: {{type: file, log_file_path: {tmp_path}/events.jsonl, append: true}}")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(config))
    a_run()
    found = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    for one in found:
        lineage.validate(one)
    assert [one["eventType"] for one in found] == ["START", "COMPLETE"]


def test_task_gives_its_run_to_its_commands(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with runs.of_task("daily.load", "ann") as task:
        monkeypatch.setenv("OPENLINEAGE_PARENT_ID", task.id)
        a_run()
    by_job = {one["job"]["name"]: one for one in receiver.events}
    found = by_job["streaming.orders"]["run"]["facets"]["parent"]
    assert found["job"] == {"namespace": "default", "name": "daily.load"}
    assert found["run"]["runId"] == by_job["daily.load"]["run"]["runId"]


def test_task_is_left_to_the_provider_of_airflow(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_is_there", lambda name: name == "airflow.providers.openlineage")
    with runs.of_task("daily.load", "ann") as task:
        assert task.id == ""
    assert receiver.events == []


@pytest.mark.parametrize(
    ("text", "parent"),
    [
        ("", None),
        ("airflow", None),
        ("airflow/job", None),
        ("airflow/job/1", None),
        (PARENT, ("airflow", "dag.task", PARENT.rpartition("/")[2])),
        (PARENT.replace("dag.task", "shop/orders"), ("airflow", "shop/orders", PARENT.rpartition("/")[2])),
    ],
)
def test_parent_comes_from_the_environment(
    text: str, parent: tuple[str, str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_PARENT_ID", text)
    assert runs.parent() == parent


@pytest.mark.parametrize(
    ("environment", "configured"),
    [
        ({}, False),
        ({"OPENLINEAGE_NAMESPACE": "shop"}, False),
        ({"OPENLINEAGE_URL": "http://marquez:5000"}, True),
        ({"OPENLINEAGE_URL": "http://marquez:5000", "OPENLINEAGE_DISABLED": "True"}, False),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "kafka"}, True),
        ({"OPENLINEAGE__TRANSPORT": "{}"}, True),
        ({"OPENLINEAGE_CONFIG": "there.yml"}, True),
        ({"OPENLINEAGE_CONFIG": "missing.yml"}, False),
    ],
)
def test_configured_as_the_client_is(environment: dict[str, str], configured: bool, tmp_path: Path) -> None:
    (tmp_path / "there.yml").write_text("transport: {type: console}")
    assert emitter.is_configured({"HOME": str(tmp_path), **environment}) is configured


@pytest.mark.parametrize("place", ["openlineage.yml", ".openlineage/openlineage.yml"])
def test_file_where_the_client_looks_for_one_configures(place: str, tmp_path: Path) -> None:
    assert not emitter.is_configured({"HOME": str(tmp_path)})
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("transport: {type: console}")
    assert emitter.is_configured({"HOME": str(tmp_path)})


def test_nothing_is_loaded_while_nothing_is_configured() -> None:
    program = (
        "import sys, threading, types\n"
        "from avro_data_contracts.contracts.lineage import runs\n"
        "with runs.of_stream(types.SimpleNamespace(name='orders'), None) as run: pass\n"
        "names = [one for one in sys.modules if 'openlineage' in one or 'lineage.events' in one]\n"
        "print(names, threading.active_count(), repr(run.id))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(CLONE)}
    )
    assert done.stdout == "[] 1 ''\n"
