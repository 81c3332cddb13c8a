"""A change of a topic in words: the message and the fix of its finding.  Pure."""

from __future__ import annotations

from avro_data_contracts.contracts.check.topic_changes import DEFAULTS, TopicChange, policies

MOVES = "events of a key go to a different partition than before, and lose their order"

_UNITS = {"retention.ms": " ms", "retention.bytes": " bytes per partition"}


def told(one: TopicChange) -> tuple[str, str]:
    """The message and the fix."""
    before, after = one.before, one.after
    moves = f"; the bytes of the key change too: {MOVES}" if one.moves_keys else ""
    match one.rule:
        case "SCHEMA_ID_MOVED":
            return (
                f"the schema id was in the {before}, and is now in the {after}: a consumer that looks for it in the "
                f"{before} cannot read new records{moves}",
                "make every consumer read both ways first (confluent-kafka 2.10 and later do), then approve it",
            )
        case "PARTITIONS_CHANGED":
            return (
                f"the number of partitions was {before}, and is now {after}: {MOVES}",
                "keep the number; if you need more partitions, move to a new topic",
            )
        case "REPLICATION_CHANGED":
            was, now = (value or "the broker's default" for value in (before, after))
            return (
                f"the replication factor was {was}, and is now {now}: an existing topic keeps its own",
                "change the topic first (kafka-reassign-partitions), then the contract: `register` cannot change it",
            )
        case "RETENTION_SHORTENED":
            key = one.keys[-1]
            return (
                f"{key} was {_limit(key, before)}, and is now {_limit(key, after)}: Kafka deletes records earlier, "
                "existing ones too, so a consumer that is late or starts from the beginning misses them",
                "keep it, or make sure that no consumer and no table you rebuild needs the older records",
            )
        case "CLEANUP_CHANGED":
            return _cleanup(policies(before), policies(after)), "keep it, or use a new topic"
        case "DEAD_LETTERS_MOVED":
            return (
                f"dead letters went to {before}, and now go to {after}: old ones stay in {before}, whose readers get "
                "no new ones",
                f"work through {before}, and move its readers to {after}",
            )
    raise AssertionError(one.rule)


def _limit(key: str, setting: str | None) -> str:
    if setting is None:
        return f"Kafka's default ({DEFAULTS[key]}{_UNITS[key]})"
    return "unlimited" if int(setting) < 0 else f"{setting}{_UNITS[key]}"


def _cleanup(before: frozenset[str], after: frozenset[str]) -> str:
    was, now = (",".join(sorted(one)) or "none" for one in (before, after))
    said = [f"cleanup.policy was {was}, and is now {now}"]
    if "compact" in after - before:
        said.append("Kafka keeps only the newest record of each key, and refuses records without a key")
    if "compact" in before - after:
        said.append("Kafka now keeps older records of a key")
    if "delete" in after - before:
        said.append("Kafka also deletes the newest record of a key when its retention ends")
    if "delete" in before - after:
        said.append("Kafka no longer deletes records because of their age")
    return "; ".join(said)
