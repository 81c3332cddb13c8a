"""The longest time to live that a Cassandra cluster takes; an integration test asks the real server."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.streaming.stores.cassandra import expiry

NOW = 1_800_000_000


@given(st.integers(1, 2**32), st.sampled_from([expiry.LAST, expiry.LAST_OF_NEW]))
def test_refused_ttl_names_one_that_is_accepted(ttl: int, last: int) -> None:
    words = expiry.too_long(ttl, NOW, last)
    assert bool(words) is (NOW + ttl > last)
    for days in re.findall(r"at most (\d+)d", words):
        assert not expiry.too_long(int(days) * 86_400, NOW, last)
        assert expiry.too_long((int(days) + 1) * 86_400, NOW, last)
