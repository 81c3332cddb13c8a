"""Who may do what on a secure stack: an account for each step of the pipeline, and nobody else.

`admin` makes topics and registers schemas, `producer` writes records, `stream` reads them and writes the stores,
`replay` puts dead letters back.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import yaml
from confluent_kafka.admin import AclBinding

from stack.errors import UsageError
from stack.security import acls
from stack.security.acls import Topics
from stack.site import CLONE

ROLES = ("admin", "producer", "stream", "replay")


def contracts() -> list[Topics]:
    """Those of CONTRACTS_DIR, or of the clone's schemas/.

    Raises:
        UsageError: a contract names no topics.
    """
    found = []
    for file in sorted(Path(os.environ.get("CONTRACTS_DIR") or CLONE / "schemas").glob("*/contract.yaml")):
        try:
            document = yaml.safe_load(file.read_text(encoding="utf-8"))
            found.append(Topics(file.parent.name, document["topic"], document["dead_letter"]["topic"]))
        except (OSError, yaml.YAMLError, KeyError, TypeError):
            raise UsageError(
                "names no topic and no dead-letter topic", where=str(file), fix="see `contracts lint`"
            ) from None
    return found


def permissions(wanted: Iterable[Topics]) -> list[AclBinding]:
    """What the roles may do in Kafka."""
    found = acls.topic("admin", "*", acls.MANAGE)
    for one in wanted:
        found += [*acls.produce("producer", one), *acls.stream("stream", one), *acls.replay("replay", one)]
    return list(dict.fromkeys(found))


def store_account(role: str) -> str:
    """The account of a role in Cassandra and PostgreSQL; `producer` is shown nothing there."""
    return "producer" if role in ("producer", "replay") else "pipeline"
