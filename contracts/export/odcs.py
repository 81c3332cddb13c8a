"""A contract as a document of the Open Data Contract Standard 3.1 (Bitol, Linux Foundation).  Pure.

Level, dead letters, tables and consumers go into `customProperties`, because the standard has no words for them.  So
do the Avro schemas, and what contract.yaml says: `contracts init --from odcs` makes the same contract of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import (
    AnyType,
    Array,
    Enum,
    Field,
    Map,
    Named,
    Node,
    Record,
    Schema,
    Union,
    join,
)
from avro_data_contracts.contracts.avro.paths import inside
from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog import yaml_text
from avro_data_contracts.contracts.catalog.choices import SubjectStrategy
from avro_data_contracts.contracts.catalog.contract import ConsumerSpec, Contract, ContractSpec, Subject
from avro_data_contracts.contracts.quality.rules import RuleSpec
from avro_data_contracts.contracts.stores.spec import SinkSpec

API_VERSION: Final = "v3.1.0"
#: Levels that are nested; what is deeper stands side by side, because each level makes validators of the standard's
#: schema several times slower.
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


#: `physicalType` of the value and of the key.
VALUE: Final = "topic"
KEY: Final = "topic key"
#: Names of `customProperties`: what contract.yaml says, and a schema as Avro's JSON.
WRITTEN, AVRO_SCHEMA = "contract", "avroSchema"
#: Keys of contract.yaml that the document has elsewhere, or that only name files.
_ELSEWHERE: Final = frozenset({"topic", "owner", "description", "key", "value"})


def of(contract: Contract, bootstrap: str = "", text: str = "") -> dict[str, Any]:
    """Return the document, ready for YAML or JSON.

    Args:
        bootstrap: `host:port` of Kafka; without it the document names no server.
        text: of contract.yaml; without it, not all that it says is in the document.
    """
    spec = contract.spec
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"{contract.topic}-{contract.value.fullname}" if contract.siblings else contract.topic,
        "name": contract.name,
        "version": DOCUMENT_VERSION,
        "status": "active",
        "team": {"name": spec.owner},
    }
    if spec.description:
        document["description"] = {"purpose": spec.description}
    if bootstrap:
        document["servers"] = [{"server": "kafka", "type": "kafka", "host": bootstrap, "format": "avro"}]
    document["schema"] = [_value(contract)]
    if contract.key:
        document["schema"].append(_object(contract.key, contract, KEY))
    retention = spec.kafka.config.get("retention.ms", "")
    if re.fullmatch(r"\d{1,18}", retention):
        days = int(retention) / 86_400_000
        value = int(days) if days.is_integer() else days
        document["slaProperties"] = [{"property": "retention", "value": value, "unit": "d"}]
    document["customProperties"] = _properties(
        compatibility=contract.compatibility.value,
        envelope=contract.spec.envelope.value if contract.spec.envelope else "",
        kafka=None
        if spec.kafka.external
        else {"partitions": spec.kafka.partitions, "config": dict(spec.kafka.config)},
        deadLetterTopic=contract.dead_letter_topic,
        keySchema=contract.key.schema.fullname if contract.key else "",
        subjects=[subject.name for subject in contract.subjects],
        consumers=[_consumer(one) for one in spec.consumers],
    )
    if text:
        document["customProperties"].append({"property": WRITTEN, "value": _written(text, spec)})
    return document


def _written(text: str, spec: ContractSpec) -> dict[str, Any]:
    """What contract.yaml says, and what it need not say because of contracts.toml."""
    found: dict[str, Any] = {"compatibility": spec.compatibility.value}
    if spec.subject_strategy is not SubjectStrategy.TopicName:
        found["subject_strategy"] = spec.subject_strategy.value
    said = plain(yaml_text.load(text))
    return {**found, **{key: value for key, value in said.items() if key not in _ELSEWHERE}}


def plain(value: Any) -> Any:
    """Return a value of YAML as one of JSON: dates are texts there."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value  # a datetime is one too


def _value(contract: Contract) -> dict[str, Any]:
    """The value; one that is not a record is one property `value`."""
    found = _object(contract.rows.value, contract, VALUE)
    keys = {name: number for number, name in enumerate(_identifying(contract), start=1)}
    for one in found["properties"]:
        if one["name"] in keys:
            one |= {"primaryKey": True, "primaryKeyPosition": keys[one["name"]]}
    _add_quality(found, contract.spec.rules)
    found["customProperties"] += _properties(tables=[_table(sink) for sink in contract.sinks])
    return found


def _identifying(contract: Contract) -> Sequence[str]:
    """The fields of the first table's key; if each table has a row for each event, those of the topic's key."""
    for sink in contract.sinks:
        if sink.primary_key:
            return sink.primary_key
    root = contract.key.schema.resolve(contract.key.schema.root) if contract.sinks and contract.key else None
    return list(root.by_name) if isinstance(root, Record) else []


def _object(subject: Subject, contract: Contract, physical: str) -> dict[str, Any]:
    schema = subject.schema
    root = schema.resolve(schema.root)
    found: dict[str, Any] = {
        "name": root.name if isinstance(root, Named) else contract.name,
        "physicalName": contract.topic,
        "physicalType": physical,
        "logicalType": "object",
    }
    if isinstance(root, Record):
        if root.doc:
            found["description"] = root.doc
        if tags := _tags(root):
            found["tags"] = tags
    found["properties"] = _Writer(schema).properties(root)
    found["customProperties"] = _properties(avroFullName=schema.fullname)
    found["customProperties"].append({"property": AVRO_SCHEMA, "value": to_json(schema)})
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


_Around = tuple[str, ...] | None


class _Writer:
    """Writes the properties of one schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._deep: list[dict[str, Any]] = []
        self._deep_types: set[str] = set()

    def properties(self, root: AnyType) -> list[dict[str, Any]]:
        """The fields of a record, or the property `value` for any other type; then what is too deep to be nested."""
        if isinstance(root, Record):
            found = [self._field(field, field.name, (root.fullname,)) for field in root.fields]
        else:
            found = [self._property("value", root, "value", ())]
        return found + self._deep

    def _field(self, field: Field, at: str, around: _Around, name: str = "") -> dict[str, Any]:
        found = self._property(name or field.name, field.type, at, around, field)
        extra = {"default": field.default} if field.has_default else {}
        custom = [*found.pop("customProperties", ()), *_properties(keep=True, **extra)]
        custom += _properties(aliases=list(field.aliases))
        if custom:
            found["customProperties"] = custom
        return found

    def _property(
        self, name: str, node: AnyType, at: str, around: _Around, field: Field | None = None
    ) -> dict[str, Any]:
        node, nullable = nullability(self.schema, node)
        found: dict[str, Any] = {"name": name, **self._type(node, at, around), "required": not nullable}
        if field is not None and field.doc:
            found["description"] = field.doc
        if tags := _tags(*filter(None, (field, node))):
            found["tags"] = tags
            if "PII" in tags:
                found["classification"] = "PII"
        return found

    def _type(self, node: AnyType, at: str, around: _Around) -> dict[str, Any]:
        """`logicalType`, `physicalType`, and the types inside.

        Args:
            at: the path of the type.
            around: full names of the records (and the marks of containers and unions) around this type.  A recursive
                type is only named.  None: what is inside stands elsewhere.
        """
        if isinstance(node, Union):
            found: dict[str, Any] = {"physicalType": "union", **self._inside(node, at, around)}
            return {**found, "customProperties": _properties(avroUnion=[self._label(one) for one in node.branches])}
        name = type_name(node)
        logical, options = LOGICAL_TYPES.get(name, ("", {}))
        found = {"logicalType": logical, "physicalType": _physical(node, name)}
        if not logical:  # null, for which the standard has no type
            del found["logicalType"]
        if options:
            found["logicalTypeOptions"] = dict(options)
        found |= self._inside(node, at, around)
        if isinstance(node, Record):
            found["customProperties"] = _properties(avroFullName=node.fullname)
        elif isinstance(node, Enum):
            found["customProperties"] = _properties(avroFullName=node.fullname, symbols=list(node.symbols))
        elif isinstance(node, Array) and "items" not in found:
            found["customProperties"] = _properties(avroItems=self._label(self._bare(node.items)))
        elif isinstance(node, Map):
            found["customProperties"] = _properties(avroMapValues=self._label(node.values))
        return found

    def _inside(self, node: AnyType, at: str, around: _Around) -> dict[str, Any]:
        """The key for what is inside a type; what is below `MOST_LEVELS` goes to the end of the document."""
        if around is None or (isinstance(node, Record) and node.fullname in around):
            return {}
        if len(around) >= MOST_LEVELS:
            self._flatten(node, at, around)
            return {}
        if isinstance(node, Record):
            inner = (*around, node.fullname)
            return {"properties": [self._field(one, join(at, one.name), inner) for one in node.fields]}
        if isinstance(node, Array):
            item = self._bare(node.items)
            tags = _tags(item)
            told = self._type(item, f"{at}[]", (*around, "[]"))
            return {"items": {**told, "tags": tags} if tags else told}
        if not isinstance(node, (Union, Map)):
            return {}
        parts = [(mark, one) for mark, one in inside(self.schema, "", node) if self._holds_fields(one)]
        listed = [self._property(mark, one, at + mark, (*around, mark)) for mark, one in parts]  # type: ignore[arg-type]
        if isinstance(node, Union):  # a value has only one of them
            listed = [{**one, "required": False} for one in listed]
        return {"logicalType": "object", "properties": listed} if listed else {}

    def _flatten(self, node: AnyType, at: str, around: tuple[str, ...]) -> None:
        """Write every field inside, each type once, as properties with their whole paths."""
        waiting: list[tuple[str, Field | AnyType]] = [(at, node)]
        while waiting:
            path, one = waiting.pop()
            if isinstance(one, Field):
                self._deep.append(self._field(one, path, None, path))
            elif isinstance(one, Record):
                if one.fullname in around or one.fullname in self._deep_types:
                    continue
                self._deep_types.add(one.fullname)
                if _tags(one) and path[-1:] in ("]", "}", ")"):  # not the type of a field, which has them already
                    self._deep.append(self._property(path, one, path, None))
            waiting.extend(reversed([*inside(self.schema, path, one)]))

    def _holds_fields(self, node: AnyType | Field) -> bool:
        """Whether a record is inside, without looking into records."""
        waiting: list[AnyType | Field] = [node]
        while waiting:
            one = waiting.pop()
            if isinstance(one, Record):
                return True
            waiting.extend(inner for _, inner in inside(self.schema, "", one))
        return False

    def _bare(self, node: AnyType) -> AnyType:
        """The type without null."""
        return nullability(self.schema, node)[0]

    def _label(self, node: AnyType) -> str:
        node = self.schema.resolve(node)
        return node.fullname if isinstance(node, Named) else type_name(node)


def _tags(*nodes: Node) -> list[str]:
    """The tags of a field and of its type, each once."""
    return list(dict.fromkeys(tag for node in nodes for tag in node.tags))


def _physical(node: AnyType, name: str) -> str:
    """The Avro type with its logical type: `long (timestamp-millis)`, `bytes (decimal(10,2))`, `enum`."""
    logical = getattr(node, "logical", None)
    if logical is None:
        return name
    digits = f"({logical.precision},{logical.scale})" if name == "decimal" else ""
    return f"{node.type} ({name}{digits})"


def _table(sink: SinkSpec) -> dict[str, Any]:
    return {"store": sink.kind, "table": sink.qualified, "primaryKey": list(sink.key)}


def _consumer(one: ConsumerSpec) -> dict[str, Any]:
    return {"name": one.name, "owner": one.owner, "fields": list(one.fields)}


def _properties(keep: bool = False, **values: Any) -> list[dict[str, Any]]:
    """`customProperties`; empty values are left out, unless `keep` (a default may be null)."""
    return [{"property": name, "value": value} for name, value in values.items() if keep or value]
