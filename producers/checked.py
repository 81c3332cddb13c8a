"""The mark of a record whose every value was checked, so that it need not be checked again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from avro_data_contracts.contracts.avro.nodes import Schema


class Checked:
    """A record as `producers.strict` would return it; its dates and times are the numbers that Avro stores.

    Only `producers.plain` makes one, where the conversion of each value is its check too.  It has no way to change:
    what a program may have touched since is checked again.

    Attributes:
        schema: the schema that the record was checked with, and no other.
        written: the record as fastavro writes it.
        filled: names of fields that the source did not give, and that have their default or null.
    """

    __slots__ = ("filled", "schema", "written")

    def __init__(self, schema: Schema, written: dict[str, Any], filled: Collection[str]) -> None:
        self.schema = schema
        self.written = written
        self.filled = filled
