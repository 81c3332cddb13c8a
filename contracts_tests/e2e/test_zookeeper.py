"""Kafka before KRaft: the whole job also passes with ZooKeeper."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures.command import run_program
from contracts_tests.fixtures.stack import RunningStack, private_stack


@pytest.fixture(scope="module")
def zookeeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with private_stack(tmp_path_factory.mktemp("zookeeper"), "--zookeeper") as started:
        yield started


def test_whole_job_passes_with_zookeeper(
    zookeeper: RunningStack, lent_spark: SparkSession, settings_of_stack: Settings, tmp_path: Path
) -> None:
    """The commands run in the tests' own process, and the stream in the Spark that all tests share."""
    own = {"CHECKPOINT_DIR": str(tmp_path / "checkpoints"), "SPARK_LOG_FILE": str(settings_of_stack.spark_log_file)}

    def step(program: str, *arguments: str) -> str:
        done = run_program(program, *arguments, environment={**os.environ, **zookeeper.environment, **own})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert [zookeeper.status[name]["version"] for name in ("zookeeper", "kafka")] == ["3.8.4", "3.9.1"]
    step("contracts", "register")
    report = tmp_path / "run.json"
    report.write_text(step("producers", "--count", "200", "--json"))
    assert json.loads(report.read_text())["produced"] > 0
    step("streaming", "--available-now")
    assert "reconciled" in step("streaming", "reconcile", "--run", str(report))
    log = (zookeeper.root / "logs" / "kafka.log").read_text()
    assert "zookeeper" in log.lower()
    assert "KafkaRaftServer" not in log
