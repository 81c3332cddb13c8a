"""Loopback ports: the documented ones, or free ones; and who holds one that is taken."""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from stack.errors import PortTaken
from stack.site import Site

HOST = "127.0.0.1"
# The documented addresses.  Those with a dash are for the server's own use.
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
    "zookeeper": 19098,
    "spark-master": 17077,
    "spark-master-ui": 17080,
    "spark-worker-1": 17078,
    "spark-worker-1-ui": 17081,
    "spark-worker-2": 17079,
    "spark-worker-2-ui": 17082,
}


def is_free(port: int) -> bool:
    """Whether a server could listen there.  What only waits for a closed connection's time-out does not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def is_open(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def pick(names: Iterable[str], taken: Iterable[int] = ()) -> dict[str, int]:
    """A free port for each name.

    Below the range that the system gives to outgoing connections: one of those could take the port between this
    look and the server's start, or while a server that was killed is down.
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
                raise PortTaken("no free port is left", mend="stop what listens on so many")
            port = candidates.pop()
            if port not in reserved and is_free(port):
                picked[name] = port
                break
    return picked


def recorded(site: Site) -> dict[str, int] | None:
    """The ports that the stack in `site` has used last."""
    content = site.read(site.root / "run" / "ports.json")
    return {name: int(port) for name, port in content.items()} if isinstance(content, dict) else None


def record(site: Site, ports: Mapping[str, int]) -> None:
    site.write(site.root / "run" / "ports.json", dict(ports))


def demand_free(server: str, ports: Mapping[str, int]) -> None:
    """Checks the ports of a server that is about to start.

    Raises:
        PortTaken: names the port, and the process that holds it when /proc tells.
    """
    for name, port in ports.items():
        if not is_free(port):
            by = holder(port)
            raise PortTaken(
                f"port {port} ({name}) is taken" + (f" by {by}" if by else ""),
                where=f"{server} {HOST}:{port}",
                mend="stop that process, or start the stack on free ports: python -m stack up --ports auto",
            )


def holder(port: int) -> str:
    """`process NAME (pid N)` that listens on a port; empty when this account may not know."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            for descriptor in (entry / "fd").iterdir():
                if os.readlink(descriptor) in inodes:
                    return f"process {(entry / 'comm').read_text(encoding='utf-8').strip()} (pid {entry.name})"
        except OSError:
            continue
    return ""
