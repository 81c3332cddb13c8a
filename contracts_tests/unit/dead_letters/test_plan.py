"""What a replay puts back, and which records an aggregation would count twice."""

from __future__ import annotations

import pytest

from avro_data_contracts.contracts.errors import EXIT_USAGE, ConfigurationError
from avro_data_contracts.streaming.dead_letters.letters import Letter, Place
from avro_data_contracts.streaming.dead_letters.plan import Plan
from contracts_tests.fixtures.viewed import SINKS, catalog, files, header

KEY = {"primary_key": ["hour", "id"]}
BOTH = {"postgres": {"table": "sums", **KEY}, "cassandra": {"keyspace": "shop", "table": "sums", **KEY}}
GROUPED = "SELECT window.start AS hour, id, count(*) AS n FROM orders GROUP BY window(at, '1 hour'), id"
PROJECTION = header(SINKS) + "SELECT id, number FROM orders"
#: Reasons of the letters of one record -> the queries that would count it again.
COUNTED = [
    (["DECODE_ERROR"], []),
    (["RULE:email"], []),
    (["REFUSED:postgres"], ["sums.cassandra", "sums.postgres"]),
    (["REFUSED:plain.postgres"], ["sums.cassandra", "sums.postgres"]),
    (["REFUSED:sums.postgres"], ["sums.cassandra"]),
    (["REFUSED:sums.postgres", "REFUSED:sums.cassandra"], []),
    (["REFUSED:sums.postgres", "REFUSED:sums.cassandra", "REFUSED:postgres"], []),
]


def letter(number: int, record: int, reason: str, replayed_as: Place | None = None) -> Letter:
    at, origin = Place("orders.dlq", 0, number), Place("orders", 0, record)
    return Letter(at, origin, "streaming", reason, "words", 1, 1, 1, False, False, 1, (), f"{record}", replayed_as)


def plan(*letters: Letter, with_sums: bool = True, again: bool = False) -> Plan:
    sums = {"sums": header(BOTH, time="at", lateness="1 hour") + GROUPED} if with_sums else {}
    return Plan.of(catalog(files({"plain": PROJECTION, **sums})).get("orders"), letters, again=again)


@pytest.mark.parametrize(("reasons", "counting"), COUNTED)
def test_record_that_an_aggregation_has_counted_is_not_put_back_unasked(
    reasons: list[str], counting: list[str]
) -> None:
    letters = [letter(number, 7, reason) for number, reason in enumerate(reasons)]
    found = plan(*letters, letter(90, 8, "DECODE_ERROR"))
    assert (found.counted, found.counting) == (bool(counting), tuple(counting))
    assert len(found.waiting) == 2
    if not counting:
        found.check()
        return
    with pytest.raises(ConfigurationError, match="1 of the records were refused by one table") as raised:
        found.check()
    assert raised.value.exit_code == EXIT_USAGE
    assert ", ".join(counting) in str(raised.value)
    assert "--count-twice" in str(raised.value)


def test_contract_without_aggregations_counts_nothing_twice() -> None:
    assert plan(letter(0, 7, "REFUSED:plain.postgres"), with_sums=False).counted == 0


def test_only_records_that_are_put_back_count() -> None:
    before = letter(0, 7, "REFUSED:postgres", Place("orders", 0, 99))
    assert plan(before).counted == 0
    assert plan(before, again=True).counted == 1
