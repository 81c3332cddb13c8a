"""Servers that refuse connections, drop them, hang or are slow, simulated by a proxy in front of each.

For servers that are killed and restarted, see test_seen_from_outside.py and contracts_tests/chaos/.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from cassandra.cluster import Session

from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.cassandra import sessions
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.processes import ended, run, running, wait_for
from contracts_tests.fixtures.proxy import Proxy
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user

# The longest test has a dozen outages in one run of the stream.
pytestmark = pytest.mark.timeout(1500)

SERVERS = {
    "kafka": "KAFKA_BOOTSTRAP_SERVERS",
    "registry": "SCHEMA_REGISTRY_URL",
    "cassandra": "CASSANDRA_HOSTS",
    "postgres": "POSTGRES_DSN",
}
AWAY, AGAIN = "Kafka does not serve the topic", "Kafka serves the topic again"


@dataclass(frozen=True)
class Between:
    """A proxy in front of each server, and the variables that point a stream to the proxies."""

    proxies: dict[str, Proxy]
    variables: dict[str, str]

    def __getitem__(self, name: str) -> Proxy:
        return self.proxies[name]


@pytest.fixture
def between(stack: RunningStack) -> Iterator[Between]:
    """The stream reaches the servers only through the proxies; the test itself connects directly."""
    proxies, variables = {}, {}
    with ExitStack() as cleaning:
        for name, variable in SERVERS.items():
            address = stack.exports[variable]
            port = urlsplit(address if "//" in address else f"//{address}").port
            assert port is not None
            proxies[name] = cleaning.enter_context(Proxy(port, advertised=name == "kafka"))
            variables[variable] = address.replace(f":{port}", f":{proxies[name].port}")
        yield Between(proxies, variables)


class Feed:
    """A sender of users that counts them, and checks the stores over its own connections."""

    def __init__(self, pipeline: Pipeline, session: Session, connection: psycopg.Connection) -> None:
        self.pipeline = pipeline
        self.sent = 0
        self._session, self._connection = session, connection

    def send(self, count: int, schema_id: int | None = None) -> None:
        schema_id = schema_id or self.pipeline.register()
        numbers = range(self.sent, self.sent + count)
        self.pipeline.send(
            *({"value": self.pipeline.encode(schema_id, user(n)), "key": user(n)["id"]} for n in numbers)
        )
        self.sent += count

    def in_cassandra(self) -> bool:
        table = self.pipeline.contract.spec.sinks.cassandra.qualified
        return self._session.execute(f"SELECT count(*) FROM {table}").one()[0] == self.sent

    def in_postgres(self) -> bool:
        table = self.pipeline.contract.spec.sinks.postgres.qualified
        return self._connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (self.sent,)

    def in_both(self) -> bool:
        return self.in_cassandra() and self.in_postgres()


@pytest.fixture
def feed(pipeline: Pipeline) -> Iterator[Feed]:
    with (
        cassandra.connect(pipeline.settings) as session,
        postgres.connect(pipeline.settings, autocommit=True) as connection,
    ):
        yield Feed(pipeline, session, connection)


def both_written(log: Path) -> bool:
    """Return whether each store has a batch, and so its table."""
    lines = [line for line in log.read_text().splitlines() if 'event="batch written"' in line]
    return all(any(f"sink={sink} " in line for line in lines) for sink in ("cassandra", "postgres"))


def failed(log: Path, sink: str, server: str) -> int:
    """Return how many attempts of a sink failed because of the server, one line of the log each."""
    return sum(
        'event="attempt failed"' in line and f"sink={sink} " in line and server in line
        for line in log.read_text().splitlines()
    )


def test_stream_survives_refusing_cut_hanging_and_slow_servers(
    stack: RunningStack, feed: Feed, between: Between, tmp_path: Path
) -> None:
    log, pipeline = tmp_path / "stream.log", feed.pipeline
    # The stream asks Kafka for its topic every four seconds.
    limits = {"STREAM_WRITE_TIMEOUT_S": "12", "SCHEMA_REGISTRY_TIMEOUT_S": "2", "STREAM_RETRY_FOR_S": "120"}
    stores = {
        "cassandra": ("Cassandra", feed.in_cassandra, "postgres", feed.in_postgres),
        "postgres": ("PostgreSQL", feed.in_postgres, "cassandra", feed.in_cassandra),
    }
    feed.send(50)
    with running(stack, pipeline, log, **between.variables, **limits) as process:
        wait_for(lambda: both_written(log) and feed.in_both(), log)

        for name, (spoken, arrived, _, other_arrived) in stores.items():
            # Refused: the other store continues, and the first one catches up later.
            between[name].refuse()
            feed.send(50)
            wait_for(other_arrived, log)
            wait_for(lambda: failed(log, name, spoken) >= 2, log)  # noqa: B023
            assert not arrived()
            between[name].pass_on()
            wait_for(arrived, log)

            # Cut off in the middle of a batch and then down: the half-written batch is written again.
            before = failed(log, name, spoken)
            between[name].cut_after(100_000)
            feed.send(2_000)
            wait_for(other_arrived, log)
            wait_for(lambda: failed(log, name, spoken) > before, log)  # noqa: B023
            assert between[name].refuses
            between[name].pass_on()
            wait_for(arrived, log)

            # Hanging: the attempt times out, and the next one succeeds.
            before = failed(log, name, "")
            between[name].stall()
            feed.send(50)
            wait_for(other_arrived, log)
            wait_for(lambda: failed(log, name, "") > before, log)  # noqa: B023
            assert not arrived()
            between[name].pass_on()
            wait_for(arrived, log)

        # Slow: no attempt fails.
        before_all = log.read_text().count("attempt failed")
        for proxy in between.proxies.values():
            proxy.delay(0.1)
        feed.send(50)
        wait_for(feed.in_both, log)
        for proxy in between.proxies.values():
            proxy.pass_on()
        assert log.read_text().count("attempt failed") == before_all

        # New schema ids need the registry: the batch waits for it, and nothing is dead-lettered.
        for number, cut in enumerate((between["registry"].refuse, between["registry"].stall)):
            field = {"name": f"note_{number}", "type": ["null", "string"], "default": None, "doc": "Comes with it."}
            new = pipeline.evolve(lambda schema: schema["fields"].append(field))  # noqa: B023
            cut()
            before = {name: failed(log, name, "schema registry") for name in stores}
            feed.send(50, new)
            for name in stores:
                wait_for(lambda: failed(log, name, "schema registry") > before[name], log)  # noqa: B023
            assert not feed.in_cassandra()
            assert not feed.in_postgres()
            between["registry"].pass_on()
            wait_for(lambda: both_written(log) and feed.in_both(), log)

        # The log names a broker that is away, which does not keep the stream from ending.
        for cut, lines in ((between["kafka"].refuse, 2), (between["kafka"].stall, 1)):
            away, again = (log.read_text().count(words) for words in (AWAY, AGAIN))
            cut()
            feed.send(50)
            wait_for(lambda: log.read_text().count(AWAY) >= away + lines, log)  # noqa: B023
            between["kafka"].pass_on()
            wait_for(feed.in_both, log)
            wait_for(lambda: log.read_text().count(AGAIN) == again + 1, log)  # noqa: B023
        between["kafka"].refuse()
        away = log.read_text().count(AWAY)
        wait_for(lambda: log.read_text().count(AWAY) > away, log)
        os.killpg(process.pid, signal.SIGTERM)
        assert ended(process, log, 45) == 0, log.read_text()
    assert f"127.0.0.1:{between['kafka'].port}" in log.read_text()
    assert pipeline.dead_letters() == []
    assert "Traceback" not in log.read_text()
    assert "First " not in log.read_text(), "the log contains a name"


def test_stream_ends_with_an_error_when_broker_stays_down(
    stack: RunningStack, feed: Feed, between: Between, tmp_path: Path
) -> None:
    log, pipeline = tmp_path / "stream.log", feed.pipeline
    feed.send(50)
    with running(stack, pipeline, log, **between.variables, STREAM_RETRY_FOR_S="5") as process:
        wait_for(lambda: both_written(log) and feed.in_both(), log)
        between["kafka"].refuse()
        feed.send(50)
        assert ended(process, log, 120) == 3, log.read_text()
    assert f"error: Kafka 127.0.0.1:{between['kafka'].port}: for " in log.read_text()
    assert "Traceback" not in log.read_text()
    again = run(stack, pipeline, "--available-now")
    assert again.returncode == 0, again.stderr
    assert feed.in_both()


def test_dead_cassandra_session_is_not_reused_while_still_held(pipeline: Pipeline) -> None:
    """The connector shares one session, and keeps it while anything, such as a hanging task, holds it."""
    schema_id = pipeline.register()
    settings = pipeline.settings.model_copy(update={"stream_retry_for_s": 20})
    sinks = job.prepare(settings, pipeline.contract)
    pipeline.send({"value": pipeline.encode(schema_id, user(1))})
    job.Job(pipeline.spark, settings, pipeline.contract, sinks).run(available_now=True)
    configuration = pipeline.spark.sparkContext._jsc.sc().getConf().clone()
    configuration.set("spark.cassandra.auth.password", settings.cassandra_password)
    for name, value in sessions.options(settings).items():
        configuration.set(name, value)
    connector = pipeline.spark._jvm.com.datastax.spark.connector.cql.CassandraConnector
    held = connector.apply(configuration).openSession()
    held.forceCloseAsync().toCompletableFuture().join()
    pipeline.send({"value": pipeline.encode(schema_id, user(2))})

    job.Job(pipeline.spark, settings, pipeline.contract, sinks).run(available_now=True)

    held.close()
    assert len(pipeline.cassandra_rows()) == len(pipeline.postgres_rows()) == 2
