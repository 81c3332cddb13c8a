"""A signal ends a wait immediately, and other work between two records."""

from __future__ import annotations

import os
import signal

import pytest

from avro_data_contracts.producers.interruption import Interruption, Stopped


def test_signal_outside_a_wait_is_remembered() -> None:
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.requested is signal.SIGTERM
        with pytest.raises(Stopped), interruption.waiting:
            pass


def test_signal_during_a_wait_stops_it_once() -> None:
    with Interruption() as interruption:
        with pytest.raises(Stopped), interruption.waiting:
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)  # there is no longer a wait to stop
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_signal_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption, interruption.waiting:
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) is before
