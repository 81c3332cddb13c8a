"""Which questions about offsets Kafka is asked again, and when: fewer, and no answer is wrong for long."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.inspection.offsets import ANYWAY, KEPT_LOOKS, Watched
from avro_data_contracts.streaming.run.groups import Groups

MANY, AT_ONCE = 12, 3


class Recorded(Groups):
    """Asks Kafka, and keeps what it asked and which clients are open."""

    def __init__(self, settings: Settings, timeout_s: float = 10) -> None:
        super().__init__(settings, timeout_s=timeout_s)
        self.asked: list[str] = []

    def partitions_of(self, topics: Iterable[str]) -> dict[str, list[int]]:
        self.asked.append("partitions")
        return super().partitions_of(topics)

    def first_of(self, there: Mapping[str, list[int]]) -> dict[str, dict[int, int]]:
        self.asked.append("first")
        return super().first_of(there)

    def last_of(self, there: Mapping[str, list[int]]) -> dict[str, dict[int, int]]:
        self.asked.append("last")
        return super().last_of(there)

    def committed(self, group: str, topic: str, partitions: Iterable[int] | None = None) -> dict[int, int]:
        self.asked.append(group)
        return super().committed(group, topic, partitions)

    def questions(self) -> list[str]:
        found, self.asked = self.asked, []
        return found


class Cluster:
    """Topics with a record each, and a group of each that has it.  `now`: of the clock of the questions."""

    def __init__(self, settings: Settings, number: int) -> None:
        self._settings = settings
        self._bootstrap = {"bootstrap.servers": settings.kafka_bootstrap_servers}
        self.admin = AdminClient(self._bootstrap)
        self.producer = Producer(self._bootstrap)
        start = f"offsets_{uuid.uuid4().hex[:8]}"
        self.topics = [f"{start}_{at:02}" for at in range(number)]
        self.groups = {f"{name}.store": name for name in self.topics}
        self.create(self.topics)
        self.send(*self.topics)
        for name in self.topics:
            self.commit(name, 1)
        self.asked = Recorded(settings)
        self.now = 0.0

    def watched(self, *more: str, **options: float) -> Watched:
        return Watched(self.asked, [*self.topics, *more], self.groups, clock=lambda: self.now, **options)  # type: ignore[arg-type]

    def clients(self) -> int:
        """How many groups have a client; one more asks for the ends."""
        return len(self.asked._clients) - 1

    def create(self, topics: list[str]) -> None:
        for done in self.admin.create_topics([NewTopic(name, 1, 1) for name in topics]).values():
            done.result(30)

    def delete(self, topic: str) -> None:
        self.admin.delete_topics([topic])[topic].result(30)

    def send(self, *topics: str) -> None:
        for name in topics:
            self.producer.produce(name, b"x")
        assert self.producer.flush(30) == 0

    def commit(self, topic: str, offset: int) -> None:
        client = Groups(self._settings, timeout_s=30)
        client.commit(f"{topic}.store", topic, {0: offset})
        client.close()

    def close(self) -> None:
        self.asked.close()
        for done in self.admin.delete_topics(self.topics).values():
            done.exception(30)


@pytest.fixture
def cluster(settings_of_stack: Settings, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    found = Cluster(settings_of_stack, getattr(request, "param", MANY))
    yield found
    found.close()


@pytest.mark.parametrize("cluster", [2], indirect=True)
def test_without_patience_everything_is_asked_each_time(cluster: Cluster) -> None:
    first, second = cluster.topics
    cluster.send(first, first)
    found = cluster.watched()
    for _ in range(2):
        ends, lags = found.look()
        assert ends == {first: ({0: 0}, {0: 3}), second: ({0: 0}, {0: 1})}
        assert lags == {f"{first}.store": 2, f"{second}.store": 0}
        assert cluster.asked.questions() == ["partitions", "first", "last", *cluster.groups]


@pytest.mark.parametrize("cluster", [1], indirect=True)
def test_beginnings_are_asked_seldom_and_ends_each_time(cluster: Cluster) -> None:
    [topic], later = cluster.topics, f"{cluster.topics[0]}_later"
    found = cluster.watched(later, seldom_s=10.0, at_once=AT_ONCE)
    found.look()
    cluster.asked.questions()
    cluster.send(topic)
    cluster.create([later])
    cluster.topics.append(later)
    assert found.look()[1] == {f"{topic}.store": 1}
    assert cluster.asked.questions() == ["last", f"{topic}.store"]
    cluster.now = 10.0
    assert found.look()[0].keys() == {topic, later}
    assert cluster.asked.questions()[:3] == ["partitions", "first", "last"]


@pytest.mark.parametrize("cluster", [2], indirect=True)
def test_topic_that_was_deleted_and_created_again_is_looked_at_anew(cluster: Cluster) -> None:
    first, second = cluster.topics
    cluster.send(first)
    cluster.admin.delete_records([_at(first, 2)])[_at(first, 2)].result(30)
    found = cluster.watched(seldom_s=1_000.0)
    assert found.look()[0][first] == ({0: 2}, {0: 2})
    cluster.delete(first)
    cluster.create([first])
    cluster.send(first)
    assert found.look()[0] == {first: ({0: 0}, {0: 1}), second: ({0: 0}, {0: 1})}


def test_of_many_groups_only_those_that_may_have_moved_are_asked_and_some_in_turn(cluster: Cluster) -> None:
    found = cluster.watched(seldom_s=1_000.0, at_once=AT_ONCE)
    assert found.look()[1] == dict.fromkeys(cluster.groups, 0)
    assert len(set(cluster.asked.questions())) == 3 + MANY
    found.look()
    assert len(cluster.asked.questions()) == 1 + ANYWAY
    assert cluster.clients() == 0, "nothing moves"
    topic = cluster.topics[7]
    group = f"{topic}.store"
    cluster.send(topic, topic)
    assert found.look()[1][group] == 2
    found.look()
    assert cluster.asked.questions().count(group) >= 2, "it lacks something"
    assert cluster.clients() == 1
    cluster.commit(topic, 3)
    assert found.look()[1][group] == 0
    cluster.asked.questions()
    for _ in range(3):
        found.look()
    assert cluster.asked.questions().count(group) <= 1, "only when it is its turn"
    for _ in range(KEPT_LOOKS):
        found.look()
    assert cluster.clients() == 0, "it is at rest"
    # Somebody moves another back.
    last = cluster.topics[-1]
    cluster.commit(last, 0)
    assert 1 in [found.look()[1][f"{last}.store"] for _ in range(MANY // ANYWAY + 1)]
    # All have more, and each has its turn.
    cluster.send(*cluster.topics)
    cluster.asked.questions()
    for _ in range(MANY // AT_ONCE):
        found.look()
        assert len(cluster.asked.questions()) <= 1 + AT_ONCE + ANYWAY
    assert found.look()[1] == {f"{name}.store": 2 if name == last else 1 for name in cluster.topics}
    assert cluster.clients() <= AT_ONCE


def test_outage_is_told(settings_of_stack: Settings) -> None:
    nowhere = settings_of_stack.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    asked = Groups(nowhere, timeout_s=0.5)
    try:
        with pytest.raises(ServiceError):
            Watched(asked, ["a"], {"a.store": "a"}, seldom_s=10.0).look()
    finally:
        asked.close()


def test_outage_costs_one_time_out_also_after_an_answer(settings_of_stack: Settings) -> None:
    nowhere = settings_of_stack.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    asked = Recorded(nowhere, timeout_s=0.5)
    try:
        found = Watched(asked, ["a"], {}, seldom_s=1_000.0)
        # As after a look.
        found._there, found._read_at = {"a": [0]}, time.monotonic()
        with pytest.raises(ServiceError):
            found.look()
        assert asked.questions() == ["last"]
        with pytest.raises(ServiceError):
            found.look()
        assert asked.questions() == ["partitions"], "once it is back, it is asked which topics there are"
    finally:
        asked.close()


def _at(topic: str, offset: int) -> TopicPartition:
    return TopicPartition(topic, 0, offset)
