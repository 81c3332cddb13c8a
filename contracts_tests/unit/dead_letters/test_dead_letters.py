"""Dead letters: removing exactly the headers that the stream added, positions, and time filters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.catalog import dead_letter
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.streaming.dead_letters.command import Wanted
from avro_data_contracts.streaming.dead_letters.letters import Place

ADDED = [(name, b"told") for name in dead_letter.ADDED]
LEFT_OUT = [(dead_letter.LEFT_OUT, b"7")]
NAMES = st.sampled_from([*dead_letter.ADDED, dead_letter.LEFT_OUT, *dead_letter.RECEIPT, "trace", ""])
OWN = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=3)), max_size=12)


@given(OWN, st.sampled_from([ADDED, ADDED + LEFT_OUT]))
def test_own_returns_the_headers_the_record_had_before(own: list[dead_letter.Header], added: list) -> None:
    assert dead_letter.own([*own, *added]) == own


@pytest.mark.parametrize("headers", [[], ADDED[:-1], ADDED[1:], ADDED[::-1], [*ADDED, ("trace", b"")], LEFT_OUT])
def test_own_returns_none_without_the_headers_of_the_stream(headers: list[dead_letter.Header]) -> None:
    assert dead_letter.own(headers) is None


@given(st.from_regex(r"[a-zA-Z0-9._-]{1,20}", fullmatch=True), st.integers(0, 2**31), st.integers(0, 2**62))
def test_place_survives_a_round_trip_through_text(topic: str, partition: int, offset: int) -> None:
    place = Place(topic, partition, offset)
    assert Place.parse(str(place)) == place


def test_times_default_to_utc_and_invalid_times_are_refused() -> None:
    wanted = Wanted.of(None, "2020-09-13T12:26:40", "2020-09-13T14:26:40+02:00", None)
    assert (wanted.since, wanted.until) == (1_600_000_000_000, 1_600_000_000_000)
    with pytest.raises(ConfigurationError, match="is not a time"):
        Wanted.of(None, "noon", None, None)
