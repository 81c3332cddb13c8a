"""Accounts in Kafka, and what each step of the pipeline may do there, here and with Docker; what is not allowed is
refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

READ = (AclOperation.READ, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS)
WRITE = (AclOperation.WRITE, AclOperation.DESCRIBE)
MANAGE = (
    AclOperation.CREATE,
    AclOperation.ALTER,
    AclOperation.DESCRIBE,
    AclOperation.DESCRIBE_CONFIGS,
    AclOperation.ALTER_CONFIGS,
)
# Groups of the pipeline's own consumers, and those that Spark makes for its source.
_OWN, _SPARK = "contracts-", "spark-kafka-"
_SCRAM = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192)
_ANSWERS_WITHIN_S = 30


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


def register(account: str, of: Topics) -> list[AclBinding]:
    """`contracts …`: makes, alters and describes topics; their records are not its business."""
    return [*topic(account, of.topic, MANAGE), *topic(account, of.dead_letters, MANAGE)]


def produce(account: str, of: Topics) -> list[AclBinding]:
    """`producers`: writes; also, at once, what it refuses itself."""
    return [*topic(account, of.topic, WRITE), *topic(account, of.dead_letters, WRITE)]


def stream(account: str, of: Topics) -> list[AclBinding]:
    """`streaming`, `dlq list`, `reconcile`: reads both topics, writes dead letters, commits to groups of its own."""
    return [
        *topic(account, of.topic, READ),
        *topic(account, of.dead_letters, (*READ, AclOperation.WRITE)),
        *(group(account, name, ResourcePatternType.PREFIXED) for name in (f"{of.contract}.", _OWN, _SPARK)),
    ]


def replay(account: str, of: Topics) -> list[AclBinding]:
    """`dlq replay`: reads dead letters and writes records, and receipts."""
    both = (*READ, AclOperation.WRITE)
    return [
        *topic(account, of.topic, both),
        *topic(account, of.dead_letters, both),
        group(account, _OWN, ResourcePatternType.PREFIXED),
    ]


def topic(account: str, name: str, operations: Iterable[AclOperation]) -> list[AclBinding]:
    """`name` may be `*`."""
    return [_allow(account, ResourceType.TOPIC, name, ResourcePatternType.LITERAL, one) for one in operations]


def group(account: str, name: str, pattern: ResourcePatternType) -> AclBinding:
    """A consumer group, or all whose names begin so."""
    return _allow(account, ResourceType.GROUP, name, pattern, AclOperation.READ)


def apply(client: AdminClient, passwords: Mapping[str, str], allowed: Iterable[AclBinding]) -> None:
    """Makes the accounts and lets them do that; a second time it changes nothing but passwords.

    Args:
        client: an administrator's.
        passwords: by account.

    Raises:
        KafkaException: Kafka does not answer, or refuses.
    """
    accounts: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(name, _SCRAM, word.encode()) for name, word in passwords.items()
    ]
    for made in client.alter_user_scram_credentials(accounts, request_timeout=_ANSWERS_WITHIN_S).values():
        made.result()
    for allows in client.create_acls(list(allowed), request_timeout=_ANSWERS_WITHIN_S).values():
        allows.result()


def _allow(
    account: str, kind: ResourceType, name: str, pattern: ResourcePatternType, operation: AclOperation
) -> AclBinding:
    return AclBinding(kind, name, pattern, f"User:{account}", "*", operation, AclPermissionType.ALLOW)
