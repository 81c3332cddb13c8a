"""`tombstones: delete` on real servers: a row's newest event decides in both stores whether the row exists."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.dlq import Dlq
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import headers, user

RECORD, TOMBSTONE = "record", "tombstone"
# Number of the row -> its events (kind and timestamp) by batch, the last batch last.
EVENTS = {
    0: [[(RECORD, 1000), (TOMBSTONE, 2000)], [], []],
    1: [[(RECORD, 1000)], [(TOMBSTONE, 2000)], []],
    2: [[(TOMBSTONE, 2000)], [(RECORD, 1000)], []],
    3: [[(TOMBSTONE, 1000)], [(RECORD, 2000)], []],
    4: [[(RECORD, 2000)], [(TOMBSTONE, 1000)], []],
    5: [[(TOMBSTONE, 2000), (RECORD, 1000)], [], []],
    6: [[(TOMBSTONE, 1000), (RECORD, 2000)], [], []],
    7: [[(RECORD, 5000)], [(TOMBSTONE, 5000)], []],
    8: [[(TOMBSTONE, 5000)], [(RECORD, 5000)], []],
    9: [[(RECORD, 5000)], [(TOMBSTONE, 5000)], [(RECORD, 5000)]],
    10: [[(TOMBSTONE, 5000)], [(RECORD, 5000)], [(TOMBSTONE, 5000)]],
    11: [[(RECORD, 1000)], [(TOMBSTONE, 3000)], [(RECORD, 2000), (TOMBSTONE, 1500)]],
    12: [[(TOMBSTONE, 9000)], [], [(RECORD, 8000)]],
    13: [[(RECORD, 1000)], [(TOMBSTONE, 2000), (RECORD, 3000)], [(TOMBSTONE, 2500)]],
    14: [[(TOMBSTONE, 2000), (TOMBSTONE, 1000)], [(TOMBSTONE, 4000), (TOMBSTONE, 3000)], [(RECORD, 3500)]],
}
# A row that fills the batches, so that all have as many records.
FILLER = 15
# Timestamps of the rows that exist in the end.
THERE = {3: 2000, 4: 2000, 6: 2000, 8: 5000, 9: 5000, 13: 3000}


@pytest.fixture
def deleting(pipeline: Pipeline) -> Pipeline:
    switch(pipeline)
    pipeline.register()
    return pipeline


def switch(pipeline: Pipeline) -> None:
    """Make the contract's tombstones delete rows."""
    file = pipeline.folder / "contract.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "tombstones": "delete"}, sort_keys=False))


def key_id(pipeline: Pipeline) -> int:
    found = pipeline.registry.version(pipeline.contract.key.name)
    assert found is not None
    return found.schema_id


def key(pipeline: Pipeline, number: int) -> bytes:
    return pipeline.encode(key_id(pipeline), {"id": user(number)["id"]})


def rows(pipeline: Pipeline) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the first names of the rows in both stores, by id."""
    return tuple(
        {one: row["first_name"] for one, row in found.items()}
        for found in (pipeline.cassandra_rows(), pipeline.postgres_rows())
    )


def test_newest_event_wins_within_and_across_batches_and_on_reread(deleting: Pipeline) -> None:
    schema_id = deleting.register()
    keys = {number: key(deleting, number) for number in (*EVENTS, FILLER)}
    sent = []
    most = max(sum(len(batches[batch]) for batches in EVENTS.values()) for batch in range(3))
    for batch in range(3):
        events = [(number, *one) for number, batches in EVENTS.items() for one in batches[batch]]
        events += [(FILLER, RECORD, 1000)] * (most - len(events))
        for number, kind, millis in events:
            value = deleting.encode(schema_id, user(number, first_name=f"{millis} in {batch}"))
            found = {"key": keys[number], "value": value if kind == RECORD else None, "partition": 0}
            sent.append({**found, "timestamp": 1_600_000_000_000 + millis})
    deleting.send(*sent)
    deleting.settings = deleting.settings.model_copy(update={"stream_max_per_batch": most})
    with capture_logs() as logs:
        deleting.stream()
    of_postgres = [line for line in logs if line["event"] == "batch written" and line["sink"] == "postgres"]
    assert [line["records"] for line in of_postgres] == [most] * 3

    in_cassandra, in_postgres = rows(deleting)

    assert in_cassandra == in_postgres
    there = {number: in_postgres.get(user(number)["id"], "").partition(" ")[0] for number in EVENTS}
    assert {number: int(millis) for number, millis in there.items() if millis} == THERE
    assert in_postgres[user(9)["id"]] == "5000 in 2"
    assert deleting.dead_letters() == []
    outcome = reconcile(deleting.settings, deleting.contract)
    assert outcome.in_order()
    for store in outcome.stores.values():
        deleted = len(EVENTS) - len(THERE)
        assert (store.keys, store.rows, store.deleted) == (len(EVENTS) + 1, len(THERE) + 1, deleted)

    deleting.settings = deleting.settings.model_copy(update={"stream_max_per_batch": 15})
    deleting.stream(afresh=True)

    assert rows(deleting) == (in_cassandra, in_postgres)
    assert reconcile(deleting.settings, deleting.contract) == outcome


def test_every_key_version_deletes_and_invalid_keys_are_dead_lettered(deleting: Pipeline) -> None:
    schema_id = deleting.register()
    first = key(deleting, 1)
    file = deleting.folder / "key.avsc"
    schema = json.loads(file.read_text())
    schema["fields"].insert(0, {"name": "region", "type": "string", "default": "?"})
    file.write_text(json.dumps(schema))
    deleting.register()
    second = deleting.encode(key_id(deleting), {"region": "north", "id": user(2)["id"]})
    assert first[:5] != second[:5]
    values = [deleting.encode(schema_id, user(number)) for number in (1, 2, 3)]
    deleting.send(*({"key": b"any", "value": value, "timestamp": 1_600_000_000_000} for value in values))
    good = [{"key": one, "value": None, "timestamp": 1_600_000_001_000} for one in (first, second)]
    bad = {
        ("NULL_VALUE", "VALUE_CONVERTER"): None,
        ("TOO_SHORT", "KEY_CONVERTER"): b"any",
        ("BAD_MAGIC", "KEY_CONVERTER"): b"\x01" + first[1:],
        ("UNKNOWN_SCHEMA_ID", "KEY_CONVERTER"): b"\x00\x7f\xff\xff\xff" + first[5:],
        ("WRONG_SUBJECT", "KEY_CONVERTER"): values[0],
        ("DECODE_ERROR", "KEY_CONVERTER"): first + b"\x00",
    }
    deleting.send(*good, *({"key": one, "value": None, "timestamp": 1_600_000_001_000} for one in bad.values()))

    deleting.stream()

    assert rows(deleting) == ({user(3)["id"]: "First 3"}, {user(3)["id"]: "First 3"})
    letters = {
        (headers(one)["contracts.reason"], headers(one)["__connect.errors.stage"]): one.key()
        for one in deleting.dead_letters()
    }
    assert letters == bad
    outcome = reconcile(deleting.settings, deleting.contract)
    assert outcome.in_order()
    assert outcome.dead_lettered == {reason: 1 for reason, _ in bad}

    with postgres.connect(deleting.settings) as connection:
        table = deleting.contract.spec.sinks.postgres.qualified
        connection.execute(f"UPDATE {table} SET id = %s", [user(1)["id"]])
    outcome = reconcile(deleting.settings, deleting.contract)
    assert not outcome.in_order()
    assert len(outcome.stores["postgres"].missing) == 2, "one row is missing and one reappeared"
    assert outcome.stores["cassandra"].missing == ()


def test_rejected_tombstones_delete_when_replayed_after_the_switch(lean: Pipeline, stack: RunningStack) -> None:
    schema_id = lean.register()
    dlq = Dlq(lean, stack.exports)
    millis = 1_600_000_000_000
    for number in (1, 2):
        value = lean.encode(schema_id, user(number))
        lean.send({"key": key(lean, number), "value": value, "timestamp": millis})
        lean.send({"key": key(lean, number), "value": None, "timestamp": millis + number})
    lean.send({"key": key(lean, 2), "value": lean.encode(schema_id, user(2)), "timestamp": millis + 3})
    lean.stream()
    assert len(lean.postgres_rows()) == 2
    assert dlq.reasons() == {"NULL_VALUE": (2, 0, 0, 2)}

    switch(lean)
    assert len(dlq.json("replay", "--reason", "NULL_VALUE")["put_back"]) == 2
    lean.stream()

    assert {one: row["first_name"] for one, row in lean.postgres_rows().items()} == {user(2)["id"]: "First 2"}
    assert reconcile(lean.settings, lean.contract).in_order()
    assert "rows that a tombstone deleted" in dlq.run("reconcile")
