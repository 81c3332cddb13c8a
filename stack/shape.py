"""What a stack is like for as long as there are data of Kafka and Cassandra, which were made for that many nodes."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from stack.errors import UsageError
from stack.site import Site

MOST_BROKERS = 3
MOST_CASSANDRA_NODES = 2


def _new_cluster_id() -> str:
    """As Kafka makes it; it may not begin with a dash."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")


@dataclass(frozen=True)
class Shape:
    """
    Args:
        brokers: nodes of Kafka; each topic has a replica on all of them.
        cassandra_nodes: each row has a replica on all of them, where its contract says nothing else.
        secure: TLS, and an account for each role.
        zookeeper: Kafka of the last line that knows ZooKeeper, one node, and that.
        cluster_id: what the nodes of one cluster have in common.
    """

    brokers: int = 1
    cassandra_nodes: int = 1
    secure: bool = False
    zookeeper: bool = False
    cluster_id: str = field(default_factory=_new_cluster_id)

    @classmethod
    def of(cls, site: Site) -> Shape:
        """The shape of the stack in `site`; the default one when it never was up."""
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
    """The shape that a stack in `site` gets, or has.

    Args:
        brokers, cassandra_nodes: how many are asked for; None for as many as there are.
        secure, zookeeper: whether that is asked for; what has it keeps it.
    Raises:
        UsageError: there are data of another shape, or it is none.
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
            "with ZooKeeper there is one node of Kafka, and no accounts",
            where=str(site.root),
            fix="leave out --zookeeper, or --secure and --brokers",
        )
    for name, told in (("Kafka", _kafka), ("Cassandra", _cassandra)):
        if told(wanted) != told(before) and (site.folder(name.lower()) / "data").exists():
            raise UsageError(
                f"the data here are of {name} with {told(before)}, not {told(wanted)}",
                where=str(site.root),
                fix="leave the flag out, or start another stack: set STACK_DIR, or --dir, to a folder of its own",
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
