"""Concurrent calls, and results that are computed once per key."""

from __future__ import annotations

import threading

import pytest

from avro_data_contracts.contracts.registry.parallel import Once, each


@pytest.mark.parametrize("most", [1, 2, 16])
def test_results_keep_the_order_of_the_items(most: int) -> None:
    assert each(lambda number: number * number, range(100), most) == [number * number for number in range(100)]
    assert each(str, [], most) == []


def test_concurrency_reaches_the_limit_and_never_exceeds_it() -> None:
    lock, meet = threading.Lock(), threading.Barrier(4, timeout=20)
    now, most = 0, 0

    def work(_: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        meet.wait()
        with lock:
            now -= 1

    each(work, range(40), 4)
    assert most == 4


def test_first_failure_is_raised_and_nothing_new_starts() -> None:
    asked: list[int] = []

    def work(number: int) -> None:
        asked.append(number)
        if number >= 1:
            raise ValueError(number)

    with pytest.raises(ValueError, match=r"^1$"):
        each(work, range(1000), 2)
    assert len(asked) < 10


def test_concurrent_callers_share_one_call_per_key() -> None:
    once: Once[str, int] = Once()
    asked: list[str] = []
    started = threading.Event()

    def make(key: str) -> int:
        asked.append(key)
        started.wait(20)
        return len(key)

    threads = [threading.Thread(target=once.get, args=(key, lambda key=key: make(key))) for key in ("a", "bb") * 8]
    for thread in threads:
        thread.start()
    started.set()
    for thread in threads:
        thread.join()
    assert sorted(asked) == ["a", "bb"]
    assert once.get("bb", lambda: 0) == 2


def test_failure_is_not_cached() -> None:
    once: Once[str, int] = Once()
    with pytest.raises(ZeroDivisionError):
        once.get("a", lambda: 1 // 0)
    assert once.get("a", lambda: 3) == 3


def test_key_that_depends_on_itself_raises_instead_of_hanging() -> None:
    once: Once[str, int] = Once()

    def ask(key: str) -> int:
        return once.get(key, lambda: ask("b" if key == "a" else "a"))

    with pytest.raises(RecursionError, match="depends on itself"):
        ask("a")
    assert once.get("a", lambda: 3) == 3
