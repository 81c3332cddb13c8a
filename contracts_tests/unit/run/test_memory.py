"""The memory of Spark's driver: what is refused before Spark starts."""

from __future__ import annotations

import pytest

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.streaming.spark import session


@pytest.mark.parametrize("said", ["2g", "2G", "450m", "512M", "512mb", "471859200", "460800k", " 1g "])
def test_memory_that_spark_starts_with_is_taken(said: str) -> None:
    session.check_memory(said)


@pytest.mark.parametrize("said", ["", "2", "449m", "64m", "471859199", "two", "2 g", "-2g", "2.5g", "2gigs"])
def test_memory_that_spark_does_not_start_with_is_refused(said: str) -> None:
    with pytest.raises(ConfigurationError, match="SPARK_DRIVER_MEMORY") as raised:
        session.check_memory(said)
    assert "450m or more" in raised.value.fix
