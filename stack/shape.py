"""What a stack is like for as long as Kafka's data are there, which were made for that many nodes."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from stack.errors import UsageError
from stack.site import Site

MOST_BROKERS = 3


def _new_cluster_id() -> str:
    """As Kafka makes it; it may not begin with a dash."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")


@dataclass(frozen=True)
class Shape:
    """
    Args:
        brokers: nodes of Kafka; each topic has a replica on all of them.
        secure: TLS, and an account for each role.
        cluster_id: what the nodes of one cluster have in common.
    """

    brokers: int = 1
    secure: bool = False
    cluster_id: str = field(default_factory=_new_cluster_id)

    @classmethod
    def of(cls, site: Site) -> Shape:
        """The shape of the stack in `site`; the default one when it never was up."""
        kept = site.read(_file(site)) or {}
        return cls(**{one.name: kept[one.name] for one in fields(cls) if one.name in kept})

    def keep(self, site: Site) -> None:
        site.write(_file(site), asdict(self))


def agreed(site: Site, brokers: int | None = None, secure: bool = False) -> Shape:
    """The shape that a stack in `site` gets, or has.

    Args:
        brokers: how many are asked for; None for as many as there are.
        secure: whether that is asked for; what is secure stays so.
    Raises:
        UsageError: there are data of another shape.
    """
    before = Shape.of(site)
    wanted = Shape(before.brokers if brokers is None else brokers, secure or before.secure, before.cluster_id)
    if wanted != before and (site.folder("kafka") / "data").exists():
        raise UsageError(
            f"the data here are of Kafka with {_told(before)}, not {_told(wanted)}",
            where=str(site.root),
            mend="leave the flag out, or start another stack: set STACK_DIR, or --dir, to a folder of its own",
        )
    return wanted


def _told(shape: Shape) -> str:
    nodes = "one node" if shape.brokers == 1 else f"{shape.brokers} nodes"
    return f"{nodes} and accounts" if shape.secure else nodes


def _file(site: Site) -> Path:
    return site.root / "shape.json"
