"""What each store should hold for a value (docs/reference/types.md), and what it does hold, in one comparable form.

The form has numbers of days, milliseconds, microseconds or nanoseconds for times, `Decimal` for exact numbers, and
plain Python values for the rest.  It follows from the type, never from the stored value: a text in place of a number
is a difference.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import struct
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from psycopg.types.json import set_json_loads

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fuzz.nodes import Node
from contracts_tests.fuzz.oracle import Branch

STORES = ("cassandra", "postgres")
POSITION = ("kafka_timestamp", "kafka_partition", "kafka_offset")
_EPOCH = dt.datetime(1970, 1, 1)
_MICROSECOND, _MILLISECOND = dt.timedelta(microseconds=1), dt.timedelta(milliseconds=1)
_NUMBERS = frozenset({("int", "long"), ("double", "float")})
_NAN = "NaN"


def simple(node: Node) -> Node:
    """Return the only type besides null, if there is just one; else the type itself."""
    while node.kind == "union" and len(node.several) == 1:
        node = node.several[0]
    return node


def plain(node: Node, value: Any) -> Any:
    """Return a value without the branches of unions of one type and null."""
    while isinstance(value, Branch) and len(node.several) < 2:
        node, value = node.inner[value.number], value.value
    return value


def _merged(node: Node) -> bool:
    return node.kind == "union" and tuple(sorted(one.kind for one in node.several)) in _NUMBERS


def _nullable(node: Node) -> bool:
    return node.kind == "union" and len(node.several) < len(node.inner)


def _is_scalar(node: Node) -> bool:
    return node.kind not in ("array", "map", "record", "union") or _merged(node)


def _is_json(node: Node, store: str) -> bool:
    node = simple(node)
    if node.kind in ("array", "map"):
        inner = node.inner[0]
        return store == "postgres" or _nullable(inner) or not _is_scalar(simple(inner)) or _merged(simple(inner))
    return not _is_scalar(node)


# -- what is expected ----------------------------------------------------------------------------------------------


def expected(node: Node, value: Any, store: str) -> Any:
    """Return what a column of the type `node` should hold."""
    if _is_json(node, store):
        return _in_json(node, value)
    return _in_column(node, value, store)


def _in_column(node: Node, value: Any, store: str) -> Any:
    if isinstance(value, Branch):
        return _in_column(node.inner[value.number], value.value, store)
    if value is None:
        return None
    if node.kind == "array":
        return [_in_column(node.inner[0], one, store) for one in value]
    if node.kind == "map":
        return {key: _in_column(node.inner[0], one, store) for key, one in value.items()}
    match node.type_name:
        case "uuid":
            return uuid.UUID(value) if node.kind == "string" else uuid.UUID(bytes=value)
        case "time-millis":
            return value * 1_000_000
        case "time-micros":
            return value * 1_000
        case "timestamp-millis" | "local-timestamp-millis":
            return value if store == "cassandra" else value * 1_000
        case "decimal":
            return _decimal(node, value)
        case "duration":
            return list(struct.unpack("<III", value))
        case "float" | "double":
            return repr(value)
    return value


def _decimal(node: Node, value: bytes) -> Decimal:
    return Decimal(f"{int.from_bytes(value, 'big', signed=True)}E-{node.scale}")


def _in_json(node: Node, value: Any) -> Any:
    if isinstance(value, Branch):
        branch = node.inner[value.number]
        inside = _in_json(branch, value.value)
        if branch.kind == "null" or len(node.several) == 1 or _merged(node):
            return inside
        return {branch.fullname: inside}
    match node.type_name:
        case "record":
            members = {one.name: _in_json(one.type, value[one.name]) for one in node.fields}
            return {name: one for name, one in members.items() if one is not None}
        case "array":
            return [_in_json(node.inner[0], one) for one in value]
        case "map":
            return {key: _in_json(node.inner[0], one) for key, one in value.items()}
        case "bytes" | "fixed":
            return base64.b64encode(value).decode()
        case "uuid" if node.kind == "fixed":
            return str(uuid.UUID(bytes=value))
        case "decimal":
            return _decimal(node, value)
        case "float" | "double":
            return _float_in_json(value)
        case "duration":
            months, days, millis = struct.unpack("<III", value)
            return f"P{months}M{days}DT{millis // 1000}.{millis % 1000:03}S"
        case "date":
            return (_EPOCH.date() + dt.timedelta(days=value)).isoformat()
        case "time-millis" | "time-micros":
            moment = _EPOCH + value * (_MILLISECOND if node.logical.endswith("millis") else _MICROSECOND)
            return moment.time().isoformat(timespec="microseconds")
        case "timestamp-millis" | "timestamp-micros" | "local-timestamp-millis" | "local-timestamp-micros":
            moment = _EPOCH + value * (_MILLISECOND if node.logical.endswith("millis") else _MICROSECOND)
            return moment.isoformat(timespec="microseconds") + ("" if node.logical.startswith("local") else "Z")
    return value


def _float_in_json(value: float) -> Any:
    if value != value:
        return _NAN
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value + 0.0  # JSON in PostgreSQL has no negative zero


# -- what is found -------------------------------------------------------------------------------------------------


def found(node: Node, raw: Any, store: str) -> Any:
    """Convert a column's value from a driver to the form of `expected`; a value of a wrong type stays as it is."""
    if raw is None:
        return None
    if _is_json(node, store):
        if store == "cassandra":
            raw = json.loads(raw, parse_float=Decimal)
        return _of_json(node, raw)
    return _of_column(simple(node), raw, store)


def _of_column(node: Node, raw: Any, store: str) -> Any:
    if _merged(node):
        return repr(raw) if isinstance(raw, float) else raw
    if node.kind == "array":
        return [_of_column(simple(node.inner[0]), one, store) for one in raw]
    if node.kind == "map":
        return {key: _of_column(simple(node.inner[0]), one, store) for key, one in raw.items()}
    match node.type_name:
        case "date":
            return raw.days_from_epoch if store == "cassandra" else (raw - _EPOCH.date()).days
        case "time-millis" | "time-micros":
            if store == "cassandra":
                return raw.nanosecond_time
            return (dt.datetime.combine(_EPOCH.date(), raw) - _EPOCH) // _MICROSECOND * 1_000
        case "timestamp-millis" | "local-timestamp-millis" if store == "cassandra":
            # The driver computes timestamps with a float.
            return round((raw - _EPOCH) / _MILLISECOND)
        case "timestamp-millis" | "timestamp-micros" | "local-timestamp-millis" | "local-timestamp-micros":
            return raw if store == "cassandra" else _micros(raw)
        case "duration":
            if store == "cassandra":
                return [raw.months, raw.days, raw.nanoseconds // 1_000_000]
            return None if raw == [None] * 3 else raw
        case "float":
            return repr(struct.unpack("f", struct.pack("f", raw))[0])
        case "double":
            return repr(raw)
    return raw


def _micros(moment: dt.datetime) -> int:
    return (moment.replace(tzinfo=None) - _EPOCH) // _MICROSECOND


def _of_json(node: Node, raw: Any) -> Any:
    if node.kind == "union" and not _merged(node) and len(node.several) > 1 and isinstance(raw, Mapping):
        branches = {one.fullname: one for one in node.several}
        return {name: _of_json(branches[name], one) if name in branches else one for name, one in raw.items()}
    node = simple(node)
    if node.kind == "record" and isinstance(raw, Mapping):
        types = {one.name: one.type for one in node.fields}
        return {name: _of_json(types[name], one) if name in types else one for name, one in raw.items()}
    if node.kind == "array" and isinstance(raw, list):
        return [_of_json(node.inner[0], one) for one in raw]
    if node.kind == "map" and isinstance(raw, Mapping):
        return {key: _of_json(node.inner[0], one) for key, one in raw.items()}
    floating = {one.kind for one in ([node] if node.kind != "union" else node.several)} & {"float", "double"}
    if floating and isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        return struct.unpack("f", struct.pack("f", float(raw)))[0] if floating == {"float"} else float(raw)
    return Decimal(raw) if node.logical == "decimal" and type(raw) is int else raw


# -- rows ----------------------------------------------------------------------------------------------------------


def rows(settings: Settings, contract: Contract, reader: Node, store: str) -> Iterator[dict[str, Any]]:
    """Yield each row of a store in the form of `expected`, with the position of its event."""
    types = {one.name: one.type for one in reader.fields}
    for row in (_of_cassandra if store == "cassandra" else _of_postgres)(settings, contract, types):
        told = {name: found(types[name], value, store) for name, value in row.items() if name in types}
        moment = row["kafka_timestamp"]
        yield told | {
            "kafka_timestamp": round((moment.replace(tzinfo=None) - _EPOCH) / _MILLISECOND),
            "kafka_partition": row["kafka_partition"],
            "kafka_offset": row["kafka_offset"],
        }


def _of_cassandra(settings: Settings, contract: Contract, types: Mapping[str, Node]) -> Iterator[dict[str, Any]]:
    spec = contract.spec.sinks.cassandra
    assert spec is not None
    with cassandra.connect(settings) as session:
        session.default_fetch_size = 200
        for row in session.execute(f"SELECT * FROM {spec.quoted}", timeout=120):
            yield row._asdict()


def _of_postgres(settings: Settings, contract: Contract, types: Mapping[str, Node]) -> Iterator[dict[str, Any]]:
    """Yield the rows.  Python has no type for the months of an interval, so its parts are selected separately."""
    parts = (
        "ARRAY[extract(year FROM {0}) * 12 + extract(month FROM {0}), extract(day FROM {0}), "
        "(extract(hour FROM {0}) * 60 + extract(minute FROM {0})) * 60000 + extract(milliseconds FROM {0})]::bigint[]"
    )
    spec = contract.spec.sinks.postgres
    assert spec is not None
    names = [*types, *POSITION]
    listed = [
        parts.format(f'"{name}"') if name in types and simple(types[name]).logical == "duration" else f'"{name}"'
        for name in names
    ]
    with postgres.connect(settings) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        set_json_loads(partial(json.loads, parse_float=Decimal), connection)
        with connection.cursor(name="fuzz") as cursor:
            cursor.itersize = 200
            cursor.execute(f"SELECT {', '.join(listed)} FROM {spec.quoted}")
            for row in cursor:
                yield dict(zip(names, row, strict=True))
