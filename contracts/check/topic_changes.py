"""What a change of contract.yaml does to the records of a topic in use, as facts.  Pure.

`contracts.check.topic_wording` says them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from avro_data_contracts.contracts.catalog.contract import Contract, DeadLetterSpec, TopicSpec

#: Kafka's own defaults for settings that the contract does not name; a broker may have others.
DEFAULTS = {"cleanup.policy": "delete", "retention.ms": "604800000", "retention.bytes": "-1"}


@dataclass(frozen=True)
class TopicChange:
    """One setting that changes what happens to the records of a topic.

    Args:
        rule: of `contracts.check.rules`.
        keys: where the setting stands in contract.yaml.
        before, after: its values as the contracts write them; None where they leave it to Kafka's default.
        moves_keys: events of a key go to another partition than before.
    """

    rule: str
    keys: tuple[str, ...]
    before: str | None
    after: str | None
    moves_keys: bool = False


def between(old: Contract, new: Contract) -> Iterator[TopicChange]:
    """Every such change of the topic and of its dead-letter topic."""
    before, after = old.spec.producer.schema_id, new.spec.producer.schema_id
    if before is not after:
        at = ("producer", "schema_id")
        yield TopicChange("SCHEMA_ID_MOVED", at, before.value, after.value, moves_keys=new.key is not None)
    yield from _of_topic("kafka", old.spec.kafka, new.spec.kafka)
    if old.dead_letter_topic == new.dead_letter_topic:
        yield from _of_topic("dead_letter", old.spec.dead_letter, new.spec.dead_letter)
    else:
        topics = old.dead_letter_topic, new.dead_letter_topic
        yield TopicChange("DEAD_LETTERS_MOVED", ("dead_letter", "topic"), *topics)


def _of_topic(place: str, old: TopicSpec | DeadLetterSpec, new: TopicSpec | DeadLetterSpec) -> Iterator[TopicChange]:
    if old.partitions != new.partitions:
        numbers = str(old.partitions), str(new.partitions)
        yield TopicChange("PARTITIONS_CHANGED", (place, "partitions"), *numbers, moves_keys=True)
    if old.replication_factor != new.replication_factor:
        before, after = (None if one.replication_factor == -1 else str(one.replication_factor) for one in (old, new))
        yield TopicChange("REPLICATION_CHANGED", (place, "replication_factor"), before, after)
    for key in ("retention.ms", "retention.bytes"):
        limit, lower = _limit(old, key), _limit(new, key)
        if limit is None or lower is None or lower >= limit or "delete" not in policies(new.config.get(_CLEANUP)):
            continue
        yield TopicChange("RETENTION_SHORTENED", (place, "config", key), old.config.get(key), new.config.get(key))
    settings = old.config.get(_CLEANUP), new.config.get(_CLEANUP)
    if policies(settings[0]) != policies(settings[1]):
        yield TopicChange("CLEANUP_CHANGED", (place, "config", _CLEANUP), *settings)


_CLEANUP = "cleanup.policy"


def policies(setting: str | None) -> frozenset[str]:
    """The policies that a value of `cleanup.policy` lists."""
    listed = DEFAULTS[_CLEANUP] if setting is None else setting
    return frozenset(filter(None, (one.strip() for one in listed.split(","))))


def _limit(spec: TopicSpec | DeadLetterSpec, key: str) -> float | None:
    """The value of a setting; infinite for -1, None if it is not a number."""
    try:
        number = int(spec.config.get(key, DEFAULTS[key]))
    except ValueError:
        return None
    return float("inf") if number < 0 else number
