"""SIGTERM and Ctrl-C: the stream says at once what it waits for, finishes its batches, and ends.

SIGHUP has a process with several contracts look at their files.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import structlog

from avro_data_contracts.contracts.errors import EXIT_INTERRUPTED

log = structlog.get_logger("streaming")


class Stopping(threading.Event):
    """Is set when the stream is asked to stop, even while Spark starts.

    Attributes:
        waits_for: returns what keeps the stream from ending; any thread may call it at any time.
        look: is set by SIGHUP, where `on_signals` was asked to take it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits_for: Callable[[], str] = lambda: "the servers to answer"
        self.look = threading.Event()

    @classmethod
    def on_signals(cls, *, looks: bool = False) -> Stopping:
        """Return an event that SIGTERM and Ctrl-C set.  Call this before any other thread is started.

        The JVM inherits that both signals are ignored, so a signal to the whole process group does not end the JVM
        in the middle of a batch.  Every thread blocks both, so the kernel keeps them for the one thread that waits
        for them here, whatever the others do.

        Args:
            looks: whether SIGHUP has the stream look at the contracts; otherwise it ends the process, as ever.
        """
        stopping, numbers = cls(), {signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if looks else [])}
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

        def wait() -> None:
            while signal.sigwait(numbers) == signal.SIGHUP:
                stopping.look.set()
            stopping.set()
            log.info("stopping", waits_for=stopping.waits_for(), hint="press Ctrl-C again to stop at once")
            signal.sigwait({signal.SIGINT})  # at once; what was not written is read again next time
            log.info("stopped at once")
            os._exit(EXIT_INTERRUPTED)

        threading.Thread(target=wait, name="asked-to-stop", daemon=True).start()
        return stopping
