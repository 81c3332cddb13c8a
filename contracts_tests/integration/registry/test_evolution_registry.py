"""The cases of contracts_tests/evolution against the embedded registry, which gives the expected verdict.

The verdicts are Confluent's, and the embedded registry is Apicurio. `DIFFERENCES` is the only place that lists where
the two differ, with the reason. The offline checker is the gate, and the registry is a second opinion.
"""

from __future__ import annotations

import uuid

import pytest

from avro_data_contracts.contracts.errors import Refused
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures.evolution import CASES, Case

COMPATIBLE, INCOMPATIBLE, INVALID = "compatible", "incompatible", "invalid"
FAILED, NO_HISTORY = "the comparison itself failed", "the history was refused"

#: Case -> the embedded registry's verdict, and the reason for the difference.
DIFFERENCES = {
    "field_alias_is_own_name": (COMPATIBLE, "its Avro does not match an alias with the field's own name"),
    "field_alias_is_own_name_unchanged": (COMPATIBLE, "like field_alias_is_own_name"),
    "field_alias_names_other_field": (FAILED, "an alias that matches two fields raises an exception"),
    "field_alias_matches_inside_union": (FAILED, "like field_alias_names_other_field"),
    "history_with_bad_default": (NO_HISTORY, "only Confluent's, up to 7.9, accepted such defaults"),
    "history_with_bad_namespace": (NO_HISTORY, "like history_with_bad_default, with namespaces"),
    "invalid_name_not_ascii": (INCOMPATIBLE, "it accepts letters of any script in names, so it compares"),
}
_BY_CODE = {409: INCOMPATIBLE, 40901: INCOMPATIBLE, 42201: INVALID}


def verdict(registry: Registry, case: Case) -> str:
    """Register the history at level NONE, then the new schema at the case's level; return the verdict."""
    subject = f"evolution_{uuid.uuid4().hex[:10]}"
    try:
        for text in case.previous:
            registry.register(subject, text)
            registry.set_level(subject, "NONE")
    except Refused as error:
        if error.code == 42201:
            return NO_HISTORY
        raise
    if case.previous:
        registry.set_level(subject, case.expected["level"])
    try:
        registry.register(subject, case.current)
    except Refused as error:
        return FAILED if "Could not execute compat" in error.what else _BY_CODE[error.code]
    return COMPATIBLE


@pytest.fixture(scope="module")
def registry(settings_of_stack: Settings) -> Registry:
    return Registry.from_settings(settings_of_stack)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_embedded_registry_gives_the_expected_verdict(registry: Registry, case: Case) -> None:
    expected, _ = DIFFERENCES.get(case.name, (case.expected["verdict"], ""))
    assert verdict(registry, case) == expected


def test_every_listed_difference_is_real_and_has_a_reason() -> None:
    by_name = {case.name: case.expected["verdict"] for case in CASES}
    for name, (instead, why) in DIFFERENCES.items():
        assert by_name[name] != instead
        assert why
