"""Ctrl-C gets an answer within a second, even inside a library call, and a second Ctrl-C stops the command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

# The first one waits in C code, where no Python signal handler runs.
WAYS = {
    "in a library": "from avro_data_contracts.contracts.registry.topics import Topics\n"
    "Topics(settings.load()).read(['t'])",
    "in another thread": "from concurrent.futures import ThreadPoolExecutor as Pool; import time\n"
    "with Pool(1) as pool: pool.submit(time.sleep, 60).result()",
}


@pytest.mark.parametrize("way", WAYS)
def test_first_ctrl_c_is_answered_at_once_and_second_one_exits(way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        main = WAYS[way].replace("\n", "\n    ")
        program = f"""
from avro_data_contracts.contracts import edge, interrupts, settings
def main():
    interrupts.waits_for("Godot")
    print("begun", flush=True)
    {main}
edge.run(main)
"""
        environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{silent.getsockname()[1]}"}
        running = subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert running.stdout is not None and running.stderr is not None  # noqa: PT018 - for the type
        assert running.stdout.readline() == "begun\n"
        time.sleep(1.0)  # until it waits
        asked = time.monotonic()
        running.send_signal(signal.SIGINT)
        said = running.stderr.readline()
        while "stopping" not in said:  # lines of the Kafka client about the silent broker
            assert said, "the command ended without any output"
            said = running.stderr.readline()
        assert time.monotonic() - asked < 5.0  # a second, on a machine that does nothing else
        assert said == "stopping: waiting for Godot; press Ctrl-C again to stop at once\n"
        running.send_signal(signal.SIGINT)
        _, rest = running.communicate(timeout=5)
        assert running.returncode == 130
        assert "Traceback" not in rest


def test_command_that_stops_in_time_prints_only_interrupted() -> None:
    program = "import os, signal, time; from avro_data_contracts.contracts import edge\n"
    program += "def main(): os.kill(os.getpid(), signal.SIGINT); time.sleep(5)\nedge.run(main)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
