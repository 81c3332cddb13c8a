"""The fuzzed contracts: one with all types, one with every kind of change, one with text keys, one with rules."""

from __future__ import annotations

import copy
import json
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from avro_data_contracts.contracts.quality.judge import Judge
from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.type_cases import array, cases, logical, mapping, record
from contracts_tests.fuzz.nodes import Node, parse
from contracts_tests.fuzz.oracle import Branch, Known

Json = Any
#: Ids from here on are unknown to a test's registry, so it need not be asked.
UNKNOWN_FROM = 1_000_000
INCOMPATIBLE = {"type": "record", "name": "Another", "fields": [{"name": "number", "type": "int"}]}


@dataclass(frozen=True)
class Shape:
    """The description of a fuzzed contract.

    Attributes:
        versions: versions of the value's schema; the contract has the last one.
        keys: versions of the key's schema; without any, tombstones are dead letters.
        primary_key: fields of the primary key of both tables.
        identity: primary key field -> generator of its few values, so that rows have several events.
    """

    name: str
    versions: list[Json]
    primary_key: tuple[str, ...]
    identity: Mapping[str, Callable[[random.Random], Any]]
    keys: list[Json] = field(default_factory=list)
    rules: list[Json] = field(default_factory=list)


def _record(name: str, fields: Mapping[str, Any], **more: dict[str, Any]) -> Json:
    """Return a record schema; `more` has defaults or aliases of fields."""
    return {
        "type": "record",
        "name": name,
        "namespace": "fuzz",
        "fields": [{"name": one, "type": kind, **more.get(one, {})} for one, kind in fields.items()],
    }


def _types() -> Shape:
    fields = {"id": "int"} | {f"field_{number}": case.kind for number, case in enumerate(cases())}
    newest = record("Everyone", *fields.items())
    # The first use of a type defines it, so the fields keep their order.
    older = copy.deepcopy(newest)
    older["fields"].insert(1, {"name": "gone", "type": mapping(array("long"))})
    for one in older["fields"]:
        if isinstance(one["type"], list) and len(one["type"]) == 2 and one["type"][0] == "null":
            one["type"] = one["type"][1]
    return Shape("types", [older, newest], ("id",), {"id": lambda rng: rng.randrange(400)})


def _enum(*symbols: str) -> Json:
    return {"type": "enum", "name": "Colour", "symbols": ["UNKNOWN", *symbols], "default": "UNKNOWN"}


def _changing() -> Shape:
    day, moment = logical("int", "date"), logical("long", "timestamp-millis")
    tree = _record("Tree", {"leaf": "long", "next": ["null", "Tree"], "more": array("Tree")})
    line = {"sku": "string", "count": "int", "trail": array("bytes"), "tags": mapping("string")}
    first = {
        "gone": tree, "id": "int", "number": "int", "ratio": "int", "part": "int", "text": "bytes", "blob": "string",
        "colour": _enum("RED", "BLUE"), "nothing": array("null"), "numbers": array("int"), "scores": mapping("int"),
        "lines": array(_record("Line", line)), "either": ["null", "int"], "born": day, "seen": moment,
        "flag": "boolean", "spare": mapping(array("long")),
    }  # fmt: skip
    line2 = {"sku": "bytes", "count": "int", "note": ["null", "string"], "empty": array(_record("Empty", {}))}
    second = {
        "id": "long", "whole": "int", "ratio": "long", "part": ["null", "long", "int"], "text": "string",
        "blob": ["bytes", "string"], "colour": _enum("GREEN"), "numbers": array("long"),
        "parent": ["null", "Changing"], "scores": mapping(["null", "int"]), "lines": array(_record("Line", line2)),
        "either": ["string", "int", "null"], "born": day, "seen": moment, "added": "string",
    }  # fmt: skip
    newest_line = {"sku": "string", "quantity": "long", "note": ["null", "string"]}
    changed_line = {"quantity": {"aliases": ["count"]}, "note": {"default": None}}
    newest = {
        "id": "long", "whole": "long", "ratio": "double", "part": ["null", "float"], "text": "string",
        "blob": "bytes", "colour": _enum("RED"), "numbers": array("double"), "scores": mapping(["null", "long"]),
        "lines": array(_record("Line", newest_line, **changed_line)), "either": ["null", "int", "string"],
        "born": ["null", day], "seen": moment, "added": "string", "extra": ["null", "int"],
    }  # fmt: skip
    aliases = {"whole": {"aliases": ["number"]}}
    third = dict(reversed(newest.items())) | {"ratio": "float", "numbers": array("float")}
    return Shape(
        "changing",
        [
            _record("Changing", first),
            _record("Changing", second),
            _record("Changing", third),
            _record("Changing", newest, **aliases, added={"default": "é"}, extra={"default": None}),
        ],
        ("id",),
        {"id": lambda rng: rng.randrange(-300, 300)},
        [_record("Key", {"region": "string", "id": "int"}), _record("Key", {"id": "long"})],
    )


def _named() -> Shape:
    newest = {"name": "string", "raw": "bytes", "note": ["null", "string"], "flags": array("boolean")}
    older = {"flags": array("boolean"), "raw": "string", "name": ["string"]}
    names = ("a", "b", "é", "日本 '\"\\", " ", "A", "x" * 2_400, "x" * 70_000, "")
    identity: dict[str, Callable[[random.Random], Any]] = {
        "name": lambda rng: rng.choices((*names, f"n{rng.randrange(200)}"), (*[1] * 7, 0.05, 0.3, 12))[0],
        "raw": lambda rng: rng.choice((b"", b"a", b"\x7f", b"raw")),
    }
    return Shape(
        "named",
        [_record("Named", older), _record("Named", newest, note={"default": None})],
        ("name", "raw"),
        identity,
        [_record("Key", {"raw": "bytes", "name": "string", "more": mapping("long")}),
         _record("Key", {"name": "string", "raw": "bytes"})],
    )  # fmt: skip


def _ruled() -> Shape:
    place = {"zone": "string", "level": ["null", "int"]}
    newest = {
        "id": logical("string", "uuid"), "email": "string", "count": "int", "amount":
        {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, "ratio": "float", "day":
        ["null", logical("int", "date")], "place": _record("Place", place), "tags": array("string"), "note":
        ["null", "string"],
    }  # fmt: skip
    older = {**newest, "mail": "string", "count": "long", "dropped": array(["null", "int", "string"])}
    del older["email"], older["note"], older["count"]
    older["count"] = "int"
    rules = [
        {"name": "email_form", "field": "email", "pattern": "[^@]*@?[^@]*"},
        {"name": "count_range", "field": "count", "min": -2_000_000_000, "max": 2_000_000_000},
        {"name": "plausible", "field": "day", "min": "0100-01-01"},
        {"name": "short_note", "field": "note", "max_length": 12},
        {"name": "level_not_one", "expression": "place.level is null or place.level != 1"},
        {"name": "not_nan", "field": "ratio", "min": -1e30, "max": 1e30},
        {"name": "adds_up", "expression": "amount + count != 0"},
    ]
    numbers = [uuid.UUID(int=number) for number in range(500)]
    identity = {"id": lambda rng: rng.choice((str, lambda one: str(one).upper()))(rng.choice(numbers))}
    changed = {"email": {"aliases": ["mail"]}, "note": {"default": None}}
    return Shape(
        "ruled", [_record("Ruled", older), _record("Ruled", newest, **changed)], ("id",), identity, rules=rules
    )


SHAPES = {shape.name: shape for shape in (_types(), _changing(), _named(), _ruled())}


@dataclass
class Fuzzed:
    """A fuzzed contract, registered with all versions of its schemas and an empty topic.

    Attributes:
        texts: schema id -> text of the value's schema.
        keys: what the registry knows about keys; None if tombstones are dead letters.
    """

    shape: Shape
    pipeline: Pipeline
    values: Known
    texts: dict[int, str]
    keys: Known | None
    rules: Judge

    @property
    def reader(self) -> Node:
        return self.values.reader

    @property
    def ids(self) -> list[int]:
        """Schema ids of the versions that the contract reads, oldest first."""
        return sorted(self.values.readable)

    def identity_of(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the primary key of a row in the form of `stored.expected`."""
        return tuple(row[name] for name in self.shape.primary_key)

    def identify(self, node: Node, value: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        """Give the value one of the few primary keys and return it."""
        for one in node.fields:
            if one.name in self.shape.identity:
                made: Any = self.shape.identity[one.name](rng)
                if one.type.kind == "string" and isinstance(made, bytes):
                    made = made.decode()
                value[one.name] = Branch(0, made) if one.type.kind == "union" else made
        return value

    def learn(self, schema_id: int) -> None:
        """Ask the registry about a schema id from a record."""
        known = [one for one in (self.values, self.keys) if one is not None]
        if not 0 <= schema_id < UNKNOWN_FROM:
            return
        url = f"{self.pipeline.settings.schema_registry_url}/schemas/ids/{schema_id}/subjects"
        answer = requests.get(url, timeout=30)
        subjects = answer.json() if answer.ok else []
        for one in known:
            if subjects and schema_id not in one.readable and schema_id not in one.incompatible:
                one.foreign.add(schema_id)


def prepare(shape: Shape, settings: Settings, folder: Path, spark: Any) -> Fuzzed:
    """Register the contract under unique names."""
    name = f"fuzz_{shape.name}_{uuid.uuid4().hex[:8]}"
    schemas = folder / name / "schemas" / name
    schemas.mkdir(parents=True)
    key = list(shape.primary_key)
    contract = {
        "topic": name,
        "owner": "test",
        "compatibility": "NONE",
        "kafka": {"partitions": 3, "config": {"retention.ms": "-1"}},
        "sinks": {
            "cassandra": {"keyspace": "spark_streams", "table": name, "primary_key": key},
            "postgres": {"table": name, "primary_key": key},
        },
        "rules": shape.rules,
    }
    if shape.keys:
        contract |= {"key": "key.avsc", "tombstones": "delete"}
        (schemas / "key.avsc").write_text(json.dumps(shape.keys[-1]))
    (schemas / "contract.yaml").write_text(yaml.safe_dump(contract, sort_keys=False))
    (schemas / "value.avsc").write_text(json.dumps(shape.versions[-1]))
    update = {"contracts_dir": schemas.parent, "checkpoint_dir": folder / name / "checkpoints"}
    pipeline = Pipeline(settings.model_copy(update=update), spark, schemas)
    loaded = pipeline.contract
    values, texts = _known(pipeline, loaded.value.name, shape.versions)
    keys = None
    if shape.keys:
        assert loaded.key is not None
        keys, _ = _known(pipeline, loaded.key.name, shape.keys)
    pipeline.register()
    fuzzed = Fuzzed(shape, pipeline, values, texts, keys, Judge(loaded.rules))
    if keys is not None:
        values.foreign |= keys.readable.keys()
        keys.foreign |= values.readable.keys()
    return fuzzed


def _known(pipeline: Pipeline, subject: str, versions: list[Json]) -> tuple[Known, dict[int, str]]:
    registry = pipeline.registry
    known, texts = Known(parse(versions[-1])), {}
    for number, version in enumerate(versions):
        schema_id = registry.register(subject, json.dumps(version))
        known.readable[schema_id], texts[schema_id] = parse(version), json.dumps(version)
        if number == 0:
            registry.set_level(subject, "NONE")
            known.incompatible.add(
                registry.register(subject, json.dumps({**INCOMPATIBLE, "namespace": subject.replace("-", "_")}))
            )
    return known, texts
