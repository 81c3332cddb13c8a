"""Masks of decoded values as Spark's columns: `contracts.masks.values` does the same in Python.

The quality rules have judged the true values by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from py4j.java_gateway import JavaObject
from pyspark import SparkContext
from pyspark.sql import Column
from pyspark.sql import functions as F

from avro_data_contracts.contracts.avro import shapes
from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Field, Fixed, Map, Record, Union
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.masks import masked, plan
from avro_data_contracts.contracts.masks.hashing import Key
from avro_data_contracts.contracts.masks.masked import REDACTED
from avro_data_contracts.contracts.masks.plan import Leaf, OfItems, OfRecord, OfUnion, Plan
from avro_data_contracts.contracts.masks.spec import How, Kind
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores import types
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming.sinks import cells
from avro_data_contracts.streaming.sinks.cells import Cell
from avro_data_contracts.streaming.sinks.keyed import key_of

SOURCE: Final = Path(__file__).with_name("java") / "Hash.java"
_MICROS: Final = {"time-millis": 1000, "time-micros": 1}


class Masks:
    """What is masked in the rows of one table.

    Args:
        key: for hashes; None if the table has none.

    Attributes:
        key: the same.
    """

    def __init__(self, contract: Contract, sink: SinkSpec, key: Key | None) -> None:
        self._schema = contract.rows.value.schema
        self._plan = plan.of(contract.spec.masks, self._schema, sink.kind)
        self._hash: JavaObject | None = None
        self.key = key

    @classmethod
    def of(cls, settings: Settings, contract: Contract, sink: SinkSpec) -> Masks:
        """Return the masks of a table.

        Raises:
            ConfigurationError: one of them hashes, and there is no key, or a weak one.
        """
        return cls(contract, sink, key_of(settings, contract, sink))

    def column(self, field: Field, names: Sequence[str]) -> tuple[Field, Cell] | None:
        """Return the field as the store has it, and what masks a decoded value of it; None if it has no column.

        Args:
            names: the path to it from the record.
        """
        found = plan.at(self._plan, names)
        shown = masked.field(self._schema, field, found)
        if shown is None:
            return None
        return shown, cells.same if found is None else self._of(field.type, found)

    def _of(self, node: AnyType, one: Plan) -> Cell:
        """Return what masks a value of a type; null stays null."""
        inner, _ = shapes.nullability(self._schema, node)
        if isinstance(one, Leaf):
            return self._of_leaf(inner, one.how)
        if isinstance(one, OfItems):
            assert isinstance(inner, Array | Map)
            items = inner.items if isinstance(inner, Array) else inner.values
            return cells.each(inner, self._of(items, one.inner)) or cells.same
        if isinstance(one, OfRecord):
            assert isinstance(inner, Record)
            return self._of_record(inner, one)
        assert isinstance(inner, Union)
        return self._of_union(inner, one)

    def _of_record(self, record: Record, one: OfRecord) -> Cell:
        members: list[tuple[str, Cell]] = []
        for field in record.fields:
            found = one.fields.get(field.name)
            if not (isinstance(found, Leaf) and found.how.kind is Kind.drop):
                members.append((field.name, cells.same if found is None else self._of(field.type, found)))
        return _struct(members)

    def _of_union(self, node: Union, one: OfUnion) -> Cell:
        members: list[tuple[str, Cell]] = []
        for number, branch in enumerate(types.several(self._schema, node)):
            found = one.branches.get(number)
            members.append((f"member{number}", cells.same if found is None else self._of(branch, found)))
        return _struct(members)

    def _of_leaf(self, node: AnyType, how: How) -> Cell:
        match how.kind:
            case Kind.redact:
                return lambda value: F.when(value.isNotNull(), F.lit(REDACTED))
            case Kind.truncate:
                return lambda value: F.substring(value, 1, how.length)
            case Kind.year:
                return _year(node)
            case Kind.hash:
                return self._hashed(node)
        return lambda value: F.when(F.lit(False), value)  # null, of its type

    def _hashed(self, node: AnyType) -> Cell:
        if shapes.type_name(node) == "decimal":
            return lambda value: self._call("ofDecimal", value)
        form = _form(node)
        return lambda value: self._call("ofBytes", form(value).cast("binary"))

    def _call(self, method: str, value: Column) -> Column:
        context = SparkContext._active_spark_context
        assert context is not None  # a column is made in a session
        jvm: Any = context._jvm
        if self._hash is None:
            assert self.key is not None  # `of` has looked
            self._hash = jvm.datacontracts.Hash(self.key.secret)
        catalyst = jvm.org.apache.spark.sql.catalyst.expressions
        string = jvm.org.apache.spark.sql.types.DataTypes.StringType
        this = catalyst.Literal.create(self._hash, jvm.org.apache.spark.sql.types.ObjectType(self._hash.getClass()))
        seq = jvm.PythonUtils.toSeq
        # target, method, type, arguments, their types, null for null, may be null, deterministic
        call = catalyst.objects.Invoke(this, method, string, seq([value._jc.expr()]), seq([]), True, True, True)
        return Column(jvm.org.apache.spark.sql.Column(call))


def _struct(members: Sequence[tuple[str, Cell]]) -> Cell:
    """Return what makes a struct of masked members; null stays null."""

    def cell(value: Column) -> Column:
        made = [one(value.getField(name)).alias(name) for name, one in members]
        return F.when(value.isNotNull(), F.struct(*made))

    return cell


def _year(node: AnyType) -> Cell:
    if shapes.type_name(node).endswith("timestamp-nanos"):
        return lambda value: F.year(F.timestamp_micros(F.floor(value.cast("decimal(20,0)") / 1000).cast("long")))
    return lambda value: F.year(value)


def _form(node: AnyType) -> Cell:
    """Return what makes the one form of a value (`contracts.masks.hashing`), as text or bytes."""
    name = shapes.type_name(node)
    if name in ("string", "enum", "bytes", "fixed", "duration"):
        return cells.same
    if name == "uuid":
        return cells.uuid if isinstance(node, Fixed) else F.lower
    if name in _MICROS:
        return lambda value: (value.cast("long") * _MICROS[name]).cast("string")
    if name.endswith(("timestamp-millis", "timestamp-micros")):
        return lambda value: F.unix_micros(value.cast("timestamp")).cast("string")
    return lambda value: value.cast("string")
