"""How often a stream asks Kafka for its topic."""

from __future__ import annotations

import pytest

from avro_data_contracts.streaming.run import broker


@pytest.mark.parametrize(("retry_for_s", "every_s"), [(300, 10), (3_600, 10), (120, 4), (60, 2), (5, 0.5), (0, 0.5)])
def test_kafka_is_asked_thirty_times_before_the_stream_gives_up(retry_for_s: float, every_s: float) -> None:
    assert broker.every(retry_for_s) == every_s
