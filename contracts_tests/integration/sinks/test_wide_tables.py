"""The widest tables that lint accepts hold a full row in the real PostgreSQL; with one more column they do not."""

from __future__ import annotations

import json
import random
import uuid
from bisect import bisect_left
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.stores.postgres.spec import PostgresSpec
from avro_data_contracts.contracts.stores.postgres.store import STORE
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables import layout
from contracts_tests.fixtures.stack import RunningStack


def decimal(precision: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": 2}


ENUM = {"type": "enum", "name": "E", "symbols": ["A", "MUCH_LONGER_THAN_A"]}
WIDE = {
    "double": ("double", 1.5),
    "nullable double": (["null", "double"], 1.5),
    "integers between": (
        ["int", {"type": "string", "logicalType": "uuid"}, "boolean"],
        [5, str(uuid.UUID(int=1)), True],
    ),
    "double after boolean": (["boolean", "double"], [True, 5.5]),
    "text": ("string", "x"),
    "nullable text": (["null", "string"], "x"),
    "enum": (ENUM, "MUCH_LONGER_THAN_A"),
    "short fixed": ({"type": "fixed", "name": "F", "size": 23}, bytes(range(23))),
    "long fixed": ({"type": "fixed", "name": "F", "size": 24}, bytes(range(24))),
    "uuid": ({"type": "string", "logicalType": "uuid"}, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
    "decimal of few digits": (decimal(4), Decimal("99.99")),
    "decimal of many digits": ({**decimal(38), "scale": 19}, Decimal("1234567890123456789.1234567890123456789")),
    "duration": ({"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}, "1 mon 1 day 00:00:01"),
    "json": ({"type": "array", "items": "string"}, "json"),
}


def wide(kind: Any, number: int) -> list[dict[str, Any]]:
    """Return `number` fields; the types of a list of scalars take turns, and a named type is defined once."""
    turns = kind if isinstance(kind, list) and "null" not in kind else [kind]
    found = []
    for at in range(number):
        one = turns[at % len(turns)]
        again = at >= len(turns) and isinstance(one, dict) and "name" in one
        found.append({"name": f"f{at}", "type": one["name"] if again else one})
    return found


def filled(value: Any, at: int) -> Any:
    """Return a value for the column; text is long and does not compress."""
    value = value[at % len(value)] if isinstance(value, list) else value
    long = random.Random(at).randbytes(60).hex()
    return {"x": long, "json": json.dumps(long)}.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("what", WIDE)
def test_largest_table_accepted_by_lint_holds_a_full_row(stack: RunningStack, what: str) -> None:
    kind, value = WIDE[what]
    sink = PostgresSpec(table=f"wide_{uuid.uuid4().hex[:12]}", primary_key=["id"])

    def schema(number: int) -> Schema:
        fields = [{"name": "id", "type": "int"}, *wide(kind, number)]
        return parsing.parse(json.dumps({"type": "record", "name": "Wide", "fields": fields}))

    def too_wide(number: int) -> bool:
        found = schema(number)
        refusals = (STORE.size_refusals, STORE.full_row_refusals)
        return any(one for refused in refusals for one in refused(sink, found.root, found))

    # One more column is refused; for types that take turns, one more of each.
    most = bisect_left(range(1, 1594), True, key=too_wide)
    assert 300 < most < 1593
    with psycopg.connect(stack.exports["POSTGRES_DSN"], autocommit=True) as connection:
        for number, fits in ((most, True), (most + (len(value) if isinstance(value, list) else 1), False)):
            found = schema(number)
            place = sink.model_copy(update={"table": f"{sink.table}_{number}"})
            # Built by hand: the stream would refuse the larger table.
            table = Table(
                place, tuple(layout._column(found, field, place, field.name, None) for field in found.root.fields)
            )
            for statement in STORE.create(table):
                connection.execute(statement)
            row = [1, *(filled(value, at) for at in range(number)), "2024-02-29T00:00:00Z", 1, 1]
            marks = ", ".join("%s" for _ in row)
            insert = f"INSERT INTO {table.sink.quoted} VALUES ({marks})"
            try:
                if fits:
                    connection.execute(insert, row)
                    if "nullable" in what:  # a null makes it larger
                        connection.execute(insert, [2, None, *row[2:]])
                else:
                    with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="row is too big"):
                        connection.execute(insert, [2, None, *row[2:]] if "nullable" in what else row)
            finally:
                connection.execute(f"DROP TABLE {table.sink.quoted}")
