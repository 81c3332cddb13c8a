"""The publisher as programs use it, on a real broker: what it tells of a record is what the topic has."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
import types
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.sample import records
from avro_data_contracts.producers import AsyncPublisher, Delivered, NotDelivered, Publisher, RejectedRecord, sender
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.kafka_clients import none_left
from contracts_tests.fixtures.own_topic import Topic
from contracts_tests.fixtures.pipeline import Pipeline


@pytest.fixture
def topic(stack: Any, tmp_path: Path) -> Topic:
    return Topic(tmp_path / "schemas", stack.environment).register()


@pytest.fixture(scope="module")
def shared(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Topic:
    """A topic for tests that do not look at its records."""
    return Topic(tmp_path_factory.mktemp("shared") / "schemas", stack.environment).register()


def user(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.UUID(int=number)),
        "first_name": f"Ada {number}",
        "last_name": "Lovelace",
        "address": "12 St James's Square, London",
        "email": f"ada{number}@example.com",
        "registered_date": dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC),
    } | fields


def complete(record: dict[str, Any]) -> dict[str, Any]:
    """The record with what the publisher fills in."""
    empty = dict.fromkeys(("post_code", "username", "dob", "registered_date", "phone", "picture"))
    return empty | {"gender": "UNKNOWN"} | record


def in_order(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda record: record["id"])


def committed(topic: Topic, isolation: str = "read_committed") -> list[bytes]:
    """The values that a reader of committed records sees."""
    servers = topic.environment["KAFKA_BOOTSTRAP_SERVERS"]
    conf = {"bootstrap.servers": servers, "group.id": "test", "isolation.level": isolation}
    consumer = Consumer({**conf, "enable.auto.commit": False, "enable.partition.eof": True})
    partitions = consumer.list_topics(topic.name, timeout=30).topics[topic.name].partitions
    consumer.assign([TopicPartition(topic.name, number, 0) for number in partitions])
    found, ended = [], 0
    while ended < len(partitions):
        for message in consumer.consume(500, timeout=0.5):
            if message.error():
                ended += 1
            else:
                found.append(message.value())
    consumer.close()
    return found


def test_records_of_a_with_block_are_in_the_topic_when_it_ends(topic: Topic) -> None:
    sent = [user(number) for number in range(50)]
    with Publisher.of("users_created", topic.settings, name="shop") as publisher:
        for record in sent:
            publisher.send(record)
    assert (publisher.produced, publisher.undelivered) == (50, 0)
    assert in_order(topic.records()) == [complete(one) for one in sent]


def test_publishers_leave_no_client_behind(shared: Topic) -> None:
    async def asynchronous() -> None:
        async with AsyncPublisher(shared.contract, shared.settings) as publisher:
            await publisher.send(user(1))

    with none_left():
        for number in range(3):
            with Publisher(shared.contract, shared.settings) as publisher:
                publisher.send(user(number), on_delivery=lambda _: None)
            del publisher
            asyncio.run(asynchronous())


def test_callback_gets_the_place_of_each_record(topic: Topic) -> None:
    told: dict[str, Delivered | NotDelivered] = {}
    with Publisher(topic.contract, topic.settings) as publisher:
        for number in range(20):
            one = user(number)
            publisher.send(one, on_delivery=lambda outcome, key=one["id"]: told.update({key: outcome}))
        places = {str(number): publisher.send_and_wait(user(number + 100)) for number in range(3)}
    found = {(message.partition(), message.offset()): message for message in topic.messages()}
    assert len(told) == 20
    for key, outcome in told.items():
        assert isinstance(outcome, Delivered)
        message = found[outcome.partition, outcome.offset]
        assert message.key()[6:].decode() == key
        assert outcome.timestamp == message.timestamp()[1]
    assert {one.topic for one in places.values()} == {topic.name}
    assert len(found) == 23


def test_exception_in_a_callback_reaches_the_program(topic: Topic) -> None:
    def broken(outcome: object) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"), Publisher(topic.contract, topic.settings) as publisher:
        publisher.send(user(1), on_delivery=broken)
    assert (publisher.produced, topic.count()) == (1, 1)


def test_headers_of_the_program_are_on_the_message(topic: Topic) -> None:
    with Publisher(topic.contract, topic.settings) as publisher:
        publisher.send(user(1), headers={"traceparent": b"00-1-2-01"})
    [message] = topic.messages()
    assert message.headers() == [("traceparent", b"00-1-2-01")]


def test_refusals_name_field_and_rule_and_nothing_is_sent(topic: Topic) -> None:
    cases = [
        (user(1, email="nobody"), "RULE:email_form", "email", "email_form"),
        (user(1, dob=dt.date(1850, 1, 1)), "RULE:dob_plausible", "dob", "dob_plausible"),
        (user(1, first_name=7), "INVALID_RECORD", "first_name", ""),
        (user(1, registered_date=dt.datetime(2026, 1, 1)), "INVALID_RECORD", "registered_date", ""),
        ({"id": str(uuid.UUID(int=1))}, "INVALID_RECORD", "first_name", ""),
        ({"first_name": "Ada"}, "INVALID_RECORD", "id", ""),
        ("Ada", "INVALID_RECORD", "", ""),
        (user(1, first_name="x" * 2_000_000), "TOO_LARGE", "", ""),
    ]
    with Publisher(topic.contract, topic.settings) as publisher:
        for record, reason, field, rule in cases:
            with pytest.raises(RejectedRecord) as caught:
                publisher.send(record)
            assert (caught.value.reason, caught.value.field, caught.value.rule) == (reason, field, rule)
            assert "nobody" not in str(caught.value)
    assert (publisher.sent, topic.count()) == (0, 0)


def test_classes_that_export_writes_arrive_equal(topic: Topic, tmp_path: Path) -> None:
    found = []
    for style in ("dataclass", "pydantic", "typeddict"):
        done = run_contracts("export", "python", "users_created", "--style", style, "--schemas", str(topic.folder))
        assert done.returncode == 0, done.stderr
        module = sys.modules[f"users_{style}"] = types.ModuleType(f"users_{style}")
        exec(compile(done.stdout, f"users_{style}.py", "exec"), module.__dict__)
        record = user(len(found), id=uuid.UUID(int=len(found)))
        found.append(module.UserCreated(**record))
    with Publisher(topic.contract, topic.settings) as publisher:
        for one in found:
            publisher.send(one)
        with pytest.raises(RejectedRecord) as caught:
            publisher.send(type(found[0])(**user(1, id=uuid.UUID(int=1), email="nobody")))
        publisher.refuse(found[0], caught.value)
    assert in_order(topic.records()) == [complete(user(number)) for number in range(3)]
    [letter] = topic.messages(dead=True)
    assert b"Ada 0" in letter.value()


def test_several_threads_share_a_publisher(topic: Topic) -> None:
    told: list[Delivered | NotDelivered] = []

    def work(first: int) -> None:
        for number in range(first, first + 200):
            publisher.send(user(number), on_delivery=told.append if number % 2 else None)
        told.append(publisher.send_and_wait(user(first + 200)))

    with Publisher(topic.contract, topic.settings) as publisher:
        threads = [threading.Thread(target=work, args=(first,)) for first in (0, 1000, 2000, 3000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (publisher.produced, publisher.undelivered, len(told)) == (804, 0, 404)
    numbers = sorted(uuid.UUID(record["id"]).int for record in topic.records())
    assert numbers == [number for first in (0, 1000, 2000, 3000) for number in range(first, first + 201)]


def test_publisher_says_how_to_open_it(topic: Topic) -> None:
    publisher = Publisher(topic.contract, topic.settings)
    with pytest.raises(ConfigurationError, match="is not open") as caught:
        publisher.send(user(1))
    assert "`with`" in caught.value.fix
    with publisher:
        publisher.send(user(1))
    with pytest.raises(ConfigurationError, match="is not open"):
        publisher.send(user(2))
    with pytest.raises(ConfigurationError, match="no transactional id"), publisher.transaction():
        pass
    assert topic.count() == 1


def test_plain_json_becomes_the_record_or_is_refused(topic: Topic) -> None:
    body = b"""{"id": "00000000-0000-0000-0000-000000000001", "first_name": "Ada", "last_name": "L", "address": "x",
        "email": "a@b", "registered_date": "2026-01-31T12:00:00Z"}"""
    with Publisher(topic.contract, topic.settings) as publisher:
        publisher.send(publisher.from_json(body))
        for text, reason, field in (
            (b"{", "NOT_JSON", ""),
            (b"\xff", "NOT_UTF8", ""),
            ('{"id": 1, "id": 2}', "DUPLICATE_KEY", ""),
            (body.replace(b'"x"', b"5"), "INVALID_RECORD", "address"),
            (body.replace(b'"x"', b"NaN"), "NOT_A_NUMBER", ""),
        ):
            with pytest.raises(RejectedRecord) as caught:
                publisher.from_json(text)
            assert (caught.value.reason, caught.value.field) == (reason, field)
    [record] = topic.records()
    assert record["registered_date"] == dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)


# -- transactions --------------------------------------------------------------------------------------------------


def test_readers_see_what_was_committed_and_nothing_of_the_rest(topic: Topic) -> None:
    with Publisher.of(topic.contract, topic.settings, transactional_id=topic.name) as publisher:
        with publisher.transaction():
            publisher.send_and_wait(user(1))
        with contextlib.suppress(ZeroDivisionError), publisher.transaction():
            publisher.send_and_wait(user(2))
            publisher.send(user(3))
            raise ZeroDivisionError
        with contextlib.suppress(RejectedRecord), publisher.transaction():
            publisher.send(user(4))
            publisher.send(user(5, email="nobody"))
        with pytest.raises(ConfigurationError, match="no transaction is running"):
            publisher.send(user(6))
        with publisher.transaction():
            publisher.send(user(7))
            with pytest.raises(ConfigurationError, match="is running already"), publisher.transaction():
                pass
    assert (publisher.produced, publisher.undelivered) == (2, 0)
    seen = committed(topic)
    assert sorted(value.count(b"Ada 1") + 7 * value.count(b"Ada 7") for value in seen) == [1, 7]
    assert any(b"Ada 2" in value for value in committed(topic, "read_uncommitted"))


def test_second_publisher_with_the_same_id_ends_the_first(topic: Topic) -> None:
    with Publisher.of(topic.contract, topic.settings, transactional_id=topic.name) as first:
        with (
            Publisher.of(topic.contract, topic.settings, transactional_id=topic.name) as second,
            second.transaction(),
        ):
            second.send(user(2))
        with pytest.raises(ConfigurationError, match="another publisher"), first.transaction():
            first.send_and_wait(user(1))
    assert (first.produced, first.undelivered) == (0, 0)
    assert [b"Ada 2" in value for value in committed(topic)] == [True]


def test_nothing_of_a_commit_that_kafka_refuses_is_counted(topic: Topic) -> None:
    with Publisher.of(topic.contract, topic.settings, transactional_id=topic.name) as first:

        def fenced() -> None:
            with first.transaction():
                first.mark("inside")
                first.send_and_wait(user(1))
                first.refuse(user(2), RejectedRecord("NO", "it does not"))
                first.mark("end")
                with Publisher.of(topic.contract, topic.settings, transactional_id=topic.name):
                    pass

        with pytest.raises(ConfigurationError, match="another publisher"):
            fenced()
        assert (first.produced, first.refused.total(), first.sent, first.undelivered) == (0, 0, 0, 0)
        assert (first.offsets, first.settled) == ({}, None)
    assert committed(topic) == []


def test_callback_that_raises_during_a_commit_leaves_it_committed(topic: Topic) -> None:
    def broken(outcome: object) -> None:
        raise ZeroDivisionError("mine")

    with Publisher.of(topic.contract, topic.settings, transactional_id=topic.name) as publisher:
        with pytest.raises(ZeroDivisionError, match="mine"), publisher.transaction():
            publisher.send(user(1), on_delivery=broken)
        with publisher.transaction():
            publisher.send(user(2))
    assert publisher.produced == 2
    assert len(committed(topic)) == 2


def test_marks_of_a_transaction_settle_with_its_commit(topic: Topic) -> None:
    with Publisher.of(topic.contract, topic.settings, transactional_id=topic.name) as publisher:
        with publisher.transaction():
            publisher.send_and_wait(user(1))
            publisher.mark("first")
            assert publisher.settled is None
        assert publisher.settled == "first"
        with contextlib.suppress(ZeroDivisionError), publisher.transaction():
            publisher.send_and_wait(user(2))
            publisher.mark("second")
            raise ZeroDivisionError
        publisher.mark("after")
    assert (publisher.settled, publisher.produced) == ("after", 1)


def test_transaction_that_takes_too_long_says_so(topic: Topic) -> None:
    impatient = topic.settings.model_copy(update={"kafka_max_block_ms": 1_000})
    options = {"transactional_id": topic.name, "transaction_timeout_s": 1}

    def slowly() -> None:
        with publisher.transaction():
            for number in range(600):  # Kafka looks once a second
                try:
                    publisher.send_and_wait(user(number))
                except NotDelivered:
                    break
                time.sleep(0.1)

    with (
        Publisher.of(topic.contract, impatient, **options) as publisher,
        pytest.raises(ConfigurationError, match="it took longer than 1 s") as caught,
    ):
        slowly()
    assert "transaction_timeout_s" in caught.value.fix
    assert (publisher.produced, committed(topic)) == (0, [])


def test_transaction_longer_than_kafka_allows_is_refused_at_the_start(shared: Topic) -> None:
    publisher = Publisher.of(
        shared.contract, shared.settings, transactional_id=shared.name, transaction_timeout_s=100_000
    )
    with pytest.raises(ConfigurationError, match="no transaction of 100000 s") as caught:
        publisher.open()
    assert "transaction.max.timeout.ms" in caught.value.fix


# -- asyncio -------------------------------------------------------------------------------------------------------


def test_many_sends_are_under_way_at_once_and_the_loop_goes_on(topic: Topic) -> None:
    async def main() -> tuple[list[Any], int, int]:
        turns = most = 0
        ended = False

        async def others() -> None:
            """What else the loop has to do."""
            nonlocal turns, most
            while not ended:
                turns += 1
                most = max(most, len(publisher._pending))
                await asyncio.sleep(0)

        async with AsyncPublisher.of("users_created", topic.settings) as publisher:
            beside = asyncio.create_task(others())
            outcomes = await asyncio.gather(
                *(
                    publisher.send(user(number, **({} if number % 10 else {"email": "nobody"})))
                    for number in range(500)
                ),
                return_exceptions=True,
            )
            ended = True
            await beside
        return outcomes, turns, most

    outcomes, turns, most = asyncio.run(main())
    refused = [number for number, one in enumerate(outcomes) if isinstance(one, RejectedRecord)]
    assert refused == list(range(0, 500, 10))
    found = {(message.partition(), message.offset()): message for message in topic.messages()}
    for number, one in enumerate(outcomes):
        if number % 10:
            assert found.pop((one.partition, one.offset)).key()[6:].decode() == str(uuid.UUID(int=number))
    assert not found
    # All were handed over before the first acknowledgement was awaited, and the loop turned meanwhile.
    assert most == 450
    assert turns > 2


def test_full_queue_lets_the_loop_go_on_and_keeps_the_order(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "QUEUE_MESSAGES", 5)

    async def main() -> list[Delivered]:
        async with AsyncPublisher.of(topic.contract, topic.settings) as publisher:
            same_key = (user(1, first_name=str(number)) for number in range(100))
            return await asyncio.gather(*map(publisher.send, same_key))

    places = asyncio.run(main())
    assert [one.offset for one in places] == sorted(one.offset or 0 for one in places)
    by_offset = {message.offset(): message for message in topic.messages()}
    names = [record["first_name"] for record in topic.records()]
    assert names == [str(number) for number in range(100)]
    assert len(by_offset) == 100


def test_end_of_the_block_waits_for_what_is_under_way(topic: Topic) -> None:
    async def main() -> list[Any]:
        async with AsyncPublisher.of(topic.contract, topic.settings) as publisher:
            tasks = [asyncio.create_task(publisher.send(user(number))) for number in range(50)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            try:
                publisher.from_json("{")
            except RejectedRecord as refusal:
                await publisher.refuse(b"{", refusal)
        return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = asyncio.run(main())
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert all(isinstance(one, Delivered) for one in outcomes[1:])
    assert topic.count() == 50
    assert [letter.value() for letter in topic.messages(dead=True)] == [b"{"]


def test_publisher_of_another_loop_is_told(shared: Topic) -> None:
    async def opened() -> AsyncPublisher:
        publisher = AsyncPublisher.of(shared.contract, shared.settings)
        with pytest.raises(ConfigurationError, match="is not open"):
            await publisher.send(user(1))
        await publisher.open()
        return publisher

    publisher = asyncio.run(opened())
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(publisher.send(user(1)))


def test_headers_that_kafka_cannot_hold_are_refused(shared: Topic) -> None:
    """The client would crash on the first of them."""
    refused: list[Any] = [{"\ud800": b"1"}, {"a\0b": b"1"}, {1: b"1"}, {b"a": b"1"}, {"a": 1}, {"a": "text"}]
    with Publisher.of(shared.contract, shared.settings) as publisher:
        for headers in refused:
            with pytest.raises(RejectedRecord, match="header"):
                publisher.send(user(1), headers=headers)
        publisher.send(user(2), headers={"é": b"", "none": None})  # type: ignore[dict-item] - Kafka has null values
    assert (publisher.produced, publisher.undelivered) == (1, 0)


@pytest.mark.filterwarnings("ignore:.*use of fork")
def test_a_publisher_says_that_it_did_not_survive_a_fork(shared: Topic) -> None:
    with Publisher.of(shared.contract, shared.settings) as publisher:
        child = os.fork()
        if not child:
            code = 1
            try:
                publisher.send_and_wait(user(1))
            except ConfigurationError as error:
                code = 0 if "before a fork" in error.what else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        publisher.send_and_wait(user(2))


def test_transactional_publisher_may_be_opened_again(shared: Topic) -> None:
    publisher = Publisher.of(shared.contract, shared.settings, transactional_id=shared.name)
    for number in (1, 2):
        with publisher, publisher.transaction():
            publisher.send(user(number))
    assert publisher.produced == 2


# -- the broker is killed ------------------------------------------------------------------------------------------


@pytest.fixture
def doomed(private: Any, tmp_path: Path) -> Iterator[tuple[Topic, Any]]:
    topic = Topic(tmp_path / "schemas", private.environment).register()
    try:
        yield topic, private
    finally:
        private.run("up")


def test_dead_broker_ends_waits_with_an_exception(doomed: tuple[Topic, Any]) -> None:
    """Of all kinds of sending, with the numbers of one run; then Kafka comes back, and sending goes on."""
    topic, private = doomed
    patient = topic.settings.model_copy(update={"kafka_max_block_ms": 3_000})
    told: list[Delivered | NotDelivered] = []

    async def killed() -> None:
        async with AsyncPublisher.of(topic.contract, patient) as publisher:
            await publisher.send(user(1))
            with (
                Publisher(topic.contract, patient) as callbacks,
                Publisher(topic.contract, patient) as plain,
                Publisher(topic.contract, patient, transactional_id=topic.name) as transactional,
            ):
                plain.send_and_wait(user(2))
                os.kill(private.status["kafka"]["pid"], signal.SIGKILL)
                with pytest.raises(NotDelivered) as caught:
                    await publisher.send(user(3))
                assert (caught.value.topic, caught.value.key) == (topic.name, {"id": user(3)["id"]})
                assert user(3)["id"] not in str(caught.value)
                assert "make status" in caught.value.fix
                callbacks.send(user(4), on_delivery=told.append)
                callbacks.flush()  # the failure belongs to the callback
                assert (callbacks.produced, callbacks.given_back, callbacks.undelivered) == (0, 1, 0)
                with pytest.raises(NotDelivered, match="1 messages delivered, 1 not"):
                    plain.send(user(5)) or plain.flush()
                with pytest.raises(NotDelivered, match="rolled back"), transactional.transaction():
                    transactional.send(user(6))
                private.run("up")
                # A publisher whose failures were told goes on once Kafka is back.
                await publisher.send(user(7))
                callbacks.send_and_wait(user(8))
                plain.send(user(9))
                with transactional.transaction():
                    transactional.send(user(10))

    asyncio.run(killed())
    [outcome] = told
    assert isinstance(outcome, NotDelivered)
    assert outcome.key == {"id": user(4)["id"]}
    arrived = committed(topic)
    for number in (1, 2, 7, 8, 9, 10):
        assert any(user(number)["id"].encode() in value for value in arrived), number
    assert not any(user(6)["id"].encode() in value for value in arrived)


def test_exception_of_the_program_wins_and_names_what_was_lost(private: Any, tmp_path: Path) -> None:
    topic = Topic(tmp_path / "schemas", private.environment).register()
    patient = topic.settings.model_copy(update={"kafka_max_block_ms": 2_000})
    kafka = private.status["kafka"]["pid"]

    def program() -> None:
        with Publisher(topic.contract, patient) as publisher:
            os.kill(kafka, signal.SIGSTOP)
            publisher.send(user(1))
            raise ZeroDivisionError

    try:
        with pytest.raises(ZeroDivisionError) as caught:
            program()
    finally:
        os.kill(kafka, signal.SIGCONT)
    [note] = caught.value.__notes__
    assert "0 messages delivered, 1 not" in note


def test_sampled_records_of_a_nested_contract_arrive(stack: Any, tmp_path: Path) -> None:
    """`orders_placed`: nested records, unions, decimals; through both publishers, byte for byte the same."""
    topic = Topic(tmp_path / "schemas", stack.environment)
    orders = tmp_path / "schemas" / "users_created"
    for name in ("value.avsc", "key.avsc"):
        (orders / name).write_text((CLONE / "schemas" / "orders_placed" / name).read_text())
    text = (orders / "contract.yaml").read_text()
    text = text.partition("source:")[0] + text[text.index("kafka:") : text.index("# Rules")]
    (orders / "contract.yaml").write_text(text.replace("key: key.avsc\nvalue: value.avsc\n", "key: key.avsc\n"))
    (tmp_path / "schemas" / "types").mkdir()
    address = CLONE / "schemas" / "types" / "address.avsc"
    (tmp_path / "schemas" / "types" / "address.avsc").write_text(address.read_text())
    topic.register()
    made = [one for one, _ in zip(records(topic.contract, 7), range(40), strict=False)]

    async def at_once() -> list[Delivered]:
        async with AsyncPublisher.of(topic.contract, topic.settings) as publisher:
            return await asyncio.gather(*map(publisher.send, made))

    first = asyncio.run(at_once())
    with Publisher.of(topic.contract, topic.settings) as publisher:
        second = [publisher.send_and_wait(one) for one in made]
    found = {(message.partition(), message.offset()): message.value() for message in topic.messages()}
    for one, other in zip(first, second, strict=True):
        assert one.partition == other.partition
        assert found[one.partition, one.offset] == found[other.partition, other.offset]


def test_interpreter_ends_although_nobody_closed_the_publisher(shared: Topic) -> None:
    program = (
        "import asyncio\n"
        "from avro_data_contracts.producers import AsyncPublisher\n"
        "async def main():\n"
        "    await AsyncPublisher.of('users_created').open()\n"
        "asyncio.run(main())\n"
        "print('ended')\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=CLONE, env=shared.environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


def test_stream_stores_what_was_committed_and_nothing_else(lean: Pipeline) -> None:
    """Control records and rolled-back ones take offsets; neither is a row, a dead letter or a difference."""
    sent = [user(number) for number in range(30)]
    with Publisher(lean.contract, lean.settings, transactional_id=lean.contract.topic) as publisher:
        for first in (0, 10, 20):
            with publisher.transaction():
                for one in sent[first : first + 10]:
                    publisher.send(one)
            with contextlib.suppress(ZeroDivisionError), publisher.transaction():
                publisher.send_and_wait(user(first + 500))
                raise ZeroDivisionError
    lean.stream()
    names = {one["id"]: one["first_name"] for one in sent}
    assert {key: row["first_name"] for key, row in lean.postgres_rows().items()} == names
    assert lean.dead_letters() == []
    outcome = reconcile(lean.settings, lean.contract)
    assert (outcome.events, outcome.in_order()) == (30, True)
