"""When the batches of a stream start."""

from __future__ import annotations

import pytest

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.streaming.run.job import trigger


@pytest.mark.parametrize(
    ("interval", "expected"), [(None, "0 milliseconds"), ("2", "2000 milliseconds"), ("0.25", "250 milliseconds")]
)
def test_batches_start_at_the_interval_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, interval: str | None, expected: str
) -> None:
    if interval is not None:
        monkeypatch.setenv("STREAM_INTERVAL", interval)
    assert trigger(settings.load(), available_now=False) == {"processingTime": expected}
    assert trigger(settings.load(), available_now=True) == {"availableNow": True}


def test_negative_interval_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_INTERVAL", "-1")
    with pytest.raises(ConfigurationError, match="STREAM_INTERVAL"):
        settings.load()
