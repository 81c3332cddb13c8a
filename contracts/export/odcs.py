"""A contract as a document of the Open Data Contract Standard 3.1 (Bitol, Linux Foundation).  Pure.

Level, dead letters, tables and consumers go into `customProperties`, because the standard has no words for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import yaml

from contracts.avro.nodes import AnyType, Array, Enum, Field, Map, Named, Record, Schema, Union
from contracts.avro.shapes import nullability, type_name
from contracts.catalog.contract import ConsumerSpec, Contract
from contracts.quality.rules import RuleSpec
from contracts.stores.spec import SinkSpec

API_VERSION: Final = "v3.1.0"
#: Levels of records and arrays that are written out; a deeper type is only named.  Each level makes validators of the
#: standard's schema several times slower.
MOST_LEVELS: Final = 6
#: The version of the document, which never changes: a contract's content has the versions of its schemas.
DOCUMENT_VERSION: Final = "1.0.0"

#: Avro type, or logical type where Avro recognises one -> logical type and options of the standard.
LOGICAL_TYPES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "boolean": ("boolean", {}),
    "int": ("integer", {"format": "i32"}),
    "long": ("integer", {"format": "i64"}),
    "float": ("number", {"format": "f32"}),
    "double": ("number", {"format": "f64"}),
    "decimal": ("number", {}),
    "big-decimal": ("number", {}),
    "string": ("string", {}),
    "enum": ("string", {}),
    "uuid": ("string", {"format": "uuid"}),
    "bytes": ("string", {"format": "binary"}),
    "fixed": ("string", {"format": "binary"}),
    "duration": ("string", {"format": "binary"}),
    "date": ("date", {}),
    "time-millis": ("time", {}),
    "time-micros": ("time", {}),
    **dict.fromkeys(
        ("timestamp-millis", "timestamp-micros", "timestamp-nanos"),
        ("timestamp", {"timezone": True, "defaultTimezone": "Etc/UTC"}),
    ),
    **dict.fromkeys(
        ("local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos"),
        ("timestamp", {"timezone": False}),
    ),
    "record": ("object", {}),
    "map": ("object", {}),
    "array": ("array", {}),
}


def of(contract: Contract, bootstrap: str = "") -> dict[str, Any]:
    """Return the document, ready for YAML or JSON.

    Args:
        bootstrap: `host:port` of Kafka; without it the document names no server.
    """
    spec = contract.spec
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": contract.topic,
        "name": contract.name,
        "version": DOCUMENT_VERSION,
        "status": "active",
        "team": {"name": spec.owner},
    }
    if spec.description:
        document["description"] = {"purpose": spec.description}
    if bootstrap:
        document["servers"] = [{"server": "kafka", "type": "kafka", "host": bootstrap, "format": "avro"}]
    document["schema"] = [_object(contract)]
    retention = spec.kafka.config.get("retention.ms", "")
    if re.fullmatch(r"\d{1,18}", retention):
        days = int(retention) / 86_400_000
        value = int(days) if days.is_integer() else days
        document["slaProperties"] = [{"property": "retention", "value": value, "unit": "d"}]
    document["customProperties"] = _properties(
        compatibility=contract.compatibility.value,
        kafka={"partitions": spec.kafka.partitions, "config": dict(spec.kafka.config)},
        deadLetterTopic=contract.dead_letter_topic,
        keySchema=contract.key.schema.fullname if contract.key else "",
        subjects=[subject.name for subject in contract.subjects],
        consumers=[_consumer(one) for one in spec.consumers],
    )
    return document


def as_yaml(document: dict[str, Any]) -> str:
    """Return the document as YAML, in the order of its keys; the same contract gives the same text."""
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)


#: The dumper in C, where it is installed: it is ten times as fast.
_FASTEST: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Plain(_FASTEST):  # type: ignore[misc]
    """Writes a repeated value in full, because anchors are hard to read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _object(contract: Contract) -> dict[str, Any]:
    """The value, as the only object of the document; a value that is not a record is one property `value`."""
    schema = contract.value.schema
    root = schema.resolve(schema.root)
    found: dict[str, Any] = {
        "name": root.name if isinstance(root, Named) else contract.name,
        "physicalName": contract.topic,
        "physicalType": "topic",
        "logicalType": "object",
    }
    keys = {name: number for sink in contract.sinks[:1] for number, name in enumerate(sink.primary_key, start=1)}
    if isinstance(root, Record):
        if root.doc:
            found["description"] = root.doc
        found["properties"] = [_field(schema, field, (root.fullname,), keys.get(field.name)) for field in root.fields]
    else:
        found["properties"] = [{"name": "value", **_type(schema, root, ())}]
    _add_quality(found, contract.spec.rules)
    found["customProperties"] = _properties(
        avroFullName=schema.fullname, tables=[_table(sink) for sink in contract.sinks]
    )
    return found


def _add_quality(found: dict[str, Any], rules: Sequence[RuleSpec]) -> None:
    """Each rule, at its property; a rule about several fields, or a field inside a record, at the object."""
    by_name = {one["name"]: one for one in found["properties"]}
    for rule in rules:
        by_name.get(rule.field, found).setdefault("quality", []).append(_quality(rule))


def _quality(rule: RuleSpec) -> dict[str, Any]:
    """The rule in the standard's metrics, if there is one for it; else in our own words."""
    told: dict[str, Any] = {"name": rule.name}
    if rule.description:
        told["description"] = rule.description
    inside = "." in rule.field
    if rule.required and not inside:
        return {**told, "type": "library", "metric": "nullValues", "mustBe": 0}
    if (rule.pattern or rule.one_of) and not inside:
        asked = {"pattern": rule.pattern} if rule.pattern else {"validValues": rule.asks["one_of"]}
        return {**told, "type": "library", "metric": "invalidValues", "mustBe": 0, "arguments": asked}
    return {**told, "type": "custom", "engine": "contracts", "implementation": rule.asks}


def _field(schema: Schema, field: Field, around: tuple[str, ...], key: int | None = None) -> dict[str, Any]:
    node, nullable = nullability(schema, field.type)
    found: dict[str, Any] = {"name": field.name, **_type(schema, node, around), "required": not nullable}
    if key is not None:
        found |= {"primaryKey": True, "primaryKeyPosition": key}
    if field.doc:
        found["description"] = field.doc
    tags = field.props.get("confluent:tags")
    if isinstance(tags, list) and tags:
        found["tags"] = [str(tag) for tag in tags]
        if "PII" in tags:
            found["classification"] = "PII"
    extra = {"default": field.default} if field.has_default else {}
    custom = [*found.pop("customProperties", ()), *_properties(keep=True, **extra)]
    custom += _properties(aliases=list(field.aliases))
    if custom:
        found["customProperties"] = custom
    return found


def _type(schema: Schema, node: AnyType, around: tuple[str, ...]) -> dict[str, Any]:
    """`logicalType`, `physicalType`, and the types inside.

    Args:
        around: full names of the records (`[]` for an array) around this type.  A recursive type is only named, and
            so is one below `MOST_LEVELS`.
    """
    node = schema.resolve(node)
    if isinstance(node, Union):
        branches = [_label(schema, branch) for branch in node.branches]
        return {"physicalType": "union", "customProperties": _properties(avroUnion=branches)}
    name = type_name(node)
    logical, options = LOGICAL_TYPES.get(name, ("", {}))
    found: dict[str, Any] = {"logicalType": logical, "physicalType": _physical(node, name)}
    if not logical:  # null, for which the standard has no type
        del found["logicalType"]
    if options:
        found["logicalTypeOptions"] = dict(options)
    if isinstance(node, Record):
        if node.fullname not in around and len(around) < MOST_LEVELS:
            inner = (*around, node.fullname)
            found["properties"] = [_field(schema, field, inner) for field in node.fields]
        found["customProperties"] = _properties(avroFullName=node.fullname)
    elif isinstance(node, Enum):
        found["customProperties"] = _properties(avroFullName=node.fullname, symbols=list(node.symbols))
    elif isinstance(node, Array):
        item, _ = nullability(schema, node.items)
        if len(around) < MOST_LEVELS:
            found["items"] = _type(schema, item, (*around, "[]"))
        else:
            found["customProperties"] = _properties(avroItems=_label(schema, item))
    elif isinstance(node, Map):
        found["customProperties"] = _properties(avroMapValues=_label(schema, node.values))
    return found


def _physical(node: AnyType, name: str) -> str:
    """The Avro type with its logical type: `long (timestamp-millis)`, `bytes (decimal(10,2))`, `enum`."""
    logical = getattr(node, "logical", None)
    if logical is None:
        return name
    digits = f"({logical.precision},{logical.scale})" if name == "decimal" else ""
    return f"{node.type} ({name}{digits})"


def _label(schema: Schema, node: AnyType) -> str:
    node = schema.resolve(node)
    return node.fullname if isinstance(node, Named) else type_name(node)


def _table(sink: SinkSpec) -> dict[str, Any]:
    return {"store": sink.kind, "table": sink.qualified, "primaryKey": list(sink.primary_key)}


def _consumer(one: ConsumerSpec) -> dict[str, Any]:
    return {"name": one.name, "owner": one.owner, "fields": list(one.fields)}


def _properties(keep: bool = False, **values: Any) -> list[dict[str, Any]]:
    """`customProperties`; empty values are left out, unless `keep` (a default may be null)."""
    return [{"property": name, "value": value} for name, value in values.items() if keep or value]
