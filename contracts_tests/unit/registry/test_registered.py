"""Registered schemas: which versions the registry compares, and how metadata is summarised."""

from __future__ import annotations

from typing import Any

import pytest

from avro_data_contracts.contracts.registry.registered import RegisteredSchema, comparable, metadata_in_words


def version(number: int, metadata: dict[str, Any]) -> RegisteredSchema:
    return RegisteredSchema(number, '"string"', version=number, metadata=metadata)


@pytest.mark.parametrize(
    ("majors", "group", "compared"),
    [
        ([], "major", []),
        (["1", "1", "2"], "", [1, 2, 3]),
        (["1", "1", "2"], "major", [3]),
        (["1", "2", "1"], "major", [1, 3]),
        (["1", None, None], "major", [2, 3]),
        (["1", "2", "1"], "other", [1, 2, 3]),
        (["1", 1, True], "major", [3]),
    ],
)
def test_only_versions_in_the_group_of_the_newest_are_compared(
    majors: list[Any], group: str, compared: list[int]
) -> None:
    versions = [
        version(number, {} if major is None else {"properties": {"major": major}})
        for number, major in enumerate(majors, 1)
    ]
    assert [one.version for one in comparable(versions, group)] == compared


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, ""),
        ({"properties": {}, "tags": None, "sensitive": []}, ""),
        ({"properties": {"b": "secret", "a": "secret"}}, "properties a, b"),
        ({"tags": {"**.id": ["PII"]}, "sensitive": ["b"], "properties": None}, "sensitive b; tags **.id"),
    ],
)
def test_metadata_summary_omits_the_values(metadata: dict[str, Any], words: str) -> None:
    assert metadata_in_words(metadata) == words
