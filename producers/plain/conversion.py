"""Turns plain JSON into a record of a contract, exactly; refuses what the contract's types cannot hold.

`plain` and `checked` compile a schema into one function, as `producers.strict` does.  What `plain` gives belongs to
a program, and is checked before it is written.  What `checked` gives is ready to be written: the check of
`contracts.values.scalars` follows the conversion of each value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import AnyType, Enum, Fixed, Primitive, Record, Schema, Union, join
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.values import numbers, texts
from avro_data_contracts.contracts.values.kinds import kind
from avro_data_contracts.contracts.values.scalars import Check, Misfit, null, scalar
from avro_data_contracts.producers.checked import Checked
from avro_data_contracts.producers.plain import bare, epochs, native, records, unions
from avro_data_contracts.producers.plain.asked import Asked
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.strict import Compiler, Fill, branch_name

_TRUTHS: Final = {"true": True, "t": True, "yes": True, "y": True, "1": True} | {
    "false": False,
    "f": False,
    "no": False,
    "n": False,
    "0": False,
}

#: Types whose conversion is the strict check itself.
_STRICT: Final = ("null", "boolean", "string", "enum", "uuid")
#: So are those of texts with the years 1 to 9999, which fit into 64 bits.
_MOMENTS: Final = ("date", *(f"{local}timestamp-{unit}" for local in ("", "local-") for unit in ("millis", "micros")))
Plain = Callable[[object], dict[str, Any]]


class Unfit(Rejection):
    """A record that does not fit the contract's schema.  `field` is the path; empty for the record itself."""

    stage = "VALUE_CONVERTER"

    def __init__(self, misfit: Misfit) -> None:
        super().__init__("INVALID_RECORD", misfit.told("field"), field=misfit.path)


def plain(schema: Schema, asked: Asked | None = None, *, typed: bool = False, datetimes: bool = False) -> Plain:
    """Compile the conversion of a schema whose root is a record.

    Args:
        asked: what is to be read more generously (`--coerce`).
        typed: also take Python's own dates, times, UUIDs and bytes, which Parquet has: as `producers.strict` does.
        datetimes: give a timestamp as a datetime, and not as a number, which takes less time to write.

    Returns:
        A function that takes a JSON value (whole numbers as int, others as Decimal; see `plain.json_text`), and
        returns what `Publisher.send` takes.  It raises Unfit.  A missing field that has a default, or may be null,
        stays missing: the publisher fills it in.
    """
    check = PlainCompiler(schema, asked or Asked(), typed=typed, datetimes=datetimes).check(schema.root)

    def convert(value: object) -> dict[str, Any]:
        try:
            record: dict[str, Any] = check(value)
        except Misfit as misfit:
            raise Unfit(misfit) from None
        except RecursionError:
            raise _too_deep() from None
        return record

    return convert


def checked(schema: Schema, asked: Asked | None = None, *, typed: bool = False) -> Callable[[object], Checked]:
    """Compile the conversion whose records are ready to be written.

    Args:
        asked, typed: as in `plain`.

    Returns:
        A function as of `plain`, for `Publisher.send_checked`.
    """
    compiler = PlainCompiler(schema, asked or Asked(), typed=typed, final=True)
    check, fills = compiler.root()
    count = len(fills)

    def convert(value: object) -> Checked:
        try:
            record: dict[str, Any] = check(value)
            if len(record) == count:
                return Checked(schema, record, ())
            missing = [name for name, _ in fills if name not in record]
            return Checked(schema, records.filled(record, fills), missing)
        except Misfit as misfit:
            raise Unfit(misfit) from None
        except RecursionError:
            raise _too_deep() from None

    return convert


def _too_deep() -> Unfit:
    return Unfit(Misfit("is nested too deeply"))


class PlainCompiler(Compiler):
    """Makes the functions that convert values of JSON.

    Args:
        lenient: also read numbers, true and false in text: CSV has nothing else.
        typed, datetimes: as in `plain`.
        final: give what fastavro writes, checked: what `producers.strict` would make of the result.
    """

    def __init__(
        self,
        schema: Schema,
        asked: Asked,
        *,
        lenient: bool = False,
        typed: bool = False,
        datetimes: bool = False,
        final: bool = False,
    ) -> None:
        super().__init__(schema)
        self._schema = schema
        self._final = final
        self._datetimes = datetimes
        self._asked = asked
        self._lenient = lenient
        self._typed = typed
        self._from_texts = asked.numbers or lenient
        self._strict = Compiler(schema)
        #: The field that is being compiled; empty in a union, whose numbers may belong to another type.
        self._at = ""

    def scalar(self, node: Primitive | Enum | Fixed) -> Check:
        name, made = type_name(node), self._of_json(node)
        if self._typed:
            made = native.also(name, made, self._asked.zone)
        if not self._final:
            return made
        number = bare.NUMBERS.get(name)
        if self._is_strict(name) and not isinstance(node, Fixed):
            return (lambda value: number(made(value))) if number and name == "date" else made
        strict = scalar(node)
        if number is None:
            return lambda value: strict(made(value))
        return lambda value: number(strict(made(value)))

    def _is_strict(self, name: str) -> bool:
        """Whether the conversion of a type is the strict check itself: it gives nothing that could not be written."""
        if self._typed:
            return False
        return name in _STRICT or (name in _MOMENTS and not (self._asked.epoch or self._asked.unit))

    def _of_json(self, node: Primitive | Enum | Fixed) -> Check:
        made = self._logical(type_name(node), node)
        if made is not None:
            return made
        if node.type == "boolean":
            if self._asked.booleans:
                return _boolean
            return _true_or_false if self._lenient else scalar(node)
        if node.type in ("int", "long"):
            return numbers.whole(from_texts=self._from_texts)
        if node.type in ("float", "double"):
            return numbers.double(from_texts=self._from_texts, single=node.type == "float")
        if node.type in ("bytes", "fixed"):
            return texts.raw
        return _text_of(scalar(node)) if node.type in ("string", "enum") else null

    def _logical(self, name: str, node: Primitive | Enum | Fixed) -> Check | None:
        asked = self._asked
        digits = {"millis": 3, "micros": 6, "nanos": 9}.get(name.rpartition("-")[2], 0)
        made: Check | None = None
        if name == "decimal":
            return numbers.decimal()
        if name == "duration":
            return texts.duration
        if name == "uuid":
            return texts.uuid_bytes if isinstance(node, Fixed) else _text_of(scalar(node))
        if name == "date":
            made = texts.date
        elif name.startswith("time-"):
            made = texts.time(digits)
        elif "timestamp-" in name:
            local = name.startswith("local-")
            made = texts.timestamp(digits, local=local, zone=asked.zone)
            if self._datetimes and digits in (3, 6):
                return texts.as_datetime(made, digits, local=local)
            if asked.unit:
                return epochs.in_unit(made, asked.unit, digits, from_texts=self._from_texts)
            if asked.epoch and self._at:
                see = asked.epochs.of(self._at, digits).see
                return texts.or_number(made, epoch=True, from_texts=self._from_texts, see=see)
        return made and texts.or_number(made, epoch=asked.epoch, from_texts=self._from_texts)

    def root(self) -> tuple[Check, list[tuple[str, Fill]]]:
        """Return the check of the root, a record, that leaves missing fields out; and what makes their values."""
        root = self.resolve(self._schema.root)
        assert isinstance(root, Record)
        return self._of_fields(root, []), self.fills(root)

    def record(self, node: Record) -> Check:
        return self._of_fields(node, self.fills(node))

    def _of_fields(self, node: Record, fills: list[tuple[str, Fill]]) -> Check:
        shapes = {field.name: self._shape(field.name, field.type) for field in node.fields}
        return records.record(records.Fields(shapes, fills, self._asked.extra_fields))

    def fills(self, node: Record) -> list[tuple[str, Fill]]:
        """What makes the values of missing fields; those that may be missing stay so, unless the result is final."""
        return [
            (field.name, self._strict.fill(field))
            for field in node.fields
            if self._final or not (field.has_default or self.may_be_null(field.type))
        ]

    def field(self, name: str, node: AnyType) -> Check:
        """Return the check of a field of the record that is being compiled."""
        outer, self._at = self._at, join(self._at, name) if self._at else name
        made = self.check(node)
        self._at = outer
        return made

    def _shape(self, name: str, node: AnyType) -> records.Shape:
        node = self.resolve(node)
        is_text, may_be_null = self.as_text(node) is not None, self.may_be_null(node)
        if may_be_null and isinstance(node, Union) and len(node.branches) == 2:
            [real] = [one for one in map(self.resolve, node.branches) if one.type != "null"]
            return self.field(name, real), self._name(branch_name(real)), is_text, True
        return self.field(name, node), "", is_text, may_be_null

    def _name(self, name: str) -> str:
        """The name of a type that is written with a value of a union."""
        return name if self._final else ""

    def union(self, node: Union) -> Check:
        branches = [self.resolve(branch) for branch in node.branches]
        real = [branch for branch in branches if branch.type != "null"]
        if len(real) == 1 and len(branches) == 2:
            return unions.nullable(self.check(real[0]), self._name(branch_name(real[0])))
        outer, self._at = self._at, ""
        fronts = [unions.Branch(one, self._taking(one)) for one in branches]
        self._at = outer
        return unions.several(fronts, first=self._asked.first_type)

    def _taking(self, node: AnyType) -> Check:
        """Return the check of one type of several: it has to know whether the value could be written."""
        convert = self.check(node)
        if self._final:
            return convert
        strict = self._strict.check(node)

        def take(value: Any) -> Any:
            converted = convert(value)
            strict(converted)
            return converted

        return take


def _text_of(check: Check) -> Check:
    def text(value: Any) -> Any:
        if type(value) is not str:
            raise Misfit(f"is {kind(value)}, not text")
        return check(value)

    return text


def _true_or_false(value: Any) -> Any:
    if value == "true" or value is True:
        return True
    if value == "false" or value is False:
        return False
    raise Misfit("is not true or false")


def _boolean(value: Any) -> Any:
    if type(value) is bool:
        return value
    word = value.lower() if type(value) is str else str(value) if type(value) is int else ""
    if word not in _TRUTHS:
        raise Misfit("is not true or false, nor a word for one of them")
    return _TRUTHS[word]
