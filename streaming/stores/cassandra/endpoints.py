"""The addresses of Cassandra's nodes; each node's certificate is checked against the name by which it is configured.

The driver itself resolves the names, and then expects the IP address in the certificate.  In a container's network,
and wherever addresses change, certificates have names only.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from cassandra.connection import DefaultEndPoint, DefaultEndPointFactory


class Named(DefaultEndPoint):  # type: ignore[misc]  # the driver has no types
    """One node.

    Args:
        name: the name that its certificate must have.
    """

    def __init__(self, address: str, port: int, name: str) -> None:
        super().__init__(address, port)
        self._name = name

    @property
    def ssl_options(self) -> dict[str, str]:
        return {"server_hostname": self._name}


class ByName(DefaultEndPointFactory):  # type: ignore[misc]  # the driver has no types
    """Makes the end points of the nodes that the driver discovers.

    Args:
        names: configured name of each address; a node with another address must have that in its certificate.
    """

    def __init__(self, names: Mapping[str, str], port: int) -> None:
        super().__init__(port=port)
        self._names = names

    def create(self, row: Any) -> Named:
        found = super().create(row)
        return Named(found.address, found.port, self._names.get(found.address, found.address))


def resolved(hosts: Sequence[str], port: int) -> dict[str, str]:
    """Map each address of the hosts to the first host with it.  A host without an address is left out."""
    found: dict[str, str] = {}
    for host in hosts:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            continue  # one of several may be gone; without any, the driver says so
        for *_, address in answers:
            found.setdefault(str(address[0]), host)
    return found
