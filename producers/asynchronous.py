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
from avro_data_contracts.producers import letters
from avro_data_contracts.producers.delivery import Delivered, NotDelivered
from avro_data_contracts.producers.encoding import FromJson, Record
from avro_data_contracts.producers.publish import named
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sender import Sender

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
        self._name = name
        self._from_json = FromJson(contract)
        self._sender = Sender(contract, settings, name)
        self._told: deque[tuple[_Outcome, Delivered | NotDelivered]] = deque()
        self._pending: set[_Outcome] = set()  # every `send` that has begun and not ended
        self._letters: set[asyncio.Task[None]] = set()
        self._ending = threading.Event()
        self._closed = asyncio.Event()
        self._closed.set()
        self._loop: asyncio.AbstractEventLoop | None = None  # None once `close` has begun

    @classmethod
    def of(cls, contract: str | Contract, settings: Settings | None = None, *, name: str = "producers") -> Self:
        """Return the publisher of a contract, by its name or as it is.  Arguments and errors as of `Publisher.of`."""
        return cls(*named(contract, settings), name=name)

    @property
    def topic(self) -> str:
        """Where records go."""
        return self._sender.topic

    @property
    def produced(self) -> int:
        """The number of records that Kafka acknowledged."""
        return self._sender.tally.counts.produced

    async def open(self) -> None:
        """Check that the topics and schemas exist, before the first record.  Raises as `Publisher.open`."""
        await asyncio.to_thread(self._sender.open)
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._ending.clear()
        self._closed.clear()
        self._server = threading.Thread(
            target=self._serve, args=(self._loop,), name=f"delivery reports {self.topic}", daemon=True
        )
        self._server.start()

    async def close(self) -> None:
        """Take no further record, and wait until every record and dead letter is acknowledged or given up.

        If it is cancelled, each `send` that still waits raises NotDelivered.

        Raises:
            NotDelivered: a dead letter was not acknowledged.  Each `send` has raised for its own record.
        """
        if self._loop is None:
            await self._closed.wait()
            return
        self._here()
        self._loop = None
        try:
            # Those that wait for room in the client's queue are among them: the client gets their records first.
            while under_way := self._pending | self._letters:
                await asyncio.wait(under_way)
            await asyncio.to_thread(self._sender.flush)
        finally:
            self._ending.set()
            try:
                await asyncio.to_thread(self._server.join)
            finally:
                self._sender.close()
                self._hand_out()
                self._give_up()
                self._closed.set()

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
        return self._from_json(text)

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
        encoded = self._sender.encode(record)
        outcome: _Outcome = loop.create_future()
        self._pending.add(outcome)
        outcome.add_done_callback(self._pending.discard)

        def tell(told: Delivered | NotDelivered) -> None:
            self._told.append((outcome, told))

        try:
            if self._turn.locked() or not self._sender.offer(encoded, headers, tell):
                async with self._turn:
                    # `close` may have given it up meanwhile.
                    while not outcome.done() and not self._sender.offer(encoded, headers, tell):
                        await asyncio.sleep(_FULL_S)
            return await outcome
        finally:
            outcome.cancel()  # does nothing to one that is done; the others must not keep `close` waiting

    async def refuse(self, given: Any, refusal: Rejection, *, position: str = "") -> None:
        """Send a refused record to the dead-letter topic.  `close` waits for it.  Raises as `Publisher.refuse`."""
        loop = self._here()
        sending = asyncio.to_thread(
            letters.send, self._sender, given, refusal, producer=self._name, position=position
        )
        task = loop.create_task(sending)
        self._letters.add(task)
        task.add_done_callback(self._letters.discard)
        await asyncio.shield(task)  # a thread goes on although nobody waits for it

    def _here(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            what = "is not open" if self._loop is None else "was opened in another event loop"
            raise ConfigurationError(
                f"the publisher of {self.topic} {what}",
                fix="use it in an `async with` block of this event loop (a web service: in its lifespan)",
            )
        return loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take delivery reports, in a thread of its own, until `close`."""
        while not self._ending.is_set():
            self._sender.outbox.serve(_SERVE_S)
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

    def _give_up(self) -> None:
        """Tell each `send` that still waits that nothing more will be reported of its record."""
        for outcome in self._pending:
            if outcome.done():
                continue
            outcome.set_exception(
                NotDelivered(
                    f"a record for {self.topic} was not acknowledged before the publisher was closed",
                    where=self._sender.outbox.where,
                    fix="let `close` end, or send it again: a record that arrives twice is one row",
                    server="kafka",
                    topic=self.topic,
                    reason="the publisher was closed",
                )
            )
