"""What a change of contract.yaml does to the records of a topic in use: rule, place, message and fix.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.catalog.contract import Contract, DeadLetterSpec, TopicSpec

MOVES = "events of one key go to another partition than before, and their order is lost"

#: Rule, keys of contract.yaml, message, fix.
Told = tuple[str, list[str | int], str, str]

#: Kafka's own defaults, for a setting that the contract does not name; a broker may have others.
_DEFAULTS = {"cleanup.policy": "delete", "retention.ms": "604800000", "retention.bytes": "-1"}
_UNITS = {"retention.ms": " ms", "retention.bytes": " bytes a partition"}
_NO_STEP = "change the topic first (kafka-reassign-partitions), then the contract: `register` refuses another number"


def between(old: Contract, new: Contract) -> Iterator[Told]:
    """Everything that there is to say of the topic and of its dead letters."""
    before, after = old.spec.producer.schema_id, new.spec.producer.schema_id
    if before is not after:
        yield (
            "SCHEMA_ID_MOVED",
            ["producer", "schema_id"],
            f"the schema id was in the {before}, and is now in the {after}: a consumer that looks elsewhere reads "
            "no record" + (f"; the bytes of the key change with it: {MOVES}" if new.key else ""),
            "let every consumer read both ways first (confluent-kafka 2.10 and later do), then approve it",
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
            f"dead letters went to {old.dead_letter_topic}, and now go to {new.dead_letter_topic}: those that are "
            "there stay, and who reads the old topic hears of no more",
            f"work off {old.dead_letter_topic}, and let its readers move on",
        )


def _partitions(place: str, old: TopicSpec | DeadLetterSpec, new: TopicSpec | DeadLetterSpec) -> Iterator[Told]:
    if old.partitions != new.partitions:
        yield (
            "PARTITIONS_CHANGED",
            [place, "partitions"],
            f"the topic had {old.partitions} partitions, and the contract now says {new.partitions}: {MOVES}",
            "keep the number; for more, take a new topic and move to it",
        )
    if old.replication_factor != new.replication_factor:
        before, after = (_factor(one.replication_factor) for one in (old, new))
        yield (
            "REPLICATION_CHANGED",
            [place, "replication_factor"],
            f"the replication factor was {before}, and the contract now says {after}: a topic that is there keeps "
            "its own",
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
            f"{key} was {told[0]}, and is now {told[1]}: records go earlier, also those that are there, and "
            "who has not read them by then, or reads the topic again, lacks them",
            "keep it, or make sure that every consumer and every rebuilt table gets by with less",
        )
    if policies[0] != policies[1]:
        yield (
            "CLEANUP_CHANGED",
            [place, "config", "cleanup.policy"],
            _cleanup(*policies),
            "keep it, or take a new topic",
        )


def _number(text: str) -> float | None:
    """What a setting says; infinite for -1, None for what is no number."""
    try:
        number = int(text)
    except ValueError:
        return None
    return float("inf") if number < 0 else number


def _told(spec: TopicSpec | DeadLetterSpec, key: str) -> str:
    number = spec.config.get(key)
    if number is None:
        return f"Kafka's default ({_DEFAULTS[key]}{_UNITS[key]})"
    return "without limit" if number.startswith("-") else f"{number}{_UNITS[key]}"


def _policies(spec: TopicSpec | DeadLetterSpec) -> frozenset[str]:
    value = spec.config.get("cleanup.policy", _DEFAULTS["cleanup.policy"])
    return frozenset(filter(None, (one.strip() for one in value.split(","))))


def _cleanup(before: frozenset[str], after: frozenset[str]) -> str:
    was, now = (",".join(sorted(one)) or "none" for one in (before, after))
    told = [f"cleanup.policy was {was}, and is now {now}"]
    if "compact" in after - before:
        told.append("of each key only the newest record stays, and one without a key is refused")
    if "compact" in before - after:
        told.append("older records of a key stay from now on")
    if "delete" in after - before:
        told.append("the newest record of a key goes too, when its retention ends")
    if "delete" in before - after:
        told.append("no record goes because of its age")
    return "; ".join(told)
