"""Spark's files contain records: no other account may read them, and none remain once the stream has ended.

test_seen_from_outside.py looks what remains of a stream that ends in order.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

from avro_data_contracts.streaming.spark import scratch as scratches
from contracts_tests.fixtures.pipeline import Pipeline, made
from contracts_tests.fixtures.processes import ended, noise, run, running, wait_for
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user


def jvm(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_scratch_folders_of_killed_runs_are_removed_and_a_killed_jvm_is_reported(
    stack: RunningStack, pipeline: Pipeline, tmp_path: Path
) -> None:
    """The first stream is killed as a whole, and the second one loses its JVM."""
    other = made(pipeline.settings, None, tmp_path / "other")
    for one in (pipeline, other):
        one.send({"value": one.encode(one.register(), user(1))})
    scratch, elsewhere = tmp_path / "of Spark" / "scratch", tmp_path / "elsewhere"
    elsewhere.mkdir()
    # Java, and with it Spark, would write to `elsewhere` by default.
    told = {"SPARK_LOCAL_DIRS": str(scratch), "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={elsewhere}"}
    logs = tmp_path / "one.log", tmp_path / "other.log"
    with running(stack, pipeline, logs[0], **told) as killed:
        wait_for(lambda: logs[0].read_text().count("batch written") == 2, logs[0])
        (left,) = scratch.iterdir()
        assert stat.S_IMODE(left.stat().st_mode) == 0o700
        assert list(left.glob("blockmgr-*")) != []
        assert [path for path in elsewhere.iterdir() if not path.name.startswith("hsperfdata")] == []
        os.kill(jvm(killed.pid), signal.SIGSTOP)  # so that it cannot remove its files when its parent dies
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    assert list(left.glob("blockmgr-*")) != []

    with running(stack, other, logs[1], **told) as lives:
        wait_for(lambda: logs[1].read_text().count("batch written") == 2, logs[1])
        assert not left.exists()
        (kept,) = scratch.iterdir()
        another = f"from {scratches.__name__} import of; print(*of({str(scratch)!r}))"
        own = subprocess.run([sys.executable, "-c", another], capture_output=True, text=True, check=True).stdout
        assert Path(own.strip()).parent == scratch
        # The folder of the run in progress was left alone, and the other process has removed its own.
        assert list(scratch.iterdir()) == [kept]
        assert list(kept.glob("blockmgr-*")) != []
        os.kill(jvm(lives.pid), signal.SIGKILL)
        assert ended(lives, logs[1], 60) == 3, logs[1].read_text()
    assert list(scratch.iterdir()) == []
    assert "error: Spark: its JVM has ended" in logs[1].read_text()
    assert [line for line in noise(logs[1]) if "JAVA_TOOL_OPTIONS" not in line] == []
    assert "Py4J" not in logs[1].read_text()
    assert "Py4JNetworkError" in other.settings.spark_log_file.read_text()
    other.send({"value": other.encode(other.register(), user(2))})
    assert run(stack, other, "--available-now").returncode == 0
    assert len(other.cassandra_rows()) == len(other.postgres_rows()) == 2
