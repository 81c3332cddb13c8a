"""Where the records of dead letters break: byte, field and type, as `tail` and the console say it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from confluent_kafka import Message

from avro_data_contracts.contracts.catalog import dead_letter
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.streaming.dead_letters.letters import Letter, Place
from avro_data_contracts.streaming.decode.breaks import Break, Breaks
from avro_data_contracts.streaming.decode.named_schemas import NamedSchemas
from avro_data_contracts.streaming.topic import headers


def may_be(letter: Letter) -> bool:
    """Whether a letter has a record that breaks at some byte."""
    return letter.origin is not None and not letter.left_out and letter.reason in Breaks.REASONS


def places(
    registry: Registry, contracts: Sequence[Contract], read: Iterable[tuple[Letter, Message]], *, reveal: bool
) -> dict[Place, Break]:
    """Return where each record breaks, by the place of its letter; without records that can be read now.

    A letter says why its record was rejected even while the registry does not answer: then the byte is unknown, and
    says why.

    Args:
        contracts: those of the topic.
        read: letters with their messages.
        reveal: with the bytes around the place, which may be personal data.
    """
    breaks = Breaks(NamedSchemas(registry), contracts, reveal=reveal)
    found, outage = {}, ""
    for letter, message in read:
        if not may_be(letter):
            continue
        value, own = message.value(), dead_letter.own(headers(message)) or []
        is_asked = letter.schema_id is not None
        try:
            place = None if is_asked and outage else breaks.of(value, own, (letter.reason,))
        except ServiceError as error:
            place, outage = None, error.what
        if is_asked and outage:
            place = Break(len(value or b""), f"could not be looked at: the schema registry is needed, but {outage}")
        if place is not None:
            found[letter.at] = place
    return found
