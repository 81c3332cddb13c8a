"""JSON as the registry's parser reads it, with the position of every key and value."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro.jsonpos import MAX_DEPTH, JsonError, dump, load


@pytest.mark.parametrize(
    ("text", "words", "line", "column"),
    [
        ("", "the text is empty", 1, 1),
        ("  \n ", "the text is empty", 2, 2),
        ('{"a":1,}', "a key in double quotes", 1, 8),
        ("[1,]", "a value was expected", 1, 4),
        ('{"a" 1}', "':' was expected", 1, 6),
        ('{"a": 1 "b": 2}', "',' or '}' was expected", 1, 9),
        ("[1 2]", "',' or ']' was expected", 1, 4),
        ("{a: 1}", "'a' is not JSON", 1, 2),
        ("{'a': 1}", "double quotes", 1, 2),
        ("[NaN]", "'NaN' is not JSON", 1, 2),
        ("[01]", "'01' is not JSON", 1, 2),
        ("[1.]", "'1.' is not JSON", 1, 2),
        ("[tru]", "'tru' is not JSON", 1, 2),
        ('{"a":\n"x', "a string that does not end", 2, 1),
        ('"a\tb"', "control character", 1, 1),
        ('{"a": [1,\n 2', "ends inside the array that begins in line 1", 2, 3),
        ('{"a": 1', "ends inside the object that begins in line 1", 1, 8),
        ('{"a": 1}\n x', "'x' is not JSON", 2, 2),
        ('{"a": 1} {}', "after the end of the schema", 1, 10),
        ('{"a": 1} // the end', "after the end of the schema", 1, 10),
        ("\ufeff{}", "byte order mark", 1, 1),
        ('{\r\n"a": 1,\r\n"b" 2}', "':' was expected", 3, 5),
        ("[" + "1" * 1001 + "]", "a number of more than 1000 characters", 1, 2),
        ("[0." + "1" * 1001 + "]", "a number of more than 1000 characters", 1, 2),
    ],
)
def test_load_reports_position_of_broken_json(text: str, words: str, line: int, column: int) -> None:
    with pytest.raises(JsonError) as broken:
        load(text)
    assert words in broken.value.what
    assert (broken.value.line, broken.value.column) == (line, column)


def test_load_refuses_more_than_1000_levels() -> None:
    deepest = load("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert len(dump(deepest.value)) == 2 * MAX_DEPTH
    with pytest.raises(JsonError, match="nested deeper than 1000 levels"):
        load("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_load_skips_comments_and_characters_that_java_trims() -> None:
    assert load('/* a */ {"a": // b\n [1, /* c */ 2]} \x00\x0b').value == {"a": [1, 2]}


def test_load_keeps_last_of_duplicate_keys_and_lists_them() -> None:
    document = load('{"a": 1,\n "b": {"c": 1, "c": 2},\n "a": 3}')
    assert document.value == {"a": 3, "b": {"c": 2}}
    assert [(one.key, one.line, one.column) for one in document.duplicates] == [("c", 2, 16), ("a", 3, 2)]
    assert document.position(((), "a")) == (3, 7)
    assert document.key_position(((), "a")) == (3, 2)
    assert load('{"a": {"a": 1}}').duplicates == ()


def test_missing_value_has_position_of_its_container() -> None:
    document = load('\n {"a": [1,\n  {"b": 2}]}')
    inside = ((((), "a"), 1), "b")
    assert document.position(inside) == (3, 9)
    assert document.position((inside, "c")) == (3, 9)
    assert document.position(((), "z")) == (2, 2)
    assert document.key_position((((), "a"), 0)) == (2, 9)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.sampled_from([None, 1]))
def test_slow_scan_agrees_with_fast_scan(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    document = load(text)
    # A comment makes the fast scan give up.
    slow = load("/**/" + text)
    assert repr(slow.value) == repr(document.value) == repr(value)
    assert document.position(()) == (1, 1)
    assert json.loads(dump(value)) == value


def test_dump_writes_infinity_and_nan_as_valid_json() -> None:
    assert json.loads(dump([math.inf, -math.inf, math.nan])) == [math.inf, -math.inf, "NaN"]


def test_dump_escapes_lone_surrogate() -> None:
    written = dump({"a": load('"\\ud83d"').value, "b": "\U0001f600"})
    assert written == '{"a":"\\ud83d","b":"\U0001f600"}'
    assert load(written).value["a"] == "\ud83d"
