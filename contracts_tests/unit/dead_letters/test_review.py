"""The reject rate and the limit above which it is a finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import FindingsError
from avro_data_contracts.streaming.dead_letters.review import Review
from contracts_tests.fixtures.clone import CLONE

CONTRACT = loading.load_one(CLONE / "schemas", "users_created")


@pytest.mark.parametrize(
    ("records", "rejected", "rate"),
    [
        (0, {}, 0.0),
        (0, {"BAD_MAGIC": 1}, 1.0),
        (200, {"BAD_MAGIC": 1, "TOO_SHORT": 1}, 0.01),
        (1, {"NULL_VALUE": 5}, 1.0),
    ],
)
def test_rate_is_the_share_of_rejected_records_and_at_most_one(
    records: int, rejected: dict[str, int], rate: float
) -> None:
    assert Review(CONTRACT, records, rejected).rate == rate


def test_check_fails_above_max_rate_with_reasons_and_commands() -> None:
    Review(CONTRACT, 100, {"BAD_MAGIC": 1}).check()
    with pytest.raises(FindingsError) as caught:
        Review(CONTRACT, 99, {"BAD_MAGIC": 1}).check()
    assert str(caught.value) == (
        "contract users_created: 1 of 99 records were rejected (1.01%, allowed: 1.00%): BAD_MAGIC 1\n"
        "  fix: `python -m avro_data_contracts.streaming --contract users_created dlq show` shows them; after the "
        "fix `dlq replay`"
    )
    none = CONTRACT.spec.model_copy(
        update={"dead_letter": CONTRACT.spec.dead_letter.model_copy(update={"max_rate": 0})}
    )
    with pytest.raises(FindingsError):
        Review(replace(CONTRACT, spec=none), 1_000_000, {"BAD_MAGIC": 1}).check()
