"""Samples reach both stores; what is made to be refused is refused for that reason by producer and stream."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession

from avro_data_contracts.contracts import sample
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from avro_data_contracts.contracts.sample.chance import Chance
from avro_data_contracts.contracts.sample.invalid import Invalid
from avro_data_contracts.contracts.sample.messages import Message, WrittenWith, body
from avro_data_contracts.contracts.sample.versions import of as versions_of
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.publish import Publisher, RejectedRecord
from avro_data_contracts.producers.raw import Raw
from avro_data_contracts.producers.sources.sample.refused import RefusedSource
from avro_data_contracts.producers.sources.source import Request
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.pipeline import Pipeline, made

RECORDS = 300
OF_PRODUCER = ("INVALID_RECORD", "TOO_LARGE")
#: This form of a rule's reason is refused by the producer, and by the stream if another producer sends it.
OF_BOTH = "RULE:"


@pytest.fixture
def ruled(settings_of_stack: Settings, spark: SparkSession, tmp_path: Path) -> Pipeline:
    """A pipeline with the rules of users_created, whose topic accepts every timestamp."""
    pipeline = made(settings_of_stack, spark, tmp_path)
    file = pipeline.folder / "contract.yaml"
    contract = yaml.safe_load(file.read_text())
    contract["rules"] = yaml.safe_load((CLONE / "schemas" / "users_created" / "contract.yaml").read_text())["rules"]
    contract["kafka"]["config"]["message.timestamp.after.max.ms"] = str(2**63 - 1)
    file.write_text(yaml.safe_dump(contract))
    pipeline.register()
    return pipeline


def id_of(pipeline: Pipeline, written_with: WrittenWith) -> int:
    """The id of a schema, which is registered first if it has a text of its own."""
    registry = pipeline.registry
    if written_with.text:
        registry.set_level(written_with.subject, "NONE")
        return registry.register(written_with.subject, written_with.text)
    subject = next(one for one in pipeline.contract.subjects if one.name == written_with.subject)
    found = Snapshot(registry).find(subject)
    assert found is not None
    return found.schema_id


def send(pipeline: Pipeline, message: Message) -> None:
    told = {"timestamp": message.timestamp} if message.timestamp is not None else {}
    value = message.framed(lambda one: id_of(pipeline, one))
    pipeline.send({"value": value, "headers": list(message.headers), **told})


def test_samples_are_stored_and_refusals_have_their_reason(ruled: Pipeline) -> None:
    contract = ruled.contract
    publisher = Publisher(contract, ruled.settings)
    publisher.open()
    records = list(itertools.islice(sample.records(contract, 3), RECORDS))
    for one in records:
        publisher.send(one)

    invalid, chance = Invalid(contract), Chance(3)
    # The one schema that no contract registers.
    odd = invalid.of("INCOMPATIBLE_SCHEMA", chance).message
    assert odd is not None
    assert odd.written_with is not None
    id_of(ruled, odd.written_with)
    source = RefusedSource(contract, ruled.settings, "all")
    seen: list[str] = []
    expected: Counter[str] = Counter()
    own = WrittenWith(contract.value.name)
    for item in source.items(Request("3")):
        reason = source.position.rpartition(", ")[2]
        seen.append(reason)
        if isinstance(item.outcome, Raw):
            publisher.send_raw(item.outcome)
            expected[reason] += 1
            continue
        with pytest.raises(RejectedRecord) as caught:
            publisher.send(item.outcome)  # type: ignore[arg-type]
        assert caught.value.reason == reason
        if reason.startswith(OF_BOTH):
            send(ruled, Message(body(contract.value.schema, item.outcome), own))
            expected[reason] += 1
    assert seen == list(invalid.reasons)
    publisher.flush()
    raw = sum(expected.values()) - sum(reason.startswith(OF_BOTH) for reason in expected)
    assert publisher.produced == RECORDS + raw

    ruled.stream()

    ids = {one["id"] for one in records}
    assert ruled.cassandra_rows().keys() == ids
    assert ruled.postgres_rows().keys() == ids
    outcome = reconcile(ruled.settings, ruled.contract)
    assert outcome.in_order(), outcome
    assert outcome.dead_lettered == dict(expected)
    assert expected.keys() == {*invalid.reasons} - {*OF_PRODUCER}


def test_registered_versions_have_their_own_records(ruled: Pipeline) -> None:
    first = ruled.contract
    ruled.evolve(lambda schema: schema["fields"].append({"name": "note", "type": "string", "default": "?"}))
    catalog = loading.load(ruled.settings.contracts_dir)
    found = versions_of("all", ruled.contract, catalog, ruled.settings)

    assert [one.label for one in found] == ["1", "2"]
    old, new = (next(sample.records(one.contract, 1)) for one in found)
    assert old.keys() == first.value.record.by_name.keys()
    assert new.keys() == {*old, "note"}
    [latest] = versions_of("latest", ruled.contract, catalog, ruled.settings)
    assert latest.label == "2"
