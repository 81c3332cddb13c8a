"""Reads ranges of a topic's offsets with a plain consumer, without a group or commits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.messages import headers as headers
from avro_data_contracts.streaming.messages import place as place

Ranges = Mapping[int, tuple[int, int]]


def whole(settings: Settings, topic: str) -> dict[int, tuple[int, int]]:
    """Return partition -> first and last offset, for the partitions that hold a record."""
    with _consumer(settings) as consumer:
        marks = _marks(consumer, settings, topic)
    return {p: (low, high - 1) for p, (low, high) in marks.items() if high > low}


def begins(settings: Settings, topic: str) -> dict[int, int]:
    """Return partition -> its first offset, or the one that its first record will have."""
    with _consumer(settings) as consumer:
        return {partition: low for partition, (low, _) in _marks(consumer, settings, topic).items()}


def count(settings: Settings, topic: str, since: int | None, until: int | None) -> int:
    """Count the offsets between two times, ms since the epoch; None is the topic's beginning or end."""
    return sum(max(0, last - first) for first, last in between(settings, topic, since, until).values())


def between(settings: Settings, topic: str, since: int | None, until: int | None) -> dict[int, tuple[int, int]]:
    """Return partition -> its first offset between two times, and the one after its last.

    Args:
        since, until: ms since the epoch; None: the topic's beginning or end.
    """
    with _consumer(settings) as consumer:
        marks = _marks(consumer, settings, topic)
        low, high = ({p: mark[number] for p, mark in marks.items()} for number in (0, 1))
        first = low if since is None else _at(consumer, topic, since, high)
        last = high if until is None else _at(consumer, topic, until, high)
    return {p: (first[p], last[p]) for p in marks}


def _marks(consumer: Consumer, settings: Settings, topic: str) -> dict[int, tuple[int, int]]:
    """Return partition -> its first offset, and the one after its last."""
    partitions = _partitions(consumer, settings, topic)
    return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10) for p in partitions}


def _at(consumer: Consumer, topic: str, millis: int, high: Mapping[int, int]) -> dict[int, int]:
    """Return partition -> offset of its first record of that time or later; its end when there is none."""
    asked = [TopicPartition(topic, partition, millis) for partition in high]
    found = {one.partition: one.offset for one in consumer.offsets_for_times(asked, timeout=10)}
    return {partition: offset if offset >= 0 else high[partition] for partition, offset in found.items()}


@contextmanager
def _consumer(settings: Settings) -> Iterator[Consumer]:
    consumer = Consumer(
        {
            **kafka.client(settings),
            "group.id": "contracts-reconcile",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    try:
        yield consumer
    except KafkaException as error:
        raise failures.service(failures.KAFKA, settings.kafka_bootstrap_servers, error.args[0].str()) from None
    finally:
        consumer.close()


def _partitions(consumer: Consumer, settings: Settings, topic: str) -> list[int]:
    found = consumer.list_topics(topic, timeout=settings.kafka_max_block_ms / 1000).topics[topic]
    if found.error is not None:
        raise failures.service(
            failures.KAFKA, settings.kafka_bootstrap_servers, f"topic {topic}: {found.error.str()}"
        )
    return sorted(found.partitions)


def read(settings: Settings, topic: str, ranges: Ranges) -> Iterator[Message]:
    """Yield every record of the ranges, one partition after the other."""
    with _consumer(settings) as consumer:
        for partition, (first, last) in sorted(ranges.items()):
            consumer.assign([TopicPartition(topic, partition, first)])
            offset = first - 1
            while offset < last:
                message = consumer.poll(settings.kafka_max_block_ms / 1000)
                if message is None:
                    words = f"no record of {topic} [{partition}] arrived after offset {offset}"
                    raise failures.service(failures.KAFKA, settings.kafka_bootstrap_servers, words)
                if error := message.error():
                    if error.code() == KafkaError._PARTITION_EOF:
                        break  # no record follows: a transaction marker, or compacted away
                    raise KafkaException(error)
                _, offset = place(message)
                if offset <= last:
                    yield message
