"""Checks that Kafka serves the topic, and that it is still the same topic.

Spark's Kafka source retries without a word and knows topics only by name.  With this watch a stalled stream says so,
and no stream continues in another topic of the same name.
"""

from __future__ import annotations

import threading
import time

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import failures

log = structlog.get_logger("streaming")

_EVERY_S, _LEAST_S = 10.0, 0.5
# Times that Kafka is asked, at least, before the stream gives up.
_LOOKS = 30
_ANSWERS_WITHIN_S = 5.0


def every(retry_for_s: float) -> float:
    """Return the seconds between two questions, for a stream that gives up after `retry_for_s` seconds."""
    return max(_LEAST_S, min(_EVERY_S, retry_for_s / _LOOKS))


class SameTopic:
    """Checks that the topic is still the one that the stream began with.

    Offsets mean nothing in another topic of the same name, but Spark, which knows only names, would go on reading
    there at the old topic's offsets.

    Attributes:
        topic_id: see `Topics.id_of`.
    """

    def __init__(self, settings: Settings, topic: str, topic_id: str) -> None:
        within = settings.model_copy(update={"kafka_max_block_ms": round(_ANSWERS_WITHIN_S * 1000)})
        self._topics = Topics(within)
        self._topic, self.topic_id = topic, topic_id

    def check(self) -> None:
        """Raise Refused when the topic was deleted and created again, ServiceError when Kafka does not say."""
        try:
            found = self._topics.id_of(self._topic)
        except Refused as error:  # it does not exist at the moment
            raise ServiceError(error.what, where=error.where, fix=error.fix, server=error.server) from None
        if found != self.topic_id:
            words = f"topic {self._topic} was deleted and created again while the stream read it"
            fix = "start the stream again: it reads the new topic from its beginning"
            raise Refused(words, where="Kafka", fix=fix, server="kafka")

    def close(self) -> None:
        """End the connections, which the next check opens again."""
        self._topics.close()


class Watch:
    """Asks Kafka for one topic every few seconds, and logs a warning each time that Kafka does not serve it.

    Use it in a `with` block; its thread runs that long.
    """

    def __init__(self, settings: Settings, topic: str, same: SameTopic) -> None:
        self._settings = settings
        self._topic = topic
        self._same = same
        self._another: Refused | None = None
        self._served = time.monotonic()
        self._words: str | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._served = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def given_up(self) -> ServiceError | None:
        """Return the error to end with if the topic was away for STREAM_RETRY_FOR_S or is another one; else None."""
        if self._another is not None:
            return self._another
        words, silent = self._words, time.monotonic() - self._served
        if words is None or silent <= self._settings.stream_retry_for_s:
            return None
        return failures.service(
            failures.KAFKA, self._settings.kafka_bootstrap_servers, f"for {silent:.0f} s: {words}"
        )

    def _run(self) -> None:
        servers = self._settings.kafka_bootstrap_servers
        client = AdminClient({**kafka.client(self._settings), "client.id": "streaming-broker-watch", "log_level": 0})
        every_s = every(self._settings.stream_retry_for_s)
        while not self._closed.wait(every_s):
            words = _trouble(client, self._topic) or self._another_topic()
            silent = round(time.monotonic() - self._served)
            if words is not None:
                log.warning("Kafka does not serve the topic", where=servers, for_s=silent, why=words)
            else:
                if self._words is not None:
                    log.info("Kafka serves the topic again", where=servers, after_s=silent)
                self._served = time.monotonic()
            self._words = words

    def _another_topic(self) -> str | None:
        """Return why Kafka does not say whether it is the same topic.  Keep for `given_up` that it is another one."""
        try:
            self._same.check()
        except Refused as error:
            self._another = error
        except ServiceError as error:
            return error.what
        return None


def _trouble(client: AdminClient, topic: str) -> str | None:
    """Return why the topic cannot be read at the moment, None when it can."""
    try:
        # Ask for all topics: asking for one by name may create it.
        found = client.list_topics(timeout=_ANSWERS_WITHIN_S).topics.get(topic)
    except KafkaException as error:
        return f"no broker answered within {_ANSWERS_WITHIN_S:g} s ({error.args[0].str()})"
    if found is None:
        return f"there is no topic {topic}"
    if found.error is not None:
        return f"topic {topic}: {found.error.str()}"
    without = [str(number) for number, partition in found.partitions.items() if partition.leader < 0]
    return f"topic {topic}: no leader of partition {', '.join(without)}" if without else None
