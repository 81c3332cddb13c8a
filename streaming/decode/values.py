"""Finds values that Avro can carry and a store cannot, before one of them stops a whole batch in the sink.

The strict reader has already checked the text of strings, in its bytes (`streaming.decode.strict`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Map, Record, Schema, Union, join
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.contracts.stores.known import store_of

Test = Callable[[Column], Column]

# `$` would also match before a line end.
_UUID = r"\A[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\z"
_FIRST_DAY, _LAST_DAY = "0001-01-01", "9999-12-31"
_WITH_TIME = ("timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros")
# Types of a key whose values have any length.
_SIZED = ("string", "bytes")
_DAY = {"time-millis": 86_400_000, "time-micros": 86_400_000_000}


def flaws(schema: Schema, record: Column) -> list[tuple[Column, str]]:
    """Return the conditions under which a decoded record cannot be stored, each with its message.  Null is no flaw.

    Args:
        schema: the reader schema, a record.
        record: the decoded struct.
    """
    return [(test(record), words) for test, words in _flaws(schema, schema.root, "")]


def flaws_of_key(contract: Contract, record: Column) -> list[tuple[Column, str]]:
    """Return, as `flaws` does, the primary keys that a store of the contract cannot have."""
    found = []
    for sink in contract.sinks:
        fields = [field for field in contract.value.record.fields if field.name in sink.key_fields]
        types = {one.name: shapes.nullability(contract.value.schema, one.type)[0] for one in fields}
        sizes = {
            name: F.octet_length(record.getField(name))
            for name, type_ in types.items()
            if shapes.type_name(type_) in _SIZED
        }
        store = store_of(sink)
        for name in store.never_empty(sink):
            if name in sizes:
                found.append((sizes[name] == 0, f"{name} is empty, and {store.title} allows no empty partition key"))
        if sizes:
            most = store.key_room(sink)
            words = f"its primary key ({', '.join(sink.key)}) has more than {most:,} bytes"
            found.append((reduce(operator.add, sizes.values()) > most, f"{words}, the most for {sink.kind}"))
    return found


def _flaws(schema: Schema, node: AnyType, path: str) -> Iterator[tuple[Test, str]]:
    node, _ = shapes.nullability(schema, node)
    if isinstance(node, Record):
        for field in node.fields:
            yield from _of(_member(field.name), _flaws(schema, field.type, join(path, field.name)))
    elif isinstance(node, Union) and not types.merged(schema, node):
        for number, branch in enumerate(types.several(schema, node)):
            name = getattr(branch, "name", branch.type)
            yield from _of(_member(f"member{number}"), _flaws(schema, branch, f"{path}({name})"))
    elif isinstance(node, Array):
        yield from _in_any(_same, _flaws(schema, node.items, f"{path}[]"))
    elif isinstance(node, Map):
        yield from _in_any(F.map_values, _flaws(schema, node.values, f"{path}{{}}"))
    else:
        yield from _of_scalar(shapes.type_name(node), node, path)


def _of_scalar(name: str, node: AnyType, path: str) -> Iterator[tuple[Test, str]]:
    if name == "uuid" and node.type == "string":
        yield lambda value: ~value.rlike(_UUID), f"{path} is not a UUID"
    elif name == "date":
        first, last = (F.lit(day).cast("date") for day in (_FIRST_DAY, _LAST_DAY))
        yield lambda value: ~value.between(first, last), f"{path} is not between {_FIRST_DAY} and {_LAST_DAY}"
    elif name in _WITH_TIME:
        kind, zone = ("timestamp_ntz", "") if name.startswith("local") else ("timestamp", "+00:00")
        first = F.lit(f"{_FIRST_DAY} 00:00:00{zone}").cast(kind)
        last = F.lit(f"{_LAST_DAY} 23:59:59.999999{zone}").cast(kind)
        yield lambda value: ~value.between(first, last), f"{path} is not between the years 1 and 9999"
    elif name in _DAY:
        yield lambda value: ~value.between(0, _DAY[name] - 1), f"{path} is not a time of day"
    elif name == "decimal":
        precision, scale = shapes.decimal_digits(node)
        digits = f"decimal({precision},{scale})"
        yield lambda value: value.isNotNull() & value.cast(digits).isNull(), f"{path} has more digits than {digits}"
    elif name == "duration":
        # The highest bit of the months or of the days is set.
        yield (
            lambda value: F.hex(value).rlike("^.{6}[89A-F]|^.{14}[89A-F]"),
            f"{path} has more than 2147483647 months or days",
        )


def _same(value: Column) -> Column:
    return value


def _member(name: str) -> Test:
    return lambda value: value.getField(name)


def _of(part: Test, found: Iterator[tuple[Test, str]]) -> Iterator[tuple[Test, str]]:
    """Yield the flaws of a part of the value."""
    for test, words in found:
        yield _through(part, test), words


def _in_any(part: Test, found: Iterator[tuple[Test, str]]) -> Iterator[tuple[Test, str]]:
    """Yield the flaws of an array's items."""
    for test, words in found:
        yield _exists(part, test), words


def _through(part: Test, test: Test) -> Test:
    return lambda value: test(part(value))


def _exists(part: Test, test: Test) -> Test:
    return lambda value: F.exists(part(value), _alone(test))


def _alone(test: Test) -> Test:
    """Return a function of one parameter: Spark looks at their number."""
    return lambda item: test(item)
