"""Processes, ports and files of the embedded stack, without real servers."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from avro_data_contracts.stack import ports, process, supervisor
from avro_data_contracts.stack.errors import Cancelled, PortTaken, ServerError, StackError, UsageError
from avro_data_contracts.stack.launch import Launcher, tail
from avro_data_contracts.stack.site import Site


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path / "a stack")
    made.create()
    return made


@pytest.fixture
def sleeper(tmp_path):
    started = subprocess.Popen(["sleep", "60"], cwd=tmp_path)
    yield started
    started.kill()
    started.wait()


def test_recorded_process_is_recognised_until_it_ends(site, sleeper):
    process.record(site, "kafka", sleeper.pid)
    found = process.recorded(site, "kafka")
    assert found is not None
    assert found.pid == sleeper.pid
    sleeper.kill()
    assert found.ends_within(5)
    assert process.recorded(site, "kafka") is None


def test_recycled_pid_is_ignored_and_never_signalled(site, sleeper):
    """The pid file of a dead server names a pid that now belongs to another process."""
    actual = process.Identity.of(sleeper.pid)
    stale = {"pid": sleeper.pid, "started": actual.started - 1, "boot": actual.boot}
    site.write(site.pid_file("kafka"), stale)
    assert process.recorded(site, "kafka") is None
    process.Identity(**stale).signal(signal.SIGKILL)
    site.write(site.pid_file("kafka"), stale | {"started": actual.started, "boot": "another boot"})
    assert process.recorded(site, "kafka") is None
    assert sleeper.poll() is None


def test_remnants_match_both_folder_and_executable(tmp_path, sleeper):
    executable = tmp_path / os.readlink(f"/proc/{sleeper.pid}/exe")
    assert [one.pid for one in process.remnants(tmp_path, executable)] == [sleeper.pid]
    assert process.remnants(tmp_path, tmp_path / "java") == []
    assert process.remnants(tmp_path / "kafka", executable) == []


def test_taken_port_names_its_holder():
    with closing(socket.socket()) as holder:
        holder.bind((ports.HOST, 0))
        holder.listen()
        number = holder.getsockname()[1]
        assert not ports.is_free(number)
        with pytest.raises(PortTaken) as caught:
            ports.demand_free("kafka", {"kafka": number})
    assert str(number) in str(caught.value)
    assert f"(pid {os.getpid()})" in str(caught.value)
    assert "--ports auto" in str(caught.value)
    assert ports.is_free(number)


def test_port_may_be_taken_on_one_address_and_free_on_another():
    with closing(socket.socket()) as holder:
        holder.bind((ports.host("cassandra-2"), 0))
        holder.listen()
        number = holder.getsockname()[1]
        assert ports.is_free(number)
        ports.demand_free("cassandra", {"cassandra": number})
        with pytest.raises(PortTaken, match=rf"cassandra-2 127\.0\.0\.2:{number}: .*\(pid {os.getpid()}\)"):
            ports.demand_free("cassandra-2", {"cassandra": number})
        assert ports.holder(number) == ""


def test_picked_ports_are_free_distinct_and_not_the_fixed_ones():
    picked = ports.pick(ports.FIXED)
    assert list(picked) == list(ports.FIXED)
    assert len(set(picked.values())) == len(picked)
    assert not set(picked.values()) & set(ports.FIXED.values())
    assert all(map(ports.is_free, picked.values()))


def test_secrets_are_generated_once_and_readable_only_by_the_owner(site):
    first = site.secrets()
    assert site.secrets() == first
    file = site.root / "secrets.json"
    assert json.loads(file.read_text()) == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(set(first.values())) == len(first)
    assert all(len(secret) >= 32 and secret.isalnum() for secret in first.values())


def test_damaged_file_is_named(site):
    site.pid_file("kafka").write_text("{half")
    with pytest.raises(UsageError, match="is damaged") as caught:
        process.recorded(site, "kafka")
    assert "kafka.json" in str(caught.value)


def test_lock_makes_a_second_caller_wait(site):
    said, entered = [], threading.Event()

    def second():
        with site.locked(said.append):
            entered.set()

    with site.locked(said.append):
        other = threading.Thread(target=second)
        other.start()
        assert not entered.wait(0.3)
    other.join(5)
    assert entered.is_set()
    assert len(said) == 1


class Program:
    """A server whose program is a line of Python."""

    name, version, depends_on, port_names, stop_signal = "kafka", "1", (), (), signal.SIGTERM
    address = "127.0.0.1:1"

    def __init__(self, site, line, ready=lambda: True):
        self.site, self.line, self.ports, self.ready = site, line, {}, ready
        self.executable = Path(sys.executable)

    def prepare(self, launcher):
        self.site.folder(self.name).mkdir(exist_ok=True)

    def command(self):
        return [sys.executable, "-c", self.line]

    def environment(self):
        return {}

    def provision(self):
        pass


def test_server_that_dies_at_startup_is_reported_with_its_last_log(site):
    line = "print('older'); [print('line', n) for n in range(40)]; print('\\tat frame'); raise SystemExit(7)"
    with pytest.raises(ServerError) as caught:
        supervisor.up(site, [Program(site, line, ready=lambda: False)], lambda _: None)
    message = str(caught.value)
    assert "kafka 127.0.0.1:1: ended while it was starting (exit 7)" in message
    assert "  | line 39" in message
    assert "line 10\n" not in message
    assert "at frame" not in message
    assert str(site.log("kafka")) in message


def test_server_that_never_answers_is_stopped_and_reported(site):
    server = Program(site, "import time; time.sleep(60)", ready=lambda: False)
    with pytest.raises(ServerError, match="has not answered in 1 s"):
        supervisor.up(site, [server], lambda _: None, seconds=1)
    assert process.recorded(site, "kafka") is None


def test_server_that_ignores_the_stop_signal_is_killed(site):
    line = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    server = Program(site, line, ready=lambda: "deaf" in site.log("kafka").read_text())
    assert supervisor.up(site, [server], lambda _: None) == 1
    said = []
    assert supervisor.down(site, [server], said.append, grace=0.3) == 1
    assert "killed" in said[0]
    assert process.recorded(site, "kafka") is None
    assert supervisor.down(site, [server], said.append) == 0


def test_full_disk_is_reported_before_anything_starts(site, monkeypatch):
    monkeypatch.setattr(supervisor, "MINIMUM_FREE", 1 << 62)
    with pytest.raises(ServerError, match="disk is too full"):
        supervisor.up(site, [Program(site, "")], lambda _: None)
    assert not site.log("kafka").exists()


def test_nothing_starts_after_a_cancellation(site):
    launcher = Launcher(site)
    launcher.cancel()
    site.folder("kafka").mkdir()
    with pytest.raises(Cancelled):
        launcher.start(Program(site, ""))
    assert launcher.started == frozenset()


def test_tail_begins_at_the_last_start(site):
    launcher = Launcher(site)
    site.log("kafka").write_text("an old error\n")
    launcher.open_log("kafka")
    with site.log("kafka").open("a") as log:
        log.write("a new one\n")
    assert tail(site.log("kafka")) == "a new one"
    assert tail(site.log("absent")) == ""


def test_stack_errors_have_exit_codes_and_show_the_fix():
    assert {kind.exit_code for kind in (StackError, UsageError)} == {2}
    assert {kind.exit_code for kind in (ServerError, PortTaken)} == {3}
    assert Cancelled.exit_code == 130
    text = str(ServerError("did not", where="kafka", detail="a\nb", fix="do it"))
    assert text == "kafka: did not\n  | a\n  | b\n  fix: do it"


def test_holder_is_found_while_it_opens_and_closes_files(tmp_path):
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            with closing(socket.socket()):
                pass

    threads = [threading.Thread(target=churn) for _ in range(2)]
    # The sockets of the threads get lower numbers than the one that is looked for.
    gap = [socket.socket() for _ in range(20)]
    with closing(socket.socket()) as holder:
        holder.bind((ports.HOST, 0))
        holder.listen()
        for one in gap:
            one.close()
        for thread in threads:
            thread.start()
        try:
            found = {ports.holder(holder.getsockname()[1]) for _ in range(50)}
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert len(found) == 1
    assert f"(pid {os.getpid()})" in found.pop()
