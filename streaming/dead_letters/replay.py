"""Puts dead letters back into their topic, with key, value, headers and timestamp unaltered.

At least once: a letter whose receipt was lost (see `letters`) is put back again.  The timestamp decides which event
of a key is the newest, so the record is still one row, and a newer event stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, Message

from avro_data_contracts.contracts.catalog import dead_letter
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry.outbox import Outbox
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import failures, topic
from avro_data_contracts.streaming.dead_letters import letters as dead_letters
from avro_data_contracts.streaming.dead_letters.letters import Letter, Place
from avro_data_contracts.streaming.portions import portions
from avro_data_contracts.streaming.sinks.dead_letter import BESIDE_ANOTHER, INVALID_TIMESTAMP, size_limits

_AT_ONCE = 500
_BYTES_AT_ONCE = 32 * 1024 * 1024


@dataclass
class Replayed:
    """What became of the letters.

    Attributes:
        put_back: each letter whose record Kafka has acknowledged, and the record's new place.
        lost: each letter that cannot be put back, and why.
    """

    put_back: list[tuple[Letter, Place]] = field(default_factory=list)
    lost: list[tuple[Letter, str]] = field(default_factory=list)


def replay(
    settings: Settings, contract: Contract, letters: Sequence[Letter], progress: Callable[[Replayed], None]
) -> Replayed:
    """Put the records of `letters` back into the contract's topic, each into its partition.

    Args:
        letters: letters of the stream, which all have an origin.
        progress: called from time to time.

    Raises:
        ConfigurationError: the topic would give the records another timestamp.
        ServiceError: Kafka does not answer, or refuses a record; it says how many were put back.
    """
    partitions = _partitions(settings, contract)
    done = Replayed()
    configuration = {
        "partitioner": "murmur2_random",
        **size_limits(settings, contract.topic, contract.dead_letter_topic),
    }
    outbox = Outbox(settings, "streaming-replay", configuration)
    waiting = dead_letters.messages(settings, {letter.at: letter for letter in letters})
    # Portions large enough to be worth a wait for acknowledgements, and small enough for the memory.
    for some in portions(waiting, lambda one: one[0].value_bytes or 0, most=_AT_ONCE, most_bytes=_BYTES_AT_ONCE):
        failed = _send(outbox, contract, partitions, _records(settings, some, done), done)
        progress(done)
        if failed is not None:
            words = f"{len(done.put_back)} of {len(letters)} records put back, then: {failed}"
            raise failures.service(failures.KAFKA, settings.kafka_bootstrap_servers, words)
    return done


def _partitions(settings: Settings, contract: Contract) -> int:
    topics = Topics(settings)
    state = topics.read([contract.topic])[contract.topic]
    if state is None:
        raise ConfigurationError(
            f"missing: topic {contract.topic}",
            where=contract.file,
            fix="register the contract: make register-schemas",
        )
    if topics.setting(contract.topic, "message.timestamp.type") == "LogAppendTime":
        raise ConfigurationError(
            "the topic gives each record the time of its arrival (message.timestamp.type=LogAppendTime):"
            " a record that is put back would overwrite newer rows",
            where=contract.topic,
            fix="set message.timestamp.type=CreateTime in the contract's kafka.config, and register it",
        )
    return state.partitions


def _records(
    settings: Settings, letters: Iterable[tuple[Letter, Message]], done: Replayed
) -> Iterator[tuple[Letter, dict[str, Any]]]:
    for letter, message in letters:
        record = {
            "key": message.key(),
            "value": message.value(),
            "headers": dead_letter.own(topic.headers(message)),
            "timestamp": letter.millis,
        }
        if letter.millis <= 0:
            why = f"the client cannot send its timestamp, {letter.millis} ms, and with a later one it would win"
            done.lost.append((letter, why))
            continue
        if letter.left_out:
            original = _original(settings, letter, record)
            if original is None:
                why = "its value was left out (it is too large, or `dead_letter.payload` is drop)"
                done.lost.append((letter, f"{why}, and the original record has left the topic"))
                continue
            record |= {"key": original.key(), "value": original.value(), "headers": topic.headers(original)}
        yield letter, record


def _original(settings: Settings, letter: Letter, record: Mapping[str, Any]) -> Message | None:
    """Return the original record, if it still exists."""
    origin = letter.origin
    assert origin is not None
    first, last = topic.whole(settings, origin.topic).get(origin.partition, (0, -1))
    if not first <= origin.offset <= last:
        return None
    for message in topic.read(settings, origin.topic, {origin.partition: (origin.offset, origin.offset)}):
        theirs = {"key": message.key(), "headers": topic.headers(message)}
        same = letter.key_left_out or theirs == {name: record[name] for name in theirs}
        if same and (message.timestamp()[1], len(message.value() or b"")) == (letter.millis, letter.value_bytes):
            return message
    return None


def _send(
    outbox: Outbox,
    contract: Contract,
    partitions: int,
    records: Iterable[tuple[Letter, dict[str, Any]]],
    done: Replayed,
) -> str | None:
    """Put records back, and write receipts for the acknowledged ones.  Return why to stop, None to continue."""
    # For one timestamp that it refuses, the broker refuses the whole batch.
    one_by_one: list[tuple[Letter, dict[str, Any]]] = []
    before = len(done.put_back)

    def told(letter: Letter, record: dict[str, Any], alone: bool) -> Callable[[KafkaError | None, Message], None]:
        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is None:
                # A record that the broker accepted at an earlier attempt has no offset here.
                partition, offset = message.partition(), message.offset()
                known = -1 if offset is None else offset
                done.put_back.append((letter, Place(contract.topic, partition or 0, known)))
            elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                done.lost.append((letter, f"the topic refuses {letter.value_bytes:,} bytes"))
            elif error.code() in (*INVALID_TIMESTAMP, BESIDE_ANOTHER) and not alone:
                one_by_one.append((letter, record))
            elif error.code() in INVALID_TIMESTAMP:
                why = f"the topic refuses its timestamp, {letter.millis} ms ({error.str()})"
                done.lost.append((letter, why))
            else:
                outbox.count_failure(error, message)

        return on_delivery

    for letter, record in records:
        assert letter.origin is not None
        if letter.origin.partition < partitions:  # else the topic was created again with fewer, and the key decides
            record["partition"] = letter.origin.partition
        outbox.send(contract.topic, **record, on_delivery=told(letter, record, False))
    why = outbox.flush(outbox.patience_s)
    for letter, record in one_by_one:
        outbox.send(contract.topic, **record, on_delivery=told(letter, record, True))
        why = outbox.flush(outbox.patience_s) or why
    for letter, place in done.put_back[before:]:
        receipt = dead_letters.receipt(letter, place)
        outbox.send(contract.dead_letter_topic, **receipt, on_delivery=outbox.count_failure)
    return outbox.flush(outbox.patience_s) or why
