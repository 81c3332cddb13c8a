"""Aggregations over `FROM contract.latest` on real servers: tables are those of the SQL over the newest events."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.streaming.inspection.status import Observer
from avro_data_contracts.streaming.inspection.view_tables import ViewTables
from avro_data_contracts.streaming.rebuild import rebuild
from avro_data_contracts.streaming.rewrite import rewrite
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.run.families import Families
from avro_data_contracts.streaming.run.metrics import Metrics
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures import processes
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.refreshed_rows import add_fields, add_refreshed, as_batch, events, in_postgres, stored
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user

GENDER = ("gender",)


def key_id(pipeline: Pipeline) -> int:
    known = pipeline.registry.version(pipeline.contract.key.name)
    assert known is not None
    return known.schema_id


def in_stores(rows: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Rows of Spark as a store has them: a time is a time, and not milliseconds."""
    return {key: {**row, "opens": row["opens"] * 1000} for key, row in rows.items()}


def unlike(found: dict[str, dict[Any, dict[str, Any]]], wanted: dict[Any, dict[str, Any]]) -> dict[Any, Any]:
    """Store and key of each row that is not as it should be -> the values that differ, or the whole row."""
    return {
        (store, key): {name: (has, wants[name]) for name, has in row.items() if has != wants[name]}
        if (row := rows.get(key)) is not None and (wants := wanted.get(key)) is not None
        else (rows.get(key), wanted.get(key))
        for store, rows in found.items()
        for key in rows.keys() | wanted.keys()
        if rows.get(key) != wanted.get(key)
    }


def test_tables_are_those_of_the_sql_over_the_newest_events(pipeline: Pipeline) -> None:
    earlier = pipeline.register()
    # Their rows are there before the fields are, and have null in these columns.
    old = [user(1, id=str(uuid.UUID(int=900 + n)), gender="MALE", email=f"{n}@example.com") for n in range(5)]
    pipeline.send(*({"value": pipeline.encode(earlier, one), "timestamp": 1_500_000_000_000} for one in old))
    pipeline.stream()
    schema_id = add_fields(pipeline)
    table = add_refreshed(pipeline)
    seen = set()
    for seed in range(3):
        pipeline.send(*events(pipeline, schema_id, key_id(pipeline), 80, seed))
        pipeline.stream()
        wanted = in_stores(as_batch(pipeline))
        assert len(wanted) > 3
        assert unlike(stored(pipeline, table), wanted) == {}
        seen |= wanted.keys()
    # Groups of which the last row has gone, to other groups or for good, are gone too.
    pipeline.send(
        *(
            {"key": pipeline.encode(key_id(pipeline), {"id": str(uuid.UUID(int=2 + n))}), "value": None}
            for n in range(29)
        )
    )
    pipeline.stream()
    wanted = in_stores(as_batch(pipeline))
    assert len(wanted) < len(seen)
    assert unlike(stored(pipeline, table), wanted) == {}
    # What reconcile computes is what is there; a row that somebody changed, removed or added is named.
    assert [(one.view, one.rows, one.unlike) for one in reconciled(pipeline)] == [("v", len(wanted), {})] * 2
    with postgres.connect(pipeline.settings) as connection:
        connection.execute(f"UPDATE {table} SET n = n + 1")
    with cassandra.connect(pipeline.settings) as session:
        (first, *_) = wanted
        session.execute(f"DELETE FROM spark_streams.{table} WHERE country = %s AND day = %s", list(first))
        session.execute(
            f"INSERT INTO spark_streams.{table} (country, day, n, kafka_events) VALUES ('XX', '2021-01-01', 1, 1)"
        )
    assert {one.store: (one.unlike, one.columns) for one in reconciled(pipeline)} == {
        "postgres": ({"differs": len(wanted)}, {"n": len(wanted)}),
        "cassandra": ({"missing": 1, "unknown": 1}, {}),
    }
    # The next refresh makes it right.
    pipeline.stream()
    assert unlike(stored(pipeline, table), wanted) == {}
    # The tables are emptied with those of the contract, and filled again.
    assert len(rewrite(pipeline.settings, pipeline.contract, accept_loss=False).computed) == 2
    assert stored(pipeline, table) == {"postgres": {}, "cassandra": {}}
    pipeline.stream()
    assert unlike(stored(pipeline, table), wanted) == {}


def reconciled(pipeline: Pipeline) -> list[Any]:
    tables = ViewTables(pipeline.spark, pipeline.settings, pipeline.contract)
    found = list(tables.compare())
    assert tables.left_out == {}
    return found


class Streamed:
    """A stream in a thread, until the end of a `with` block."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.families = Families()
        self.stopping = threading.Event()
        self.error: BaseException | None = None
        self._pipeline = pipeline
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        contract, settings = self._pipeline.contract, self._pipeline.settings
        try:
            sinks = job.prepare(settings, contract)
            metrics = Metrics(contract, self.families)
            job.Job(self._pipeline.spark, settings, contract, sinks, self.stopping, metrics).run(available_now=False)
        except BaseException as error:
            self.error = error

    def value(self, name: str, **labels: str) -> float:
        labels = {"contract": self._pipeline.contract.name, "sink": "v.postgres", **labels}
        return self.families.registry.get_sample_value(name, labels) or 0.0

    @property
    def as_of(self) -> float:
        return self.value("stream_view_refreshed_timestamp_seconds")

    @property
    def failed(self) -> float:
        return self.value("stream_attempts_failed_total", server="spark")


@contextmanager
def streaming(pipeline: Pipeline) -> Iterator[Streamed]:
    running = Streamed(pipeline)
    try:
        yield running
    finally:
        running.stopping.set()
        running.thread.join(60)
    assert not running.thread.is_alive()
    assert running.error is None


def until(fulfilled: Callable[[], bool], running: Streamed) -> None:
    ends = time.monotonic() + 60
    while not fulfilled():
        assert time.monotonic() < ends
        assert running.thread.is_alive()
        time.sleep(0.1)


def send(pipeline: Pipeline, schema_id: int, *users: dict[str, Any]) -> None:
    pipeline.send(*({"value": pipeline.encode(schema_id, one), "partition": 0} for one in users))


def test_stream_refreshes_at_the_interval_and_goes_on_where_the_sql_fails(lean: Pipeline) -> None:
    schema_id = lean.register()
    sql = "SELECT gender, sum(CAST(phone AS INT)) AS phones FROM {source}.latest GROUP BY gender"
    table = add_refreshed(lean, sql, stores=("postgres",), key=GENDER)

    def phones() -> dict[Any, int]:
        return {key: row["phones"] for key, row in in_postgres(lean, table, GENDER).items()}

    with streaming(lean) as running:
        send(lean, schema_id, user(1, gender="MALE", phone="1"), user(2, gender="FEMALE", phone="2"))
        until(lambda: running.as_of > 0, running)  # there is the table
        until(lambda: phones() == {("MALE",): 1, ("FEMALE",): 2}, running)
        # A refresh during a batch does not know what it has read, so one more reads the table.
        settled = running.as_of
        until(lambda: running.as_of > settled + 1, running)
        before, took = running.as_of, running.value("stream_view_refresh_seconds")
        # Nothing was written: the rows are those of now, and nothing is read.
        until(lambda: running.as_of > before + 1, running)
        assert running.value("stream_view_refresh_seconds") == took
        # Both users are of one group now, and for one of them the SQL fails: the table keeps its rows.
        send(lean, schema_id, user(2, gender="MALE", phone="none"), user(3, gender="MALE", phone="3"))
        until(lambda: running.failed >= 2, running)
        assert phones() == {("MALE",): 1, ("FEMALE",): 2}
        assert len(lean.postgres_rows()) == 3
        send(lean, schema_id, user(2, gender="MALE", phone="4"))
        until(lambda: phones() == {("MALE",): 8}, running)
        (own, refreshed) = status(lean)
        assert (own.every_s, own.refreshed) == (None, None)
        assert (refreshed.sink, refreshed.table, refreshed.every_s) == ("v.postgres", f"public.{table}", 1)
        assert refreshed.rows is not None
        assert refreshed.rows.number == 1
        assert refreshed.refreshed is not None
        assert time.time() - refreshed.refreshed < 60
        assert refreshed.lag is None
    # What fails is said by a run that ends, too; and a rebuild begins with an empty table.
    send(lean, schema_id, user(4, gender="MALE", phone="x"))
    with pytest.raises(ServiceError, match="CAST_INVALID_INPUT"):
        lean.stream()
    assert phones() == {("MALE",): 8}
    done = rebuild(lean.settings, lean.contract, "v", accept_loss=False)
    assert (done.tables, done.refreshed) == ((f"postgres public.{table}",), True)
    assert phones() == {}
    send(lean, schema_id, user(4, gender="MALE", phone="5"))
    lean.stream()
    assert phones() == {("MALE",): 13}
    # Another SQL needs no rebuild.
    other = sql.replace("sum(CAST(phone AS INT))", "CAST(max(CAST(phone AS INT)) AS BIGINT)")
    add_refreshed(lean, other, stores=("postgres",), key=GENDER)
    lean.stream()
    assert phones() == {("MALE",): 5}


def status(pipeline: Pipeline) -> tuple[Any, ...]:
    observer = Observer(pipeline.settings, loading.load(pipeline.settings.contracts_dir), pipeline.contract.name)
    try:
        (found,) = observer.look().contracts
    finally:
        observer.close()
    return found.sinks


def test_killed_stream_leaves_the_rows_of_the_sql(stack: RunningStack, pipeline: Pipeline, tmp_path: Path) -> None:
    schema_id = add_fields(pipeline)
    table = add_refreshed(pipeline)
    for kill in range(2):
        log = tmp_path / f"stream{kill}.log"
        with processes.running(stack, pipeline, log, STREAM_MAX_PER_BATCH="20", STREAM_INTERVAL="0.1"):
            pipeline.send(*events(pipeline, schema_id, key_id(pipeline), 150, kill))
            processes.wait_for(lambda: log.read_text().count("refreshed") > kill, log)  # noqa: B023
        assert "Traceback" not in log.read_text()
    pipeline.stream()
    wanted = in_stores(as_batch(pipeline))
    assert unlike(stored(pipeline, table), wanted) == {}
