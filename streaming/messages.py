"""What a consumed message of Kafka has, in a form that cannot crash."""

from __future__ import annotations

from operator import methodcaller

from confluent_kafka import Message

from avro_data_contracts.contracts.catalog.dead_letter import Header

_HEADERS = methodcaller("headers")


def place(message: Message) -> tuple[int, int]:
    """Partition and offset of a consumed message."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return partition, offset


def headers(message: Message) -> list[Header]:
    """Return the headers of a message; none when a name is not UTF-8, which the client cannot represent.

    For such a name the client returns a broken list, which would crash the interpreter.  A call from C is checked.
    The client keeps the list and would return it again, so it is replaced.
    """
    try:
        return _HEADERS(message) or []
    except SystemError:
        message.set_headers([])
        return []
