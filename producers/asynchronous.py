"""The publisher for programs with an event loop, such as web services: a record is sent with `await`.

confluent-kafka's own AIOProducer is experimental, and cannot send headers in its batches, which contracts with
`schema_id: header` need.  Here one thread serves the delivery reports of all records.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.delivery import Delivered, NotDelivered
from avro_data_contracts.producers.encoding import Record
from avro_data_contracts.producers.publish import Publisher, named
from avro_data_contracts.producers.rejection import Rejection

_SERVE_S = 0.1
_FULL_S = 0.005

_Outcome = asyncio.Future[Delivered]


class AsyncPublisher:
    """Sends records of one contract to its topic, without blocking the event loop.

    Use it in an `async with` block, which calls `open`, and at the end `close`.  It belongs to the loop in which it
    was opened; for other threads, use `Publisher`.  It has no transactions, because requests that run side by side
    would share one.

    Args:
        name: of the producer: the client's name in Kafka, and in the headers of dead letters.
    """

    def __init__(self, contract: Contract, settings: Settings, *, name: str = "producers") -> None:
        self._publisher = Publisher(contract, settings, name=name)
        self._told: deque[tuple[_Outcome, Delivered | NotDelivered]] = deque()
        self._pending: set[_Outcome] = set()
        self._ending = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def of(cls, contract: str | Contract, settings: Settings | None = None, *, name: str = "producers") -> Self:
        """Return the publisher of a contract, by its name or as it is.  Arguments and errors as of `Publisher.of`."""
        return cls(*named(contract, settings), name=name)

    @property
    def topic(self) -> str:
        """Where records go."""
        return self._publisher.topic

    @property
    def produced(self) -> int:
        """The number of records that Kafka acknowledged."""
        return self._publisher.produced

    async def open(self) -> None:
        """Check that the topics and schemas exist, before the first record.  Raises as `Publisher.open`."""
        await asyncio.to_thread(self._publisher.open)
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._ending.clear()
        self._server = threading.Thread(target=self._serve, name=f"delivery reports {self.topic}", daemon=True)
        self._server.start()

    async def close(self) -> None:
        """Wait until every record and every dead letter is acknowledged or given up.

        Raises:
            NotDelivered: a dead letter was not acknowledged.  Each `send` has raised for its own record.
        """
        if self._loop is None:
            return
        try:
            if self._pending:
                await asyncio.wait(self._pending)
            await asyncio.to_thread(self._publisher.flush)
        finally:
            self._loop = None
            self._ending.set()
            await asyncio.to_thread(self._server.join)
            self._publisher.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.close()
        except NotDelivered as other:
            if error is None:
                raise
            error.add_note(str(other))

    def from_json(self, text: str | bytes) -> dict[str, Any]:
        """Return the record of plain JSON, such as the body of a request.  Raises as `Publisher.from_json`."""
        return self._publisher.from_json(text)

    async def send(self, record: Record, *, headers: Mapping[str, bytes] | None = None) -> Delivered:
        """Send a record, and return where it is once Kafka has acknowledged it.

        Many can be under way at once (`asyncio.gather`).  While the client's queue is full, they wait in their order.
        A `send` that is cancelled leaves its record to the client, which may deliver it.

        Raises:
            RejectedRecord: it does not fit the schema, breaks a rule, or is too large.
            NotDelivered: Kafka did not acknowledge it within KAFKA_MAX_BLOCK_MS.
            ConfigurationError: the publisher is not open in this event loop.
        """
        loop = self._here()
        encoded = self._publisher.encode(record)
        outcome: _Outcome = loop.create_future()

        def tell(told: Delivered | NotDelivered) -> None:
            self._told.append((outcome, told))

        if self._turn.locked() or not self._publisher.offer(encoded, headers, tell):
            async with self._turn:
                while not self._publisher.offer(encoded, headers, tell):
                    await asyncio.sleep(_FULL_S)
        self._pending.add(outcome)
        outcome.add_done_callback(self._pending.discard)
        return await outcome

    async def refuse(self, given: Any, refusal: Rejection, *, position: str = "") -> None:
        """Send a refused record to the dead-letter topic.  `close` waits for it.  Raises as `Publisher.refuse`."""
        self._here()
        await asyncio.to_thread(self._publisher.refuse, given, refusal, position=position)

    def _here(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            what = "is not open" if self._loop is None else "was opened in another event loop"
            raise ConfigurationError(
                f"the publisher of {self.topic} {what}",
                fix="use it in an `async with` block of this event loop (a web service: in its lifespan)",
            )
        return loop

    def _serve(self) -> None:
        """Take delivery reports, in a thread of its own, until `close`."""
        loop = self._loop
        assert loop is not None
        while not self._ending.is_set():
            self._publisher.serve(_SERVE_S)
            if self._told:
                try:
                    loop.call_soon_threadsafe(self._hand_out)  # once for all of them
                except RuntimeError:  # the loop was closed without `close`, so nobody waits
                    return

    def _hand_out(self) -> None:
        while self._told:
            outcome, told = self._told.popleft()
            if outcome.done():  # cancelled
                continue
            if isinstance(told, NotDelivered):
                outcome.set_exception(told)
            else:
                outcome.set_result(told)
