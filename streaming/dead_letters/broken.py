"""Where the records of dead letters break: byte, field and type, as `tail` and the console say it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from confluent_kafka import Message

from avro_data_contracts.contracts.catalog import dead_letter
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.streaming.dead_letters.letters import Letter, Place
from avro_data_contracts.streaming.decode.breaks import Break, Breaks
from avro_data_contracts.streaming.decode.framing import SchemaKey
from avro_data_contracts.streaming.decode.named_schemas import NamedSchemas
from avro_data_contracts.streaming.decode.reasons import Reason
from avro_data_contracts.streaming.topic import headers

#: After so many schemas that could not be looked up, the registry seems to be away.
_MOST_FAILED: Final = 3


def may_be(letter: Letter) -> bool:
    """Whether a letter has a record that breaks at some byte."""
    # No registry can have the id, so nothing has to be asked.
    is_of_id = letter.reason == Reason.UNKNOWN_SCHEMA_ID and letter.schema_id is None
    return letter.origin is not None and not letter.left_out and (is_of_id or letter.reason in Breaks.REASONS)


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
    found: dict[Place, Break] = {}
    lookups = _Lookups()
    for letter, message in read:
        if not may_be(letter):
            continue
        value, own = message.value(), dead_letter.own(headers(message)) or []
        look = partial(breaks.of, value, own, (letter.reason,))
        place, why = (look(), "") if letter.schema_id is None else lookups.of(letter.schema_id, look)
        if why:
            place = Break(len(value or b""), f"could not be looked at: the schema registry is needed, but {why}")
        if place is not None:
            found[letter.at] = place
    return found


class _Lookups:
    """Asks no schema twice that could not be looked up, and no further one once the registry seems to be away."""

    def __init__(self) -> None:
        self._failed: dict[SchemaKey, str] = {}
        self._known: set[SchemaKey] = set()

    def of(self, schema: SchemaKey, look: Callable[[], Break | None]) -> tuple[Break | None, str]:
        """Return what `look` finds; or why it could not be asked for the schema."""
        if schema not in self._known:
            # One schema may be broken, with the registry in order: a version that it refers to is lost.
            if len(self._failed) >= _MOST_FAILED:
                return None, self._failed.get(schema) or next(reversed(self._failed.values()))
            if schema in self._failed:
                return None, self._failed[schema]
        try:
            place = look()
        except ServiceError as error:
            self._failed[schema] = error.what
            return None, error.what
        self._known.add(schema)
        return place, ""
