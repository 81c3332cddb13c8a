"""The roles of a secure stack: one account for each step of the pipeline.

`admin` creates topics and registers schemas, `producer` writes records, `stream` reads records and writes the stores,
and `replay` sends dead letters back.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import yaml
from confluent_kafka.admin import AclBinding

from avro_data_contracts.stack.errors import UsageError
from avro_data_contracts.stack.security import acls
from avro_data_contracts.stack.security.acls import Topics
from avro_data_contracts.stack.site import CLONE

ROLES = ("admin", "producer", "stream", "replay")


def contracts() -> list[Topics]:
    """The topics of all contracts in CONTRACTS_DIR, or in the clone's schemas/.

    Raises:
        UsageError: a contract does not name its topics.
    """
    found = []
    for file in sorted(Path(os.environ.get("CONTRACTS_DIR") or CLONE / "schemas").glob("*/contract.yaml")):
        try:
            document = yaml.safe_load(file.read_text(encoding="utf-8"))
            found.append(Topics(file.parent.name, document["topic"], document["dead_letter"]["topic"]))
        except (OSError, yaml.YAMLError, KeyError, TypeError):
            raise UsageError(
                "this contract does not name a topic and a dead-letter topic",
                where=str(file),
                fix="run `contracts lint`, and correct what it reports",
            ) from None
    return found


def permissions(wanted: Iterable[Topics]) -> list[AclBinding]:
    """The permissions of all roles in Kafka."""
    found = acls.topic("admin", "*", acls.MANAGE)
    for one in wanted:
        found += [*acls.produce("producer", one), *acls.stream("stream", one), *acls.replay("replay", one)]
    return list(dict.fromkeys(found))


def store_account(role: str) -> str:
    """Account of a role in Cassandra and PostgreSQL; `producer` may read nothing there."""
    return "producer" if role in ("producer", "replay") else "pipeline"
