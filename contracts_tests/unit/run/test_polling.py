"""How often queries that wait for records look for them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.streaming.run import polling


def test_few_queries_look_often_and_many_rarely() -> None:
    found = {queries: polling.delay_ms(queries) for queries in (1, 2, 8, 20, 40, 1000)}
    assert found == {1: 200, 2: 200, 8: 200, 20: 400, 40: 800, 1000: 2000}


@given(st.integers(1, 5000))
def test_looks_of_all_queries_have_a_limit(queries: int) -> None:
    delay = polling.delay_ms(queries)
    assert polling.LEAST_MS <= delay <= polling.MOST_MS
    assert queries / delay <= max(0.05, queries / polling.MOST_MS)
    assert polling.delay_ms(queries + 1) >= delay
