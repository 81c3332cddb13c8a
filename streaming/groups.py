"""Consumer groups that show how far each store has come: one per sink, written for people to see and never read back.

Spark keeps its offsets in the checkpoint and commits none to Kafka; without these groups neither Control Center nor
`kafka-consumer-groups` would know of the stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from contracts.contract import Contract
from contracts.errors import ServiceError
from contracts.settings import Settings
from streaming import failures

Offsets = Mapping[int, int]
T = TypeVar("T")


def name(contract: Contract, sink: str) -> str:
    """The group of one store of a contract: `users_created.cassandra`."""
    return f"{contract.name}.{sink}"


def lag(position: Offsets, first: Offsets, last: Offsets) -> int:
    """Records between a position and the end of the topic.

    Args:
        position: partition -> the next offset to be read; a partition that is not there is at its beginning.
        first: partition -> its first offset; what was deleted before it was read is lag no more.
        last: partition -> the offset after its last record.
    """
    return sum(max(0, end - max(position.get(one, 0), first.get(one, 0))) for one, end in last.items())


class Groups:
    """Offsets of one Kafka cluster.

    Every method raises ServiceError when it does not answer in `timeout_s`, and Refused when it says no.
    """

    def __init__(self, settings: Settings, *, timeout_s: float) -> None:
        self._bootstrap = settings.kafka_bootstrap_servers
        self._timeout_s = timeout_s
        self._admin = AdminClient(
            {"bootstrap.servers": self._bootstrap, "log_level": 0, "socket.connection.setup.timeout.ms": 5000}
        )

    def ends(self, topic: str) -> tuple[dict[int, int], dict[int, int]]:
        """Partition -> its first offset, and partition -> the offset after its last committed record."""
        try:
            # All of them: asked for by its name, a topic may be created by that.
            found = self._admin.list_topics(timeout=self._timeout_s).topics.get(topic)
        except KafkaException as error:
            raise self._failure(error.args[0].str()) from None
        if found is None:
            raise failures.refused("Kafka", self._bootstrap, f"there is no topic {topic}")
        return (
            self._listed(topic, found.partitions, OffsetSpec.earliest()),
            self._listed(topic, found.partitions, OffsetSpec.latest()),
        )

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition -> offset that the group has committed; partitions without one are left out."""
        asked = [ConsumerGroupTopicPartitions(group)]
        futures = self._admin.list_consumer_group_offsets(asked, request_timeout=self._timeout_s)
        found = self._result(futures[group]).topic_partitions
        return {one.partition: one.offset for one in found if one.topic == topic and one.offset >= 0}

    def commit(self, group: str, topic: str, offsets: Offsets) -> None:
        """Sets the group's offsets."""
        wanted = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        asked = [ConsumerGroupTopicPartitions(group, wanted)]
        futures = self._admin.alter_consumer_group_offsets(asked, request_timeout=self._timeout_s)
        for one in self._result(futures[group]).topic_partitions:
            if one.error is not None:
                raise self._failure(f"group {group}: {one.error.str()}")

    def _listed(self, topic: str, partitions: Mapping[int, object], spec: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(topic, partition): spec for partition in partitions}
        # As the stream reads: what a transaction has not committed is not there yet.
        futures = self._admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self._timeout_s
        )
        return {one.partition: self._result(future).offset for one, future in futures.items()}

    def _result(self, future: Future[T]) -> T:
        try:
            return future.result(self._timeout_s)
        except KafkaException as error:
            raise self._failure(error.args[0].str()) from None
        except FutureTimeoutError:
            raise self._failure(f"no answer within {self._timeout_s:g} s") from None

    def _failure(self, words: str) -> ServiceError:
        return failures.service("Kafka", self._bootstrap, words)
