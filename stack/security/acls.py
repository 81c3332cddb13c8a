"""Kafka's accounts, and the permissions of each step of the pipeline, for the embedded stack and for Docker.

Kafka refuses everything that is not permitted here.
"""

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
# Prefixes of consumer groups: the pipeline's own, and those that Spark creates for its source.
_OWN, _SPARK = "contracts-", "spark-kafka-"
_SCRAM = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192)
_ANSWERS_WITHIN_S = 30


@dataclass(frozen=True)
class Topics:
    """The topics of one contract.

    Args:
        contract: name of the contract; the groups that show each store's progress begin with it.
        topic: topic of the records.
        dead_letters: topic of the dead letters.
    """

    contract: str
    topic: str
    dead_letters: str


def register(account: str, of: Topics) -> list[AclBinding]:
    """Permissions of `contracts …`: creates, alters and describes topics, and cannot read or write their records."""
    return [*topic(account, of.topic, MANAGE), *topic(account, of.dead_letters, MANAGE)]


def produce(account: str, of: Topics) -> list[AclBinding]:
    """Permissions of `producers`: writes records, and dead letters for those that it refuses."""
    return [*topic(account, of.topic, WRITE), *topic(account, of.dead_letters, WRITE)]


def stream(account: str, of: Topics) -> list[AclBinding]:
    """Permissions of `streaming`, `dlq list` and `reconcile`: reads both topics, writes dead letters, commits to its
    own groups."""
    return [
        *topic(account, of.topic, READ),
        *topic(account, of.dead_letters, (*READ, AclOperation.WRITE)),
        *(group(account, name, ResourcePatternType.PREFIXED) for name in (f"{of.contract}.", _OWN, _SPARK)),
    ]


def replay(account: str, of: Topics) -> list[AclBinding]:
    """Permissions of `dlq replay`: reads dead letters, and writes records and receipts."""
    both = (*READ, AclOperation.WRITE)
    return [
        *topic(account, of.topic, both),
        *topic(account, of.dead_letters, both),
        group(account, _OWN, ResourcePatternType.PREFIXED),
    ]


def topic(account: str, name: str, operations: Iterable[AclOperation]) -> list[AclBinding]:
    """Permit operations on a topic; `name` may be `*` for all."""
    return [_allow(account, ResourceType.TOPIC, name, ResourcePatternType.LITERAL, one) for one in operations]


def group(account: str, name: str, pattern: ResourcePatternType) -> AclBinding:
    """Permit reading with a consumer group, or with all groups of a prefix, as `pattern` says."""
    return _allow(account, ResourceType.GROUP, name, pattern, AclOperation.READ)


def apply(client: AdminClient, passwords: Mapping[str, str], allowed: Iterable[AclBinding]) -> None:
    """Create the accounts and grant them the permissions.  Running it again changes only passwords.

    Args:
        client: a client with an administrator's account.
        passwords: password of each account.
        allowed: the permissions to grant.
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
