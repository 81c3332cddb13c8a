"""Servers and the daemon that are killed while a producer writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, TopicPartition

from avro_data_contracts.stack.errors import ServerError
from contracts_tests.compose.run import ROWS_WITHIN_S, STARTS_WITHIN_S, Scenario, told

# The container of a producer under load.
_LOAD = "load"
_SERVERS = ("broker", "schema-registry", "cassandra", "postgres", "spark-master", "spark-worker")


def kill_each(scenario: Scenario, count: int = 10_000) -> None:
    """Kill the main process of each service while a producer sends `count` records; Docker starts it again."""
    project = scenario.project
    for service in (*_SERVERS, "stream"):
        with scenario.step(f"kill -9 of {service} under load") as step:
            name = project.container(service)
            before = json.loads(project.engine.docker("inspect", name))[0]
            with load(scenario, count) as producer:
                sending, begun = producer.poll() is None, time.monotonic()
                os.kill(before["State"]["Pid"], signal.SIGKILL)
                _back(scenario, name, before["RestartCount"])
                healthy = time.monotonic() - begun
                output, _ = producer.communicate(timeout=STARTS_WITHIN_S)
            if producer.returncode != 0 or not sending:
                raise ServerError(
                    "the producer failed" if producer.returncode else "the producer ended before the kill",
                    where="producer",
                    detail=output[-1500:],
                    fix="see its messages",
                )
            step.found = f"healthy again after {healthy:.0f} s, {count:,} more records"
    with scenario.step("rows after all kills") as step:
        step.found = told(project.reconcile(ROWS_WITHIN_S))


def daemon_restarts(scenario: Scenario, count: int = 20_000) -> None:
    """The daemon ends, and takes all containers with it; those with a restart policy come back with their data."""
    project, ids = scenario.project, scenario.ids()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with scenario.step(f"the Docker daemon gets {number.name} under load, and starts again") as step:
            running = {row["Name"] for row in project.status() if row["State"] == "running"}
            with load(scenario, count) as producer:
                if producer.poll() is not None:
                    raise ServerError("the producer ended too early", where="producer", fix="raise the count")
                project.engine.daemon.end(number)
                begun = time.monotonic()
                project.engine.daemon.restart()
                # Its container is gone, or stays as it was left: it is a job, which nothing starts again.
                producer.communicate(timeout=STARTS_WITHIN_S)
            project.engine.docker("rm", "--force", _LOAD, check=False)
            project.settle(STARTS_WITHIN_S)
            healthy = time.monotonic() - begun
            back = {row["Name"] for row in project.status() if row["State"] == "running"}
            if running != back:
                raise ServerError(
                    f"before {sorted(running)}, after {sorted(back)}", where="docker", fix="see its log"
                )
            known = records(scenario)
            after = project.reconcile(ROWS_WITHIN_S)
            if after["events"] != known or scenario.ids() != ids:
                raise ServerError(f"{known} records in the topic, but {after}", where="docker", fix="see its log")
            step.found = f"{len(back)} containers healthy after {healthy:.0f} s; {told(after)}"


@contextmanager
def load(scenario: Scenario, count: int) -> Iterator[subprocess.Popen[str]]:
    """A producer that sends `count` records; it begins once its first ones are in the topic."""
    project, known = scenario.project, records(scenario)
    command = project.compose("run", "--rm", "--name", _LOAD, "--no-deps", "--no-TTY", "producer", "producers")
    with subprocess.Popen(
        [*command, "--count", str(count)],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as producer:
        # A producer that only starts would need the registry.
        while records(scenario) == known and producer.poll() is None:
            time.sleep(0.1)
        yield producer


def records(scenario: Scenario) -> int:
    """Number of records in the topic."""
    consumer = Consumer({"bootstrap.servers": scenario.project.outside()["KAFKA_BOOTSTRAP_SERVERS"], "group.id": "-"})
    try:
        partitions = consumer.list_topics("users_created", timeout=20).topics["users_created"].partitions
        found = (
            consumer.get_watermark_offsets(TopicPartition("users_created", number), timeout=20)
            for number in partitions
        )
        return sum(last for _, last in found)
    finally:
        consumer.close()


def _back(scenario: Scenario, name: str, restarts: int) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        (facts,) = json.loads(scenario.project.engine.docker("inspect", name))
        state = facts["State"]
        if facts["RestartCount"] > restarts and state.get("Health", {}).get("Status") == "healthy":
            return
        if time.monotonic() > deadline:
            raise ServerError(
                f"not healthy again: {state['Status']}, {facts['RestartCount']} restarts",
                where=name,
                detail=scenario.project.failures(),
                fix="see its log",
            )
        time.sleep(0.5)
