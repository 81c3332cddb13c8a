"""Runs the console's server until the process is told to end."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn

from avro_data_contracts.contracts.errors import ConfigurationError

#: All addresses of a container.
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - Docker publishes the port at the loopback address only


def listen(host: str, port: int, *, contained: bool = False) -> socket.socket:
    """Return a socket that listens on an address of this machine; port 0: any free one.

    Args:
        contained: it is in a container, and listens on all of its addresses.

    Raises:
        ConfigurationError: the address is not one that only this machine reaches, or is in use.
    """
    if contained:
        host = EVERYWHERE
    try:
        is_own = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_own = False
    if not is_own and not contained:
        raise ConfigurationError(
            f"{host} is not an address that only this machine reaches",
            where="--host",
            fix="use 127.0.0.1 or ::1; from elsewhere, come through ssh -L, with the same port on both sides",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)
    except OSError as error:
        made.close()
        raise ConfigurationError(
            f"port {port} of {host} cannot be used: {error.strerror}", where="--port", fix="choose another: --port N"
        ) from None
    return made


def addresses(listening: socket.socket, published: int | None = None) -> tuple[str, ...]:
    """Return the values of the header Host with which a browser of this machine reaches the socket.

    Args:
        published: the port of this machine that leads to the socket, which is in a container.
    """
    host, port = listening.getsockname()[:2]
    host = "127.0.0.1" if host == EVERYWHERE else host
    names = ("localhost", f"[{host}]" if ":" in host else host)
    # The first port is the container's own, for its health check.
    return tuple(f"{name}:{number}" for number in dict.fromkeys((port, published or port)) for name in names)


class Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, app: Any, ready: Callable[[], None] = lambda: None) -> None:
        # Requests are not logged: their addresses may have keys of records.
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=64 * 1024,
            limit_concurrency=200,
        )
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()
