"""Is the broker there?  Spark's Kafka source asks again and again in silence; a stalled stream is never silent."""

from __future__ import annotations

import threading
import time

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from contracts.errors import ServiceError
from contracts.settings import Settings
from streaming import failures

log = structlog.get_logger("streaming")

EVERY_S = 10.0
_ANSWERS_WITHIN_S = 5.0


class Watch:
    """Asks the broker for one topic every `EVERY_S` seconds, and logs a warning each time that it is not served.

    Used in a `with` block, for the time of which it has a thread.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
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
        """What to end with once the topic was not served for STREAM_RETRY_FOR_S; None as long as it is waited for."""
        words, silent = self._words, time.monotonic() - self._served
        if words is None or silent <= self._settings.stream_retry_for_s:
            return None
        return failures.service("Kafka", self._settings.kafka_bootstrap_servers, f"for {silent:.0f} s: {words}")

    def _run(self) -> None:
        servers = self._settings.kafka_bootstrap_servers
        client = AdminClient({"bootstrap.servers": servers, "client.id": "streaming-broker-watch", "log_level": 0})
        while not self._closed.wait(EVERY_S):
            words = _trouble(client, self._topic)
            silent = round(time.monotonic() - self._served)
            if words is not None:
                log.warning("Kafka does not serve the topic", where=servers, for_s=silent, why=words)
            else:
                if self._words is not None:
                    log.info("Kafka serves the topic again", where=servers, after_s=silent)
                self._served = time.monotonic()
            self._words = words


def _trouble(client: AdminClient, topic: str) -> str | None:
    """Why the topic cannot be read at the moment, None when it can."""
    try:
        found = client.list_topics(topic, timeout=_ANSWERS_WITHIN_S).topics[topic]
    except KafkaException as error:
        return f"no broker answered within {_ANSWERS_WITHIN_S:g} s ({error.args[0].str()})"
    if found.error is not None:
        return f"topic {topic}: {found.error.str()}"
    without = [str(number) for number, partition in found.partitions.items() if partition.leader < 0]
    return f"topic {topic}: no leader of partition {', '.join(without)}" if without else None
