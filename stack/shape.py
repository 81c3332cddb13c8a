"""The properties of a stack that stay as long as its data does, such as how many nodes Kafka and Cassandra have."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from avro_data_contracts.stack.errors import UsageError
from avro_data_contracts.stack.site import Site

MOST_BROKERS = 3
MOST_CASSANDRA_NODES = 2


def _new_cluster_id() -> str:
    """An id like Kafka's own: a base64 UUID that does not begin with a dash."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")


@dataclass(frozen=True)
class Shape:
    """The fixed properties of one stack.

    Args:
        brokers: Kafka nodes; each topic has a replica on all of them.
        cassandra_nodes: Cassandra nodes; each row is on all of them unless its contract says otherwise.
        secure: TLS, and an account for each role.
        zookeeper: one Kafka node of the last version line with ZooKeeper, and ZooKeeper itself.
        cluster_id: the id that all Kafka nodes of the stack share.
    """

    brokers: int = 1
    cassandra_nodes: int = 1
    secure: bool = False
    zookeeper: bool = False
    cluster_id: str = field(default_factory=_new_cluster_id)

    @classmethod
    def of(cls, site: Site) -> Shape:
        """The shape of the stack in `site`; the default if it was never up."""
        kept = site.read(_file(site)) or {}
        return cls(**{one.name: kept[one.name] for one in fields(cls) if one.name in kept})

    def keep(self, site: Site) -> None:
        site.write(_file(site), asdict(self))


def agreed(
    site: Site,
    brokers: int | None = None,
    secure: bool = False,
    zookeeper: bool = False,
    cassandra_nodes: int | None = None,
) -> Shape:
    """The shape for the next start of the stack in `site`.

    Args:
        brokers, cassandra_nodes: how many nodes the user asks for; None for as many as the stack has.
        secure, zookeeper: whether the user asks for it; a stack that has it keeps it.
    Raises:
        UsageError: the existing data has another shape, or the combination is impossible.
    """
    before = Shape.of(site)
    wanted = Shape(
        before.brokers if brokers is None else brokers,
        before.cassandra_nodes if cassandra_nodes is None else cassandra_nodes,
        secure or before.secure,
        zookeeper or before.zookeeper,
        before.cluster_id,
    )
    if wanted.zookeeper and (wanted.secure or wanted.brokers > 1):
        raise UsageError(
            "--zookeeper runs one Kafka node without accounts, so it excludes --secure and --brokers",
            where=str(site.root),
            fix="leave out --zookeeper, or both --secure and --brokers",
        )
    for name, told in (("Kafka", _kafka), ("Cassandra", _cassandra)):
        if told(wanted) != told(before) and (site.folder(name.lower()) / "data").exists():
            raise UsageError(
                f"the data in this folder belongs to {name} with {told(before)}, not {told(wanted)}",
                where=str(site.root),
                fix="leave the flag out, or use another folder for a new stack: set STACK_DIR or --dir",
            )
    return wanted


def _kafka(shape: Shape) -> str:
    extras = [*(["accounts"] if shape.secure else ()), *(["ZooKeeper"] if shape.zookeeper else ())]
    return " and ".join([_nodes(shape.brokers), *extras])


def _cassandra(shape: Shape) -> str:
    return _nodes(shape.cassandra_nodes)


def _nodes(number: int) -> str:
    return "one node" if number == 1 else f"{number} nodes"


def _file(site: Site) -> Path:
    return site.root / "shape.json"
