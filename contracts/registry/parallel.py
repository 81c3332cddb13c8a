"""Asks one server many questions at a time, and each question once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")
_U = TypeVar("_U")


def each(work: Callable[[_T], _U], items: Iterable[_T], most: int) -> list[_U]:
    """Return the results of `work` for all items, in their order; at most `most` run at the same time.

    After the first exception nothing new starts; of several exceptions, that of the first item is raised.  Ctrl-C
    does not wait for answers, because the threads are daemons.
    """
    waiting = list(enumerate(items))
    if most == 1 or len(waiting) < 2:
        return [work(item) for _, item in waiting]
    results: dict[int, _U] = {}
    failures: dict[int, BaseException] = {}
    waiting.reverse()
    lock = threading.Lock()

    def run() -> None:
        while True:
            with lock:
                if failures or not waiting:
                    return
                number, item = waiting.pop()
            try:
                results[number] = work(item)
            except BaseException as error:  # raised below, in the thread that asked
                failures[number] = error

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(most, len(waiting)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        with lock:
            waiting.clear()
        raise
    if failures:
        raise failures[min(failures)]
    return [results[number] for number in range(len(results))]


class Once(Generic[_K, _T]):
    """Answers by key, each made once even if several threads ask: the others wait for the first one.

    Failures are not kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[_K, Future[_T]] = {}
        self._makers: dict[_K, int] = {}  # the thread that is making the answer

    def get(self, key: _K, make: Callable[[], _T]) -> _T:
        """Return the answer for `key`; `make` makes it if there is none yet.  RecursionError: it needs itself."""
        me = threading.get_ident()
        with self._lock:
            answer = self._answers.get(key)
            is_first = answer is None
            if answer is None:
                answer = self._answers[key] = Future()
                self._makers[key] = me
            elif self._makers.get(key) == me:
                raise RecursionError(f"{key} depends on itself")
        if is_first:
            try:
                answer.set_result(make())
            except BaseException as error:
                with self._lock:
                    del self._answers[key]
                answer.set_exception(error)
            finally:
                with self._lock:
                    del self._makers[key]
        return answer.result()
