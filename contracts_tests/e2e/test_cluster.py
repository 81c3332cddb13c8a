"""A Spark cluster, three brokers and two Cassandra nodes: kill -9 of one of each during writing loses nothing."""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cassandra import ConsistencyLevel, DriverException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.policies import WhiteListRoundRobinPolicy

from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.stack import ports
from avro_data_contracts.stack.servers.cassandra import NAMES
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from contracts_tests.chaos.stream import Stream
from contracts_tests.chaos.verdict import judge
from contracts_tests.chaos.writer import Writer
from contracts_tests.fixtures.big_stack import BigStack
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack

BROKERS = ("kafka", "kafka-2", "kafka-3")
WORKERS = ("spark-worker-1", "spark-worker-2")
# Meanwhile Spark finds other executors, and Kafka another leader and group coordinator. The surviving Cassandra node
# takes about twenty seconds to notice, and the stream pauses for up to fifteen between two attempts.
GOES_ON_WITHIN_S = 300
NOTICED_WITHIN_S = 90
EXECUTORS = "spark.executor.defaultJavaOptions"


@pytest.fixture(scope="module")
def cluster(big_stack: BigStack) -> Iterator[RunningStack]:
    started = big_stack.stack
    with pytest.MonkeyPatch.context() as patch:
        # Executors start like the driver: with the class archive if there is one, and only the first compiler.
        if "ArchiveClassesAtExit" not in started.spark_options:
            options = shlex.quote(f"{EXECUTORS}={started.spark_options}")
            patch.setenv("PYSPARK_SUBMIT_ARGS", f"--conf {options} pyspark-shell")
        yield started


@pytest.fixture(scope="module")
def pipeline(big_stack: BigStack, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return big_stack.pipeline(tmp_path_factory.mktemp("pipeline"))


def page(stack: RunningStack) -> dict[str, Any]:
    """Return the master's report on the cluster."""
    ports = json.loads((stack.root / "run" / "ports.json").read_text())
    return requests.get(f"http://127.0.0.1:{ports['spark-master-ui']}/json/", timeout=10).json()


def applications(stack: RunningStack) -> set[str]:
    """Return the ids of running and completed applications."""
    found = page(stack)
    return {one["id"] for one in (*found["activeapps"], *found["completedapps"])}


def busy_workers(stack: RunningStack) -> int:
    """Return how many workers have cores in use."""
    return sum(worker["coresused"] > 0 for worker in page(stack)["workers"] if worker["state"] == "ALIVE")


def wait_for(stream: Stream, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GOES_ON_WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, f"the condition did not hold in time:\n{stream.log.read_text()[-4000:]}"
        time.sleep(0.02)


def goes_on(stream: Stream, *stores: str, batches: int = 2) -> None:
    """Wait until each store has more batches; the second one certainly began after this call."""
    before = stream.written()
    wait_for(stream, lambda: all(stream.written()[store] >= before[store] + batches for store in stores))


def failed(stream: Stream) -> int:
    """Return how many attempts to write to Cassandra have failed."""
    lines = stream.log.read_text(errors="replace").splitlines()
    return sum('event="attempt failed"' in line and "sink=cassandra" in line for line in lines)


def kill(stack: RunningStack, name: str) -> None:
    """Kill the server and the processes that it started: an executor ends with its worker."""
    os.killpg(stack.status[name]["pid"], signal.SIGKILL)


class Node:
    """A Cassandra node that can be killed, and queried for the rows that it holds itself."""

    def __init__(self, stack: RunningStack, pipeline: Pipeline, name: str) -> None:
        self._pipeline = pipeline
        self._host = ports.host(name)
        self._pid = stack.status[name]["pid"]

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the node's own rows. Call it only while the other node is dead: otherwise that one may answer."""
        deadline = time.monotonic() + NOTICED_WITHIN_S
        while True:
            try:
                return self._asked()
            except (NoHostAvailable, DriverException):  # it has not yet noticed that the other node is dead
                assert time.monotonic() < deadline, f"{self._host} does not answer alone"
                time.sleep(1)

    def _asked(self) -> dict[str, dict[str, Any]]:
        settings = self._pipeline.settings
        policy = WhiteListRoundRobinPolicy([self._host])
        cluster = Cluster(
            [self._host],
            port=cassandra.contact_points(settings.cassandra_hosts)[1],
            auth_provider=PlainTextAuthProvider(settings.cassandra_username, settings.cassandra_password),
            ssl_context=ssl.create_default_context(cafile=settings.cassandra_ca_file),
            execution_profiles={
                EXEC_PROFILE_DEFAULT: ExecutionProfile(policy, consistency_level=ConsistencyLevel.ONE)
            },
            protocol_version=5,
        )
        try:
            table = self._pipeline.contract.spec.sinks.cassandra.quoted
            return {str(row.id): row._asdict() for row in cluster.connect().execute(f"SELECT * FROM {table}")}
        finally:
            cluster.shutdown()


@pytest.mark.nightly
@pytest.mark.timeout(1500)
def test_nothing_is_lost_when_one_server_of_each_kind_is_killed(
    big_stack: BigStack, cluster: RunningStack, pipeline: Pipeline, tmp_path: Path
) -> None:
    assert cluster.exports["KAFKA_BOOTSTRAP_SERVERS"].count(",") == 2
    first, second = (Node(cluster, pipeline, name) for name in NAMES)
    stream = Stream(cluster, pipeline, tmp_path / "stream.log")
    writer = Writer(pipeline, [pipeline.register()], random.Random(1))
    topics = Topics(pipeline.of("admin"))
    topic_id = topics.id_of(pipeline.contract.topic)
    try:
        writer.start()
        goes_on(stream, "cassandra", "postgres")
        assert busy_workers(cluster) == 2
        for worker in WORKERS:  # no other account may read the executors' logs and files
            assert list((cluster.root / worker).rglob("executor.log")) != []
            assert list((cluster.root / worker / "tmp").rglob("blockmgr-*")) != []
            assert (cluster.root / worker).stat().st_mode & 0o077 == 0
        with cassandra.connect(pipeline.settings) as session:
            keyspace = pipeline.contract.spec.sinks.cassandra.keyspace
            query = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s"
            assert session.execute(query, [keyspace]).one().replication["replication_factor"] == "2"

        # Kill it after a batch: a node forgets the writes of its last milliseconds, and gets them back only through
        # a read at LOCAL_QUORUM.
        goes_on(stream, "cassandra", batches=1)
        second.kill()
        kill(cluster, "spark-worker-2")
        # The broker that this client believes to be the controller and would ask.
        kill(cluster, BROKERS[topics._heard_anew().controller_id - 1])
        wait_for(stream, lambda: failed(stream) > 0)
        before = stream.written()["cassandra"]
        goes_on(stream, "postgres")
        assert stream.written()["cassandra"] == before
        assert topics.id_of(pipeline.contract.topic) == topic_id
        big_stack.up()
        goes_on(stream, "cassandra", "postgres")
        writer.stop()
        assert stream.stop(60) == 0
    finally:
        stream.close()
    assert stream.gave_up == []
    assert all(cluster.status[name]["ready"] for name in (*BROKERS, *WORKERS, *NAMES))
    known = applications(cluster)
    done = big_stack.submit(pipeline)
    assert done.returncode == 0, done.stderr
    assert len(applications(cluster) - known) == 1

    first.kill()
    on_second = second.rows()
    big_stack.up()
    found = judge(pipeline, writer.acknowledged)
    assert found.problems == []
    assert writer.unacknowledged == 0
    assert found.cassandra == found.postgres == found.keys > 0
    assert found.dead == found.bad > 0
    every = pipeline.cassandra_rows()
    assert on_second == every
    Node(cluster, pipeline, NAMES[1]).kill()
    assert first.rows() == every
    big_stack.up()
