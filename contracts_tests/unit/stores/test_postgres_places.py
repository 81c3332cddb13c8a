"""How many batches of a process are written to PostgreSQL at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.stores.postgres import connection


def settings(name: str) -> Settings:
    return Settings(contracts_dir=Path("schemas"), postgres_dsn=f"postgresql://u:p@127.0.0.1/{name}")


def at_work(configured: Settings, number: int, seconds: float) -> int:
    """Have so many threads write for a moment; return how many of them did so at once."""
    now, most, lock = 0, 0, threading.Lock()

    def write() -> None:
        nonlocal now, most
        with connection.place(configured):
            with lock:
                now, most = now + 1, max(most, now + 1)
            time.sleep(seconds)
            with lock:
                now -= 1

    threads = [threading.Thread(target=write) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return most


def test_batches_of_many_contracts_are_written_a_few_at_a_time() -> None:
    assert at_work(settings("a"), 50, 0.3) == connection.AT_ONCE


def test_batch_that_fails_gives_its_place_back() -> None:
    for _ in range(2 * connection.AT_ONCE):
        with pytest.raises(ValueError, match="refused"), connection.place(settings("b")):
            raise ValueError("refused")
    assert at_work(settings("b"), 40, 0.3) == connection.AT_ONCE


def test_batches_that_hang_keep_no_others_out_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_WAITS_S", 0.05)
    hanging, end = settings("c"), threading.Event()

    def hang() -> None:
        with connection.place(hanging):
            end.wait(30)

    threads = [threading.Thread(target=hang) for _ in range(connection.AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        assert at_work(hanging, 3, 1) == 3
    finally:
        end.set()
        for thread in threads:
            thread.join(30)


def test_servers_have_places_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_WAITS_S", 30.0)
    with connection.place(settings("d")), connection.place(settings("e")):
        assert at_work(settings("d"), 40, 0.3) == connection.AT_ONCE - 1
