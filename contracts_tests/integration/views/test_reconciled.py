"""`python -m streaming reconcile` compares the tables of views with what their SQL makes of the topic."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures import processes
from contracts_tests.fixtures.grouped_rows import BEGIN, SQL, add_fields, add_groups, at, events
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import reasons
from contracts_tests.fixtures.view_rows import SQL as OF_EVENTS
from contracts_tests.fixtures.view_rows import add_view

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def pipeline(lean: Pipeline) -> Pipeline:
    """The tables of the views matter here, in both stores, and not the contract's own."""
    return lean


class Reconciled:
    """What `reconcile` says."""

    def __init__(self, stack: RunningStack, pipeline: Pipeline, code: int) -> None:
        done = processes.run(stack, pipeline, "reconcile", "--json")
        assert done.returncode == code, done.stdout + done.stderr
        found = json.loads(done.stdout)
        assert found["in_order"] == (code == 0)
        self.tables = {(one["view"], one["store"]): one for one in found["views"]}

    def unlike(self) -> dict[tuple[str, str], dict[str, int]]:
        return {name: one["unlike"] for name, one in self.tables.items() if one["unlike"]}

    def named(self, view: str, store: str) -> list[str]:
        return self.tables[view, store]["named"]


def test_each_row_that_differs_is_named(stack: RunningStack, pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    by_event, by_group = add_view(pipeline, OF_EVENTS), add_groups(pipeline, SQL, "g", "6 hours")
    pipeline.send(*events(pipeline, schema_id, 200, 1))
    pipeline.stream()
    pipeline.send(*events(pipeline, schema_id, 200, 2))
    waiting = Reconciled(stack, pipeline, 1)
    assert waiting.unlike() == {}
    assert all(one["unwritten"] for one in waiting.tables.values())
    pipeline.stream()
    good = Reconciled(stack, pipeline, 0)
    assert good.unlike() == {}
    assert len({one["rows"] for one in good.tables.values()}) == 2
    assert min(one["rows"] for one in good.tables.values()) > 5

    with postgres.connect(pipeline.settings) as connection:
        rows = connection.execute(f"SELECT id, kafka_partition, kafka_offset FROM {by_event} ORDER BY id").fetchall()
        (_, *changed), (_, *deleted), (_, *older) = rows[:3]
        connection.execute(f"UPDATE {by_event} SET born = born + 1, month = NULL WHERE id = %s", [rows[0][0]])
        connection.execute(f"DELETE FROM {by_event} WHERE id = %s", [rows[1][0]])
        connection.execute(
            f"UPDATE {by_event} SET kafka_timestamp = '2001-01-01', kafka_offset = 0 WHERE id = %s", [rows[2][0]]
        )
        connection.execute(
            f"UPDATE {by_group} SET price = price + 0.01 WHERE hour = (SELECT min(hour) FROM {by_group})"
        )
        connection.execute(f"DELETE FROM {by_group} WHERE hour = (SELECT max(hour) FROM {by_group})")
    with cassandra.connect(pipeline.settings) as session:
        [country, hour, made_of] = session.execute(
            f"SELECT country, hour, kafka_events FROM spark_streams.{by_group} LIMIT 1"
        ).one()
        session.execute(
            f"UPDATE spark_streams.{by_group} SET kafka_events = %s WHERE country = %s AND hour = %s",
            [made_of + 1, country, hour],
        )
        session.execute(
            f"INSERT INTO spark_streams.{by_event} (id, kafka_timestamp, kafka_partition, kafka_offset) "
            "VALUES (00000000-0000-0000-0000-000000000001, '2021-01-01', 0, 1)"
        )
    bad = Reconciled(stack, pipeline, 1)
    unlike = bad.unlike()
    groups = unlike.pop(("g", "postgres"))
    assert unlike == {
        ("v", "postgres"): {"differs": 1, "missing": 1, "older": 1},
        ("v", "cassandra"): {"unknown": 1},
        ("g", "cassandra"): {"unknown": 1},
    }
    assert groups.keys() == {"differs", "missing"}
    assert bad.tables["v", "postgres"]["columns"] == {"born": 1, "month": 1}

    def event(place: list[int]) -> str:
        return f"the event at partition {place[0]}, offset {place[1]}"

    assert sorted(bad.named("v", "postgres")) == sorted(
        [
            f"the row of {event(changed)} differs in born, month",
            f"the row of {event(deleted)} is missing",
            f"the row of {event([older[0], 0])} should be that of {event(older)}",
        ]
    )
    assert bad.named("v", "cassandra") == [
        f"there is a row of {event([0, 1])}, which the SQL does not make of the topic"
    ]
    assert f"has {made_of + 1:,} events, and the topic {made_of:,}" in bad.named("g", "cassandra")[0]
    assert any(one.endswith("differs in price") for one in bad.named("g", "postgres"))


def test_late_and_refused_events_are_no_findings(stack: RunningStack, pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    add_groups(pipeline, SQL, "g", "1 hour", stores=("postgres",))
    sessions = SQL.replace("window(registered_date, '1 hour')", "session_window(registered_date, '7 minutes')")
    add_groups(pipeline, sessions.replace("window.end", "session_window.end"), "s", "1 hour", stores=("cassandra",))
    add_view(
        pipeline,
        "SELECT id, CAST(phone AS INT) AS number FROM {source}",
        "n",
        postgres={"table": f"{pipeline.folder.name}_n", "primary_key": ["id"]},
    )

    def send(*records: dict[str, Any]) -> None:
        pipeline.send(*({"value": pipeline.encode(schema_id, one), "partition": 0} for one in records))
        pipeline.stream()

    send(at(BEGIN), at(BEGIN + 4 * HOUR, phone="no number"), at(None))
    # The windows of the first hours are closed now.
    send(at(BEGIN, country="FR"), at(BEGIN + HOUR / 2), at(BEGIN + 4 * HOUR))
    assert reasons(pipeline) == ["REFUSED:n.postgres"]
    found = Reconciled(stack, pipeline, 0)
    assert found.tables["g", "postgres"]["late"] == found.tables["g", "postgres"]["short"] == 2
    assert found.unlike() == {("g", "postgres"): {"late": 2}, ("s", "cassandra"): {"late": 2}}
    assert found.tables["n", "postgres"]["rows"] == 1
    # One more event is missing than came late.
    with postgres.connect(pipeline.settings) as connection:
        connection.execute(
            f"UPDATE {pipeline.folder.name}_g SET kafka_events = kafka_events - 1 WHERE kafka_events = 2"
        )
    found = Reconciled(stack, pipeline, 1)
    assert found.unlike()["g", "postgres"] == {"missing": 3}
