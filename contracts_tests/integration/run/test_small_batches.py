"""Small batches, which the stores' own drivers write: the same rows and dead letters as the usual way."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.run.small import SmallBatches
from avro_data_contracts.streaming.sinks.counts import Counts
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.complaints import complaints
from contracts_tests.fixtures.made_up import pipeline_of
from contracts_tests.fixtures.pipeline import Pipeline, comparable, made
from contracts_tests.fixtures.users import reasons, user

FIELDS = {"id": "string", "total": "long", "note": ["null", "string"]}
NOON = 1_735_732_800_000  # 2025-01-01 12:00 UTC


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The store of each small batch, and whether its driver wrote it."""
    seen: list[tuple[str, bool]] = []
    write = SmallBatches.write

    def spied(self: SmallBatches, batch: DataFrame) -> Counts | None:
        counts = write(self, batch)
        seen.append((self._sink.name, counts is not None))
        return counts

    monkeypatch.setattr(SmallBatches, "write", spied)
    return seen


def with_batches(pipeline: Pipeline, records: int, **changes: Any) -> Pipeline:
    update = {"stream_max_per_batch": records, **changes}
    pipeline.settings = pipeline.settings.model_copy(update=update)
    return pipeline


@pytest.fixture
def orders(settings_of_stack: Settings, spark: SparkSession, tmp_path: Path) -> Pipeline:
    pipeline = with_batches(pipeline_of(settings_of_stack, spark, tmp_path, FIELDS, ("id",)), 5)
    file = pipeline.folder / "contract.yaml"
    # Records of 2025, which retention by age would delete.
    file.write_text(f'{file.read_text()}kafka: {{partitions: 3, config: {{retention.ms: "-1"}}}}\n')
    return pipeline


def send(pipeline: Pipeline, *events: tuple[int, dict[str, Any] | bytes]) -> None:
    schema_id, records = pipeline.register(), []
    for millis, event in events:
        value = event if isinstance(event, bytes) else pipeline.encode(schema_id, event)
        key = b"" if isinstance(event, bytes) else event["id"].encode()
        records.append({"value": value, "key": key, "timestamp": NOON + millis})
    pipeline.send(*records)


def order(number: int, total: int, note: str | None = None) -> dict[str, Any]:
    return {"id": f"o{number}", "total": total, "note": note}


def stored(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """The rows of PostgreSQL, which are those of Cassandra."""
    cassandra_rows, postgres_rows = (
        {key: comparable(row) for key, row in rows.items()}
        for rows in (pipeline.cassandra_rows(), pipeline.postgres_rows())
    )
    assert cassandra_rows == postgres_rows
    return postgres_rows


def test_newest_event_wins_in_both_stores(orders: Pipeline, ways: list[tuple[str, bool]]) -> None:
    """Events of one key share milliseconds, come late, and in several batches; some records are broken."""
    chance, events = Random(20), list[tuple[int, dict[str, Any] | bytes]]()
    for serial in range(60):
        if chance.random() < 0.1:
            events.append((serial // 4, b"\0broken"))
            continue
        millis = serial // 4 - (20 if chance.random() < 0.2 else 0)
        events.append((millis, order(chance.randrange(8), serial, chance.choice((None, f"n {serial}")))))
    send(orders, *events)
    orders.stream()

    by_driver = [store for store, done in ways if done]
    assert {"cassandra", "postgres"} == set(by_driver)
    assert sum(not done for _, done in ways) <= 1, ways  # the first batch looks into the table
    assert len(ways) >= 10
    newest: dict[str, tuple[int, int]] = {}
    for serial, (millis, event) in enumerate(events):
        if not isinstance(event, bytes):
            # All events of a key are in one partition, in this order.
            newest[event["id"]] = max(newest.get(event["id"], (-1000, 0)), (millis, serial))
    assert {key: row["total"] for key, row in stored(orders).items()} == {
        key: one for key, (_, one) in newest.items()
    }
    assert len(reasons(orders)) == sum(isinstance(event, bytes) for _, event in events)
    assert reconcile(orders.settings, orders.contract).in_order()

    # The usual way, of all events again, changes nothing.
    before = stored(orders)
    with_batches(orders, 1000, stream_small_batch=0).stream(afresh=True)
    assert stored(orders) == before


def test_row_that_one_store_refuses_is_a_dead_letter(orders: Pipeline, ways: list[tuple[str, bool]]) -> None:
    orders.register()
    job.prepare(orders.settings, orders.contract)
    with postgres.connect(orders.settings) as connection:
        table = orders.contract.spec.sinks.postgres.quoted
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT few CHECK (total <> 13)")
    send(orders, *((number, order(number, number)) for number in range(20)))
    orders.stream()
    assert complaints(orders) == ["CheckViolation (23514), constraint few"]
    assert ("postgres", False) in ways
    assert ("postgres", True) in ways
    wanted = {f"o{number}": number for number in range(20)}
    assert {key: row["total"] for key, row in orders.cassandra_rows().items()} == wanted
    del wanted["o13"]
    assert {key: row["total"] for key, row in orders.postgres_rows().items()} == wanted


def test_new_schema_and_large_records_go_the_usual_way(orders: Pipeline, ways: list[tuple[str, bool]]) -> None:
    send(orders, *((number, order(number, number)) for number in range(10)))
    orders.evolve(lambda schema: schema["fields"].append({"name": "more", "type": "string", "default": "?"}))
    events = [(20 + number, {**order(20 + number, number), "more": f"m{number}"}) for number in range(5)]
    send(orders, *events, (40, {**order(40, 1, "large" * 2000), "more": ""}))
    orders.stream()
    assert ("cassandra", False) in ways
    rows = stored(orders)
    assert {key: row["more"] for key, row in rows.items() if row["kafka_timestamp"].second == 0} == {
        **{f"o{number}": "?" for number in range(10)},
        **{f"o{20 + number}": f"m{number}" for number in range(5)},
        "o40": "",
    }
    assert len(rows["o40"]["note"]) == 10_000


def test_events_are_kept_once_each_in_append_mode(orders: Pipeline, ways: list[tuple[str, bool]]) -> None:
    file = orders.folder / "contract.yaml"
    file.write_text(file.read_text().replace("primary_key:\n    - id\n", "mode: append\n"))
    send(orders, *((number // 3, order(number % 4, number)) for number in range(30)))
    orders.stream()
    assert ("cassandra", True) in ways
    orders.stream(afresh=True)
    tables = orders.contract.spec.sinks
    for connect, table in ((cassandra.connect, tables.cassandra), (postgres.connect, tables.postgres)):
        with connect(orders.settings) as connected:
            found = [total for (total,) in connected.execute(f"SELECT total FROM {table.quoted}")]
        assert sorted(found) == list(range(30))
    assert reconcile(orders.settings, orders.contract).in_order()


def test_each_way_stores_the_same_values(
    settings_of_stack: Settings, spark: SparkSession, tmp_path: Path, ways: list[tuple[str, bool]]
) -> None:
    found = []
    for name, small in (("usual", 0), ("drivers", 1000)):
        folder = tmp_path / name
        folder.mkdir()
        pipeline = with_batches(made(settings_of_stack, spark, folder), 4, stream_small_batch=small)
        schema_id = pipeline.register()
        users = [user(number, picture="x" * number, post_code=None) for number in range(20)]
        pipeline.send(*({"value": pipeline.encode(schema_id, one), "timestamp": NOON} for one in users))
        pipeline.stream()
        found.append(
            {
                key: {name: cell for name, cell in row.items() if not name.startswith("kafka_")}
                for key, row in stored(pipeline).items()
            }
        )
        assert {store for store, by_driver in ways if by_driver} == ({"cassandra", "postgres"} if small else set())
    assert found[0] == found[1]
    assert len(found[0]) == 20
