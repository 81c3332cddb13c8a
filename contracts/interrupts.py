"""Answer Ctrl-C at once, even while the main thread waits in a library that lets no handler run."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from avro_data_contracts.contracts.errors import EXIT_INTERRUPTED

# How long the main thread has to end by itself before a message says what it waits for; seconds.
_SILENT_FOR_S = 0.4
_AT_ONCE_WITHIN_S = 1.0
_waits_for = ["the call that is running"]


def waits_for(what: str) -> None:
    """Set what an interrupted command says it waits for, e.g. "Kafka to acknowledge what was sent"."""
    _waits_for[0] = what


@contextmanager
def told(say: Callable[[str], None]) -> Iterator[None]:
    """Answer Ctrl-C and SIGTERM, if they have a handler, during a `with` block.

    A second Ctrl-C ends the process, whatever it is doing.

    Args:
        say: prints one line; called from another thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    over = threading.Event()
    again = threading.Event()

    def stop_at_once() -> NoReturn:
        say("stopped at once")
        os._exit(EXIT_INTERRUPTED)

    def watch() -> None:
        asked = False
        while number := reading.recv(1):
            if asked and number[0] == signal.SIGINT:
                again.set()
                if not over.wait(_AT_ONCE_WITHIN_S):
                    stop_at_once()
            if not asked and not over.wait(_SILENT_FOR_S):
                say(f"stopping: waiting for {_waits_for[0]}; press Ctrl-C again to stop at once")
            asked = True

    thread = threading.Thread(target=watch, name="interrupts", daemon=True)
    # The thread inherits the blocked signals: the stream waits for them elsewhere (streaming/run/stopping.py).
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    thread.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        writing.close()
        thread.join()
        reading.close()
        # Python waits for these before it exits.
        if again.is_set() and any(
            not one.daemon for one in threading.enumerate() if one is not threading.main_thread()
        ):
            stop_at_once()
