"""`make fuzz`, shorter: some 2,000 records of four contracts, most of them mutated in some way."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contracts.settings import Settings
from contracts_tests.fuzz.run import SHARES, run
from contracts_tests.fuzz.verdict import counted
from contracts_tests.integration.conftest import Pipeline


@pytest.mark.parametrize(("name", "records"), [(name, round(2_000 * share)) for name, share in SHARES.items()])
def test_every_record_is_the_row_or_the_letter_that_its_bytes_say(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path, name: str, records: int
) -> None:
    def stream(pipeline: Pipeline) -> str:
        pipeline.stream()
        return ""

    outcome = run(
        settings_of_stack, spark, tmp_path, seed=14, records=records, stream=stream, say=print, names=[name]
    )

    [found] = outcome.found
    told = "\n".join(map(str, found.differences[:5]))
    assert counted(found.differences) == {}, told
    assert found.records == records
    assert found.good > records / 2
    assert found.letters == records - found.good > records / 10
    assert found.compared > records / 2
    assert found.rows["cassandra"] == found.rows["postgres"] > records / 20
