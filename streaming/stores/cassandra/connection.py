"""Connects to Cassandra with cassandra-driver."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cassandra import ConsistencyLevel, DriverException, ProtocolVersion, UnresolvableContactPoints
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import RoundRobinPolicy

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.stores.cassandra import endpoints, failures

# The driver raises what it logs, and whoever catches the exception reports it once.
logging.getLogger("cassandra").propagate = False

# How long a node may take to return its generation, seconds.
_ANSWERS_WITHIN_S = 10.0


@dataclass(frozen=True)
class Way:
    """How to reach the nodes: addresses, account, and the authority of their certificates."""

    hosts: str
    username: str
    password: str = field(repr=False)
    ca_file: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Way:
        account = (settings.cassandra_username, settings.cassandra_password)
        return cls(settings.cassandra_hosts, *account, settings.cassandra_ca_file)


class Node:
    """The node whose generation is compared before and after each batch.

    Its connection stays open, because opening one takes a quarter of a second.
    """

    def __init__(self, way: Way) -> None:
        self._way = way
        self._cluster: Cluster | None = None
        self._lock = threading.Lock()

    def generation(self) -> int | None:
        """Return a number that changes with each start of the node; None if there are other nodes.

        Raises ServiceError.
        """
        with self._lock:
            if self._cluster is not None:
                try:
                    return self._asked()
                except (NoHostAvailable, DriverException):  # the answer on a new connection counts
                    self._close()
            self._cluster = _cluster(self._way)
            try:
                self._session = self._cluster.connect()
                return self._asked()
            except (NoHostAvailable, DriverException) as error:
                self._close()
                raise failures.of_driver(self._way.hosts, error) from None

    def session(self) -> Session:
        """Return the session on the connection that stays open.  Call `generation` before."""
        return self._session

    def _close(self) -> None:
        assert self._cluster is not None
        self._cluster.shutdown()
        self._cluster = None

    def _asked(self) -> int | None:
        def one(query: str) -> Any:
            return self._session.execute(query, timeout=_ANSWERS_WITHIN_S).one()

        if one("SELECT peer FROM system.peers_v2 LIMIT 1") is not None:
            return None
        return int(one("SELECT gossip_generation FROM system.local").gossip_generation)


# Kept until the process ends, as the connector keeps its sessions.
node = cache(Node)


@contextmanager
def connect(settings: Settings) -> Iterator[Session]:
    """Yield a session of cassandra-driver.  Raises ServiceError when no host answers, or one fails meanwhile."""
    cluster = _cluster(Way.of(settings))
    try:
        yield cluster.connect()
    except (NoHostAvailable, DriverException) as error:
        raise failures.of_driver(settings.cassandra_hosts, error) from None
    finally:
        cluster.shutdown()


def _cluster(way: Way) -> Cluster:
    hosts, port = contact_points(way.hosts)
    tls: dict[str, Any] = {}
    points: Sequence[str | endpoints.Named] = hosts
    if way.ca_file:
        names = endpoints.resolved(hosts, port)
        points = [endpoints.Named(address, port, name) for address, name in names.items()] or hosts
        tls = {"ssl_context": _trusting(way.ca_file), "endpoint_factory": endpoints.ByName(names, port)}
    # As the connector writes: if one replica lacks a row, another has it.
    quorum = ConsistencyLevel.LOCAL_QUORUM
    profile = ExecutionProfile(RoundRobinPolicy(), consistency_level=quorum, request_timeout=30)
    try:
        return Cluster(
            points,
            port=port,
            auth_provider=PlainTextAuthProvider(way.username, way.password),
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            connect_timeout=10,
            protocol_version=ProtocolVersion.V5,
            schema_metadata_enabled=False,
            token_metadata_enabled=False,
            **tls,
        )
    except UnresolvableContactPoints as error:
        raise failures.of_driver(way.hosts, error) from None


def _trusting(ca_file: str) -> ssl.SSLContext:
    """Load the authority's certificate.  Raises ConfigurationError when the file is not a certificate."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"cannot be read ({error.strerror or error})",
            where=ca_file,
            fix="set CASSANDRA_CA_FILE to the authority's certificate, a PEM file",
        ) from None


def contact_points(hosts: str) -> tuple[list[str], int]:
    """Parse `"a:9043,b"` to `(["a", "b"], 9043)`.  The port is the first one named, 9042 if there is none.

    Raises:
        ConfigurationError: not a list of host or host:port.
    """
    names, ports = [], []
    for part in filter(None, (part.strip() for part in hosts.split(","))):
        name, _, port = part.rpartition(":") if part.count(":") == 1 else (part, "", "")
        names.append(name)
        if port:
            ports.append(port)
    if not names or not all(port.isdigit() for port in ports):
        raise ConfigurationError(
            f"CASSANDRA_HOSTS is {hosts!r}", where="environment", fix="write host:port, several separated by commas"
        )
    return names, int(ports[0]) if ports else 9042
