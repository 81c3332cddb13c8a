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
    """

    def __init__(self, fields: Iterable[str], expressions: Mapping[str, str]) -> None:
        self._fields: list[tuple[str, Expression | None]] = [
            (name, compiled(expressions[name]) if name in expressions else None) for name in fields
        ]

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
        return found
