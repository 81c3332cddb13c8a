"""Who may do what on a secure stack: an account for each step of the pipeline, and nobody else.

`admin` makes topics and registers schemas, `producer` writes records, `stream` reads them and writes the stores,
`replay` puts dead letters back.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from stack.errors import UsageError

ROLES = ("admin", "producer", "stream", "replay")
_CLONE = Path(__file__).resolve().parent.parent
_LITERAL, _PREFIXED = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
# Of the pipeline's own consumers, and of Spark's source.
_OWN, _SPARK = "contracts-", "spark-kafka-"
_SEE = (AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS)


@dataclass(frozen=True)
class Topics:
    """The topics of one contract.

    Args:
        contract: its name, with which the groups begin that show the stores' progress.
        topic: of the records.
        dead_letters: of what was refused.
    """

    contract: str
    topic: str
    dead_letters: str


def contracts() -> list[Topics]:
    """Those of CONTRACTS_DIR, or of the clone's schemas/.

    Raises:
        UsageError: a contract names no topics.
    """
    found = []
    for file in sorted(Path(os.environ.get("CONTRACTS_DIR") or _CLONE / "schemas").glob("*/contract.yaml")):
        try:
            document = yaml.safe_load(file.read_text(encoding="utf-8"))
            found.append(Topics(file.parent.name, document["topic"], document["dead_letter"]["topic"]))
        except (OSError, yaml.YAMLError, KeyError, TypeError):
            raise UsageError(
                "names no topic and no dead-letter topic", where=str(file), mend="see `contracts lint`"
            ) from None
    return found


def acls(wanted: Iterable[Topics]) -> list[AclBinding]:
    """What the roles may do in Kafka; without any that allows it, everything is refused."""
    found = [
        _may("admin", ResourceType.TOPIC, "*", _LITERAL, one)
        for one in (AclOperation.CREATE, AclOperation.ALTER, AclOperation.ALTER_CONFIGS, *_SEE)
    ]
    for role, group in (("stream", _OWN), ("stream", _SPARK), ("replay", _OWN)):
        found.append(_may(role, ResourceType.GROUP, group, _PREFIXED, AclOperation.READ))
    for one in wanted:
        for topic in (one.topic, one.dead_letters):
            found += [
                _may(role, ResourceType.TOPIC, topic, _LITERAL, AclOperation.WRITE) for role in ("producer", "replay")
            ]
            for role in ("stream", "replay"):
                operations = (AclOperation.READ, *_SEE)
                found += [_may(role, ResourceType.TOPIC, topic, _LITERAL, operation) for operation in operations]
        found.append(_may("stream", ResourceType.TOPIC, one.dead_letters, _LITERAL, AclOperation.WRITE))
        found.append(_may("stream", ResourceType.GROUP, f"{one.contract}.", _PREFIXED, AclOperation.READ))
    return found


def store_account(role: str) -> str:
    """The account of a role in Cassandra and PostgreSQL; `producer` is shown nothing there."""
    return "producer" if role in ("producer", "replay") else "pipeline"


def _may(
    role: str, kind: ResourceType, name: str, pattern: ResourcePatternType, operation: AclOperation
) -> AclBinding:
    return AclBinding(kind, name, pattern, f"User:{role}", "*", operation, AclPermissionType.ALLOW)
