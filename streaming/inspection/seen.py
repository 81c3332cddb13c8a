"""Decodes single messages for people: as far as they go, with the reason where they do not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Message

from avro_data_contracts.contracts.catalog import dead_letter
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.quality.judge import Judge
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.streaming import messages
from avro_data_contracts.streaming.decode import framing
from avro_data_contracts.streaming.decode.breaks import Break, Breaks
from avro_data_contracts.streaming.decode.framing import Headers, SchemaKey
from avro_data_contracts.streaming.decode.named_schemas import Known, NamedSchemas, contract_of
from avro_data_contracts.streaming.decode.reasons import Reason
from avro_data_contracts.streaming.inspection import masks, plain, texts
from avro_data_contracts.streaming.inspection.masks import Masks
from avro_data_contracts.streaming.inspection.plain import MASK, Undecodable


@dataclass(frozen=True)
class Part:
    """A key or a value.

    Attributes:
        value: plain JSON; None for null, and for what cannot be decoded.
        schema: id or GUID of its schema; None: nothing names one.
        version: of the schema in its subject; 0 if unknown.
        reason, message: why it cannot be decoded; empty if it can.
        size: bytes, None for null.
    """

    value: Any = None
    schema: SchemaKey | None = None
    version: int = 0
    reason: str = ""
    message: str = ""
    size: int | None = None


@dataclass(frozen=True)
class Seen:
    """One message.

    Attributes:
        millis: its timestamp, ms since the epoch.
        contract: name of the contract of its record; empty if none is known.
        rejected: of a dead letter: reason, message, who wrote it, where its record was, in the topic or in the
            producer's source, and of a producer's letter the field.
        matches: whether the record fulfils the condition; None: that cannot be known.
        broken: where the value breaks, if it is no record of its schema.
    """

    topic: str
    partition: int
    offset: int
    millis: int
    contract: str
    key: Part
    value: Part
    rejected: dict[str, Any] | None = None
    matches: bool | None = True
    broken: Break | None = None

    def document(self) -> dict[str, Any]:
        """The message as one JSON object."""
        made: dict[str, Any] = {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "time": moment(self.millis),
            "contract": self.contract or None,
            "schema": self.value.schema,
            "version": self.value.version or None,
            "key": self.key.value,
            "value": self.value.value,
        }
        for name, part in (("key", self.key), ("value", self.value)):
            if part.reason:
                made[f"{name}_undecoded"] = {"reason": part.reason, "message": part.message, "bytes": part.size}
        if self.broken is not None:
            made["broken"] = self.broken.document()
        return made if self.rejected is None else {**made, "rejected": self.rejected}


class Decoder:
    """Decodes the messages of one topic.

    Args:
        contracts: those of the topic.
        reveal: show personal data.
        condition: contract's name -> the judge whose rule a record breaks that fulfils the condition; empty: none.
    """

    def __init__(
        self, registry: Registry, contracts: Sequence[Contract], *, reveal: bool, condition: dict[str, Judge]
    ) -> None:
        self._registry = registry
        self._contracts = contracts
        self._reveal = reveal
        self._condition = condition
        self._schemas = NamedSchemas(registry)
        self._breaks = Breaks(self._schemas, contracts, reveal=reveal)
        self._readers: dict[tuple[SchemaKey, str], plain.Read] = {}
        self._raw: dict[tuple[SchemaKey, str], plain.Read] = {}
        self._versions: dict[str, dict[SchemaKey, int]] = {}
        self._masks: dict[str, Masks] = {}

    def seen(self, message: Message) -> Seen:
        """Decode a message.  Raises ServiceError when the registry does not answer."""
        given = messages.headers(message)
        told = {name: (content or b"").decode(errors="replace") for name, content in given}
        own = dead_letter.own(given)
        headers = given if own is None else own
        value, contract = self._value(message.value(), headers)
        matches = self._matches(message.value(), headers, value, contract)
        rejected = _rejected(told, own is not None) if dead_letter.REASON in told else None
        needed = {} if rejected is None or own is None else dead_letter.needed(given)
        by_producer = rejected is not None and own is None
        if by_producer:  # the JSON of its source
            value = self._as_text(message.value())
        if self._condition and rejected is not None and (own is None or dead_letter.LEFT_OUT in needed):
            matches = None  # it has no record
        kind, millis = message.timestamp()
        millis = needed.get(dead_letter.TIMESTAMP, millis)
        return Seen(
            topic=str(message.topic()),
            partition=messages.place(message)[0],
            offset=messages.place(message)[1],
            millis=millis if kind else -1,
            contract=contract.name if contract else "",
            key=self._key(message.key(), headers),
            value=value,
            rejected=rejected,
            matches=matches,
            broken=None if by_producer else self._broken(message.value(), headers, value, rejected),
        )

    def _value(self, data: bytes | None, headers: Headers) -> tuple[Part, Contract | None]:
        if data is None:
            return Part(), None
        name, body = framing.parted(data, headers, framing.VALUE_HEADER)
        if name is None:
            return _unframed(data, headers, framing.VALUE_HEADER), None
        known = self._schemas.of(name)
        contract = contract_of(self._contracts, known.schema)
        version = self._version(name, contract.value.name) if contract else 0
        return self._read(name, known, body, len(data), version, "value"), contract

    def _key(self, data: bytes | None, headers: Headers) -> Part:
        if data is None:
            return Part()
        keyed = next((one for one in self._contracts if one.key is not None), None)
        name, body = framing.parted(data, headers, framing.KEY_HEADER)
        if name is None:
            return self._as_text(data) if keyed is None else _unframed(data, headers, framing.KEY_HEADER)
        known = self._schemas.of(name)
        if known.fault[0] == Reason.UNKNOWN_SCHEMA_ID and keyed is None:
            return self._as_text(data)
        version = self._version(name, keyed.key.name) if keyed and keyed.key else 0
        return self._read(name, known, body, len(data), version, "key")

    def _read(self, name: SchemaKey, known: Known, body: bytes, size: int, version: int, role: str) -> Part:
        facts = {"schema": name, "version": version, "size": size}
        if known.schema is None:
            return Part(None, reason=known.fault[0], message=known.fault[1], **facts)  # type: ignore[arg-type]
        if (name, role) not in self._readers:
            self._readers[name, role] = plain.reader(known.schema, masks=self._masks_of(role))
        try:
            return Part(self._readers[name, role](body), **facts)  # type: ignore[arg-type]
        except Undecodable as error:
            return Part(None, reason=Reason.DECODE_ERROR, message=str(error), **facts)  # type: ignore[arg-type]

    def _broken(
        self, data: bytes | None, headers: Headers, value: Part, rejected: dict[str, Any] | None
    ) -> Break | None:
        """Where a value breaks.  The strict reader refuses more than what cannot be decoded here."""
        reasons = {value.reason, rejected["reason"] if rejected else ""}
        return self._breaks.of(data, headers, reasons)

    def _masks_of(self, role: str) -> Masks | None:
        if self._reveal:
            return None
        if role not in self._masks:
            made = masks.of_keys if role == "key" else masks.of_values
            self._masks[role] = made(self._registry, self._contracts)
        return self._masks[role]

    def _version(self, name: SchemaKey, subject: str) -> int:
        if name not in self._versions.get(subject, {}):
            found = self._registry.all_of(subject)
            self._versions[subject] = {key: one.version for one in found for key in (one.schema_id, one.guid) if key}
        return self._versions[subject].get(name, 0)

    def _matches(self, data: bytes | None, headers: Headers, value: Part, contract: Contract | None) -> bool | None:
        if not self._condition:
            return True
        judge = self._condition.get(contract.name) if contract else None
        if judge is None or contract is None or value.reason or data is None:
            return None if value.reason else False
        name, body = framing.parted(data, headers, framing.VALUE_HEADER)
        assert name is not None
        at = (name, contract.name)
        schema = self._schemas.of(name).schema
        assert schema is not None
        try:
            if at not in self._raw:
                self._raw[at] = plain.resolved(schema, contract.value.schema)
            return judge.first_broken(self._raw[at](body)) is not None
        except (Undecodable, ValueError, KeyError, TypeError):
            return None

    def _as_text(self, data: bytes | None) -> Part:
        """What is not Avro: JSON or text; it may be personal."""
        if data is None:
            return Part()
        if not self._reveal:
            return Part(MASK, size=len(data))
        return Part(texts.read(data), size=len(data))


def _unframed(data: bytes, headers: Headers, header: str) -> Part:
    if (schema_id := framing.too_large(data, headers, header)) is not None:
        told = f"schema id {schema_id} is larger than a registry assigns"
        return Part(None, reason=Reason.UNKNOWN_SCHEMA_ID, message=told, size=len(data))
    if any(name == header for name, _ in headers):
        return Part(None, reason=Reason.BAD_SCHEMA_ID_HEADER, message="the header names no schema", size=len(data))
    if len(data) < framing.BYTES:
        return Part(None, reason=Reason.TOO_SHORT, message="it is shorter than a schema id", size=len(data))
    return Part(None, reason=Reason.BAD_MAGIC, message="it does not begin with a zero byte", size=len(data))


def _rejected(told: dict[str, str], by_stream: bool) -> dict[str, Any]:
    partition, offset = told.get(dead_letter.PARTITION), told.get(dead_letter.OFFSET)
    in_topic = f"{told.get(dead_letter.TOPIC, '')}-{partition}-{offset}"
    return {
        "reason": told[dead_letter.REASON],
        "message": told.get(dead_letter.MESSAGE, ""),
        "by": told.get(dead_letter.CONNECTOR, ""),
        "place": in_topic if by_stream else told.get(dead_letter.SOURCE_POSITION) or None,
        "field": None if by_stream else told.get(dead_letter.SOURCE_FIELD) or None,
    }


def moment(millis: int) -> str | None:
    """Format as ISO 8601, UTC; the number itself if Python has no such year; None for no timestamp."""
    if millis == -1:
        return None
    try:
        at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=millis)
    except OverflowError:
        return str(millis)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


#: Decides whether a message is shown.
Select = Callable[[Seen], bool]
