"""What the sender of messages counts, with a client that reaches no broker."""

from __future__ import annotations

import gc
import time
import weakref

import pytest

from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.registry.outbox import Outbox
from avro_data_contracts.contracts.settings import Settings

NOWHERE = Settings(kafka_bootstrap_servers="127.0.0.1:1", kafka_max_block_ms=200)


def send(outbox: Outbox, count: int = 1) -> None:
    for _ in range(count):
        outbox.send("users", b"value", None, None, outbox.count_failure)


def test_messages_that_kafka_never_takes_are_counted_by_reason() -> None:
    outbox = Outbox(NOWHERE, "test", {})
    send(outbox, 3)
    why = outbox.flush(10)
    assert outbox.sent == 3
    assert dict(outbox.failed) == {why: 3}
    assert "timed out" in str(why)


def test_flush_with_nothing_sent_gives_no_reason() -> None:
    assert Outbox(NOWHERE, "test", {}).flush(10) is None


def test_flush_ends_at_its_limit() -> None:
    outbox = Outbox(NOWHERE, "test", {"message.timeout.ms": 60_000})
    send(outbox, 2)
    began = time.monotonic()
    assert outbox.flush(0.3) == "2 messages were not acknowledged in time"
    assert time.monotonic() - began < 5


def test_a_full_queue_waits_until_there_is_room() -> None:
    outbox = Outbox(NOWHERE, "test", {"queue.buffering.max.messages": 2})
    send(outbox, 5)
    outbox.flush(10)
    assert (outbox.sent, outbox.failed.total()) == (5, 5)


def test_what_before_raises_ends_the_send_without_the_message() -> None:
    outbox = Outbox(NOWHERE, "test", {"queue.buffering.max.messages": 1, "message.timeout.ms": 60_000})
    tries: list[int] = []

    def before() -> None:
        tries.append(outbox.sent)
        if len(tries) == 3:
            raise ServiceError("no more")

    outbox.send("users", b"a", None, None, outbox.count_failure, before=before)
    with pytest.raises(ServiceError, match="no more"):
        outbox.send("users", b"b", None, None, outbox.count_failure, before=before)
    assert tries == [0, 1, 1]  # the last time, the queue was full
    assert outbox.sent == 1


def test_exception_of_a_report_ends_a_send_whose_message_is_not_taken() -> None:
    outbox = Outbox(NOWHERE, "test", {})

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    outbox.send("users", b"a", None, None, broken)
    time.sleep(1.5)
    with pytest.raises(ZeroDivisionError):
        outbox.send("users", b"b", None, None, broken)
    assert outbox.sent == 1


@pytest.mark.parametrize("poll_every", [2, 1_000_000])
def test_reports_are_served_by_number_and_by_time(poll_every: int) -> None:
    outbox = Outbox(NOWHERE, "test", {}, poll_every=poll_every)
    send(outbox, 2)
    time.sleep(1.5)
    send(outbox)
    assert (outbox.sent, outbox.failed.total()) == (3, 2)


def test_kafka_away_is_a_service_error_with_the_address() -> None:
    with pytest.raises(ServiceError, match=r"did not answer within 0\.2 s") as caught:
        Outbox(NOWHERE, "test", {}).topics()
    assert (caught.value.server, caught.value.where) == ("kafka", "Kafka 127.0.0.1:1")


def test_a_setting_that_the_client_refuses_is_a_configuration_error() -> None:
    wrong = NOWHERE.model_copy(update={"kafka_max_block_ms": 2**31})
    with pytest.raises(ConfigurationError, match=r"message\.timeout\.ms"):
        Outbox(wrong, "test", {})


def test_outbox_that_nobody_needs_ends_its_client_at_once() -> None:
    outbox = Outbox(NOWHERE, "test", {})
    send(outbox)
    outbox.flush(10)
    there = weakref.ref(outbox)
    gc.disable()  # a cycle would wait for it
    try:
        del outbox
        assert there() is None
    finally:
        gc.enable()
