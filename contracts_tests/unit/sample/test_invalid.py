"""What is made to be refused is refused for exactly that reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import MISSING
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.compat.resolution import differences
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality.judge import Judge
from avro_data_contracts.contracts.sample import plain
from avro_data_contracts.contracts.sample.chance import Chance
from avro_data_contracts.contracts.sample.invalid import Invalid, Refusal
from avro_data_contracts.contracts.sample.messages import WrittenWith
from avro_data_contracts.contracts.values.scalars import Misfit
from avro_data_contracts.streaming.decode import framing
from avro_data_contracts.streaming.decode.reasons import Reason
from contracts_tests.fixtures import examples, ruled
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.sampled import attempted, contract_of, written

CONTRACTS = loading.load(CLONE / "schemas").contracts
LIMIT = 1_000_000  # message.max.bytes of Kafka's clients


def verdict(contract: Contract, record: Any) -> str:
    """The reason for which the producer refuses the record; empty if it sends it."""
    try:
        body = written(contract, record)
    except Misfit:
        return "INVALID_RECORD"
    broken = Judge(contract.rules).first_broken(record)
    if broken is not None:
        return broken.reason
    return "TOO_LARGE" if len(body) > LIMIT else ""


def checked(contract: Contract, refusal: Refusal) -> None:
    assert refusal.as_json()["reason"] == refusal.reason
    json.dumps(refusal.as_json(), allow_nan=False)
    if refusal.message is None:
        assert verdict(contract, refusal.record) == refusal.reason
        if refusal.reason == "INVALID_RECORD":
            assert not plain.takes(contract.value.schema, contract.value.schema.root, refusal.shown)
        else:
            assert refusal.shown == plain.of(contract.value.schema, refusal.record)
    else:
        assert refusal.record is MISSING


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_our_contracts_show_every_reason(name: str) -> None:
    contract = CONTRACTS[name]
    invalid = Invalid(contract)
    assert {*Reason} <= {*invalid.reasons}
    assert {rule.reason for rule in contract.rules} <= {*invalid.reasons}
    for reason in invalid.reasons:
        for number in range(3 if reason == "TOO_LARGE" else examples.of(50)):
            checked(contract, invalid.of(reason, Chance(number)))


@settings(max_examples=examples.of(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(ruled.contracts(), st.integers(0, 2**32))
def test_invented_contracts_refuse_for_that_reason(contract: Contract, seed: int) -> None:
    invalid, chance = Invalid(contract), Chance(seed)
    for reason in invalid.reasons:
        if reason == "TOO_LARGE":
            continue
        made, fix = attempted(lambda reason=reason: invalid.of(reason, chance))
        if made is None:
            assert fix
        else:
            checked(contract, made)


def test_messages_are_what_their_reason_says() -> None:
    contract = CONTRACTS["orders_placed"]
    invalid, chance = Invalid(contract), Chance(1)

    def message(reason: str) -> Any:
        return invalid.of(reason, chance).message

    assert message("NULL_VALUE").value is None
    assert len(message("TOO_SHORT").value) < framing.BYTES
    bad = message("BAD_MAGIC").value
    assert len(bad) >= framing.BYTES
    assert json.loads(bad).keys() == contract.value.record.by_name.keys()
    for reason, names_schema in (("BAD_SCHEMA_ID_HEADER", False), ("NO_GUID_ENDPOINT", True)):
        one = message(reason)
        key, _ = framing.parted(one.value, one.headers, framing.VALUE_HEADER)
        assert isinstance(key, str) is names_schema
    key, _ = framing.parted(message("UNKNOWN_SCHEMA_ID").value, None, framing.VALUE_HEADER)
    assert key == 2**31 - 1
    wrong = message("WRONG_SUBJECT")
    assert wrong.written_with == WrittenWith("orders_placed-key")
    assert wrong.framed(lambda _: 7) == framing.of(7) + wrong.value
    incompatible = message("INCOMPATIBLE_SCHEMA").written_with
    assert incompatible.subject == contract.value.name
    assert differences(contract.value.schema, parsing.parse(incompatible.text))
    assert message("TIMESTAMP_OUT_OF_RANGE").timestamp > 2**63 // 1000


def test_rule_that_nothing_breaks_is_reported() -> None:
    contract = contract_of({"a": "string"}, {"field": "a", "min_length": 0})
    with pytest.raises(ConfigurationError, match="no record was found that breaks the rule r0"):
        Invalid(contract).of("RULE:r0", Chance(0))


def test_reason_that_a_contract_cannot_show_is_reported() -> None:
    contract = contract_of({"a": ["null", "int"]})
    for reason, why in (("TOO_LARGE", "no text"), ("WRONG_SUBJECT", "no key"), ("REFUSED:postgres", "store")):
        with pytest.raises(ConfigurationError, match=why) as caught:
            Invalid(contract).of(reason, Chance(0))
        assert caught.value.fix
