"""A stream seen from outside: consumer groups, metrics, log lines and `status`, also while a store is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.stack import ports
from avro_data_contracts.streaming.inspection.table_size import Counting
from avro_data_contracts.streaming.run import groups
from avro_data_contracts.streaming.run.groups import Groups
from avro_data_contracts.streaming.sinks.counts import Counts
from avro_data_contracts.streaming.stores.cassandra.sink import CassandraSink
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from avro_data_contracts.streaming.stores.store import Rows
from contracts_tests.fixtures.command import Done
from contracts_tests.fixtures.kafka_clients import none_left
from contracts_tests.fixtures.pipeline import Pipeline, made, settings_for
from contracts_tests.fixtures.processes import ended, noise, run, running, wait_for
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
class Outage:
    """Cassandra, killed and started again, while the stream had 31 records to write.

    Attributes:
        lags: of the groups, once the other store had everything.
        down, after: what was scraped by then, and when both stores had everything.
        ended: exit code of a second stream, which retried for three seconds only.
        log: what that one printed.
        of_batch: what a batch raised during which Cassandra was restarted.
    """

    lags: dict[str, int]
    down: Samples
    after: Samples
    ended: int
    log: Path
    of_batch: pytest.ExceptionInfo[ServiceError]


@dataclass(frozen=True)
class Run:
    """A stream that wrote 40 records, rejected 5, and was scraped while it ran.

    In the outage came 30 more and a bad one, and after its end 3 more.

    Attributes:
        gave_up: the contract of the second stream.
        lines: what it had logged before the outage.
        panels: what each query of the dashboard said, asked of a Prometheus that scraped it too.
        left: what its end left in the folder of Spark's files.
    """

    pipeline: Pipeline
    gave_up: Pipeline
    began: float
    ended: float
    scraped: Samples
    lines: list[dict[str, Any]]
    panels: dict[str, list[Series]]
    outage: Outage
    left: list[Path]


@pytest.fixture(scope="module")
def seen(private: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, port = tmp_path_factory.mktemp("seen"), ports.pick(["metrics"])["metrics"]
    configured, scratch = settings_for(private, folder), folder / "scratch"
    pipeline, log = made(configured, None, folder / "one"), folder / "stream.log"
    first = pipeline.register()
    second = pipeline.evolve(lambda schema: schema["fields"].append({"name": "n", "type": "int", "default": 0}))
    good = [pipeline.encode(first, user(number)) for number in range(73)]
    good[39] = pipeline.encode(second, user(39, n=1))
    began = time.time()
    pipeline.send(*({"value": value, "partition": 0} for value in good[:40]))
    pipeline.send(*({"value": value, "partition": 1} for value in (*BAD, good[0][:-1])))
    changes = {"STREAM_METRICS_PORT": str(port), "LOG_FORMAT": "json", "SPARK_LOCAL_DIRS": str(scratch)}
    with (
        scraping(port, folder) as prometheus,
        running(private, pipeline, log, **changes) as process,
    ):
        read = dict.fromkeys(SINKS, 45)
        wait_for(
            lambda: "written" in log.read_text() and by("sink", "stream_records_in_total", samples(port)) == read,
            log,
            seconds=300,
        )
        wait_for(lambda: lags(pipeline) == dict.fromkeys(SINKS, 0), log, seconds=300)
        scraped, until = samples(port), time.time()
        every = {labels(contract=pipeline.folder.name, sink=sink): 45.0 for sink in SINKS}
        prometheus.until("stream_records_in_total", every)
        shown = {title: [prometheus.ask(query) for query in found] for title, found in panels().items()}
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        gave_up = made(configured, None, folder / "other")
        outage = survived(private, pipeline, log, port, good[40:70], gave_up)
        process.terminate()
        assert ended(process, log, 120) == 0, log.read_text()
    pipeline.send(*({"value": value} for value in good[70:]))
    left = [*scratch.iterdir()]
    return Run(pipeline, gave_up, began, until, scraped, lines, shown, outage, left)


def survived(
    private: RunningStack, pipeline: Pipeline, log: Path, port: int, values: list[bytes], other: Pipeline
) -> Outage:
    """Kill Cassandra under a stream, under another one, and during a batch of this process; start it again."""
    sink = CassandraSink(other.settings, other.contract, other.contract.spec.sinks.cassandra)
    sink.prepare()
    nothing, other_log = Counts(0, 0, None, None, None), log.with_name("other.log")
    found: list[Any] = []
    schema_id = other.register()
    other.send({"value": other.encode(schema_id, user(1))})

    def restart(decoded: object) -> tuple[int, Counts]:
        with running(private, other, other_log, STREAM_RETRY_FOR_S="3") as process:
            wait_for(lambda: other_log.read_text().count("batch written") == 2, other_log)
            assert_no_secret_is_shown(private)
            os.kill(private.status["cassandra"]["pid"], signal.SIGKILL)
            pipeline.send(*({"value": value} for value in values), {"value": b""})
            other.send({"value": other.encode(schema_id, user(2))})
            wait_for(lambda: "attempt failed" in log.read_text() and lags(pipeline)["postgres"] == 0, log)
            found.extend((lags(pipeline), samples(port)))
            found.append(ended(process, other_log, 120))
        private.run("up")
        wait_for(lambda: lags(pipeline) == dict.fromkeys(SINKS, 0), log)
        found.insert(2, samples(port))
        return 0, nothing

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sink, "_upsert", lambda decoded: (0, nothing))
        sink.write(None)
        patched.setattr(sink, "_upsert", restart)
        with pytest.raises(ServiceError) as raised:
            sink.write(None)
        patched.setattr(sink, "_upsert", lambda decoded: (0, nothing))
        sink.write(None)
    return Outage(*found, log=other_log, of_batch=raised)


def assert_no_secret_is_shown(stack: RunningStack) -> None:
    secrets = json.loads((stack.root / "secrets.json").read_text()).values()
    lines = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "SparkSubmit" in lines
    assert not [name for name in secrets if name in lines]


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


def status(private: RunningStack, seen: Run, *arguments: str, **changes: str) -> Done:
    done = run(private, seen.pipeline, "status", *arguments, **changes)
    assert "Traceback" not in done.stderr
    return done


def test_status_shows_topics_versions_lag_rows_and_dead_letters(private: RunningStack, seen: Run) -> None:
    done = status(private, seen, "--json")
    assert done.returncode == 0, done.stderr
    document, contract = json.loads(done.stdout), seen.pipeline.contract
    assert {server["name"]: server["why"] for server in document["servers"]} == dict.fromkeys(
        ("kafka", "registry", *SINKS), ""
    )
    (told,) = document["contracts"]
    assert told["topic"] == {"name": contract.topic, "partitions": 3, "records": 79, "end": 79}
    assert told["dead_letters"] == {"name": contract.dead_letter_topic, "partitions": 1, "records": 6, "end": 6}
    assert {one["name"]: one["versions"] for one in told["subjects"]} == {
        contract.key.name: [1],
        contract.value.name: [1, 2],
    }
    assert [(sink["sink"], sink["group"], sink["lag"], sink["rows"]) for sink in told["sinks"]] == [
        (kind, f"{contract.name}.{kind}", 3, {"number": 70, "exact": True}) for kind in SINKS
    ]


def test_status_names_the_unreachable_server_and_shows_the_others(private: RunningStack, seen: Run) -> None:
    done = status(private, seen, "--watch", CASSANDRA_HOSTS="127.0.0.1:9")
    assert done.returncode == 3
    assert re.search(r"cassandra .*127\.0\.0\.1:9 .*does not answer", done.stdout)
    assert re.search(rf"postgres .*{seen.pipeline.contract.topic}.* 70 .* 3 .*\.postgres", done.stdout)

    everything = dict.fromkeys(("KAFKA_BOOTSTRAP_SERVERS", "CASSANDRA_HOSTS"), "127.0.0.1:9")
    everything |= {
        "SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
        "POSTGRES_DSN": "postgresql://me:s3cret@127.0.0.1:9/x",
    }
    nothing = status(private, seen, **everything)
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
    exact = Rows(70, exact=True)
    assert counting.of("postgres", [sinks.postgres]) == {sinks.postgres.qualified: exact}
    with postgres.connect(seen.pipeline.settings) as connection:
        connection.execute(f"LOCK TABLE {sinks.postgres.qualified} IN ACCESS EXCLUSIVE MODE")
        assert counting.of("postgres", [sinks.postgres])[sinks.postgres.qualified].exact is False
    assert counting.of("postgres", [sinks.postgres])[sinks.postgres.qualified].exact is False
    with postgres.connect(seen.pipeline.settings, autocommit=True) as connection:
        connection.execute(f"ANALYZE {sinks.postgres.qualified}")
    assert counting.of("postgres", [sinks.postgres]) == {sinks.postgres.qualified: Rows(70, exact=False)}

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


def test_store_outage_delays_only_its_group_and_retries_count_once(seen: Run) -> None:
    outage = seen.outage
    assert outage.lags == {"cassandra": 31, "postgres": 0}
    assert by("server", "stream_attempts_failed_total", outage.down).keys() == {"cassandra"}
    assert by("sink", "stream_lag_records", outage.down) == {"cassandra": 31}
    assert by("sink", "stream_records_in_total", outage.after) == dict.fromkeys(SINKS, 45 + 31)
    assert by("sink", "stream_records_out_total", outage.after) == dict.fromkeys(SINKS, 70)
    before = by("reason", "stream_records_rejected_total", seen.scraped)
    rejected = by("reason", "stream_records_rejected_total", outage.after)
    assert rejected == {**before, "TOO_SHORT": before["TOO_SHORT"] + 1}


def test_stream_ends_with_an_error_when_store_stays_down(
    private: RunningStack, lent_spark: SparkSession, seen: Run
) -> None:
    pipeline, log = seen.gave_up, seen.outage.log
    assert seen.outage.ended == 3, log.read_text()
    assert f"error: Cassandra {private.exports['CASSANDRA_HOSTS']}" in log.read_text()
    assert noise(log) == []
    assert "Py4J" not in log.read_text()
    assert "MicroBatchExecution" in pipeline.settings.spark_log_file.read_text()
    assert len(pipeline.postgres_rows()) == 2
    again = run(private, pipeline, "--available-now")
    assert again.returncode == 0, again.stderr
    assert len(pipeline.cassandra_rows()) == 2


def test_batch_fails_when_cassandra_restarts_while_it_is_written(seen: Run) -> None:
    assert "it was restarted" in str(seen.outage.of_batch.value)


def test_terminated_stream_leaves_none_of_its_files(seen: Run) -> None:
    assert seen.left == []


def test_taken_metrics_port_is_reported(private: RunningStack, seen: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(private, seen.pipeline, "--available-now", STREAM_METRICS_PORT=str(port))
    assert done.returncode == 2
    assert f"127.0.0.1:{port}: cannot serve metrics" in done.stderr
    assert "Traceback" not in done.stderr
