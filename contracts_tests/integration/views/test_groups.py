"""Aggregations on real servers: the rows of both stores are those of the same SQL as a batch over the topic."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from avro_data_contracts.contracts.errors import EXIT_USAGE, ConfigurationError
from avro_data_contracts.streaming.decode import timestamps
from avro_data_contracts.streaming.failures import RowRefused
from avro_data_contracts.streaming.rebuild import rebuild
from avro_data_contracts.streaming.run import job
from avro_data_contracts.streaming.run.families import Families
from avro_data_contracts.streaming.run.metrics import Metrics
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from avro_data_contracts.streaming.views.state import State, States
from contracts_tests.fixtures import processes
from contracts_tests.fixtures.dlq import Dlq
from contracts_tests.fixtures.grouped_rows import (
    BEGIN,
    SQL,
    add_fields,
    add_groups,
    as_batch,
    at,
    events,
    in_postgres,
    stored,
)
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import headers

COUNTED = """\
SELECT window(registered_date, '1 hour').start AS hour, coalesce(country, '-') AS country, {values}
FROM {{source}} GROUP BY window(registered_date, '1 hour'), coalesce(country, '-')
"""

POSTGRES = ("postgres",)
SESSIONS = SQL.replace("window(registered_date, '1 hour')", "session_window(registered_date, '7 minutes')")
SESSIONS = SESSIONS.replace("window.end", "session_window.end")


@pytest.fixture
def pipeline(lean: Pipeline) -> Pipeline:
    """The tables of the view matter here, in both stores, and not the contract's own."""
    return lean


def counted(values: str = "count(*) AS n") -> str:
    return COUNTED.format(values=values)


def send(pipeline: Pipeline, schema_id: int, *records: dict[str, Any]) -> None:
    pipeline.send(*({"value": pipeline.encode(schema_id, one), "key": b"k"} for one in records))


def stream(pipeline: Pipeline) -> dict[str, float]:
    """Stream everything; return how many events each query of a view found late, or without a time."""
    families = Families()
    contract = pipeline.contract
    sinks = job.prepare(pipeline.settings, contract)
    job.Job(pipeline.spark, pipeline.settings, contract, sinks, metrics=Metrics(contract, families)).run(
        available_now=True
    )
    names = {"late": "stream_events_late_total", "timeless": "stream_events_without_time_total"}
    found = {}
    for kind, name in names.items():
        for sink in sinks:
            labels = {"contract": contract.name, "sink": sink.name}
            if value := families.registry.get_sample_value(name, labels):
                found[f"{kind} {sink.name}"] = value
    return found


def values(pipeline: Pipeline, table: str, *names: str) -> dict[Any, Any]:
    """Hour, as minutes since `BEGIN`, and country -> the values of these columns in PostgreSQL."""
    return {
        ((hour - BEGIN).total_seconds() // 60, country): tuple(row[name] for name in names)
        for (hour, country), row in in_postgres(pipeline, table).items()
    }


def one_more(schema: dict[str, Any]) -> None:
    schema["fields"].append({"name": "more", "type": ["null", "string"], "default": None})


def in_batches_of(records: int, pipeline: Pipeline) -> Pipeline:
    pipeline.settings = pipeline.settings.model_copy(update={"stream_max_per_batch": records})
    return pipeline


def by_minutes(pipeline: Pipeline, table: str) -> dict[int, int]:
    return {minutes: n for (minutes, _), (n,) in values(pipeline, table, "n").items()}


def test_rows_of_groups_are_those_of_the_sql_over_the_topic(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    table = add_groups(pipeline)
    for seed in range(3):
        if seed == 2:  # by then, a producer writes with another schema
            schema_id = pipeline.evolve(one_more)
        pipeline.send(*events(pipeline, schema_id, 200, seed))
        assert stream(pipeline) == {}
        wanted = as_batch(pipeline)
        assert len(wanted) > 10
        found = stored(pipeline, table)
        assert found == {"cassandra": wanted, "postgres": wanted}
    # A state has the open groups only.
    (checkpoint,) = pipeline.settings.checkpoint_dir.glob("*/topic-*/v.postgres")
    state = States(checkpoint, "v").latest()
    assert state is not None
    assert state.closed_us is not None
    closed = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=state.closed_us)
    assert state.groups == sum(row["until"] > closed for row in found["postgres"].values())
    assert 0 < state.groups < len(found["postgres"])
    # Another checkpoint knows nothing of the rows.  What is read again, after a rebuild, gives the same ones.
    with pytest.raises(ConfigurationError, match=f"{table} has rows of view v, and no state") as raised:
        pipeline.stream(afresh=True)
    assert raised.value.exit_code == EXIT_USAGE
    assert "views rebuild v" in str(raised.value)
    assert stored(pipeline, table) == found
    rebuild(pipeline.settings, pipeline.contract, "v", accept_loss=False)
    pipeline.stream()
    assert stored(pipeline, table) == found


def test_batch_that_breaks_off_between_rows_and_state_is_repeated(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first batch breaks off before its state is kept, and the third one after that."""
    schema_id = add_fields(pipeline)
    sql = counted("count(*) AS n, sum(amount) AS amount, max(email) AS email, avg(score) AS score")
    table = add_groups(pipeline, sql)
    keep = States.keep
    broken: list[tuple[int, bool]] = []

    def streamed(kept: bool) -> None:
        def break_off(self: States, batch: int, state: State) -> None:
            if kept:
                keep(self, batch, state)
            broken.append((batch, kept))
            raise RuntimeError("broken off")

        with monkeypatch.context() as patched:
            patched.setattr(States, "keep", break_off)
            with pytest.raises(RuntimeError, match="broken off"):
                pipeline.stream()

    # The rows of a batch that breaks off are there, and the batch is not committed.
    pipeline.send(*events(pipeline, schema_id, 100, 0))
    streamed(kept=False)
    pipeline.send(*events(pipeline, schema_id, 100, 1))
    pipeline.stream()
    pipeline.send(*events(pipeline, schema_id, 100, 2))
    streamed(kept=True)
    assert broken == [*[(0, False)] * 2, *[(2, True)] * 2]
    pipeline.stream()
    wanted = as_batch(pipeline, sql)
    assert stored(pipeline, table) == {"cassandra": wanted, "postgres": wanted}


def test_events_that_are_late_or_have_no_time_are_counted(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    table = add_groups(pipeline, counted(), lateness="1 hour", stores=POSTGRES)
    hour = dt.timedelta(hours=1)
    send(pipeline, schema_id, at(BEGIN), at(None), at(BEGIN + 3 * hour), at(BEGIN + hour), at(None))
    # The windows that end at 2:00 or before are closed from the next batch on, and not within this one.
    assert stream(pipeline) == {"timeless v.postgres": 2}
    assert values(pipeline, table, "n") == {(0, "DE"): (1,), (60, "DE"): (1,), (180, "DE"): (1,)}
    last = BEGIN + 2 * hour - dt.timedelta(milliseconds=1)
    send(pipeline, schema_id, at(last), at(last), at(last + dt.timedelta(milliseconds=1)), at(None))
    assert stream(pipeline) == {"late v.postgres": 2, "timeless v.postgres": 1}
    assert values(pipeline, table, "n") == {(0, "DE"): (1,), (60, "DE"): (1,), (120, "DE"): (1,), (180, "DE"): (1,)}
    # A greater lateness opens no window that was closed: its group is gone, and its row would lack events.
    add_groups(pipeline, counted(), lateness="9 hours", stores=POSTGRES)
    send(pipeline, schema_id, at(last), at(BEGIN + 2 * hour))
    assert stream(pipeline) == {"late v.postgres": 1}
    assert values(pipeline, table, "n")[60, "DE"] == (1,)
    assert values(pipeline, table, "n")[120, "DE"] == (2,)


def test_lateness_of_zero_takes_what_is_in_order(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    table = add_groups(pipeline, counted(), lateness="0 seconds", stores=POSTGRES)
    # In the second batch, the event of 0:59 comes after one of 1:00 or later, and that of 1:00 does not.
    send(pipeline, schema_id, *(at(BEGIN + dt.timedelta(minutes=one)) for one in (0, 59, 61, 60, 59, 130)))
    assert stream(in_batches_of(3, pipeline)) == {"late v.postgres": 1}
    assert values(pipeline, table, "n") == {(0, "DE"): (2,), (60, "DE"): (2,), (120, "DE"): (1,)}


def test_windows_slide_and_count_a_late_event_for_each(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    sql = counted().replace("'1 hour'", "'1 hour', '20 minutes'")
    table = add_groups(pipeline, sql, lateness="0 seconds", stores=POSTGRES)
    # By the last one, the windows that end at 0:20 are closed, and those until 0:40 and 1:00 are not.
    moments = (*(BEGIN + dt.timedelta(minutes=one) for one in (10, 30)), None, BEGIN + dt.timedelta(minutes=11))
    send(pipeline, schema_id, *map(at, moments))
    assert stream(in_batches_of(3, pipeline)) == {"late v.postgres": 1, "timeless v.postgres": 1}
    assert by_minutes(pipeline, table) == {-40: 1, -20: 3, 0: 3, 20: 1}


def test_sessions_are_those_of_the_sql_once_they_are_closed(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    table = add_groups(pipeline, SESSIONS)
    for seed in range(2):
        pipeline.send(*events(pipeline, schema_id, 200, seed))
        assert stream(pipeline) == {}
        until_now = as_batch(pipeline, SESSIONS)
        found = stored(pipeline, table)
        assert found["cassandra"] == found["postgres"]
        assert all(until_now[key] == row for key, row in found["postgres"].items())
    # One event far ahead closes all, also those of its own batch.
    pipeline.send(*events(pipeline, schema_id, 200, 2))
    send(pipeline, schema_id, at(BEGIN + dt.timedelta(days=9), country="IT"))
    assert stream(pipeline) == {}
    wanted = {key: row for key, row in as_batch(pipeline, SESSIONS).items() if key[1] != "IT"}
    assert len(wanted) > 50
    assert {row["n"] for row in wanted.values()} > {1, 2, 3}
    assert stored(pipeline, table) == {"cassandra": wanted, "postgres": wanted}


def test_event_joins_two_sessions_unless_it_is_late(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    table = add_groups(pipeline, counted().replace("window(", "session_window("), lateness="2 hours", stores=POSTGRES)

    def streamed(*minutes: int | None) -> dict[str, float]:
        moments = (None if one is None else BEGIN + dt.timedelta(minutes=one) for one in minutes)
        send(pipeline, schema_id, *(at(moment) for moment in moments))
        return stream(in_batches_of(3, pipeline))

    # In the second batch, 60 touches the end of one, and overlaps the other.
    assert streamed(0, 90, None, 60, 270, 150) == {"timeless v.postgres": 1}
    assert values(pipeline, table, "n") == {}
    assert streamed(149, 331) == {"late v.postgres": 1}
    assert values(pipeline, table, "n") == {(0, "DE"): (4,)}


def test_windows_are_in_utc_where_clocks_change(
    stack: RunningStack, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Berlin, two hours of 2020-10-25 are called two, and 2020-03-29 has no such hour.

    The processes of test_kills.py are in Berlin too, with a JVM of their own.
    """
    schema_id = add_fields(pipeline)
    lengths = {"1 hour": dt.timedelta(hours=1), "1 day": dt.timedelta(days=1)}
    tables = {
        length: add_groups(
            pipeline,
            counted().replace("'1 hour'", f"'{length}'"),
            name=f"v{number}",
            lateness="999 days",
            stores=POSTGRES,
        )
        for number, length in enumerate(lengths)
    }
    days = (dt.datetime(2020, 3, 28, 20, tzinfo=dt.UTC), dt.datetime(2020, 10, 24, 20, tzinfo=dt.UTC))
    moments = [day + dt.timedelta(minutes=30 * step) for day in days for step in range(60)]
    send(pipeline, schema_id, *(at(moment) for moment in moments))
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Europe/Berlin")
        time.tzset()
        done = processes.run(stack, pipeline, "--available-now")
        assert time.tzname == ("CET", "CEST")
    time.tzset()
    assert done.returncode == 0, done.stderr
    zero = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    for length, whole in lengths.items():
        counts: dict[Any, int] = {}
        for moment in moments:
            start = zero + (moment - zero) // whole * whole
            counts[start] = counts.get(start, 0) + 1
        found = in_postgres(pipeline, tables[length]).items()
        assert {hour: row["n"] for (hour, _), row in found} == counts


def test_values_go_from_batch_to_batch(pipeline: Pipeline) -> None:
    """Days of any year; a sum that was too large stays null; NaN makes its group NaN, and no other."""
    schema_id = add_fields(pipeline)
    made = {
        "first": "min(dob)",
        "last": "max(dob)",
        "tried": "try_sum(amount)",
        "total": "sum(score)",
        "mean": "avg(score)",
        "most": "max(score)",
        "kept": "sum(score) FILTER (WHERE NOT isnan(score))",
    }
    sql = counted(", ".join(f"{expression} AS {name}" for name, expression in made.items()))
    table = add_groups(pipeline, sql, lateness="999999 days", stores=POSTGRES)
    days = [dt.date(1582, 10, 4), dt.date(1, 1, 1), dt.date(9999, 12, 31)]
    early, nan = BEGIN.replace(year=1), float("nan")
    batches = zip(days, (2**63 - 1, 1, -5), (7, 1, 5), (1.5, nan, 2.0), (float("inf"), 2.0, 0.0), strict=True)
    for day, large, small, one, other in batches:
        send(
            pipeline,
            schema_id,
            at(early, dob=day),
            at(BEGIN, country="large", amount=large),
            at(BEGIN, country="small", amount=small),
            at(BEGIN, country="NaN", score=one),
            at(BEGIN, country="infinite", score=other),
        )
    stream(in_batches_of(5, pipeline))
    found = {key[1]: row for key, row in in_postgres(pipeline, table).items()}
    assert {country: row["kafka_events"] for country, row in found.items()} == dict.fromkeys(found, 3)
    assert (found["DE"]["first"], found["DE"]["last"]) == (days[1].isoformat(), days[2].isoformat())
    assert (found["large"]["tried"], found["small"]["tried"]) == (None, 13)
    scores = {country: [str(found[country][name]) for name in list(made)[3:]] for country in ("NaN", "infinite")}
    assert scores == {"NaN": ["nan", "nan", "nan", "3.5"], "infinite": ["inf", "inf", "inf", "inf"]}


def test_uuid_is_one_group_in_upper_and_lower_case(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    sql = counted("count(*) AS n, min(id) AS least").replace("coalesce(country, '-')", "id")
    table = add_groups(pipeline, sql)
    one, other = "abcdef00-0000-4000-8000-000000000001", "abcdef00-0000-4000-8000-000000000002"
    sent = (one, one.upper(), other.upper(), one.upper())
    send(pipeline, schema_id, *(at(BEGIN, id=id_) for id_ in sent))
    stream(in_batches_of(3, pipeline))
    for rows in stored(pipeline, table).values():
        found = {str(key[1]): (row["n"], str(row["least"])) for key, row in rows.items()}
        assert found == {one: (3, one), other: (1, other)}


def test_window_that_begins_before_the_year_1_has_no_row(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    table = add_groups(
        pipeline,
        counted().replace("'1 hour'", "'1 day', '1 day', '6 hours'"),
        lateness="999999 days",
        stores=POSTGRES,
    )
    first = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
    send(pipeline, schema_id, at(first), at(first + dt.timedelta(hours=6)), at(None))
    pipeline.stream()
    assert [(hour, row["n"]) for (hour, _), row in in_postgres(pipeline, table).items()] == [
        (first + dt.timedelta(hours=6), 1)
    ]
    (letter,) = (headers(one) for one in pipeline.dead_letters())
    assert letter["contracts.reason"] == "REFUSED:v.postgres"
    assert "outside of the years 1 to 9999" in letter["__connect.errors.exception.message"]


def test_row_of_a_group_that_a_check_refuses_is_named_by_its_window(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    table = add_groups(pipeline, counted(), stores=POSTGRES)
    hour = dt.timedelta(hours=1)
    send(pipeline, schema_id, *(at(BEGIN + number * hour) for number in range(4)))
    pipeline.stream()
    with postgres.connect(pipeline.settings, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT few CHECK (n < 3)")
    send(pipeline, schema_id, *(at(BEGIN + number * hour) for number in (0, 2, 2, 3)))
    with pytest.raises(
        RowRefused, match=r"view v: the row of the group whose window starts at 2021-03-27 22:00"
    ) as raised:
        pipeline.stream()
    assert "constraint few" in str(raised.value)
    assert "DE" not in str(raised.value)
    with postgres.connect(pipeline.settings, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT few")
    pipeline.stream()
    assert by_minutes(pipeline, table) == {0: 2, 60: 1, 120: 3, 180: 2}


def test_event_for_which_an_argument_fails_is_a_dead_letter_and_in_no_group(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    table = add_groups(pipeline, counted("count(*) AS n, sum(CAST(phone AS INT)) AS phones"), stores=POSTGRES)
    # The groups go on with another batch.
    phones = ["1", "secret", "2147483648", "4", None, "10"]
    send(pipeline, schema_id, *(at(BEGIN, phone=phone) for phone in phones))
    stream(in_batches_of(5, pipeline))
    letters = sorted(headers(one)["contracts.reason"] for one in pipeline.dead_letters())
    assert letters == ["REFUSED:v.postgres"] * 2
    assert values(pipeline, table, "n", "phones") == {(0, "DE"): (4, 15)}


def test_events_of_a_group_that_a_store_cannot_have_are_its_dead_letters(
    stack: RunningStack, pipeline: Pipeline
) -> None:
    """Cassandra has no empty partition key."""
    schema_id = add_fields(pipeline)
    table = add_groups(pipeline, counted())
    send(pipeline, schema_id, at(BEGIN), at(BEGIN, country=""), at(BEGIN, country=""))
    pipeline.stream()
    found = {
        store: {key[1]: row["n"] for key, row in rows.items()} for store, rows in stored(pipeline, table).items()
    }
    assert found == {"cassandra": {"DE": 1}, "postgres": {"DE": 1, "": 2}}
    letters = [headers(one) for one in pipeline.dead_letters()]
    assert [one["contracts.reason"] for one in letters] == ["REFUSED:v.cassandra"] * 2
    assert {one["__connect.errors.exception.message"] for one in letters} == {
        "country is empty, and Cassandra allows no empty partition key"
    }
    # The other table has counted the events, and would count them again.
    dlq = Dlq(pipeline, stack.exports)
    assert "2 of the records were refused by one table, and are in the rows of v.postgres" in dlq.run(
        "dlq", "replay", code=2
    )
    assert len(dlq.events()) == 3
    assert "2 records put back" in dlq.run("dlq", "replay", "--count-twice")
    pipeline.stream()
    assert {key[1]: row["n"] for key, row in in_postgres(pipeline, table).items()} == {"DE": 1, "": 4}


OVERFLOWS = {
    "of integers": ("sum(amount)", 2**63 - 1),
    "of decimals": ("sum(CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)))", 1),
}


@pytest.mark.parametrize("apart", [False, True], ids=["in a batch", "across batches"])
@pytest.mark.parametrize("kind", OVERFLOWS)
def test_overflow_of_a_sum_stops_the_view_and_no_other_query(pipeline: Pipeline, kind: str, apart: bool) -> None:
    schema_id = add_fields(pipeline)
    expression, amount = OVERFLOWS[kind]
    table = add_groups(pipeline, counted(f"count(*) AS n, {expression} AS total"), stores=POSTGRES)
    records = [at(BEGIN, id=f"00000000-0000-4000-8000-{number:012}", amount=amount) for number in range(2)]
    for some in [records[:1], records[1:]] if apart else [records]:
        send(pipeline, schema_id, *some)
        if apart and some == records[:1]:
            pipeline.stream()
            continue
        with pytest.raises(ConfigurationError, match=r"view v: .*in an aggregate, for no event by itself") as raised:
            pipeline.stream()
        assert "try_sum" in str(raised.value)
        assert raised.value.exit_code == EXIT_USAGE
    assert len(pipeline.postgres_rows()) == 2
    assert values(pipeline, table, "n") == ({(0, "DE"): (1,)} if apart else {})
    assert pipeline.dead_letters() == []


def test_batch_that_spark_cannot_read_is_in_the_groups(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    table = add_groups(pipeline, counted(), stores=POSTGRES)
    records = [at(BEGIN), at(BEGIN), at(BEGIN)]
    stamps = [1_600_000_000_000, timestamps.LEAST_MILLIS - 1, -20_000_000_000_000]
    for record, stamp in zip(records, stamps, strict=True):
        pipeline.send({"value": pipeline.encode(schema_id, record), "key": b"k", "timestamp": stamp})
    pipeline.stream()
    assert values(pipeline, table, "n") == {(0, "DE"): (2,)}
    assert [headers(one)["contracts.reason"] for one in pipeline.dead_letters()] == ["TIMESTAMP_OUT_OF_RANGE"]


def test_state_of_another_view_stops_the_start_until_it_is_rebuilt(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    table = add_groups(pipeline, counted())
    send(pipeline, schema_id, at(BEGIN), at(BEGIN, amount=5))
    pipeline.stream()
    more = counted("count(*) AS n, sum(amount) AS amount")
    add_groups(pipeline, more)
    with pytest.raises(ConfigurationError, match=r"it does not have sum \( amount \)") as raised:
        pipeline.stream()
    assert raised.value.exit_code == EXIT_USAGE
    done = rebuild(pipeline.settings, pipeline.contract, "v", accept_loss=False)
    assert (done.records, done.deleted) == (2, 0)
    assert done.tables == (f"cassandra spark_streams.{table}", f"postgres public.{table}")
    assert values(pipeline, table, "n") == {}
    send(pipeline, schema_id, at(BEGIN, amount=7))
    pipeline.stream()
    assert values(pipeline, table, "n", "amount") == {(0, "DE"): (3, 13)}
    # Without the sum, and with another value of the same count, it goes on.
    add_groups(pipeline, counted("count(*) + 100 AS n"))
    send(pipeline, schema_id, at(BEGIN))
    pipeline.stream()
    assert values(pipeline, table, "n") == {(0, "DE"): (104,)}
    add_groups(pipeline, counted("count(*) + 100 AS n").replace("GROUP", "WHERE amount > 0 GROUP"))
    with pytest.raises(ConfigurationError, match="there was no WHERE"):
        pipeline.stream()


def test_rebuild_that_was_broken_off_and_lost_state_stop_the_start(pipeline: Pipeline) -> None:
    schema_id = add_fields(pipeline)
    table = add_groups(pipeline, counted(), stores=POSTGRES)
    send(pipeline, schema_id, at(BEGIN))
    pipeline.stream()
    (folder,) = pipeline.settings.checkpoint_dir.glob("*/topic-*/v.postgres")
    folder.rename(folder.with_name("v.postgres.rebuilding"))
    with pytest.raises(ConfigurationError, match="a rebuild of view v was broken off"):
        pipeline.stream()
    rebuild(pipeline.settings, pipeline.contract, "v", accept_loss=False)
    pipeline.stream()
    assert len(in_postgres(pipeline, table)) == 1
    with pytest.raises(ConfigurationError, match="has no view 'w'"):
        rebuild(pipeline.settings, pipeline.contract, "w", accept_loss=False)
    (state,) = pipeline.settings.checkpoint_dir.glob("*/topic-*/v.postgres/groups/0")
    state.write_bytes(state.read_bytes()[:-1])
    with pytest.raises(ConfigurationError, match="0 is damaged"):
        pipeline.stream()
    state.unlink()
    with pytest.raises(ConfigurationError, match="it has none for batch 0"):
        pipeline.stream()
