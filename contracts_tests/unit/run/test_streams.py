"""The streams of a process: when each begins, begins again and ends, and what of the files changes them."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from py4j.protocol import Py4JNetworkError
from structlog.testing import capture_logs
from typer.main import get_command as command

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.folder import read_folder
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.__main__ import app
from avro_data_contracts.streaming.run import streams
from avro_data_contracts.streaming.run import watched as watched_files
from avro_data_contracts.streaming.run.families import Families
from avro_data_contracts.streaming.run.stopping import Stopping
from avro_data_contracts.streaming.run.streams import Stream, Streams
from avro_data_contracts.streaming.run.watched import Watched, same, wanted_of
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.clone import CLONE

HEAD = "topic: {0}\nowner: t\ncompatibility: FULL\nsinks: {{postgres: {{table: {0}, primary_key: [id]}}}}\n"
VALUE = '{"type": "record", "name": "R", "namespace": "NAME", "fields": [{"name": "id", "type": "string"}]}'


def write(folder: Path, name: str, head: str = HEAD) -> None:
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "contract.yaml").write_text(head.format(name))
    (folder / name / "value.avsc").write_text(VALUE.replace("NAME", name))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "a")
    return tmp_path


@pytest.fixture
def watched(folder: Path) -> Watched:
    return Watched(folder, read_folder(folder))


def test_files_that_stay_the_same_change_nothing(watched: Watched) -> None:
    assert [watched.changed() for _ in range(3)] == [None] * 3


def test_change_counts_once_the_files_stay_as_they_are(folder: Path, watched: Watched) -> None:
    write(folder, "b")
    assert watched.changed() is None
    write(folder, "c")
    assert watched.changed() is None
    found = watched.changed()
    assert found is not None
    assert set(found.contracts) == {"a", "b", "c"}
    assert watched.changed() is None


def test_change_that_is_taken_back_is_none(folder: Path, watched: Watched) -> None:
    write(folder, "b")
    assert watched.changed() is None
    for file in (folder / "b").iterdir():
        file.unlink()
    assert [watched.changed() for _ in range(3)] == [None] * 3


def test_files_that_cannot_be_read_change_nothing_until_they_can(folder: Path, watched: Watched) -> None:
    write(folder, "b", "topic: [")
    assert [watched.changed() for _ in range(4)] == [None] * 4
    write(folder, "b")
    assert watched.changed() is None
    assert watched.changed() is not None


def test_folder_that_disappears_changes_nothing(folder: Path, watched: Watched) -> None:
    aside = folder.with_name("aside")
    folder.rename(aside)
    assert [watched.changed() for _ in range(3)] == [None] * 3
    aside.rename(folder)
    assert [watched.changed() for _ in range(3)] == [None] * 3


def test_all_means_contracts_with_tables_and_names_mean_those_that_are_there(folder: Path, watched: Watched) -> None:
    write(folder, "b", "topic: {0}\nowner: t\ncompatibility: FULL\n")
    watched.changed()
    found = watched.changed()
    assert found is not None
    assert set(wanted_of(found, [])) == {"a"}
    assert set(wanted_of(found, ["b", "gone"])) == {"b"}


def test_contracts_toml_and_files_that_go_during_a_look_are_seen_too(
    folder: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "contracts.toml").write_text('[contracts]\nowner = "somebody"\n')
    assert watched.changed() is None
    assert watched.changed() is not None

    def goes(_: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory", "a/contract.yaml")

    with monkeypatch.context() as patched, capture_logs() as logged:
        patched.setattr(watched_files, "read_folder", goes)
        assert [watched.changed() for _ in range(3)] == [None] * 3
    assert [one["event"] for one in logged] == ["the contracts cannot be read; their streams go on as before"]
    assert [watched.changed() for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("where", ["schemas", "examples"])
def test_two_readings_of_the_same_files_are_the_same_contracts(where: str) -> None:
    one, other = (loading.load(CLONE / where).contracts for _ in range(2))
    assert {name: same(contract, other[name]) for name, contract in one.items()} == dict.fromkeys(one, True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("owner: t", "owner: u"),
        ("FULL", "BACKWARD"),
        ("primary_key: [id]", "primary_key: [id], indexes: [{columns: [id]}]"),
        ('"name": "id"', '"name": "id", "doc": "of the user"'),
        ('"string"', '"long"'),
    ],
)
def test_each_change_of_the_files_makes_another_contract(folder: Path, before: str, after: str) -> None:
    write(folder, "b")
    was = loading.load(folder).contracts
    for file in (folder / "a").iterdir():
        file.write_text(file.read_text().replace(before, after))
    now = loading.load(folder).contracts
    assert not same(was["a"], now["a"])
    assert same(was["b"], now["b"])


def test_same_looks_at_all_that_a_contract_is_made_from(folder: Path) -> None:
    # Rules are those of `spec`, and `said` decides about topics, which the stream does not make.  Nothing read from
    # a folder is unwrapped.
    compared = {"name", "file", "spec", "key", "value", "siblings", "views"}
    assert {one.name for one in fields(Contract)} == compared | {"rules", "said", "unwrapped"}


def test_change_of_a_view_makes_another_contract(tmp_path: Path) -> None:
    folder = tmp_path / "schemas"
    shutil.copytree(CLONE / "examples" / "orders" / "schemas", folder)
    before = loading.load(folder).contracts
    view = next(folder.rglob("views/*.sql"))
    view.write_text(view.read_text() + "\n-- another comment\n")
    after = loading.load(folder).contracts
    assert [name for name in before if not same(before[name], after[name])] == [view.parent.parent.name]


# --- one stream ---


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_PAUSE_S", 0.001)


def joined(stream: Stream) -> None:
    stream._thread.join(10)
    assert not stream.active


def stream_of(
    folder: Path, *outcomes: BaseException | str, once: bool = False, over: bool = False
) -> tuple[Stream, int]:
    """Run a stream whose attempts end so, the last of them when it is asked to.  Return how often it began."""
    left, began, running = list(outcomes), [0], threading.Event()
    failures: list[int] = []

    def start(stopping: threading.Event, _: Callable[[Any], None]) -> None:
        assert not stopping.is_set()
        began[0] += 1
        if not left:
            running.set()
            assert stopping.wait(10)
            return
        stopping.set()  # as a job does whose query has ended
        if isinstance(outcome := left.pop(0), BaseException):
            raise outcome

    stream = Stream(loading.load(folder).get("a"), start, lambda: over, lambda: failures.append(1), once=once)
    if not once and not over:
        assert running.wait(10)
        assert stream.error is None
        assert len(failures) == len(outcomes)
        stream.stop()
    joined(stream)
    return stream, began[0]


OUTCOMES = [
    ServiceError("away"),
    ConfigurationError("missing"),
    ConnectionResetError("of a store"),
    Py4JNetworkError("of a call"),
    ValueError("a bug"),
    SystemExit(1),
    "ended, and nobody asked it to",
]


@pytest.mark.usefixtures("no_pause")
@given(st.lists(st.sampled_from(OUTCOMES), max_size=5))
@settings(max_examples=examples.of(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stream_begins_again_whatever_ended_it_until_it_is_asked_to_end(folder: Path, outcomes: list[Any]) -> None:
    with capture_logs() as logged:
        stream, began = stream_of(folder, *outcomes)
    assert began == len(outcomes) + 1
    assert (stream.error, stream.gone) == (None, False)
    assert [one["event"] for one in logged] == ["stream failed"] * len(outcomes)
    assert all(one["why"] and one["contract"] == "a" for one in logged)


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("outcome", OUTCOMES[:-1], ids=repr)
def test_stream_that_is_to_run_once_logs_its_first_error_and_ends(folder: Path, outcome: BaseException) -> None:
    with capture_logs() as logged:
        stream, began = stream_of(folder, outcome, once=True)
    assert (began, len(logged)) == (1, 1)
    assert stream.error is not None
    assert "again_in_s" not in logged[0]


@pytest.mark.parametrize("outcome", [ConnectionRefusedError("no JVM"), Py4JNetworkError("no JVM")], ids=repr)
def test_stream_is_gone_once_spark_is_over(folder: Path, outcome: BaseException) -> None:
    stream, began = stream_of(folder, outcome, over=True)
    assert (began, stream.gone, stream.error) == (1, True, outcome)


def test_stream_that_is_asked_to_end_during_its_pause_ends(folder: Path) -> None:
    failed = threading.Event()

    def start(_: threading.Event, __: Callable[[Any], None]) -> None:
        failed.set()
        raise ServiceError("away")

    stream = Stream(loading.load(folder).get("a"), start, lambda: False, lambda: None, once=False)
    assert failed.wait(10)
    stream.stop()
    joined(stream)
    assert isinstance(stream.error, ServiceError)


# --- all of them ---


class Counted(Streams):
    """Streams that only wait until they are asked to end, and then until they may.

    Attributes:
        began: name -> how often its stream has begun.
        may_end: holds up each end until it is set.
        errors: name -> what its stream raises instead.
    """

    def __init__(self, folder: Path, *, available_now: bool = False) -> None:
        given = Settings(contracts_dir=folder)
        super().__init__(cast(Any, None), given, [], Families(), available_now=available_now)
        self.began: dict[str, int] = {}
        self.may_end = threading.Event()
        self.may_end.set()
        self.errors: dict[str, Exception] = {}

    def _starter(self, contract: Contract) -> Callable[[threading.Event, Callable[[Any], None]], None]:
        def start(stopping: threading.Event, _: Callable[[Any], None]) -> None:
            self.began[contract.name] = self.began.get(contract.name, 0) + 1
            if contract.name in self.errors:
                raise self.errors[contract.name]
            assert stopping.wait(10)
            assert self.may_end.wait(10)

        return start

    def settle(self, folder: Path, times: int = 1) -> None:
        for _ in range(times):
            self._settle(wanted_of(loading.load(folder), []))

    def wait(self) -> None:
        for stream in self._streams.values():
            if stream.asked_to_end:
                joined(stream)


@pytest.fixture
def counted(folder: Path) -> Iterator[Counted]:
    write(folder, "b")
    made = Counted(folder)
    yield made
    made.may_end.set()
    for stream in made._streams.values():
        stream.stop()


def test_change_of_one_contract_begins_its_stream_again_and_no_other(folder: Path, counted: Counted) -> None:
    counted.settle(folder)
    write(folder, "a", HEAD.replace("owner: t", "owner: u"))
    for _ in range(3):
        counted.settle(folder)
        counted.wait()
    assert counted.began == {"a": 2, "b": 1}


def test_change_that_is_taken_back_while_the_stream_ends_begins_it_again(folder: Path, counted: Counted) -> None:
    counted.settle(folder)
    counted.may_end.clear()
    write(folder, "a", HEAD.replace("owner: t", "owner: u"))
    counted.settle(folder)
    write(folder, "a")
    counted.settle(folder)
    assert counted.began["a"] == 1
    counted.may_end.set()
    counted.wait()
    counted.settle(folder, 2)
    assert counted.began == {"a": 2, "b": 1}
    assert all(stream.active for stream in counted._streams.values())


class Slow(Counted):
    """Streams that wait for a server before they begin, as those do whose stores are prepared.

    Attributes:
        answers: the server does, for as long as it is set.
        asking: names of the streams that wait for it.
        most: how many waited at once.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.answers = threading.Event()
        self.asking: set[str] = set()
        self.most = 0

    def _starter(self, contract: Contract) -> Callable[[threading.Event, Callable[[Any], None]], None]:
        def start(stopping: threading.Event, follow: Callable[[Any], None]) -> None:
            self.asking.add(contract.name)
            self.most = max(self.most, len(self.asking))
            assert self.answers.wait(10)
            self.asking.discard(contract.name)
            self.began[contract.name] = self.began.get(contract.name, 0) + 1
            follow(SimpleNamespace(begun=True, at_work=lambda: "the end"))
            assert stopping.wait(30)

        return start


def test_five_hundred_contracts_begin_a_few_at_a_time(tmp_path: Path) -> None:
    names = [f"c{number:03}" for number in range(500)]
    for name in names:
        write(tmp_path, name)
    slow, wanted, stopping = Slow(tmp_path), wanted_of(loading.load(tmp_path), []), Stopping()
    slow.answers.set()
    deadline = time.monotonic() + 60
    while len(slow.began) < 500:
        assert time.monotonic() < deadline
        slow._settle(wanted)
        time.sleep(0.001)
    assert slow.began == dict.fromkeys(names, 1)
    assert slow.most <= streams.AT_ONCE
    stopping.set()
    slow.run(wanted, read_folder(tmp_path), stopping)
    assert not any(stream.active for stream in slow._streams.values())


def test_contracts_whose_servers_do_not_answer_make_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        write(tmp_path, f"c{number}")
    slow, wanted = Slow(tmp_path), wanted_of(loading.load(tmp_path), [])
    try:
        for _ in range(3):
            slow._settle(wanted)
        assert set(slow._streams) == {"c0", "c1", "c2", "c3"}
        monkeypatch.setattr(streams, "_BEGINS_WITHIN_S", 0.0)
        slow._settle(wanted)
        assert set(slow._streams) == set(wanted)
    finally:
        slow.answers.set()
        for stream in slow._streams.values():
            stream.stop()
            joined(stream)


def test_streams_that_fail_together_do_not_come_back_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(threading.Event, "wait", lambda _, seconds=None: waits.append(seconds))

    class Failing(Stream):
        def _begin(self) -> None:
            self.error = ServiceError("away")
            if len(waits) == 8:
                self._asked.set()

    made = Failing.__new__(Failing)
    made.contract, made.gone, made._once, made._asked = loading.load(folder).get("a"), False, False, threading.Event()
    made._failed, made._log = lambda: None, streams.log
    made._run()
    wanted = [min(5.0 * 2**number, 300.0) for number in range(8)]
    assert all(least <= wait <= 1.5 * least for wait, least in zip(waits, wanted, strict=True))
    assert len(set(waits)) == 8


def test_contract_that_writes_the_table_of_another_changes_nothing_while_it_streams(
    folder: Path, watched: Watched
) -> None:
    write(folder, "b", HEAD.replace("table: {0}", "table: a"))
    with capture_logs() as logged:
        assert [watched.changed() for _ in range(3)] == [None] * 3
    [said] = [one["why"] for one in logged]
    assert "a/contract.yaml already writes to the postgres table public.a" in said


def test_contracts_of_one_table_are_not_streamed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "b", HEAD.replace("table: {0}", "table: a"))
    monkeypatch.setenv("CONTRACTS_DIR", str(folder))
    monkeypatch.setattr(Stopping, "on_signals", lambda looks=False: Stopping())
    for words in (["--all"], ["--contract", "b"], ["--contract", "a", "--contract", "b"]):
        with pytest.raises(ConfigurationError, match="already writes to the postgres table"):
            command(app)(words, standalone_mode=False)


def test_signal_while_spark_starts_begins_no_stream(folder: Path, counted: Counted) -> None:
    stopping = Stopping()
    stopping.set()
    counted.run(wanted_of(loading.load(folder), []), read_folder(folder), stopping)
    assert counted.began == {}


def test_run_without_contracts_says_so_and_ends(folder: Path) -> None:
    with capture_logs() as logged:
        Counted(folder, available_now=True).run({}, read_folder(folder), Stopping())
    assert [one["event"] for one in logged] == ["no contract has sinks, so there is nothing to stream"]


def test_errors_of_all_contracts_are_logged_and_the_worst_is_raised(folder: Path) -> None:
    write(folder, "b")
    counted = Counted(folder, available_now=True)
    counted.errors = {"a": ServiceError("away"), "b": ConfigurationError("missing")}
    with capture_logs() as logged, pytest.raises(ServiceError, match="away"):
        counted.run(wanted_of(loading.load(folder), []), read_folder(folder), Stopping())
    assert {(one["contract"], one["why"]) for one in logged} == {("a", "away"), ("b", "missing")}


def test_bug_in_the_loop_ends_the_streams_in_order(
    folder: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(counted, "_until_the_end", bug)
    with pytest.raises(ValueError, match="a bug"):
        counted.run(wanted_of(loading.load(folder), []), read_folder(folder), Stopping())
    assert counted.began == {"a": 1, "b": 1}
    assert not any(stream.active for stream in counted._streams.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--all", "--contract", "users_created"], "--all and --contract exclude each other"),
        (["--all", "--contract", "users_created", "--contract", "orders_placed"], "exclude each other"),
        (["--all", "status"], "this command is about one contract"),
        (["--contract", "a", "--contract", "a", "reconcile"], "this command is about one contract"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        command(app)(arguments, standalone_mode=False)
