"""The producer on real servers: it sends the source's users unchanged, and reports and counts every failure.

Each test has its own topic, under a contract that differs from `users_created` only in the topic's name.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from avro_data_contracts.producers import publish, sender
from avro_data_contracts.producers.publish import Publisher
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.randomuser.mapping import to_record
from avro_data_contracts.stack import ports
from avro_data_contracts.stack.source import replay
from avro_data_contracts.stack.source.generator import UserGenerator
from avro_data_contracts.stack.source.server import SourceServer
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.own_topic import Topic
from contracts_tests.fixtures.source_servers import source_servers

RECORDED = Path(os.environ.get("RANDOMUSER_DIR", CLONE.parent / "shared" / "data" / "randomuser"))
RECORDINGS = ["made", *(["recorded"] if RECORDED.is_dir() else [])]


@pytest.fixture
def serve() -> Iterator[Callable[..., SourceServer]]:
    with source_servers() as serve:
        yield serve


@pytest.fixture
def source(serve: Callable[..., SourceServer]) -> SourceServer:
    return serve()


@pytest.fixture
def unregistered(stack: Any, source: SourceServer, tmp_path: Path) -> Topic:
    return Topic(tmp_path / "schemas", stack.environment | {"DATASOURCE_URL": source.url})


@pytest.fixture
def topic(unregistered: Topic) -> Topic:
    return unregistered.register()


def generated(seed: str, count: int, page_size: int = 500) -> list[dict[str, Any]]:
    generator, users = UserGenerator(), []
    for page in range(1, count // page_size + 2):
        users += generator.page(seed, page, page_size)
    return users[:count]


def by_id(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda record: record["id"])


def test_every_user_arrives_unchanged(topic: Topic) -> None:
    done = topic.produce("--count", "700", "--seed", "s", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    partitions = {message.partition() for message in topic.messages()}
    assert {int(number) for number in told["offsets"]} == partitions
    assert sum(last - first + 1 for first, last in told.pop("offsets").values()) == 700
    assert told == {
        "version": 1,
        "fetched": 700,
        "produced": 700,
        "refused": {"total": 0, "reasons": {}},
        "refusals": [],
        "undelivered": 0,
        "ids_distinct": 700,
        "ended": "count",
        "topic": topic.name,
        "dead_letter_topic": f"{topic.name}.dlq",
        "reject_file": None,
        "seed": "s",
        "source": topic.environment["DATASOURCE_URL"],
        "seconds": told["seconds"],
    }
    assert by_id(topic.records()) == by_id([to_record(user) for user in generated("s", 700)])


def test_producer_bypasses_proxies_from_the_environment(topic: Topic) -> None:
    names = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY")
    for number, proxy in enumerate(("socks5://127.0.0.1:9", "http://127.0.0.1:9"), start=1):
        variables = dict.fromkeys([*names, *map(str.lower, names)], proxy)
        done = topic.produce("--count", "5", **variables, NO_PROXY="", no_proxy="")
        assert done.returncode == 0, done.stderr
        assert topic.count() == 5 * number


def test_second_run_sends_the_same_ids_to_the_same_partitions(topic: Topic) -> None:
    for _ in range(2):
        assert topic.produce("--count", "50", "--seed", "s").returncode == 0
    messages = topic.messages()
    assert len(messages) == 100
    assert len({(message.key(), message.partition()) for message in messages}) == 50
    assert len({message.partition() for message in messages}) == 3


def test_keys_go_to_the_same_partitions_as_from_java_clients(topic: Topic) -> None:
    topic.produce("--count", "50", "--seed", "s")
    for message in topic.messages():
        assert message.partition() == (murmur2(message.key()) & 0x7FFFFFFF) % 3


def murmur2(data: bytes) -> int:
    """Return Kafka's hash of a key, like org.apache.kafka.common.utils.Utils."""
    mask, factor = 0xFFFFFFFF, 0x5BD1E995
    found = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for start_at in range(0, whole, 4):
        part = int.from_bytes(data[start_at : start_at + 4], "little") * factor & mask
        part = (part ^ part >> 24) * factor & mask
        found = found * factor & mask ^ part
    if rest := data[whole:]:
        found = (found ^ int.from_bytes(rest, "little")) * factor & mask
    found = (found ^ found >> 13) * factor & mask
    return found ^ found >> 15


def test_run_reports_its_source_and_no_personal_data(topic: Topic) -> None:
    done = topic.produce("--count", "50")
    assert done.returncode == 0
    assert topic.environment["DATASOURCE_URL"] in done.stderr
    seed = re.search(r"seed=([0-9a-f]{16})", done.stderr)
    assert seed is not None
    for user in generated(seed[1], 50):
        for text in (user["email"], user["name"]["last"], user["phone"], user["login"]["uuid"]):
            assert text not in done.stderr + done.stdout or len(text) < 4


def broken(user: dict[str, Any]) -> list[dict[str, Any]]:
    """Return users that cannot become records."""
    return [
        {"name": {"first": "زهرا\u200c", "last": "x"}, "location": {"city": "y"}, "phone": "1"},
        user | {"dob": "yesterday"},
        user | {"name": {"first": "half \ud83d", "last": "x"}},
        {},
    ]


@pytest.mark.parametrize("which", RECORDINGS)
def test_whole_recording_arrives_or_is_dead_lettered(
    unregistered: Topic, serve: Callable[..., SourceServer], tmp_path: Path, which: str
) -> None:
    folder = RECORDED
    if which == "made":
        folder = tmp_path / "recorded"
        folder.mkdir()
        users = generated("s", 30)
        (folder / "1.json").write_text(json.dumps([*users[:20], *broken(users[0]), *users[20:]]), encoding="utf-8")
    good, reasons, bad = [], Counter(), []
    for user in replay.read(folder).users:
        try:
            good.append(to_record(user))
        except Rejection as refusal:
            reasons[refusal.reason] += 1
            bad.append(user)
    topic = unregistered.register()
    done = topic.produce("--count", "all", "--page-size", "7", "--json", DATASOURCE_URL=serve(replay=folder).url)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["fetched"], report["ended"]) == (len(good) + len(bad), "source")
    assert report["produced"] == report["ids_distinct"] == len(good)
    assert report["refused"] == {"total": len(bad), "reasons": reasons}
    assert by_id(topic.records()) == by_id(good)
    assert [json.loads(letter.value()) for letter in topic.messages(dead=True)] == bad


def test_dead_letter_holds_the_user_and_the_reason(
    unregistered: Topic, serve: Callable[..., SourceServer], tmp_path: Path
) -> None:
    users = broken(generated("s", 1)[0])
    (tmp_path / "1.json").write_text(json.dumps(users), encoding="utf-8")
    topic = unregistered.register()
    done = topic.produce("--count", "all", DATASOURCE_URL=serve(replay=tmp_path).url)
    assert done.returncode == 1, done.stderr
    assert "every record was refused: fetched 4, produced 0, refused 4" in done.stderr
    letters = topic.messages(dead=True)
    assert letters[0].value() == json.dumps(users[0], ensure_ascii=False).encode()
    assert dict(letters[0].headers()) == {
        "__connect.errors.topic": topic.name.encode(),
        "__connect.errors.connector.name": b"producers.randomuser",
        "__connect.errors.stage": b"TRANSFORMATION",
        "__connect.errors.exception.class.name": b"avro_data_contracts.producers.rejection.Rejection",
        "__connect.errors.exception.message": b"email is missing",
        "contracts.reason": b"MISSING_EMAIL",
        "contracts.source.position": b"page 1, user 1",
    }
    reasons = [dict(letter.headers())["contracts.reason"] for letter in letters]
    assert reasons == [b"MISSING_EMAIL", b"INVALID_DOB", b"INVALID_FIRST_NAME", b"MISSING_EMAIL"]


def test_record_that_does_not_fit_the_contract_is_dead_lettered(unregistered: Topic) -> None:
    change_value_schema(unregistered, lambda schema: schema["fields"].append({"name": "shoe_size", "type": "int"}))
    topic = unregistered.register()
    done = topic.produce("--count", "5", "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert (report["produced"], report["refused"]) == (0, {"total": 5, "reasons": {"INVALID_RECORD": 5}})
    for letter in topic.messages(dead=True):
        headers = dict(letter.headers())
        assert headers["__connect.errors.stage"] == b"VALUE_CONVERTER"
        assert (
            headers["__connect.errors.exception.message"] == b"field shoe_size does not fit the schema: it is missing"
        )


ALTERED = [
    ("registered_date", dt.datetime(2024, 2, 29, 12), "the schema: it has no zone"),
    (
        "registered_date",
        dt.datetime(2024, 2, 29, 12, 0, 0, 1, dt.UTC),
        "the schema: it has parts of a millisecond",
    ),
    ("dob", dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC), "the schema: it is a date with a time"),
    ("id", "somebody", "the schema: it is not a UUID"),
    ("gender", "OTHER", "the schema: it is not a symbol"),
    ("email", b"a@example.com", "the schema: it is not text"),
]


def test_value_that_would_be_altered_is_refused(topic: Topic) -> None:
    publisher = Publisher(topic.contract, topic.settings)
    publisher.open()
    record = to_record(generated("s", 1)[0])
    publisher.send(record)
    for field, value, words in ALTERED:
        with pytest.raises(publish.RejectedRecord) as caught:
            publisher.send(record | {field: value})
        assert caught.value.reason == "INVALID_RECORD"
        assert f"field {field} does not fit {words}" in caught.value.what
        assert str(value) not in caught.value.what
    publisher.flush()
    assert topic.records() == [record]


def test_confluent_deserializer_reads_schema_ids_from_headers(unregistered: Topic) -> None:
    spec = unregistered.folder / "users_created" / "contract.yaml"
    spec.write_text(spec.read_text(encoding="utf-8") + "\nproducer: {schema_id: header}\n", encoding="utf-8")
    topic = unregistered.register()
    assert topic.produce("--count", "20", "--seed", "s").returncode == 0
    contract, snapshot = topic.contract, Snapshot(Registry.from_settings(topic.settings))
    ids = {subject.role: snapshot.find(subject).schema_id.to_bytes(4, "big") for subject in contract.subjects}
    for message in topic.messages():
        # The embedded registry has no GUIDs.
        assert sorted(message.headers()) == [
            ("__key_schema_id", b"\x00" + ids["key"]),
            ("__value_schema_id", b"\x00" + ids["value"]),
        ]
        length = len(message.key()) - 1
        assert message.key()[0] == 2 * length  # the id alone, without framing
    assert by_id(topic.records()) == by_id([to_record(user) for user in generated("s", 20)])


def test_full_queue_blocks_the_producer_and_loses_nothing(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "QUEUE_MESSAGES", 10)
    publisher = Publisher(topic.contract, topic.settings)
    publisher.open()
    records = [to_record(user) for user in generated("s", 500)]
    for record in records:
        publisher.send(record)
    publisher.flush()
    assert (publisher.produced, publisher.undelivered) == (500, 0)
    assert by_id(topic.records()) == by_id(records)


def test_user_too_large_for_a_dead_letter_ends_the_run(topic: Topic) -> None:
    publisher = Publisher(topic.contract, topic.settings)
    publisher.open()
    user = generated("s", 1)[0]
    user["name"]["first"] = "x" * 2_000_000
    with pytest.raises(publish.RejectedRecord) as caught:
        publisher.send(to_record(user))
    assert caught.value.reason == "TOO_LARGE"
    with pytest.raises(ServiceError, match="cannot go to"):
        publisher.refuse(user, caught.value)


def change_value_schema(topic: Topic, change: Callable[[dict[str, Any]], None]) -> None:
    schema = topic.folder / "users_created" / "value.avsc"
    document = json.loads(schema.read_text(encoding="utf-8"))
    change(document)
    schema.write_text(json.dumps(document), encoding="utf-8")


def test_unregistered_schema_is_reported_with_its_fix(topic: Topic) -> None:
    change_value_schema(topic, lambda schema: schema["fields"].append({"name": "more", "type": "int", "default": 0}))
    done = topic.produce("--count", "5")
    assert done.returncode == 2
    assert f"{topic.name}-value" in done.stderr
    assert "make register-schemas" in done.stderr


def test_records_arrive_when_the_schema_references_another_file(unregistered: Topic) -> None:
    gender = {}

    def set_apart(schema: dict[str, Any]) -> None:
        field = next(field for field in schema["fields"] if field["name"] == "gender")
        gender.update(field["type"], namespace=schema["namespace"])
        field["type"] = f"{schema['namespace']}.Gender"

    change_value_schema(unregistered, set_apart)
    shared = unregistered.folder / "types" / "gender.avsc"
    shared.parent.mkdir()
    shared.write_text(json.dumps(gender), encoding="utf-8")
    topic = unregistered.register()
    done = topic.produce("--count", "20", "--seed", "s")
    assert done.returncode == 0, done.stderr
    assert by_id(topic.records()) == by_id([to_record(user) for user in generated("s", 20)])


def test_missing_topics_are_reported_with_their_fix(unregistered: Topic) -> None:
    done = unregistered.produce("--count", "5")
    assert done.returncode == 2
    assert f"{unregistered.name}.dlq" in done.stderr
    assert "make register-schemas" in done.stderr


@pytest.mark.parametrize(
    ("variable", "form", "name"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:{}", "Kafka"),
        ("SCHEMA_REGISTRY_URL", "http://127.0.0.1:{}", "registry"),
        ("DATASOURCE_URL", "http://127.0.0.1:{}/api/", "source API"),
    ],
)
def test_unreachable_server_is_reported_with_address_and_fix(
    topic: Topic, variable: str, form: str, name: str
) -> None:
    port = ports.pick(["nobody"])["nobody"]
    done = topic.produce("--count", "5", **{variable: form.format(port)}, KAFKA_MAX_BLOCK_MS="2000")
    assert done.returncode == 3
    error = done.stderr[done.stderr.index("error: ") :]
    assert name in error
    assert str(port) in error
    assert "make up" in error


def test_failing_source_leaves_earlier_users_delivered(topic: Topic, source: SourceServer) -> None:
    source.faults.replace(["slow:0*2", "500"])
    done = topic.produce("--count", "50", "--page-size", "10", "--json")
    assert done.returncode == 3
    assert "answered 500" in done.stderr
    report = json.loads(done.stdout)
    assert (report["fetched"], report["produced"], report["ended"]) == (20, 20, "error")
    assert topic.count() == 20


def test_exhausted_source_ends_the_run(unregistered: Topic, serve: Any, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    (folder / "1.json").write_text(json.dumps(generated("s", 12)), encoding="utf-8")
    topic = unregistered.register()
    done = topic.produce("--count", "100", "--json", DATASOURCE_URL=serve(replay=folder).url)
    assert done.returncode == 0
    assert json.loads(done.stdout)["produced"] == 12
    assert json.loads(done.stdout)["ended"] == "source"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_signal_ends_the_run_cleanly(topic: Topic, number: signal.Signals, code: int) -> None:
    with topic.start("--duration", "600", "--rate", "100", "--page-size", "20", "--json") as running:
        wait_for(lambda: topic.count() >= 10)
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert running.returncode == code, err
    report = json.loads(out)
    assert report["ended"] == number.name
    assert report["fetched"] == report["produced"] == topic.count()


def test_ctrl_c_does_not_wait_for_a_slow_source(topic: Topic, source: SourceServer) -> None:
    source.faults.replace(["slow:0*1", "slow:600"])
    with topic.start("--count", "20", "--page-size", "10", "--json", DATASOURCE_TIMEOUT_S="500") as running:
        wait_for(lambda: source.requests == 2)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert json.loads(out)["produced"] == 10 == topic.count()


def test_rate_and_duration_limit_the_run(topic: Topic) -> None:
    done = topic.produce("--rate", "20", "--duration", "1", "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["ended"] == "duration"
    assert 1 <= report["produced"] <= 41  # one second's worth, plus at most one second to catch up


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--count", "x"], "--count"),
        (["--count", "0"], "--count"),
        (["--rate", "0"], "--rate"),
        (["--rate", "nan"], "--rate"),
        (["--duration", "-1"], "--duration"),
        (["--page-size", "5001"], "--page-size"),
        (["--contract", "nothing"], "nothing"),
        (["--unknown"], "--unknown"),
    ],
)
def test_invalid_flag_is_named(unregistered: Topic, arguments: list[str], words: str) -> None:
    done = unregistered.produce(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_progress_is_a_bar_on_a_terminal_and_lines_in_a_file(topic: Topic) -> None:
    master, slave = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "producers", "--count", "60", "--rate", "60"],
            cwd=CLONE,
            env=topic.environment | {"TERM": "xterm-256color", "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=slave,
        ) as running:
            out, _ = running.communicate(timeout=60)
        os.set_blocking(master, False)
        shown = os.read(master, 1_000_000).decode()
    finally:
        os.close(master)
        os.close(slave)
    assert running.returncode == 0
    assert "━" in shown
    assert "\x1b[" in shown
    assert b"\x1b[" not in out
    lines = topic.produce("--rate", "20", "--duration", "4")
    assert "so far" in lines.stderr
    assert "\x1b[" not in lines.stderr


def test_broker_killed_during_run_leaves_exact_counts(
    private: Any, serve: Callable[..., SourceServer], tmp_path: Path
) -> None:
    environment = private.environment | {"DATASOURCE_URL": serve().url}
    topic = Topic(tmp_path / "schemas", environment).register()
    with topic.start("--duration", "600", "--rate", "200", "--json", KAFKA_MAX_BLOCK_MS="4000") as running:
        wait_for(lambda: topic.count() >= 100)
        os.kill(private.status["kafka"]["pid"], signal.SIGKILL)
        out, err = running.communicate(timeout=120)
    private.run("up")
    assert running.returncode == 3, err
    report = json.loads(out)
    assert report["ended"] == "error"
    assert report["undelivered"] > 0
    assert report["fetched"] == report["produced"] + report["undelivered"]
    assert f"{report['produced']} messages delivered, {report['undelivered']} not" in err
    assert environment["KAFKA_BOOTSTRAP_SERVERS"] in err
    # Every message counted as produced is in the topic; one whose acknowledgement was lost may be too.
    assert report["produced"] <= topic.count() <= report["fetched"]
