"""One store's query: its state, its retries, and how it is stopped.

The handler of the query's batches changes the state, in a thread of Spark's; the job reads it from its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.sql.streaming.query import StreamingQuery
from structlog.typing import FilteringBoundLogger
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential_jitter

from avro_data_contracts.contracts.errors import ContractsError, Refused, ServiceError
from avro_data_contracts.streaming.sinks.counts import Counts


class State(Enum):
    """What a query is doing."""

    IDLE = "idle"  # it writes nothing: it has not begun, waits for records, or Spark has ended it
    WRITING = "writing"  # an attempt at a batch is running
    RETRYING = "retrying"  # it waits for a server before the next attempt
    STOPPED = "stopped"  # it ended because the job is stopping
    GIVEN_UP = "given up"  # it ended with an error, which `StoreQuery.error` has


_ENDED = {State.STOPPED, State.GIVEN_UP}
_NEXT = {
    State.IDLE: {State.WRITING},
    State.WRITING: {State.IDLE, State.RETRYING, *_ENDED},
    State.RETRYING: {State.IDLE, State.WRITING, *_ENDED},
    State.STOPPED: set[State](),
    State.GIVEN_UP: set[State](),
}


class Stopped(Exception):
    """Ends a query that would begin a batch, or another attempt at one, while the job is stopping."""


class StoreQuery:
    """The query that writes one store.

    Args:
        name: the store's.
        stopping: once it is set, no batch begins and no attempt is repeated.
        retry_for_s: how long a batch waits for a failing server, from its first failure.
        log: where failed attempts go.

    Attributes:
        state: changed by `writing` and `retry`, and nowhere else.
        batch: number of the batch at work, None between batches.
        error: why it has given up, None in every other state.
    """

    def __init__(self, name: str, stopping: threading.Event, retry_for_s: float, log: FilteringBoundLogger) -> None:
        self.name = name
        self.state = State.IDLE
        self.batch: int | None = None
        self.error: Exception | None = None
        self._stopping = stopping
        self._retry_for_s = retry_for_s
        self._log = log.bind(sink=name)
        self._query: StreamingQuery | None = None
        self._stop: threading.Thread | None = None

    @property
    def ended(self) -> bool:
        """Whether it has stopped or given up; Spark may still call it active for a while."""
        return self.state in _ENDED

    @property
    def active(self) -> bool:
        """Whether Spark calls it active."""
        return self._query is not None and self._query.isActive

    def follow(self, query: StreamingQuery) -> None:
        """Take the query that Spark has started."""
        self._query = query

    @contextmanager
    def writing(self, number: int) -> Iterator[None]:
        """Move through the states of a batch, and leave the one that its end deserves.

        Raises:
            Stopped: the job is stopping, so the batch does not begin.
        """
        self._move(State.WRITING)
        self.batch = number
        try:
            if self._stopping.is_set():
                raise Stopped(f"batch {number} is not begun")
            yield
        except Stopped:
            self._move(State.STOPPED)
            raise
        except ContractsError as error:
            self._give_up(error)
            self._log.error("given up", batch=number, why=error.what)
            raise
        except (Py4JError, ConnectionError):  # its JVM is gone: who waits for the query says so
            raise
        except Exception as error:  # a bug; Spark would report only the first lines of its traceback
            self._give_up(error)
            raise
        finally:
            self.batch = None
            if not self.ended:
                self._move(State.IDLE)

    def retry(self, attempt: Callable[[], Counts]) -> Counts:
        """Call `attempt` until it succeeds, is refused, or a server was away for too long.

        Raises:
            Stopped: the job is stopping, so there is no other attempt.
        """
        return Retrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, ServiceError) and not isinstance(error, Refused)
            ),
            wait=wait_exponential_jitter(multiplier=0.5, max=15),
            stop=_since_first_failure(self._retry_for_s),
            sleep=self._wait,
            before_sleep=self._failed,
            reraise=True,
        )(attempt)

    def stop_if_idle(self) -> None:
        """Have Spark end the query, once `stopping` is set.  A batch at work is finished first: call it again.

        It runs in a thread of its own, as Spark waits for what the query has asked Kafka.
        """
        # A batch that begins after this look at it ends at once: `stopping` is set.
        if self._stop is None and self.batch is None and self.active:
            self._stop = threading.Thread(target=self._stop_query, name=f"stop-{self.name}", daemon=True)
            self._stop.start()

    def join(self) -> None:
        """Wait until Spark has ended the query, if it was asked to."""
        if self._stop is not None:
            self._stop.join()

    def abandon(self) -> None:
        """Have Spark end the query if it has begun, even in the middle of a batch, which is then repeated."""
        if self._query is not None and self._stop is None:
            self._stop_query()

    def failure(self) -> ServiceError | None:
        """Why Spark has ended the query, None when it has ended well."""
        found = self._query and self._query.exception()
        if not found:
            return None
        assert self._query is not None
        words = " ".join(str(found).split())[:400]
        fix = "see Spark's log; the checkpoint is kept, so run it again"
        return ServiceError(f"the query failed: {words}", where=self._query.name, fix=fix, server="spark")

    def _move(self, state: State) -> None:
        if state not in _NEXT[self.state]:
            raise RuntimeError(f"the query of {self.name} is {self.state.value}, which {state.value} cannot follow")
        self.state = state

    def _give_up(self, error: Exception) -> None:
        self.error = error  # before the state, which tells others to look at it
        self._move(State.GIVEN_UP)

    def _wait(self, seconds: float) -> None:
        self._move(State.RETRYING)
        if self._stopping.wait(seconds):
            raise Stopped("stopped while it waited for a server")
        self._move(State.WRITING)

    def _failed(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait = round(state.next_action.sleep, 1) if state.next_action else 0
        self._log.warning("attempt failed", attempt=state.attempt_number, again_in_s=wait, why=str(error))

    def _stop_query(self) -> None:
        assert self._query is not None
        with suppress(Py4JError, ConnectionError):  # its JVM is gone: who waits for the query says so
            try:
                self._query.stop()
            except Py4JJavaError as error:
                # Nothing is left to be written, and Kafka's client waits, without an end, for a broker that is away
                # (`stopTimeout` in `spark.session`).
                self._log.info("stopped, and left behind", why=error.java_exception.toString())


def _since_first_failure(seconds: float) -> Callable[[RetryCallState], bool]:
    """Whether a server was away for that long.  An attempt that hung took its time before its first failure."""
    failed: list[float] = []

    def over(_: RetryCallState) -> bool:
        failed.append(time.monotonic())
        return failed[-1] - failed[0] >= seconds

    return over
