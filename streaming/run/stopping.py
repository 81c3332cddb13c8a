"""SIGTERM and Ctrl-C: the stream ends its batches first, and says at once that it does so and what it waits for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import structlog

from contracts.errors import EXIT_INTERRUPTED

log = structlog.get_logger("streaming")


class Stopping(threading.Event):
    """Is set when the stream is asked to stop, also while Spark starts.

    Attributes:
        waits_for: says, at any moment and from any thread, what keeps the stream from ending.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits_for: Callable[[], str] = lambda: "the servers to answer"

    @classmethod
    def on_signals(cls) -> Stopping:
        """One that SIGTERM and Ctrl-C set.  To be called before any other thread is started.

        The JVM inherits that both are ignored: one that is sent to the whole group lets the batch end, and does not
        take the JVM from under it.  Every thread blocks them, so the kernel keeps them for the one that waits for
        them here, whatever the others are at.
        """
        stopping, numbers = cls(), {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

        def wait() -> None:
            signal.sigwait(numbers)
            stopping.set()
            log.info("stopping", waits_for=stopping.waits_for(), hint="Ctrl-C again stops at once")
            signal.sigwait({signal.SIGINT})  # at once; what was not written is read again next time
            log.info("stopped at once")
            os._exit(EXIT_INTERRUPTED)

        threading.Thread(target=wait, name="asked-to-stop", daemon=True).start()
        return stopping
