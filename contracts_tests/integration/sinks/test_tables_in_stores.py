"""The statements of `contracts.tables.layout` and `contracts.check.impact`, executed by the real stores."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession
from structlog.testing import capture_logs

from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.pipeline import Pipeline, unregistered
from contracts_tests.fixtures.users import reasons


@pytest.fixture
def pipeline(settings_of_stack: Settings, spark: SparkSession, tmp_path: Path) -> Pipeline:
    """A pipeline whose contract each test replaces."""
    return unregistered(settings_of_stack, spark, tmp_path)


def written(pipeline: Pipeline, sinks: dict[str, Any], fields: dict[str, Any]) -> None:
    """Replace the pipeline's contract with one that has these fields, `id` first, and its own topic."""
    name = pipeline.folder.name
    spec = {"topic": f"{name}-own", "owner": "test", "compatibility": "BACKWARD", "key": "key.avsc", "sinks": sinks}
    spec["kafka"] = {"config": {"retention.ms": "-1"}}
    (pipeline.folder / "contract.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    key = {"type": "record", "name": f"{name}_key", "fields": [{"name": "id", "type": "string"}]}
    (pipeline.folder / "key.avsc").write_text(json.dumps(key))
    value = {"type": "record", "name": name, "fields": [{"name": one, "type": kind} for one, kind in fields.items()]}
    (pipeline.folder / "value.avsc").write_text(json.dumps(value))


def decimal(precision: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": 2}


def test_reserved_words_work_as_table_names_in_both_stores(pipeline: Pipeline) -> None:
    # The tables already exist if the servers have run this test before; its keys are unique.
    one, other = f"{pipeline.folder.name}_1", f"{pipeline.folder.name}_2"
    sinks = {
        "cassandra": {"keyspace": "spark_streams", "table": "user", "primary_key": ["id"]},
        "postgres": {"schema": "order", "table": "user", "primary_key": ["id"]},
    }
    written(pipeline, sinks, {"id": "string", "select": "int"})
    first = pipeline.register()
    pipeline.send({"value": pipeline.encode(first, {"id": one, "select": 1}), "key": one})
    pipeline.stream()
    written(pipeline, sinks, {"id": "string", "select": ["null", "int"]})
    second = pipeline.register()
    pipeline.send({"value": pipeline.encode(second, {"id": other, "select": None}), "key": other})
    pipeline.stream()

    for rows in (pipeline.cassandra_rows(), pipeline.postgres_rows()):
        assert (rows[one]["select"], rows[other]["select"]) == (1, None)
    outcome = reconcile(pipeline.settings, pipeline.contract)
    assert outcome.in_order()
    assert {store: found.rows for store, found in outcome.stores.items()} == {"cassandra": 2, "postgres": 2}


def test_postgres_widens_numeric_columns_including_the_primary_key(pipeline: Pipeline) -> None:
    sinks = {"postgres": {"table": pipeline.folder.name, "primary_key": ["id"]}}
    narrow, wide = {"id": "int", "total": decimal(4)}, {"id": "int", "total": decimal(9)}
    written(pipeline, sinks, narrow)
    first = pipeline.register()
    pipeline.send({"value": pipeline.encode(first, {"id": 1, "total": Decimal("12.34")}), "key": "1"})
    pipeline.stream()

    # The producer has the wider decimal before the stream does; DECIMAL_WIDENED describes the effect.
    written(pipeline, sinks, wide)
    second = pipeline.register()
    written(pipeline, sinks, narrow)
    pipeline.send({"value": pipeline.encode(second, {"id": 2, "total": Decimal("12345.67")}), "key": "2"})
    pipeline.send({"value": pipeline.encode(second, {"id": 3, "total": Decimal("3.00")}), "key": "3"})
    pipeline.stream()
    assert reasons(pipeline) == ["DECODE_ERROR"]

    written(pipeline, sinks, {**wide, "id": "long"})
    third = pipeline.register()
    pipeline.send({"value": pipeline.encode(third, {"id": 1, "total": Decimal("99999.99")}), "key": "1"})
    pipeline.send({"value": pipeline.encode(third, {"id": 2**40, "total": Decimal("0.01")}), "key": "4"})
    pipeline.stream()
    told = {key: row["total"] for key, row in pipeline.postgres_rows().items()}
    assert told == {"1": Decimal("99999.99"), "3": Decimal("3.00"), str(2**40): Decimal("0.01")}
    assert reconcile(pipeline.settings, pipeline.contract).in_order()


def test_alteration_names_its_obstacles_and_is_logged_only_when_done(pipeline: Pipeline) -> None:
    name = pipeline.folder.name
    sinks = {
        "cassandra": {"keyspace": "spark_streams", "table": name, "primary_key": ["id"]},
        "postgres": {"table": name, "primary_key": ["id"]},
    }
    narrow = {"id": "string", "count": "int"}
    written(pipeline, sinks, narrow)
    pipeline.register()
    job.prepare(pipeline.settings, pipeline.contract)
    obstacles = {
        f"view {name}_seen": f"CREATE VIEW {name}_seen AS SELECT id, count FROM {name}",
        f"view {name}_doubled": f"CREATE VIEW {name}_doubled AS SELECT count * 2 AS twice FROM {name}_seen",
        f"materialized view {name}_kept": f"CREATE MATERIALIZED VIEW {name}_kept AS SELECT count FROM {name}",
        f"rule {name}_quiet on table {name}": f"CREATE RULE {name}_quiet AS ON UPDATE TO {name}"
        " WHERE new.count < 0 DO INSTEAD NOTHING",
    }
    # None of these blocks the change.
    harmless = (
        f"CREATE VIEW {name}_ids AS SELECT id FROM {name}",
        f"CREATE INDEX {name}_counts ON {name} (count) WHERE count > 0",
        f"ALTER TABLE {name} ADD CHECK (count < 1000)",
    )
    with postgres.connect(pipeline.settings) as connection:
        for statement in (*obstacles.values(), *harmless):
            connection.execute(statement)

    # `note` could be added, but the log mentions it only once the whole change is done.
    written(pipeline, {"postgres": sinks["postgres"]}, {**narrow, "count": "long", "note": ["null", "string"]})
    with capture_logs() as logs, pytest.raises(Refused) as caught:
        job.prepare(pipeline.settings, pipeline.contract)
    assert [line for line in logs if line["event"] == "table altered"] == []
    for obstacle in obstacles:
        assert obstacle in caught.value.what
    for word in ("_ids", "_counts", "check"):
        assert f"{name}{word}" not in caught.value.what
    assert caught.value.server == "postgres"
    with postgres.connect(pipeline.settings) as connection:
        assert [column.name for column in connection.execute(f"SELECT * FROM {name}").description][:2] == [
            "id",
            "count",
        ]
        for statement in (
            f"DROP VIEW {name}_doubled",
            f"DROP VIEW {name}_seen",
            f"DROP MATERIALIZED VIEW {name}_kept",
            f"DROP RULE {name}_quiet ON {name}",
        ):
            connection.execute(statement)
    with capture_logs() as logs:
        job.prepare(pipeline.settings, pipeline.contract)
    assert [line["statement"] for line in logs if line["event"] == "table altered"] == [
        f'ALTER TABLE "public"."{name}" ALTER COLUMN "count" TYPE bigint',
        f'ALTER TABLE "public"."{name}" ADD COLUMN IF NOT EXISTS "note" text',
    ]


def test_cassandra_alteration_is_logged_only_after_it_succeeds(pipeline: Pipeline) -> None:
    name = pipeline.folder.name
    sinks = {"cassandra": {"keyspace": "spark_streams", "table": name, "primary_key": ["id"]}}
    written(pipeline, sinks, {"id": "string"})
    pipeline.register()
    job.prepare(pipeline.settings, pipeline.contract)
    with cassandra.connect(pipeline.settings) as session:
        # Cassandra refuses the name of a dropped column for another type.
        session.execute(f'ALTER TABLE "spark_streams"."{name}" ADD b int')
        session.execute(f'ALTER TABLE "spark_streams"."{name}" DROP b')
    written(pipeline, sinks, {"id": "string", "a": ["null", "string"], "b": ["null", "string"]})
    with capture_logs() as logs, pytest.raises(ServiceError):
        job.prepare(pipeline.settings, pipeline.contract)
    told = [line["statement"] for line in logs if line["event"] == "table altered"]
    assert told == [f'ALTER TABLE "spark_streams"."{name}" ADD IF NOT EXISTS "a" text']
