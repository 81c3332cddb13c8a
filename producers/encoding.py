"""Turns a record into the bytes of a message, if the contract's schema and rules allow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol, Self

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality.judge import Judge
from avro_data_contracts.contracts.quality.rules import Rule
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.values.scalars import Misfit
from avro_data_contracts.producers import serializer
from avro_data_contracts.producers.checked import Checked
from avro_data_contracts.producers.keys import is_part_of_value
from avro_data_contracts.producers.plain import json_text
from avro_data_contracts.producers.plain.conversion import plain
from avro_data_contracts.producers.rejection import RejectedRecord, Rejection
from avro_data_contracts.producers.serializer import Serializer

#: What a check raises, and what fastavro does.
_FAULTS: Final = (ValueError, TypeError, KeyError, OverflowError, AttributeError, RecursionError)


class ToRecord(Protocol):
    """An object of a class that `contracts export python` writes."""

    def to_record(self) -> dict[str, Any]: ...


Record = Mapping[str, Any] | ToRecord


@dataclass(slots=True)  # not frozen, which would take longer than the rest of making one
class Encoded:
    """A message.

    Attributes:
        key, value: in Avro; the key is None if the contract has none.
        key_fields: the key before it was encoded.
        headers: those that name the schemas; None for none.
    """

    key: bytes | None
    value: bytes
    key_fields: Mapping[str, Any] | None
    headers: list[tuple[str, bytes]] | None


class Encoder:
    """Checks and encodes records of one contract.  It has no state, so several threads may call it."""

    def __init__(self, contract: Contract, value: Serializer, key: Serializer | None) -> None:
        self._value, self._key = value, key
        #: What the value has checked, the key need not check again.
        self._key_is_part = is_part_of_value(contract)
        self._schema = contract.value.schema
        self._judge = Judge(contract.rules)
        self._headers = [header for one in (key, value) if one is not None for header in one.headers] or None

    @classmethod
    def of(cls, contract: Contract, registry: Registry) -> Self:
        """Look the schemas up.

        Raises:
            ConfigurationError: a connector sends the records, or as `serializer.of`.
            ServiceError: as `serializer.of`.
        """
        if contract.envelope is not None:
            raise ConfigurationError(
                f"the records are {contract.envelope} envelopes, which the connector of the database sends",
                where=contract.file,
                path="envelope",
                fix="change the row in the database; or remove `envelope:`, and have a program send the rows",
            )
        place = contract.spec.producer.schema_id
        value = serializer.of(contract.value, registry, place)
        return cls(contract, value, serializer.of(contract.key, registry, place) if contract.key else None)

    def __call__(self, record: Record) -> Encoded:
        """Return the message of a record.

        Raises:
            RejectedRecord: it does not fit the schema, or breaks a rule.
        """
        try:
            given: Any = record if isinstance(record, dict) else fields_of(record)
            key_fields = self._key_fields(given)
            checked_key = None if key_fields is None or self._key_is_part else self._checked_key(key_fields)
            written = self._value.check(given)
            key = None
            if self._key is not None and key_fields is not None:
                key = self._key.write(checked_key or {name: written[name] for name in key_fields})
            value = self._value.write(written)
            broken = self._judge.first_broken(given)
        except _FAULTS as fault:
            raise _refused(fault) from None
        if broken is not None:
            raise _broken(broken)
        return Encoded(key, value, key_fields, self._headers)

    def of_checked(self, record: Checked) -> Encoded:
        """Return the message of a record that a source has checked.  Raises as `__call__`."""
        assert record.schema is self._schema, "it was checked with another schema"
        assert self._key is None or self._key_is_part, "the key has to be checked too"
        written = record.written
        try:
            key_fields = self._key_fields(written)
            if record.filled and key_fields:
                for name in record.filled:
                    if name in key_fields:
                        raise _without_key(name)
            key = None if self._key is None or key_fields is None else self._key.write_bare(key_fields)
            value = self._value.write_bare(written)
            broken = self._judge.first_broken(written)
        except _FAULTS as fault:
            raise _refused(fault) from None
        if broken is not None:
            raise _broken(broken)
        return Encoded(key, value, key_fields, self._headers)

    def _key_fields(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        if self._key is None:
            return None
        try:
            return {name: record[name] for name in self._key.fields}
        except KeyError as error:
            raise _without_key(error.args[0]) from None

    def _checked_key(self, key: dict[str, Any]) -> dict[str, Any]:
        assert self._key is not None
        try:
            found: dict[str, Any] = self._key.check(key)
            return found
        except Misfit as misfit:
            raise RejectedRecord("INVALID_RECORD", misfit.told("the key's field"), field=misfit.path) from None


def _refused(fault: Exception) -> RejectedRecord:
    """Return what is told of a record that cannot be written."""
    if isinstance(fault, Misfit):
        return RejectedRecord("INVALID_RECORD", fault.told("field"), field=fault.path)
    # The message of a library contains the value, which may be personal.
    return RejectedRecord("INVALID_RECORD", f"it does not fit the schema ({type(fault).__name__})")


def _broken(rule: Rule) -> RejectedRecord:
    return RejectedRecord(rule.reason, rule.message, field=rule.field, rule=rule.name)


def _without_key(name: str) -> RejectedRecord:
    return RejectedRecord("INVALID_RECORD", f"the key needs a field {name!r}", field=name)


def fields_of(record: object) -> Mapping[str, Any]:
    """Return the fields of a mapping, or of an object with `to_record`.

    Raises:
        RejectedRecord: it is neither.
    """
    if isinstance(record, Mapping):
        return record
    to_record = getattr(record, "to_record", None)
    if to_record is None or isinstance(record, type):
        raise RejectedRecord(
            "INVALID_RECORD",
            f"{type(record).__name__} is not a record: give a mapping of field names to values, or an object of a "
            "class that `contracts export python` wrote",
        )
    found: Mapping[str, Any] = to_record()
    return found


class FromJson:
    """Reads records of one contract from plain JSON (docs/reference/conversions.md)."""

    def __init__(self, contract: Contract) -> None:
        self._schema = contract.value.schema

    @cached_property
    def _convert(self) -> Any:
        return plain(self._schema, datetimes=True)

    def __call__(self, text: str | bytes) -> dict[str, Any]:
        """Return the record of a JSON text.

        Raises:
            RejectedRecord: it is not UTF-8 or not JSON, or its values do not fit the schema.
        """
        try:
            document = json_text.decode(text.decode() if isinstance(text, (bytes, bytearray)) else text)
            record: dict[str, Any] = self._convert(document)
            return record
        except UnicodeDecodeError as error:
            raise RejectedRecord("NOT_UTF8", f"is not UTF-8 at byte {error.start}") from None
        except Rejection as refusal:
            raise RejectedRecord(refusal.reason, refusal.what, field=refusal.field) from None
