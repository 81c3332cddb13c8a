"""A record of an HTTP API as a record of the contract: what the mapping takes from it, and no more.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from avro_data_contracts.contracts.sources.documents import ABSENT
from avro_data_contracts.contracts.sources.expressions import Expression, NotApplicable, compiled
from avro_data_contracts.producers.rejection import Rejection


class Mapped:
    """The mapping of a contract.

    Args:
        fields: names of the contract's fields.
        expressions: field -> JMESPath expression; a field without one is the record's own key of that name.

    Attributes:
        records: number of records that were mapped.
        silent: field -> expression, of those that have found nothing in any of them.
    """

    def __init__(self, fields: Iterable[str], expressions: Mapping[str, str]) -> None:
        self._fields: list[tuple[str, Expression | None]] = [
            (name, compiled(expressions[name]) if name in expressions else None) for name in fields
        ]
        self.records = 0
        self.silent = {name: expression for name, expression in self._fields if expression is not None}

    def __call__(self, given: Any) -> dict[str, Any]:
        """Return field -> JSON value.  A field that the record does not have is left out.

        Raises:
            Rejection: an expression does not apply to this record.
        """
        own = given if isinstance(given, dict) else {}
        found = {}
        for name, expression in self._fields:
            try:
                value = own.get(name, ABSENT) if expression is None else expression(given)
            except NotApplicable as error:
                raise Rejection("INVALID_RECORD", f"field {name}: {error}") from None
            if value is not ABSENT:
                found[name] = value
        self.records += 1
        if self.silent:
            self.silent = {name: one for name, one in self.silent.items() if _is_nothing(found, name, one)}
        return found

    def notices(self) -> list[str]:
        """Return a sentence for each expression that found nothing in any record."""
        if not self.records:
            return []
        number = f"any of {self.records} records" if self.records > 1 else "the only record"
        return [f"source.fields.{name}: `{one.text}` found nothing in {number}" for name, one in self.silent.items()]


def _is_nothing(found: Mapping[str, Any], name: str, expression: Expression) -> bool:
    """Whether an expression found nothing: a path finds a null, and any other expression gives null for nothing."""
    return name not in found or (found[name] is None and not expression.is_path)
