"""What a change of contract.yaml does to the records of a topic in use: rule, place, message and fix.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.catalog.contract import Contract, DeadLetterSpec, TopicSpec

MOVES = "events of a key go to a different partition than before, and lose their order"

#: Rule, keys of contract.yaml, message, fix.
Told = tuple[str, list[str | int], str, str]

#: Kafka's own defaults for settings that the contract does not name; a broker may have others.
_DEFAULTS = {"cleanup.policy": "delete", "retention.ms": "604800000", "retention.bytes": "-1"}
_UNITS = {"retention.ms": " ms", "retention.bytes": " bytes per partition"}
_NO_STEP = "change the topic first (kafka-reassign-partitions), then the contract: `register` cannot change it"


def between(old: Contract, new: Contract) -> Iterator[Told]:
    """Every such change of the topic and of its dead-letter topic."""
    before, after = old.spec.producer.schema_id, new.spec.producer.schema_id
    if before is not after:
        yield (
            "SCHEMA_ID_MOVED",
            ["producer", "schema_id"],
            f"the schema id was in the {before}, and is now in the {after}: a consumer that looks for it in the "
            f"{before} cannot read new records" + (f"; the bytes of the key change too: {MOVES}" if new.key else ""),
            "make every consumer read both ways first (confluent-kafka 2.10 and later do), then approve it",
        )
    yield from _partitions("kafka", old.spec.kafka, new.spec.kafka)
    yield from _settings("kafka", old.spec.kafka, new.spec.kafka)
    if old.dead_letter_topic == new.dead_letter_topic:
        yield from _partitions("dead_letter", old.spec.dead_letter, new.spec.dead_letter)
        yield from _settings("dead_letter", old.spec.dead_letter, new.spec.dead_letter)
    else:
        yield (
            "DEAD_LETTERS_MOVED",
            ["dead_letter", "topic"],
            f"dead letters went to {old.dead_letter_topic}, and now go to {new.dead_letter_topic}: old ones stay "
            f"in {old.dead_letter_topic}, whose readers get no new ones",
            f"work through {old.dead_letter_topic}, and move its readers to {new.dead_letter_topic}",
        )


def _partitions(place: str, old: TopicSpec | DeadLetterSpec, new: TopicSpec | DeadLetterSpec) -> Iterator[Told]:
    if old.partitions != new.partitions:
        yield (
            "PARTITIONS_CHANGED",
            [place, "partitions"],
            f"the number of partitions was {old.partitions}, and is now {new.partitions}: {MOVES}",
            "keep the number; if you need more partitions, move to a new topic",
        )
    if old.replication_factor != new.replication_factor:
        before, after = (_factor(one.replication_factor) for one in (old, new))
        yield (
            "REPLICATION_CHANGED",
            [place, "replication_factor"],
            f"the replication factor was {before}, and is now {after}: an existing topic keeps its own",
            _NO_STEP,
        )


def _factor(number: int) -> str:
    return "the broker's default" if number == -1 else str(number)


def _settings(place: str, old: TopicSpec | DeadLetterSpec, new: TopicSpec | DeadLetterSpec) -> Iterator[Told]:
    policies = _policies(old), _policies(new)
    for key in ("retention.ms", "retention.bytes"):
        before, after = (_number(one.config.get(key, _DEFAULTS[key])) for one in (old, new))
        if before is None or after is None or after >= before or "delete" not in policies[1]:
            continue
        told = [_told(one, key) for one in (old, new)]
        yield (
            "RETENTION_SHORTENED",
            [place, "config", key],
            f"{key} was {told[0]}, and is now {told[1]}: Kafka deletes records earlier, existing ones too, so a "
            "consumer that is late or starts from the beginning misses them",
            "keep it, or make sure that no consumer and no table you rebuild needs the older records",
        )
    if policies[0] != policies[1]:
        yield (
            "CLEANUP_CHANGED",
            [place, "config", "cleanup.policy"],
            _cleanup(*policies),
            "keep it, or use a new topic",
        )


def _number(text: str) -> float | None:
    """The value of a setting; infinite for -1, None if it is not a number."""
    try:
        number = int(text)
    except ValueError:
        return None
    return float("inf") if number < 0 else number


def _told(spec: TopicSpec | DeadLetterSpec, key: str) -> str:
    number = spec.config.get(key)
    if number is None:
        return f"Kafka's default ({_DEFAULTS[key]}{_UNITS[key]})"
    return "unlimited" if number.startswith("-") else f"{number}{_UNITS[key]}"


def _policies(spec: TopicSpec | DeadLetterSpec) -> frozenset[str]:
    value = spec.config.get("cleanup.policy", _DEFAULTS["cleanup.policy"])
    return frozenset(filter(None, (one.strip() for one in value.split(","))))


def _cleanup(before: frozenset[str], after: frozenset[str]) -> str:
    was, now = (",".join(sorted(one)) or "none" for one in (before, after))
    told = [f"cleanup.policy was {was}, and is now {now}"]
    if "compact" in after - before:
        told.append("Kafka keeps only the newest record of each key, and refuses records without a key")
    if "compact" in before - after:
        told.append("Kafka now keeps older records of a key")
    if "delete" in after - before:
        told.append("Kafka also deletes the newest record of a key when its retention ends")
    if "delete" in before - after:
        told.append("Kafka no longer deletes records because of their age")
    return "; ".join(told)
