"""Kafka before KRaft: the whole job also passes with ZooKeeper."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.stack import RunningStack, private_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with private_stack(tmp_path_factory.mktemp("zookeeper"), "--zookeeper") as started:
        yield started


def test_whole_job_passes_with_zookeeper(stack: RunningStack, tmp_path: Path) -> None:
    own = {"CHECKPOINT_DIR": str(tmp_path / "checkpoints"), "SPARK_LOG_FILE": str(tmp_path / "spark.log")}

    def step(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=CLONE,
            env={**os.environ, **stack.environment, **own},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert [stack.status[name]["version"] for name in ("zookeeper", "kafka")] == ["3.8.4", "3.9.1"]
    step("contracts", "register")
    report = tmp_path / "run.json"
    report.write_text(step("producers", "--count", "200", "--json"))
    assert json.loads(report.read_text())["produced"] > 0
    step("streaming", "--available-now")
    assert "reconciled" in step("streaming", "reconcile", "--run", str(report))
    log = (stack.root / "logs" / "kafka.log").read_text()
    assert "zookeeper" in log.lower()
    assert "KafkaRaftServer" not in log
