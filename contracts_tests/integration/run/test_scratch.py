"""Spark's files contain records: no other account may read them, and none remain once the stream has ended.

test_streaming_process.py looks what remains when only Spark was killed.
"""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

from contracts_tests.fixtures.pipeline import Pipeline, made
from contracts_tests.fixtures.processes import ended, run_apart, running, wait_for
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user


def jvm(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_each_run_has_its_own_scratch_folder_that_is_always_removed(
    stack: RunningStack, pipeline: Pipeline, tmp_path: Path
) -> None:
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
        assert run_apart(stack, pipeline, "--available-now", **told).returncode == 0
        # The folder of the run in progress was left alone, and the other run has removed its own.
        assert list(scratch.iterdir()) == [kept]
        assert list(kept.glob("blockmgr-*")) != []
        lives.terminate()
        assert ended(lives, logs[1], 120) == 0, logs[1].read_text()
    assert list(scratch.iterdir()) == []
