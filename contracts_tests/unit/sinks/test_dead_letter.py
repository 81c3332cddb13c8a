"""The letter of a rejected record: its headers, its timestamp, and what is left of it with `payload: drop`."""

from __future__ import annotations

from pyspark.sql import Row

from avro_data_contracts.contracts.catalog import dead_letter as headers
from avro_data_contracts.streaming.sinks import dead_letter

ROW = Row(
    key=bytearray(b"key"), value=bytearray(b"value"), topic="orders", partition=1, offset=7,
    headers=[Row(key="own", value=bytearray(b"own"))], reason="BAD_MAGIC", detail="the first byte is not 0",
    millis=1_600_000_000_000,
)  # fmt: skip


def test_letter_has_the_record_and_its_time_in_a_header() -> None:
    letter = dead_letter._letter(ROW)
    assert (letter["key"], letter["value"]) == (b"key", b"value")
    assert "timestamp" not in letter  # so the client writes the time of the letter
    assert headers.own(letter["headers"]) == [("own", b"own")]
    assert headers.needed(letter["headers"]) == {headers.TIMESTAMP: ROW.millis}


def test_letter_without_payload_keeps_place_reason_and_sizes() -> None:
    letter = dead_letter._without_key(dead_letter._without_value(dead_letter._letter(ROW)))
    assert (letter["key"], letter["value"]) == (None, None)
    assert headers.own(letter["headers"]) == []
    needed = {headers.TIMESTAMP: ROW.millis, headers.LEFT_OUT: 5, headers.KEY_LEFT_OUT: 3}
    assert headers.needed(letter["headers"]) == needed
    told = dict(letter["headers"])
    assert (told[headers.PARTITION], told[headers.OFFSET], told[headers.REASON]) == (b"1", b"7", b"BAD_MAGIC")
