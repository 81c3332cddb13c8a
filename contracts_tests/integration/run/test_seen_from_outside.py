"""A stream seen from outside: consumer groups, metrics, log lines and `status`."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.stack import ports
from avro_data_contracts.streaming.inspection.table_size import Counting
from avro_data_contracts.streaming.run import groups
from avro_data_contracts.streaming.run.groups import Groups
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from avro_data_contracts.streaming.stores.store import Rows
from contracts_tests.fixtures.command import Done
from contracts_tests.fixtures.kafka_clients import none_left
from contracts_tests.fixtures.pipeline import Pipeline, made
from contracts_tests.fixtures.processes import run, running, wait_for
from contracts_tests.fixtures.prometheus import Series, labels, panels, scraping
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
SINKS = ("cassandra", "postgres")
BAD = (b"", b"\x00", b"{json", None)


def samples(port: int) -> Samples:
    """Return (name, labels) -> value for everything in a scrape."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for found in families for one in found.samples}


def by(label: str, name: str, found: Samples) -> dict[str, float]:
    """Return the value of `label` -> the value of the samples of that name, without zeros."""
    return {dict(key[1])[label]: value for key, value in found.items() if key[0] == name and value}


def lags(pipeline: Pipeline) -> dict[str, int]:
    """Return sink -> lag of its group as any Kafka tool computes it, once every partition has a committed offset."""
    asked = Groups(pipeline.settings, timeout_s=10)
    first, last = asked.ends(pipeline.contract.topic)
    found = {}
    for sink in pipeline.contract.sinks:
        committed = asked.committed(groups.name(pipeline.contract, sink.kind), pipeline.contract.topic)
        if sorted(committed) == sorted(last):
            found[sink.kind] = groups.lag(committed, first, last)
    return found


@dataclass(frozen=True)
class Run:
    """A stream that wrote 40 records, rejected 5, and was scraped while it ran; 3 more records came afterwards.

    Attributes:
        panels: what each query of the dashboard said, asked of a Prometheus that scraped it too.
    """

    pipeline: Pipeline
    began: float
    ended: float
    scraped: Samples
    lines: list[dict[str, Any]]
    panels: dict[str, list[Series]]


@pytest.fixture(scope="module")
def seen(stack: RunningStack, settings_of_stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, port = tmp_path_factory.mktemp("seen"), ports.pick(["metrics"])["metrics"]
    pipeline, log = made(settings_of_stack, None, folder), folder / "stream.log"
    first = pipeline.register()
    second = pipeline.evolve(lambda schema: schema["fields"].append({"name": "n", "type": "int", "default": 0}))
    good = [pipeline.encode(first, user(number)) for number in range(39)]
    good.append(pipeline.encode(second, user(39, n=1)))
    began = time.time()
    pipeline.send(*({"value": value, "partition": 0} for value in good))
    pipeline.send(*({"value": value, "partition": 1} for value in (*BAD, good[0][:-1])))
    with (
        scraping(port, folder) as prometheus,
        running(stack, pipeline, log, STREAM_METRICS_PORT=str(port), LOG_FORMAT="json"),
    ):
        read = dict.fromkeys(SINKS, 45)
        wait_for(
            lambda: "written" in log.read_text() and by("sink", "stream_records_in_total", samples(port)) == read,
            log,
            seconds=300,
        )
        wait_for(lambda: lags(pipeline) == dict.fromkeys(SINKS, 0), log, seconds=300)
        scraped, ended = samples(port), time.time()
        every = {labels(contract=pipeline.folder.name, sink=sink): 45.0 for sink in SINKS}
        prometheus.until("stream_records_in_total", every)
        shown = {title: [prometheus.ask(query) for query in found] for title, found in panels().items()}
    pipeline.send(*({"value": value} for value in good[:3]))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return Run(pipeline, began, ended, scraped, lines, shown)


def test_metrics_count_records_read_written_and_rejected(seen: Run) -> None:
    for sink in SINKS:
        labels = (("contract", seen.pipeline.folder.name), ("sink", sink))
        assert seen.scraped["stream_records_out_total", labels] == 40
        assert seen.scraped["stream_lag_records", labels] == 0
        assert seen.scraped["stream_progress_commits_failed_total", labels] == 0
        assert seen.scraped["stream_end_to_end_seconds_count", labels] == 40
        assert 0 < seen.scraped["stream_end_to_end_seconds_sum", labels] / 40 < seen.ended - seen.began
        assert seen.scraped["stream_batch_seconds_count", labels] >= 1
        assert seen.began < seen.scraped["stream_last_batch_timestamp_seconds", labels] < seen.ended
    assert by("server", "stream_attempts_failed_total", seen.scraped) == {}
    assert by("reason", "stream_records_rejected_total", seen.scraped) == {
        "TOO_SHORT": 2, "BAD_MAGIC": 1, "NULL_VALUE": 1, "DECODE_ERROR": 1,
    }  # fmt: skip


def test_dashboard_shows_the_stream(seen: Run) -> None:
    name = seen.pipeline.folder.name
    both = {labels(contract=name, sink=sink) for sink in SINKS}
    assert seen.panels["Contracts that stream"] == [{(): 1.0}]
    assert seen.panels["Most lag now"] == [{labels(contract=name): 0.0}]
    assert seen.panels["Lag, records"] == [dict.fromkeys(both, 0.0)]
    assert seen.panels["Late now: records wait, and none were written for a minute"] == [{}]
    assert seen.panels["Waiting: time since the last batch, with records left to write"] == [{}]
    [idle] = seen.panels["Idle: time since the last batch, with nothing left to write"]
    assert idle.keys() == both
    assert all(0 <= seconds < seen.ended - seen.began + 60 for seconds in idle.values())
    [mean] = seen.panels["Latency from Kafka to the store, mean"]
    for sink in SINKS:
        one = (("contract", name), ("sink", sink))
        total, number = (seen.scraped[f"stream_end_to_end_seconds_{part}", one] for part in ("sum", "count"))
        assert mean[one] == pytest.approx(total / number, rel=0.01)
    [rejected] = seen.panels["Dead letters in 15 minutes, by reason"]
    assert {dict(one)["reason"] for one in rejected} == {"TOO_SHORT", "BAD_MAGIC", "NULL_VALUE", "DECODE_ERROR"}
    for title in ("Records written per second", "Records read per second", "Batches per minute"):
        assert [found.keys() for found in seen.panels[title]] == [both], title
    for title in ("Failed attempts in 5 minutes, by server", "Failed streams in 15 minutes", "Lag of views, records"):
        assert seen.panels[title] == [{}], title


def test_log_has_one_line_per_batch(seen: Run) -> None:
    written = [line for line in seen.lines if line["event"] == "batch written"]
    for sink in SINKS:
        told = [line for line in written if line["sink"] == sink]
        assert (sum(line["records"] for line in told), sum(line["rejected"] for line in told)) == (45, 5)
        assert [line["batch"] for line in told] == list(range(len(told)))
        assert all(line["contract"] == seen.pipeline.folder.name and line["seconds"] > 0 for line in told)


def status(stack: RunningStack, seen: Run, *arguments: str, **changes: str) -> Done:
    done = run(stack, seen.pipeline, "status", *arguments, **changes)
    assert "Traceback" not in done.stderr
    return done


def test_status_shows_topics_versions_lag_rows_and_dead_letters(stack: RunningStack, seen: Run) -> None:
    done = status(stack, seen, "--json")
    assert done.returncode == 0, done.stderr
    document, contract = json.loads(done.stdout), seen.pipeline.contract
    assert {server["name"]: server["why"] for server in document["servers"]} == dict.fromkeys(
        ("kafka", "registry", *SINKS), ""
    )
    (told,) = document["contracts"]
    assert told["topic"] == {"name": contract.topic, "partitions": 3, "records": 48}
    assert told["dead_letters"] == {"name": contract.dead_letter_topic, "partitions": 1, "records": 5}
    assert {one["name"]: one["versions"] for one in told["subjects"]} == {
        contract.key.name: [1],
        contract.value.name: [1, 2],
    }
    assert [(sink["sink"], sink["group"], sink["lag"], sink["rows"]) for sink in told["sinks"]] == [
        (kind, f"{contract.name}.{kind}", 3, {"number": 40, "exact": True}) for kind in SINKS
    ]


def test_status_names_the_unreachable_server_and_shows_the_others(stack: RunningStack, seen: Run) -> None:
    done = status(stack, seen, "--watch", CASSANDRA_HOSTS="127.0.0.1:9")
    assert done.returncode == 3
    assert re.search(r"cassandra .*127\.0\.0\.1:9 .*does not answer", done.stdout)
    assert re.search(rf"postgres .*{seen.pipeline.contract.topic}.* 40 .* 3 .*\.postgres", done.stdout)

    everything = dict.fromkeys(("KAFKA_BOOTSTRAP_SERVERS", "CASSANDRA_HOSTS"), "127.0.0.1:9")
    everything |= {
        "SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
        "POSTGRES_DSN": "postgresql://me:s3cret@127.0.0.1:9/x",
    }
    nothing = status(stack, seen, **everything)
    assert nothing.returncode == 3
    assert nothing.stdout.count("does not answer") == 4
    assert "s3cret" not in nothing.stdout + nothing.stderr


def test_status_includes_a_contract_that_was_never_registered(
    stack: RunningStack, settings_of_stack: Settings, tmp_path: Path
) -> None:
    pipeline = made(settings_of_stack, None, tmp_path)
    file = pipeline.folder / "contract.yaml"
    file.write_text(file.read_text().replace("topic: users_", "topic: unregistered_", 1))
    done = run(stack, pipeline, "status", "--json")
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["contracts"]
    assert (told["topic"]["partitions"], told["topic"]["records"]) == (None, None)
    assert [one["versions"] for one in told["subjects"]] == [[], []]
    assert [(sink["lag"], sink["rows"]) for sink in told["sinks"]] == [(None, None), (None, None)]


def test_table_slow_to_count_is_estimated_from_then_on(seen: Run) -> None:
    sinks, counting = seen.pipeline.contract.spec.sinks, Counting(seen.pipeline.settings)
    exact = Rows(40, exact=True)
    assert counting.of("postgres", [sinks.postgres]) == {sinks.postgres.qualified: exact}
    with postgres.connect(seen.pipeline.settings) as connection:
        connection.execute(f"LOCK TABLE {sinks.postgres.qualified} IN ACCESS EXCLUSIVE MODE")
        assert counting.of("postgres", [sinks.postgres])[sinks.postgres.qualified].exact is False
    assert counting.of("postgres", [sinks.postgres])[sinks.postgres.qualified].exact is False
    with postgres.connect(seen.pipeline.settings, autocommit=True) as connection:
        connection.execute(f"ANALYZE {sinks.postgres.qualified}")
    assert counting.of("postgres", [sinks.postgres]) == {sinks.postgres.qualified: Rows(40, exact=False)}

    assert counting.of("cassandra", [sinks.cassandra]) == {sinks.cassandra.qualified: exact}
    counting._slow["cassandra"].add(sinks.cassandra.qualified)
    assert counting.of("cassandra", [sinks.cassandra])[sinks.cassandra.qualified].exact is False


def test_run_has_committed_its_last_batch_and_closed_its_clients_when_it_ends(pipeline: Pipeline) -> None:
    schema_id = pipeline.register()
    for number in range(2):
        pipeline.send(*({"value": pipeline.encode(schema_id, user(n)), "key": str(n)} for n in range(30)))
        with none_left(within_s=30):
            pipeline.stream()
        assert lags(pipeline) == dict.fromkeys(SINKS, 0), number


def test_store_outage_delays_only_its_group_and_retries_count_once(
    private: RunningStack, own_pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline, log, port = own_pipeline, tmp_path / "stream.log", ports.pick(["metrics"])["metrics"]
    schema_id = pipeline.register()
    records = [{"value": pipeline.encode(schema_id, user(number)), "key": str(number)} for number in range(40)]
    pipeline.send(*records[:10])
    with running(private, pipeline, log, STREAM_METRICS_PORT=str(port)):
        wait_for(lambda: lags(pipeline) == dict.fromkeys(SINKS, 0), log, seconds=300)
        os.kill(private.status["cassandra"]["pid"], signal.SIGKILL)
        pipeline.send(*records[10:], {"value": b""})
        wait_for(lambda: "attempt failed" in log.read_text() and lags(pipeline)["postgres"] == 0, log, seconds=300)
        assert lags(pipeline) == {"cassandra": 31, "postgres": 0}
        down = samples(port)
        assert by("server", "stream_attempts_failed_total", down).keys() == {"cassandra"}
        assert by("sink", "stream_lag_records", down) == {"cassandra": 31}
        private.run("up")
        wait_for(lambda: lags(pipeline) == dict.fromkeys(SINKS, 0), log, seconds=300)
        found = samples(port)
    assert by("sink", "stream_records_in_total", found) == dict.fromkeys(SINKS, 41)
    assert by("sink", "stream_records_out_total", found) == dict.fromkeys(SINKS, 40)
    assert by("reason", "stream_records_rejected_total", found) == {"TOO_SHORT": 1}


def test_taken_metrics_port_is_reported(stack: RunningStack, seen: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(stack, seen.pipeline, "--available-now", STREAM_METRICS_PORT=str(port))
    assert done.returncode == 2
    assert f"127.0.0.1:{port}: cannot serve metrics" in done.stderr
    assert "Traceback" not in done.stderr
