"""What talks to Kafka takes its client with it when it goes: each client has threads, and opens connections again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.registry.outbox import Outbox
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers import Publisher
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.run.groups import Groups
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.kafka_clients import none_left


def publisher(configured: Settings) -> None:
    with Publisher(loading.load_one(CLONE / "schemas", "users_created"), configured):
        pass


USES: dict[str, Callable[[Settings], object]] = {
    "topics": lambda configured: Topics(configured).read(["a"]),
    "outbox": lambda configured: Outbox(configured, "test", {}).topics(),
    "publisher": publisher,
    "consumer": lambda configured: topic.whole(configured, "a"),
    "groups": lambda configured: Groups(configured, timeout_s=0.2).ends("a"),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_client_goes_with_what_uses_it(use: Callable[[Settings], object]) -> None:
    configured = settings.load(kafka_bootstrap_servers="127.0.0.1:1", kafka_max_block_ms=200)
    with none_left():
        for _ in range(2):
            with suppress(ServiceError):
                use(configured)
