"""The Avro schema of an object of the Open Data Contract Standard that was not exported from one.  Pure.

`logicalType` decides the kind of a type, and `physicalType` (an Avro or an SQL type) its size.  What neither tells
stays undecided, in words.  A `physicalType` that the Avro type says exactly is taken out of the object, so that
nobody takes it for lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from avro_data_contracts.contracts.avro.names import fault_of
from avro_data_contracts.contracts.avro.nodes import TAGS
from avro_data_contracts.contracts.start import numbers, samples

MICROS: Final = {"type": "long", "logicalType": "timestamp-micros"}
LOCAL_MICROS: Final = {"type": "long", "logicalType": "local-timestamp-micros"}
_DATE: Final = {"type": "int", "logicalType": "date"}
_TIME: Final = {"type": "long", "logicalType": "time-micros"}
_UUID: Final = {"type": "string", "logicalType": "uuid"}
_WORDS: Final[dict[str, tuple[str, Any]]] = {
    "int integer int2 int4 smallint tinyint mediumint": ("integer", "int"),
    "long bigint int8": ("integer", "long"),
    "real float4": ("number", "float"),
    "float double float8": ("number", "double"),  # of `float`, some databases have 64 bits
    "boolean bool": ("boolean", "boolean"),
    "date": ("date", _DATE),
    "time": ("time", _TIME),
    "timestamptz timestamp_tz timestamp_ltz": ("timestamp", MICROS),
    "timestamp_ntz datetime": ("timestamp", LOCAL_MICROS),
    "string text varchar char nvarchar nchar bpchar clob": ("string", "string"),
    "uuid": ("string", _UUID),
    "bytes bytea blob binary varbinary": ("string", "bytes"),
}
#: Physical type -> its logical type, and its Avro type.
PHYSICAL: Final[dict[str, tuple[str, Any]]] = {
    **{word: found for words, found in _WORDS.items() for word in words.split()},
    "double precision": ("number", "double"),
    "character varying": ("string", "string"),
    "timestamp with time zone": ("timestamp", MICROS),
    "timestamp without time zone": ("timestamp", LOCAL_MICROS),
}
#: Logical type -> Avro type where neither options nor `physicalType` say more.
LOGICAL: Final[dict[str, Any]] = {
    "string": "string",
    "integer": "long",
    "number": "double",
    "boolean": "boolean",
    "date": _DATE,
    "time": _TIME,
    "timestamp": LOCAL_MICROS,
}
_AVRO: Final = re.compile(r"(int|long|string|bytes) \(([a-z-]+)\)")
_DECIMAL: Final = re.compile(
    r"(?:(?:bytes|fixed) \()?(?:decimal|numeric|number|dec) ?\(([0-9]+)(?:, ?([0-9]+))?\)\)?"
)
_OURS: Final = {
    **{(one["type"], one["logicalType"]): one for one in (_DATE, _TIME, _UUID, MICROS, LOCAL_MICROS)},
    **{
        (base, name): {"type": base, "logicalType": name}
        for base, name in (
            ("int", "time-millis"),
            *(("long", f"{zone}timestamp-{unit}") for zone in ("", "local-") for unit in ("millis", "nanos")),
        )
    },
}
_BITS: Final = {"i8": "int", "i16": "int", "i32": "int", "u8": "int", "u16": "int", "u32": "long", "i64": "long"}
_FLOATS: Final = {"f32": "float", "f64": "double"}


class Types:
    """Makes the types of one document.

    Attributes:
        doubts: what it did not tell, in words.
    """

    def __init__(self) -> None:
        self.doubts: list[str] = []
        self._taken: set[str] = set()

    def record(self, wanted: str, source: dict[str, Any], at: str, namespace: str = "") -> dict[str, Any]:
        """Return the record of an object, or of a property with properties.

        Args:
            wanted: its name, if nothing else has it.
            at: the path of the property, for words.
        """
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}{number}", number + 1
        self._taken.add(name)
        found: dict[str, Any] = {"type": "record", "name": name}
        if namespace:
            found["namespace"] = namespace
        if at == "" and (doc := _words(source.get("description"))):
            found["doc"] = doc
        names: list[str] = []
        fields = []
        for one in _items(source.get("properties")):
            fields.append(self._field(one, at, name, names))
            names.append(fields[-1]["name"])
        return {**found, "fields": fields}

    def _field(self, source: dict[str, Any], around: str, owner: str, taken: list[str]) -> dict[str, Any]:
        written = _words(source.get("name")) or "_"
        name = written if not fault_of(written) and written not in taken else samples.field_name(written, taken)
        at = f"{around}.{name}" if around else name
        if name != written:
            self.doubts.append(f"the field {written!r} is called {at}, because Avro does not allow its name")
        kind = self._type(source, at, owner)
        found: dict[str, Any] = {"name": name, "type": kind}
        if doc := _words(source.get("description")):
            found["doc"] = doc
        if source.get("required") is not True and source.get("primaryKey") is not True:
            found |= {"type": ["null", kind], "default": None}
        if tags := _tags(source):
            found[TAGS] = tags
        return found

    def _type(self, source: dict[str, Any], at: str, owner: str) -> Any:
        logical = _words(source.get("logicalType"))
        physical = " ".join(_words(source.get("physicalType")).lower().split())
        options = source.get("logicalTypeOptions")
        options = options if isinstance(options, Mapping) else {}
        if logical == "object" or (not logical and "properties" in source):
            if _items(source.get("properties")):
                return self.record(owner + samples.type_name(at.rpartition(".")[2]), source, at)
            self._doubt(at, "names no properties, so it is a map of texts")
            return {"type": "map", "values": "string"}
        if logical == "array" or (not logical and "items" in source):
            items = source.get("items")
            if isinstance(items, dict):
                return {"type": "array", "items": self._type(items, at, owner)}
            self._doubt(at, "does not say what its items are, so they are texts")
            return {"type": "array", "items": "string"}
        found = self._scalar(at, logical, physical, options)
        if found == _physical(physical)[1] and ("(" not in physical or _DECIMAL.fullmatch(physical)):
            del source["physicalType"]
        return found

    def _scalar(self, at: str, logical: str, physical: str, options: Mapping[str, Any]) -> Any:
        fits, exact = _physical(physical)
        form = _words(options.get("format"))
        if logical == "number" and form in _FLOATS and fits in ("", "number") and not isinstance(exact, dict):
            return _FLOATS[form]
        if exact is not None and logical in ("", fits):
            if logical == "string" and exact == "string":
                return _of_string(options)
            return exact
        if logical not in LOGICAL:
            self._doubt(
                at, f"has no type that is known here ({logical or physical or 'none at all'}), so it is a text"
            )
            return "string"
        if exact is not None:
            article = "an" if logical[0] in "aeiou" else "a"
            self._doubt(
                at, f"is {article} {logical}, and its physicalType {physical!r} is not, so only the first counts"
            )
        if logical == "string":
            return _of_string(options)
        if logical == "integer":
            if form == "u64":
                return numbers.decimal(20, 0)
            if form in ("i128", "u128"):
                self._doubt(at, f"may have 39 digits ({form}), and no store holds more than 38")
                return numbers.decimal(38, 0)
            return _BITS.get(form, "long")
        if logical == "number":
            self._doubt(at, "says neither precision and scale nor f32 or f64, so it is a double")
            return "double"
        if logical == "timestamp":
            if options.get("timezone") is True:
                return MICROS
            if "timezone" not in options:
                self._doubt(at, "does not say whether it has a time zone, so it is a local time")
        return LOGICAL[logical]

    def _doubt(self, at: str, words: str) -> None:
        self.doubts.append(f"{at} {words}")


def _physical(physical: str) -> tuple[str, Any]:
    """Logical type and Avro type of a physical one; None if it is not known."""
    if found := _DECIMAL.fullmatch(physical):
        precision, scale = int(found[1]), int(found[2] or 0)
        if 0 < precision <= 38 and scale <= precision:
            return "number", numbers.decimal(precision, scale)
    if (found := _AVRO.fullmatch(physical)) and (kind := _OURS.get((found[1], found[2]))):
        name = found[2].removeprefix("local-").partition("-")[0]
        return ("string" if name == "uuid" else name), kind
    return PHYSICAL.get(re.sub(r" ?\(.*\)$", "", physical), ("", None))


def _of_string(options: Mapping[str, Any]) -> Any:
    return {"uuid": _UUID, "binary": "bytes"}.get(_words(options.get("format")), "string")


def _tags(source: Mapping[str, Any]) -> list[str]:
    tags = source.get("tags")
    found = [one for one in tags if isinstance(one, str)] if isinstance(tags, list) else []
    if _words(source.get("classification")).upper() == "PII":
        found.append("PII")
    return list(dict.fromkeys(found))


def _items(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _words(value: Any) -> str:
    return value if isinstance(value, str) else ""
