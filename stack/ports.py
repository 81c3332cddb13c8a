"""Loopback ports: choose the documented or free ones, and name the process that holds a taken one."""

from __future__ import annotations

import errno
import os
import random
import socket
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from avro_data_contracts.stack.errors import PortTaken, UsageError
from avro_data_contracts.stack.site import Site

HOST = "127.0.0.1"
# All nodes of a Cassandra cluster use the same ports, so a second one needs an address of its own.
_HOSTS = {"cassandra-2": "127.0.0.2"}
# The documented ports.
FIXED = {
    "kafka": 19092,
    "kafka-controller": 19093,
    "kafka-2": 19094,
    "kafka-2-controller": 19095,
    "kafka-3": 19096,
    "kafka-3-controller": 19097,
    "registry": 18081,
    "registry-management": 18082,
    "cassandra": 19042,
    "cassandra-storage": 19043,
    "postgres": 15432,
    "source": 18000,
    "airflow": 18080,
    "airflow-health": 18974,
    "console": 18088,
    "zookeeper": 19098,
    "spark-master": 17077,
    "spark-master-ui": 17080,
    "spark-worker-1": 17078,
    "spark-worker-1-ui": 17081,
    "spark-worker-2": 17079,
    "spark-worker-2-ui": 17082,
}


def host(server: str) -> str:
    """The address that a server listens on."""
    return _HOSTS.get(server, HOST)


def demand_host(server: str) -> None:
    """Check that this machine has the address of a server.

    Raises:
        UsageError: it does not.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host(server), 0))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            raise UsageError(
                "this machine's loopback interface does not have this address",
                where=f"{server} {host(server)}",
                fix=f"add it (ip address add {host(server)}/8 dev lo), or start the stack without this server",
            ) from None


def is_free(port: int, at: str = HOST) -> bool:
    """Whether a server could listen there; a closed connection in TIME_WAIT does not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((at, port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def is_open(port: int, at: str = HOST) -> bool:
    """Whether something accepts connections there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((at, port)) == 0


def pick(names: Iterable[str], taken: Iterable[int] = (), at: Collection[str] = (HOST,)) -> dict[str, int]:
    """Choose a port for each name that is free at all addresses.

    The ports lie below the system's range for outgoing connections.  An outgoing connection could otherwise take one
    before its server starts, or while a killed server is down.
    """
    try:
        lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        lowest_outgoing = 32768
    candidates = list(range(20000, lowest_outgoing) if lowest_outgoing > 21000 else range(10000, 65000))
    random.shuffle(candidates)
    reserved = set(FIXED.values()) | set(taken)
    picked = {}
    for name in names:
        while True:
            if not candidates:
                raise PortTaken("every port is taken", fix="stop some of the programs that listen on this machine")
            port = candidates.pop()
            if port not in reserved and all(is_free(port, address) for address in at):
                picked[name] = port
                break
    return picked


def recorded(site: Site) -> dict[str, int] | None:
    """The ports that the stack in `site` used last."""
    content = site.read(site.root / "run" / "ports.json")
    return {name: int(port) for name, port in content.items()} if isinstance(content, dict) else None


def record(site: Site, ports: Mapping[str, int]) -> None:
    site.write(site.root / "run" / "ports.json", dict(ports))


def demand_free(server: str, ports: Mapping[str, int]) -> None:
    """Check the ports of a server that is about to start.

    Raises:
        PortTaken: a port is taken; names the process that holds it if /proc shows it.
    """
    for name, port in ports.items():
        if not is_free(port, host(server)):
            by = holder(port, host(server))
            raise PortTaken(
                f"port {port} ({name}) is taken" + (f" by {by}" if by else ""),
                where=f"{server} {host(server)}:{port}",
                fix="stop that process, or start the stack on free ports: python -m stack up --ports auto",
            )


def holder(port: int, at: str = HOST) -> str:
    """`process NAME (pid N)` that listens on a port; empty if this account may not see it."""
    # As the kernel prints the address, also at the end of an IPv6 one; zeros for a socket that listens on all.
    addresses = (f"{int.from_bytes(socket.inet_aton(at), sys.byteorder):08X}", "00000000")
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            address, _, number = fields[1].rpartition(":")
            if fields[3] == "0A" and int(number, 16) == port and address.endswith(addresses):
                inodes.add(f"socket:[{fields[9]}]")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if any(_target(descriptor) in inodes for descriptor in (entry / "fd").iterdir()):
                return f"process {(entry / 'comm').read_text(encoding='utf-8').strip()} (pid {entry.name})"
        except OSError:
            continue
    return ""


def _target(descriptor: Path) -> str:
    """What a file descriptor leads to; empty if it was closed meanwhile, which says nothing of the others."""
    try:
        return os.readlink(descriptor)
    except OSError:
        return ""
