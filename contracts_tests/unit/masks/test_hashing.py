"""The hash of a value, and the note which key made the hashes of a table."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.masks.hashing import Key
from avro_data_contracts.contracts.masks.values import year
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec
from avro_data_contracts.streaming.sinks import keyed

SECRET = "0123456789abcdef0123456789abcdef"
KEY, OTHER = Key(SECRET, "test"), Key("another key of 26 characters", "test")
TABLE = PostgresSpec(table="orders", primary_key=["id"])
BERLIN = dt.timezone(dt.timedelta(hours=2))

FORMS: list[tuple[Any, int, bytes]] = [
    ("é", 0, "é".encode()),
    ("", 0, b""),
    (b"\x00\xff", 0, b"\x00\xff"),
    (True, 0, b"true"),
    (False, 0, b"false"),
    (-7, 0, b"-7"),
    (2**63 - 1, 0, b"9223372036854775807"),
    (Decimal("12.50"), 2, b"12.50"),
    (Decimal("0E-10"), 10, b"0.0000000000"),
    (Decimal("-1E-18"), 18, b"-0.000000000000000001"),
    (Decimal("9" * 38), 0, b"9" * 38),
    (uuid.UUID("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"), 0, b"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
    (dt.date(1, 1, 1), 0, b"0001-01-01"),
    (dt.time(23, 59, 59, 999), 0, b"86399000999"),
    (dt.datetime(1970, 1, 1, 2, 0, 0, 1, BERLIN), 0, b"1"),
    (dt.datetime(1969, 12, 31, 23, 59, 59), 0, b"-1000000"),
]


@pytest.mark.parametrize(("value", "scale", "form"), FORMS, ids=lambda one: repr(one)[:40])
def test_hash_is_the_hmac_of_the_one_form_of_a_value(value, scale, form) -> None:
    assert KEY.of(value, scale) == hmac.new(SECRET.encode(), form, hashlib.sha256).hexdigest()


def test_null_has_no_hash() -> None:
    assert KEY.of(None) is None


@given(st.text())
def test_same_value_has_the_same_hash_only_with_the_same_key(text: str) -> None:
    assert KEY.of(text) == Key(SECRET, "elsewhere").of(text) != OTHER.of(text)


def test_id_tells_keys_apart_and_no_key() -> None:
    assert (len(KEY.id), KEY.id == OTHER.id) == (8, False)
    for said in (repr(KEY), str(KEY), f"{vars(KEY).keys()}"):
        assert SECRET not in said


@pytest.mark.parametrize("text", ["", "short", "x" * 15])
def test_key_that_is_missing_or_weak_is_refused_and_not_told(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Key(text, "schemas/orders/contract.yaml (masks)")
    assert "MASK_KEY" in refused.value.what
    assert "openssl rand -hex 32" in refused.value.fix
    assert not text or text not in str(refused.value)


def test_year_is_that_of_utc() -> None:
    assert year(dt.date(1999, 12, 31)) == 1999
    assert year(dt.datetime(2000, 1, 1, 1, tzinfo=BERLIN)) == 1999
    assert year(dt.datetime(2000, 1, 1)) == 2000
    assert [year(one) for one in (-(2**63), -1, 0, 2**63 - 1)] == [1677, 1969, 1970, 2262]


@given(st.text(alphabet=st.characters(exclude_characters="[]")))
def test_note_of_the_key_leaves_the_rest_of_a_comment(comment: str) -> None:
    noted = keyed.with_note(comment, KEY)
    assert keyed.noted(noted) == KEY.id
    assert keyed.with_note(noted, None) == comment
    assert keyed.noted(keyed.with_note(noted, OTHER)) == OTHER.id


def test_table_of_another_key_stops_with_the_rewrite() -> None:
    noted = keyed.to_note("of the shop", KEY, TABLE)
    assert noted is not None
    assert keyed.to_note(noted, KEY, TABLE) is None
    assert keyed.to_note(noted, None, TABLE) is None
    with pytest.raises(ConfigurationError) as stopped:
        keyed.to_note(noted, OTHER, TABLE)
    assert KEY.id in stopped.value.what
    assert OTHER.id in stopped.value.what
    assert "python -m streaming rewrite" in stopped.value.fix
    assert stopped.value.exit_code == 2
