"""Source APIs for tests that tell them to misbehave: real ones, on free ports, in threads of the test's process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stack.source.server import SourceServer, start


@contextmanager
def source_servers() -> Iterator[Callable[..., SourceServer]]:
    """Gives what starts a server, with the arguments of `start`; all of them end with the `with` block."""
    running: list[SourceServer] = []

    def serve(**arguments: object) -> SourceServer:
        server = start("127.0.0.1", 0, **arguments)
        running.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    try:
        yield serve
    finally:
        for server in running:
            server.shutdown()
            server.server_close()
