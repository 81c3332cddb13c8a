"""A TCP proxy on loopback between a client and a real server, which a test can make refuse, cut, stall or be slow.

Kafka's clients go where the broker says that it is.  With `advertised` the proxy puts its own port in the place of
the broker's wherever an answer names it (`127.0.0.1` and a 4-byte port, as in Metadata and FindCoordinator answers):
of the same length, so that frames stay whole.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from enum import Enum

_HOST = "127.0.0.1"
_CHUNK = 65536


class Mode(Enum):
    PASS = "pass"
    REFUSE = "refuse"  # nobody listens, and what was connected is closed
    STALL = "stall"  # accepts, and nothing comes back


class Proxy:
    """Listens on a port of its own, from `with` on; `port` is where clients go.

    Args:
        target: port of the server.
        advertised: rewrite the server's port in its answers (Kafka).
    """

    def __init__(self, target: int, *, advertised: bool = False) -> None:
        self._target = target
        self._mode = Mode.PASS
        self._delay_s = 0.0
        self._cut_after: int | None = None
        self._lock = threading.Condition()
        self._connections: list[socket.socket] = []
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]
        host = _HOST.encode()
        self._named = (host + target.to_bytes(4, "big"), host + self.port.to_bytes(4, "big")) if advertised else None

    def __enter__(self) -> Proxy:
        self._accept_from(self._listener)
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()

    def pass_on(self) -> None:
        """As if it was not there; what was stalled goes on."""
        with self._lock:
            if self._mode is Mode.REFUSE:
                self._listener = self._listen(self.port)
                self._accept_from(self._listener)
            self._mode, self._delay_s, self._cut_after = Mode.PASS, 0.0, None
            self._lock.notify_all()

    def refuse(self) -> None:
        """Like a server that was killed: connections are closed, and new ones refused."""
        with self._lock:
            self._mode = Mode.REFUSE
            # Of a listener that is only closed, a thread in accept() keeps the port.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._lock.notify_all()
        self.cut()

    def cut(self) -> None:
        """Closes every connection; new ones are served."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            _end(connection)

    def cut_after(self, count: int) -> None:
        """Closes every connection when `count` more bytes have gone to the server, and refuses from then on."""
        with self._lock:
            self._cut_after = count

    def delay(self, seconds: float) -> None:
        """Each piece of an answer comes that much later."""
        self._delay_s = seconds

    def stall(self) -> None:
        """Like a server that hangs, or a network that swallows: connections stay open, and nothing passes."""
        with self._lock:
            self._mode = Mode.STALL

    @property
    def refuses(self) -> bool:
        return self._mode is Mode.REFUSE

    @staticmethod
    def _listen(port: int) -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))
        listener.listen(128)
        return listener

    def _accept_from(self, listener: socket.socket) -> None:
        def accept() -> None:
            with contextlib.suppress(OSError):  # closed
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=self._serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, name=f"proxy-{self.port}", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection((_HOST, self._target))
        except OSError:
            _end(client)
            return
        with self._lock:
            # Accepted before `refuse`, which has closed what it knew of.
            if self._mode is Mode.REFUSE:
                _end(client)
                _end(server)
                return
            self._connections += [client, server]
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
        self._pump(server, client, True)

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        held = b""
        try:
            while data := source.recv(_CHUNK):
                with self._lock:
                    self._lock.wait_for(lambda: self._mode is not Mode.STALL)
                if answers:
                    if self._delay_s:
                        time.sleep(self._delay_s)
                    data, held = self._renamed(held + data)
                elif self._spent(len(data)):
                    self.refuse()
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # closed, by one of the ends or by the test
            for end in (source, sink):
                _end(end)

    def _renamed(self, data: bytes) -> tuple[bytes, bytes]:
        """What may be sent on, and what has to wait: Kafka's answers are renamed whole (4 bytes of length first)."""
        if self._named is None:
            return data, b""
        whole = 0
        while len(data) >= whole + 4 and len(data) >= (
            end := whole + 4 + int.from_bytes(data[whole : whole + 4], "big")
        ):
            whole = end
        return data[:whole].replace(*self._named), data[whole:]

    def _spent(self, count: int) -> bool:
        with self._lock:
            if self._cut_after is None:
                return False
            self._cut_after -= count
            if self._cut_after > 0:
                return False
            self._cut_after = None
            return True


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
