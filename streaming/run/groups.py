"""Consumer groups that show each store's progress: one per sink, for display only.

Spark keeps its offsets in the checkpoint and commits none to Kafka.  Without these groups Control Center and
`kafka-consumer-groups` would not show the stream.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import failures

Offsets = Mapping[int, int]

# A client must have a group even when it commits nothing.
_LOOKS_ONLY = "contracts-lag"
_ANSWER_EVERY_S = 0.05
# Partitions of one question: librdkafka's time for it grows with the square of their number.
_ASKED_AT_ONCE = 150


def name(contract: Contract, sink: str) -> str:
    """Return the group of one store of a contract, e.g. `users_created.cassandra`."""
    return f"{contract.name}.{sink}"


def lag(position: Offsets, first: Offsets, last: Offsets) -> int:
    """Return the number of records between a position and the end of the topic.

    Args:
        position: partition -> the next offset to read; a missing partition is at its beginning.
        first: partition -> its first offset; records deleted before they were read are not lag.
        last: partition -> the offset after its last record.
    """
    return sum(max(0, end - max(position.get(one, 0), first.get(one, 0))) for one, end in last.items())


class Groups:
    """Reads and commits offsets of one Kafka cluster.

    Every method raises ServiceError when Kafka does not answer in `timeout_s`, and Refused when it refuses.

    It uses plain consumers that subscribe to nothing, not the admin client: when an answer for a group arrives after
    its time-out, for example from a restarted broker, librdkafka ends the whole process with an assertion (its issue
    4605).  The consumers commit asynchronously, as a synchronous commit without an answer may take minutes.
    """

    def __init__(self, settings: Settings, *, timeout_s: float) -> None:
        self._bootstrap = settings.kafka_bootstrap_servers
        self._kafka = kafka.client(settings)
        self._timeout_s = timeout_s
        self._clients: dict[str, Consumer] = {}
        # Group -> the answers to its commits: why one failed, or None, and its offsets.
        self._answers: dict[str, list[tuple[KafkaError | None, dict[int, int]]]] = {}
        self._lock = threading.Lock()

    @property
    def timeout_s(self) -> float:
        """How long a question waits for its answer, seconds."""
        return self._timeout_s

    def ends(self, topic: str) -> tuple[dict[int, int], dict[int, int]]:
        """Return partition -> its first offset, and partition -> the offset after its last committed record."""
        found = self.ends_of([topic])
        if topic not in found:
            raise failures.refused(failures.KAFKA, self._bootstrap, f"there is no topic {topic}")
        return found[topic]

    def ends_of(self, topics: Iterable[str]) -> dict[str, tuple[dict[int, int], dict[int, int]]]:
        """Return what `ends` returns for each of these topics that exists, with three requests for all of them."""
        there = self.partitions_of(topics)
        first, last = self.first_of(there), self.last_of(there)
        return {name: (first[name], last[name]) for name in there}

    def partitions_of(self, topics: Iterable[str]) -> dict[str, list[int]]:
        """Return the partitions of each of these topics that exists."""
        client = self._client(_LOOKS_ONLY)
        try:
            # Ask for all topics: asking for one by name may create it.
            known = client.list_topics(timeout=self._timeout_s).topics
        except KafkaException as error:
            raise self._failure(error.args[0].str()) from None
        except RuntimeError as error:  # closed meanwhile
            raise self._failure(str(error)) from None
        return {name: list(known[name].partitions) for name in topics if name in known}

    def first_of(self, there: Mapping[str, list[int]]) -> dict[str, dict[int, int]]:
        """Return topic -> partition -> its first offset.  `there`: topic -> its partitions."""
        return self._of_place(there, OFFSET_BEGINNING)

    def last_of(self, there: Mapping[str, list[int]]) -> dict[str, dict[int, int]]:
        """Return topic -> partition -> the offset after its last committed record."""
        return self._of_place(there, OFFSET_END)

    def _of_place(self, there: Mapping[str, list[int]], place: int) -> dict[str, dict[int, int]]:
        try:
            return self._at(self._client(_LOOKS_ONLY), there, place)
        except KafkaException as error:
            raise self._failure(error.args[0].str()) from None
        except RuntimeError as error:  # closed meanwhile
            raise self._failure(str(error)) from None

    def _at(self, client: Consumer, topics: Mapping[str, list[int]], place: int) -> dict[str, dict[int, int]]:
        """Return topic -> partition -> its first or last offset: to Kafka, the two are times like any other."""
        asked = [TopicPartition(name, one, place) for name, partitions in topics.items() for one in partitions]
        found: dict[str, dict[int, int]] = {name: {} for name in topics}
        for begin in range(0, len(asked), _ASKED_AT_ONCE):
            for one in client.offsets_for_times(asked[begin : begin + _ASKED_AT_ONCE], timeout=self._timeout_s):
                if one.error is not None:
                    raise KafkaException(one.error)
                found[one.topic][one.partition] = one.offset
        return found

    def committed(self, group: str, topic: str, partitions: Iterable[int] | None = None) -> dict[int, int]:
        """Return partition -> the offset that the group has committed, without partitions that have none.

        Args:
            partitions: those of the topic; None: Kafka is asked for them too.
        """
        client = self._client(group)
        try:
            if partitions is None:
                known = client.list_topics(timeout=self._timeout_s).topics.get(topic)
                partitions = known.partitions if known else ()
            asked = [TopicPartition(topic, partition) for partition in partitions]
            found = client.committed(asked, timeout=self._timeout_s) if asked else []
        except KafkaException as error:
            raise self._failure(error.args[0].str()) from None
        return {one.partition: one.offset for one in found if one.error is None and one.offset >= 0}

    def commit(self, group: str, topic: str, offsets: Offsets) -> None:
        """Set the group's offsets."""
        wanted = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        client, answers = self._client(group), self._answers[group]
        answers.clear()
        deadline = time.monotonic() + self._timeout_s
        try:
            client.commit(offsets=wanted, asynchronous=True)
            while time.monotonic() < deadline:
                client.poll(_ANSWER_EVERY_S)
                # The answer to an earlier commit may come late.
                for error in [error for error, told in answers if told == dict(offsets)]:
                    if error is not None:
                        raise self._failure(f"group {group}: {error.str()}")
                    return
        except KafkaException as error:
            raise self._failure(f"group {group}: {error.args[0].str()}") from None
        raise self._failure(f"group {group}: Kafka did not answer within {self._timeout_s:g} s")

    def release(self, group: str) -> None:
        """Close the connections of a group; a later question opens others."""
        with self._lock:
            client = self._clients.pop(group, None)
            self._answers.pop(group, None)
        if client is not None:
            client.close()

    def close(self) -> None:
        """Close all connections; a later question opens others.  Without an answer to a commit it takes minutes."""
        with self._lock:
            clients = list(self._clients.values())
            self._clients.clear()
        for client in clients:
            client.close()

    def _client(self, group: str) -> Consumer:
        with self._lock:
            if group not in self._clients:
                answers = self._answers[group] = []
                self._clients[group] = Consumer(
                    {
                        **self._kafka,
                        "group.id": group,
                        "enable.auto.commit": False,
                        "on_commit": lambda error, done: answers.append((error or _first(done), _offsets(done))),
                        "isolation.level": "read_committed",
                        # How long a commit waits for the group's coordinator, and for its answer.
                        "session.timeout.ms": round(self._timeout_s * 1000),
                        "heartbeat.interval.ms": round(self._timeout_s * 300),
                        "socket.timeout.ms": round(self._timeout_s * 1000),
                        "log_level": 0,
                    }
                )
            return self._clients[group]

    def _failure(self, words: str) -> ServiceError:
        return failures.service(failures.KAFKA, self._bootstrap, words)


def _offsets(done: list[TopicPartition]) -> dict[int, int]:
    return {one.partition: one.offset for one in done}


def _first(done: list[TopicPartition]) -> KafkaError | None:
    return next((one.error for one in done if one.error is not None), None)
