"""Runs the console's server until the process is told to end."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from avro_data_contracts.contracts.errors import ConfigurationError


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address of this machine; port 0: any free one.

    Raises:
        ConfigurationError: the address is not one that only this machine reaches, or is in use.
    """
    try:
        is_own = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_own = False
    if not is_own:
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


def addresses(listening: socket.socket) -> tuple[str, ...]:
    """Return the values of the header Host with which a browser of this machine reaches the socket."""
    host, port = listening.getsockname()[:2]
    names = ("localhost", f"[{host}]" if ":" in host else host)
    return tuple(f"{name}:{port}" for name in names)


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
