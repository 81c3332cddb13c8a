"""Each `send` ends, whenever and however `close` comes; with a client that reaches no broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.producers import AsyncPublisher, NotDelivered, RejectedRecord
from contracts_tests.fixtures import unreached

REFUSAL = RejectedRecord("NO", "it does not")


@pytest.fixture(autouse=True)
def _queue_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    unreached.opened(monkeypatch, queue=2)


def publisher(patience_ms: int = 300) -> AsyncPublisher:
    return AsyncPublisher(unreached.contract(), unreached.settings(patience_ms))


async def ended(tasks: list[asyncio.Task[Any]]) -> list[Any]:
    """What became of them; the test fails if one still waits."""
    done, waiting = await asyncio.wait(tasks, timeout=60)
    assert not waiting
    return await asyncio.gather(*done, return_exceptions=True)


def test_close_waits_for_sends_that_have_begun() -> None:
    """Those that wait for room in the queue, too.  All cases at once: the client looks for timeouts once a second."""

    async def case(many: int, turns: int) -> None:
        async with publisher() as one:
            begun = [asyncio.create_task(one.send({"id": str(number)})) for number in range(many)]
            await asyncio.sleep(0)
            for _ in range(turns):
                await asyncio.sleep(0.005)
        assert all(task.done() for task in begun)
        outcomes = await ended(begun)
        assert [type(outcome) for outcome in outcomes] == [NotDelivered] * many
        assert all("timed out" in outcome.reason for outcome in outcomes)
        with pytest.raises(ConfigurationError, match="is not open"):
            await one.send({"id": "late"})

    async def main() -> None:
        cases = {(many, turns): case(many, turns) for many in (1, 2, 3, 7) for turns in (0, 1, 20)}
        ends = await asyncio.gather(*cases.values(), return_exceptions=True)
        assert dict(zip(cases, ends, strict=True)) == dict.fromkeys(cases)

    asyncio.run(main())


def test_send_during_close_is_refused() -> None:
    async def main() -> None:
        one = publisher()
        await one.open()
        begun = [asyncio.create_task(one.send({"id": str(number)})) for number in range(5)]
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(one.close())
        await asyncio.sleep(0.01)
        with pytest.raises(ConfigurationError, match="is not open"):
            await one.send({"id": "late"})
        with pytest.raises(ConfigurationError, match="is not open"):
            await one.refuse({"id": "late"}, REFUSAL)
        again = asyncio.create_task(one.close())
        await asyncio.wait([again, closing], return_when=asyncio.FIRST_COMPLETED)
        assert all(task.done() for task in begun)  # a second `close` waits as well
        await asyncio.gather(closing, again)
        await ended(begun)

    asyncio.run(main())


def test_cancelled_close_ends_every_send() -> None:
    async def main() -> None:
        one = publisher(patience_ms=60_000)
        await one.open()
        begun = [asyncio.create_task(one.send({"id": str(number)})) for number in range(7)]
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.close(), 0.3)
        outcomes = await ended(begun)
        assert [outcome.reason for outcome in outcomes] == ["the publisher was closed"] * 7
        one._sender.outbox.drop()

    asyncio.run(main())


def test_cancelled_sends_do_not_keep_close_waiting() -> None:
    async def main() -> None:
        async with publisher() as one:
            begun = [asyncio.create_task(one.send({"id": str(number)})) for number in range(7)]
            await asyncio.sleep(0.02)
            for task in begun:
                task.cancel()
        assert {type(outcome) for outcome in await ended(begun)} == {asyncio.CancelledError}

    asyncio.run(main())


def test_close_waits_for_dead_letters_and_raises_for_them() -> None:
    async def main() -> None:
        one = publisher()
        await one.open()
        begun = [asyncio.create_task(one.refuse({"id": str(number)}, REFUSAL)) for number in range(2)]
        await asyncio.sleep(0)
        begun[0].cancel()
        with pytest.raises(NotDelivered, match="dead letter"):
            await one.close()
        await ended(begun)
        assert one._sender.tally.counts.undelivered == 2

    asyncio.run(main())


def test_publisher_opens_again_after_close() -> None:
    async def main() -> None:
        one = publisher()
        for _ in range(2):
            async with one:
                with pytest.raises(NotDelivered, match="timed out"):
                    await one.send({"id": "a"})

    asyncio.run(main())
