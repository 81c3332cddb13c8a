"""A Spark cluster and three brokers: one of each is killed with -9 while records are written, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from contracts.registry.topics import Topics
from contracts_tests.chaos.stream import Stream
from contracts_tests.chaos.verdict import judge
from contracts_tests.chaos.writer import Writer
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.pipeline import Pipeline, made, settings_for
from contracts_tests.fixtures.stack import RunningStack, private_stack

UP = ("--brokers", "3", "--with", "spark-cluster", "--only", "kafka", "registry", "cassandra")
BROKERS = ("kafka", "kafka-2", "kafka-3")
WORKERS = ("spark-worker-1", "spark-worker-2")
# Other executors, another leader and another coordinator of the group are found meanwhile.
GOES_ON_WITHIN_S = 200
EXECUTORS = "spark.executor.defaultJavaOptions"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with private_stack(tmp_path_factory.mktemp("cluster"), *UP) as started, pytest.MonkeyPatch.context() as patch:
        # Executors start as the driver does: with an archive of classes where there is one, and the first compiler.
        if "ArchiveClassesAtExit" not in started.spark_options:
            options = shlex.quote(f"{EXECUTORS}={started.spark_options}")
            patch.setenv("PYSPARK_SUBMIT_ARGS", f"--conf {options} pyspark-shell")
        yield started


@pytest.fixture(scope="module")
def pipeline(cluster: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("pipeline")
    return made(settings_for(cluster, folder), None, folder, partitions=6)


def page(stack: RunningStack) -> dict[str, Any]:
    """What the master says of the cluster."""
    ports = json.loads((stack.root / "run" / "ports.json").read_text())
    return requests.get(f"http://127.0.0.1:{ports['spark-master-ui']}/json/", timeout=10).json()


def applications(stack: RunningStack) -> set[str]:
    """Ids of what runs and of what has run."""
    found = page(stack)
    return {one["id"] for one in (*found["activeapps"], *found["completedapps"])}


def busy_workers(stack: RunningStack) -> int:
    """How many workers have cores in use."""
    return sum(worker["coresused"] > 0 for worker in page(stack)["workers"] if worker["state"] == "ALIVE")


def goes_on(stream: Stream) -> None:
    """Waits until each store has got two batches from now on: the second one began after this."""
    before, deadline = stream.written(), time.monotonic() + GOES_ON_WITHIN_S
    while not all(stream.written()[store] > before[store] + 1 for store in ("cassandra", "postgres")):
        assert time.monotonic() < deadline, f"nothing was written for a while:\n{stream.log.read_text()[-4000:]}"
        time.sleep(0.2)


def kill(stack: RunningStack, name: str) -> None:
    """The server, and the processes that it has started: an executor ends with its worker."""
    os.killpg(stack.status[name]["pid"], signal.SIGKILL)


def test_every_record_has_three_copies_of_which_two_are_waited_for(pipeline: Pipeline) -> None:
    topics, name = Topics(pipeline.settings), pipeline.contract.topic
    state = topics.read([name])[name]
    assert (state.partitions, state.replication_factor) == (6, 3)
    assert topics.setting(name, "min.insync.replicas") == "2"


def submit(stack: RunningStack, pipeline: Pipeline, *flags: str) -> subprocess.CompletedProcess[str]:
    """The stream by `spark-submit`, until everything is written; the master is told by it alone."""
    environment = {
        **stack.environment,
        "CONTRACTS_DIR": str(pipeline.settings.contracts_dir),
        "CHECKPOINT_DIR": str(pipeline.settings.checkpoint_dir),
        "PYTHONPATH": str(CLONE),
    }
    master, jars = environment.pop("SPARK_MASTER"), environment.pop("SPARK_JARS")
    command = [str(Path(sys.executable).with_name("spark-submit")), "--master", master, "--jars", jars, *flags]
    command += ["streaming/__main__.py", "--contract", pipeline.folder.name, "--available-now"]
    return subprocess.run(command, cwd=CLONE, env=environment, capture_output=True, text=True, check=False)


def test_standalone_takes_no_python_in_cluster_mode(cluster: RunningStack, pipeline: Pipeline) -> None:
    refused = submit(cluster, pipeline, "--deploy-mode", "cluster")
    assert refused.returncode != 0
    assert "Cluster deploy mode is currently not supported for python" in refused.stderr


def test_a_worker_and_a_broker_are_killed_and_nothing_is_lost(
    cluster: RunningStack, pipeline: Pipeline, tmp_path: Path
) -> None:
    assert cluster.exports["KAFKA_BOOTSTRAP_SERVERS"].count(",") == 2
    stream = Stream(cluster, pipeline, tmp_path / "stream.log")
    writer = Writer(pipeline, [pipeline.register()], random.Random(1))
    topics = Topics(pipeline.settings)
    topic_id = topics.id_of(pipeline.contract.topic)
    try:
        writer.start()
        goes_on(stream)
        assert busy_workers(cluster) == 2
        for worker in WORKERS:  # what executors log and keep is for nobody else to read
            assert list((cluster.root / worker).rglob("executor.log")) != []
            assert list((cluster.root / worker / "tmp").rglob("blockmgr-*")) != []
            assert (cluster.root / worker).stat().st_mode & 0o077 == 0
        kill(cluster, "spark-worker-2")
        # The one that this client takes for the controller, and would ask.
        kill(cluster, BROKERS[topics._heard_anew().controller_id - 1])
        goes_on(stream)
        assert topics.id_of(pipeline.contract.topic) == topic_id
        writer.stop()
        assert stream.stop(60) == 0
    finally:
        stream.close()
    assert stream.gave_up == []
    cluster.run("up", *UP)
    assert all(cluster.status[name]["ready"] for name in (*BROKERS, *WORKERS))
    known = applications(cluster)
    done = submit(cluster, pipeline)
    assert done.returncode == 0, done.stderr
    assert len(applications(cluster) - known) == 1
    found = judge(pipeline, writer.acknowledged)
    assert found.problems == []
    assert writer.unacknowledged == 0
    assert found.cassandra == found.postgres == found.keys > 0
    assert found.dead == found.bad > 0
