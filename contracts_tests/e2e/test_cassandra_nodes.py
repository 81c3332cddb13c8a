"""Two nodes of Cassandra, each row on both: one is killed with -9 while records are written, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cassandra import ConsistencyLevel, DriverException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.policies import WhiteListRoundRobinPolicy

from contracts_tests.chaos.stream import Stream
from contracts_tests.chaos.verdict import judge
from contracts_tests.chaos.writer import Writer
from contracts_tests.fixtures.pipeline import Pipeline, made, settings_for
from contracts_tests.fixtures.stack import RunningStack, private_stack
from stack import ports
from stack.servers.cassandra import NAMES
from streaming.stores.cassandra import connection as cassandra

UP = ("--cassandra-nodes", "2", "--only", "kafka", "registry", "cassandra", "postgres")
# A survivor takes some twenty seconds to notice, and the stream pauses for up to fifteen between two attempts.
GOES_ON_WITHIN_S = 200
NOTICED_WITHIN_S = 90


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with private_stack(tmp_path_factory.mktemp("nodes"), *UP) as started:
        yield started


@pytest.fixture(scope="module")
def pipeline(nodes: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("pipeline")
    return made(settings_for(nodes, folder), None, folder)


class Node:
    """One of the nodes, which can be killed, and asked what it has itself."""

    def __init__(self, stack: RunningStack, pipeline: Pipeline, name: str) -> None:
        self._pipeline = pipeline
        self._host = ports.host(name)
        self._pid = stack.status[name]["pid"]

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def rows(self) -> dict[str, dict[str, Any]]:
        """What it has.  Only while the other is dead: else it may ask that one."""
        deadline = time.monotonic() + NOTICED_WITHIN_S
        while True:
            try:
                return self._asked()
            except (NoHostAvailable, DriverException):  # it has not noticed yet that the other is dead
                assert time.monotonic() < deadline, f"{self._host} does not answer alone"
                time.sleep(1)

    def _asked(self) -> dict[str, dict[str, Any]]:
        settings = self._pipeline.settings
        policy = WhiteListRoundRobinPolicy([self._host])
        cluster = Cluster(
            [self._host],
            port=cassandra.contact_points(settings.cassandra_hosts)[1],
            auth_provider=PlainTextAuthProvider(settings.cassandra_username, settings.cassandra_password),
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


def wait_for(stream: Stream, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GOES_ON_WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, f"it did not come to that:\n{stream.log.read_text()[-4000:]}"
        time.sleep(0.02)


def goes_on(stream: Stream, *stores: str, batches: int = 2) -> None:
    """Waits until each store has got more batches from now on; the second one began after this."""
    before = stream.written()
    wait_for(stream, lambda: all(stream.written()[store] >= before[store] + batches for store in stores))


def failed(stream: Stream) -> int:
    """How many attempts to write to Cassandra have failed."""
    lines = stream.log.read_text(errors="replace").splitlines()
    return sum('event="attempt failed"' in line and "sink=cassandra" in line for line in lines)


def test_a_node_is_killed_and_both_have_every_row_in_the_end(
    nodes: RunningStack, pipeline: Pipeline, tmp_path: Path
) -> None:
    first, second = (Node(nodes, pipeline, name) for name in NAMES)
    stream = Stream(nodes, pipeline, tmp_path / "stream.log")
    writer = Writer(pipeline, [pipeline.register()], random.Random(1))
    try:
        writer.start()
        goes_on(stream, "cassandra", "postgres")
        with cassandra.connect(pipeline.settings) as session:
            keyspace = pipeline.contract.spec.sinks.cassandra.keyspace
            query = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = %s"
            assert session.execute(query, [keyspace]).one().replication["replication_factor"] == "2"
        # At the end of a batch: what a node has answered in its last milliseconds it would forget, and be told of
        # by a read at LOCAL_QUORUM only.
        goes_on(stream, "cassandra", batches=1)
        second.kill()
        wait_for(stream, lambda: failed(stream) > 0)
        before = stream.written()["cassandra"]
        goes_on(stream, "postgres")
        assert stream.written()["cassandra"] == before
        nodes.run("up", *UP)
        goes_on(stream, "cassandra", "postgres")
        writer.stop()
        assert stream.stop(60) == 0
    finally:
        stream.close()
    assert stream.gave_up == []
    assert stream.finish() == 0

    first.kill()
    on_second = second.rows()
    nodes.run("up", *UP)
    found = judge(pipeline, writer.acknowledged)
    assert found.problems == []
    assert writer.unacknowledged == 0
    assert found.cassandra == found.postgres == found.keys > 0
    assert found.dead == found.bad > 0
    every = pipeline.cassandra_rows()
    assert on_second == every
    Node(nodes, pipeline, NAMES[1]).kill()
    assert first.rows() == every
