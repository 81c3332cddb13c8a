"""The states of one store's query, without Spark."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from py4j.protocol import Py4JNetworkError
from structlog.testing import capture_logs

from avro_data_contracts.contracts.errors import ConfigurationError, Refused, ServiceError
from avro_data_contracts.streaming.run import store_query
from avro_data_contracts.streaming.run.store_query import State, Stopped, StoreQuery
from avro_data_contracts.streaming.sinks.counts import Counts

COUNTS = Counts(3, 1, 5, 7, 6.0)


class Clock(threading.Event):
    """Passes time at once, and tells the state of the query meanwhile.

    Attributes:
        waited: what was waited for, seconds, and the query's state.
        stop_at: the job is stopping after that many seconds; None: it never is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.waited: list[tuple[float, State]] = []
        self.stop_at: float | None = None
        self.state: Callable[[], State] = lambda: State.IDLE

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waited.append((timeout, self.state()))
        self.now += timeout
        if self.stop_at is not None and self.now >= self.stop_at:
            self.set()
        return self.is_set()


class SparkQuery:
    """What Spark gives: active until it is stopped."""

    name = "users_created.postgres"

    def __init__(self, exception: Exception | None = None) -> None:
        self.isActive = True
        self.stops = 0
        self._exception = exception

    def stop(self) -> None:
        self.stops += 1
        self.isActive = False

    def exception(self) -> Exception | None:
        return self._exception


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(store_query.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def query(clock: Clock) -> StoreQuery:
    query = StoreQuery("postgres", clock, 60, structlog.get_logger("streaming"))
    clock.state = lambda: query.state
    return query


def write(query: StoreQuery, *outcomes: Exception | Counts) -> Counts:
    """A batch whose attempts end so, one after the other; the last one is repeated."""
    left = list(outcomes)

    def attempt() -> Counts:
        assert (query.state, query.batch) == (State.WRITING, 7)
        outcome = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with query.writing(7):
        return query.retry(attempt)


def test_a_written_batch_leaves_the_query_idle(query: StoreQuery, clock: Clock) -> None:
    assert write(query, COUNTS) is COUNTS
    assert (query.state, query.batch, query.error, query.ended) == (State.IDLE, None, None, False)
    assert not clock.waited


def test_an_outage_is_retried_until_the_server_is_back(query: StoreQuery, clock: Clock) -> None:
    with capture_logs() as lines:
        assert write(query, ServiceError("out"), ServiceError("out"), COUNTS) is COUNTS
    assert [state for _, state in clock.waited] == [State.RETRYING] * 2
    assert query.state is State.IDLE
    assert [(one["event"], one["sink"], one["attempt"]) for one in lines] == [
        ("attempt failed", "postgres", 1),
        ("attempt failed", "postgres", 2),
    ]


def test_an_outage_past_its_time_gives_the_store_up(query: StoreQuery, clock: Clock) -> None:
    error = ServiceError("out")
    with pytest.raises(ServiceError) as raised:
        write(query, error)
    assert raised.value is query.error is error
    assert (query.state, query.batch, query.ended) == (State.GIVEN_UP, None, True)
    assert 60 <= clock.now < 60 + 16


@pytest.mark.parametrize("error", [Refused("no"), ConfigurationError("lost"), ZeroDivisionError()])
def test_a_refusal_a_gap_and_a_bug_give_the_store_up_at_once(
    query: StoreQuery, clock: Clock, error: Exception
) -> None:
    with pytest.raises(type(error)):
        write(query, error)
    assert (query.state, query.error, clock.waited) == (State.GIVEN_UP, error, [])


def test_a_lost_jvm_leaves_it_to_spark_to_say_why(query: StoreQuery) -> None:
    with pytest.raises(Py4JNetworkError):
        write(query, Py4JNetworkError("gone"))
    assert (query.state, query.error, query.ended) == (State.IDLE, None, False)


def test_no_batch_begins_while_the_job_is_stopping(query: StoreQuery, clock: Clock) -> None:
    clock.set()
    with pytest.raises(Stopped):
        write(query, ZeroDivisionError())
    assert (query.state, query.error, query.batch, query.ended) == (State.STOPPED, None, None, True)


def test_a_stop_ends_the_wait_for_a_server(query: StoreQuery, clock: Clock) -> None:
    clock.stop_at = 0
    with pytest.raises(Stopped):
        write(query, ServiceError("out"))
    assert (query.state, query.error) == (State.STOPPED, None)
    assert len(clock.waited) == 1


def test_a_batch_at_work_is_finished_before_spark_ends_the_query_once(query: StoreQuery, clock: Clock) -> None:
    spark: Any = SparkQuery()
    query.follow(spark)
    with query.writing(7):
        clock.set()
        query.stop_if_idle()
        query.join()
        assert spark.stops == 0
    for _ in range(2):
        query.stop_if_idle()
        query.join()
        spark.isActive = True
    assert spark.stops == 1


def test_a_query_that_has_given_up_is_still_ended_in_spark(query: StoreQuery) -> None:
    spark: Any = SparkQuery()
    query.follow(spark)
    with pytest.raises(Refused):
        write(query, Refused("no"))
    assert query.active
    query.stop_if_idle()
    query.join()
    assert (spark.stops, query.active, query.state) == (1, False, State.GIVEN_UP)


def test_no_batch_follows_the_end_of_a_query(query: StoreQuery) -> None:
    with pytest.raises(Refused):
        write(query, Refused("no"))
    with pytest.raises(RuntimeError, match="is given up"):
        write(query, COUNTS)


def test_what_spark_ended_it_with_is_one_line_of_a_service(query: StoreQuery) -> None:
    spark: Any = SparkQuery(ValueError("first line\n  second line"))
    assert query.failure() is None
    query.follow(spark)
    failure = query.failure()
    assert failure is not None
    assert (failure.server, failure.where) == ("spark", "users_created.postgres")
    assert "first line second line" in failure.what


def test_abandoned_query_ends_in_spark_even_during_a_batch(query: StoreQuery) -> None:
    query.abandon()  # has not begun
    query.follow(spark := SparkQuery())  # type: ignore[arg-type]
    with query.writing(7):
        query.abandon()
    assert (spark.stops, query.active) == (1, False)
