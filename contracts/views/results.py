"""The type of an expression, as Spark gives it.  Pure.

Only types that are certain: for anything else a view says CAST.  sqlglot's own inference is not used, because it
differs from Spark's (`year` is a TINYINT there, and `1.5` a double).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from avro_data_contracts.contracts.avro.nodes import AnyType, Array, Map, Record, Schema
from avro_data_contracts.contracts.avro.shapes import nullability
from avro_data_contracts.contracts.stores.types import MOST_DIGITS
from avro_data_contracts.contracts.views import spark_types
from avro_data_contracts.contracts.views.aggregates import CONTINUED
from avro_data_contracts.contracts.views.columns import Columns
from avro_data_contracts.contracts.views.statement import Statement

_RESULTS: Final = {
    "string": "base64 btrim char chr concat_ws date_format get_json_object hex initcap lcase lower ltrim md5 "
    "regexp_extract regexp_replace repeat replace rtrim sha sha1 sha2 soundex split_part string translate trim ucase "
    "upper",
    "int": "ascii bit_length cardinality char_length character_length date_diff datediff day dayofmonth dayofweek "
    "dayofyear hash hour instr int len length levenshtein locate minute month octet_length quarter second "
    "size weekday weekofyear year",
    "bigint": "bigint crc32 to_unix_timestamp unix_micros unix_millis unix_seconds unix_timestamp xxhash64",
    "boolean": "array_contains boolean contains endswith isnan isnotnull isnull startswith",
    "date": "add_months date date_add date_from_unix_date date_sub last_day make_date next_day to_date trunc",
    "timestamp": "date_trunc from_utc_timestamp timestamp timestamp_micros timestamp_millis timestamp_seconds "
    "to_timestamp to_utc_timestamp",
    "double": "cbrt double exp ln log10 log2 months_between pow power sqrt",
    "float": "float",
    "binary": "binary unbase64 unhex",
}
#: Function -> the type of its result, whatever its arguments are.
FIXED: Final = {name: kind for kind, names in _RESULTS.items() for name in names.split()}
#: Functions whose result has the type of their arguments, if these have one type.
ALIKE: Final = frozenset({"coalesce", "ifnull", "nvl", "greatest", "least"})
#: Functions whose result is a string if each argument is one, or the first of them.
OF_STRINGS: Final = frozenset({"concat"})
OF_A_STRING: Final = frozenset({"left", "lpad", "reverse", "right", "rpad", "substr", "substring"})
#: Functions that are null only if an argument is.
STRICT: Final = frozenset(
    {
        "btrim", "char_length", "character_length", "concat", "day", "hex", "hour", "initcap", "lcase",
        "len", "length", "lower", "ltrim", "md5", "minute", "month", "octet_length", "replace", "rtrim",
        "sha", "sha1", "trim", "ucase", "unix_micros", "unix_millis", "unix_seconds", "upper", "year",
    }
)  # fmt: skip
_BOOLEAN: Final = (
    exp.Predicate, exp.And, exp.Or, exp.Not, exp.Boolean, exp.Xor, exp.Like, exp.ILike, exp.RegexpLike,
)  # fmt: skip
_ARITHMETIC: Final = (exp.Add, exp.Sub, exp.Mul, exp.Mod)
_WHOLE: Final = ("int", "bigint")
_NUMBERS: Final = (*_WHOLE, "float", "double")
_SUMS: Final = {"int": "bigint", "bigint": "bigint", "float": "double", "double": "double"}


@dataclass(frozen=True)
class Result:
    """The result of an expression.

    Attributes:
        spark: its type; empty if it is not certain.
        nullable: whether it may be null; so too if that is not certain.
        node: its Avro type, if it is part of an event as it is.
    """

    spark: str = ""
    nullable: bool = True
    node: AnyType | None = None


class Results:
    """Finds the type of an expression."""

    def __init__(self, statement: Statement, schema: Schema, columns: Columns) -> None:
        self._statement = statement
        self._schema = schema
        self._columns = columns

    def of(self, node: exp.Expr) -> Result:
        """Return the result of an expression whose columns and functions are known."""
        if isinstance(node, exp.Paren | exp.Alias):
            return self.of(node.this)
        if isinstance(node, exp.Filter):  # of an aggregate
            return self.of(node.this)
        if isinstance(node, exp.Column | exp.Dot | exp.Bracket):
            return self._of_event(node)
        if isinstance(node, exp.Literal):
            return Result(_literal(node), False)
        if isinstance(node, exp.Cast):  # TRY_CAST is one too
            return self._cast(node)
        if isinstance(node, exp.Case | exp.If):
            return self._chosen(node)
        if isinstance(node, exp.Nullif):
            return Result(self.of(node.this).spark)
        if isinstance(node, _BOOLEAN):
            never = (exp.Boolean, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ)
            return Result("boolean", not isinstance(node, never))
        if isinstance(node, exp.Neg | exp.Abs):
            return self._as_number([self.of(node.this)])
        if isinstance(node, (*_ARITHMETIC, exp.Div, exp.IntDiv)):
            return self._of_two(node)
        if isinstance(node, exp.DPipe):
            return self._of_strings([self.of(node.this), self.of(node.expression)], strict=True)
        return self._function(node)

    def _of_event(self, node: exp.Expr) -> Result:
        part = self._columns.part(node)
        if part is not None:
            return self._result(part.node, part.nullable)
        base = self.of(node.this) if isinstance(node, exp.Dot | exp.Bracket) else Result()
        around = nullability(self._schema, base.node)[0] if base.node is not None else None
        if isinstance(node, exp.Bracket) and isinstance(around, Array | Map):
            return self._result(around.items if isinstance(around, Array) else around.values, True)
        if isinstance(node, exp.Dot) and isinstance(around, Record):
            field = around.by_name.get(node.expression.name)
            return self._result(field.type, True) if field is not None else Result()
        return Result()

    def _result(self, node: AnyType, nullable: bool) -> Result:
        nullable = nullable or nullability(self._schema, node)[1]
        return Result(spark_types.of(self._schema, node), nullable, node)

    def _cast(self, node: exp.Cast) -> Result:
        tries = isinstance(node, exp.TryCast) and bool(node.args.get("safe"))
        kind = re.sub(r"\s", "", node.args["to"].sql(dialect="spark").lower())
        kind = {"decimal": "decimal(10,0)", "numeric": "decimal(10,0)"}.get(kind, kind)
        kind = "string" if re.fullmatch(r"(var)?char\(\d+\)", kind) else kind
        return Result(kind, tries or self.of(node.this).nullable)

    def _chosen(self, node: exp.Expr) -> Result:
        """Of CASE and IF: the type that all branches have."""
        ifs = node.args.get("ifs") or [node]
        branches = [one.args["true"] for one in ifs]
        default = node.args.get("default") or node.args.get("false")
        values = [self.of(one) for one in (*branches, *([default] if default is not None else []))]
        nullable = default is None or any(one.nullable for one in values)
        return Result(_common([*branches, *([default] if default is not None else [])], values), nullable)

    def _of_two(self, node: exp.Expr) -> Result:
        both = [self.of(node.this), self.of(node.expression)]
        found = self._as_number(both)
        if isinstance(node, exp.Div):
            return Result("double" if found.spark else "")
        if isinstance(node, exp.IntDiv):
            return Result("bigint" if found.spark in _WHOLE else "")
        return Result(found.spark) if isinstance(node, exp.Mod) else found

    def _as_number(self, values: Sequence[Result]) -> Result:
        kinds = {one.spark for one in values}
        nullable = any(one.nullable for one in values)
        if len(kinds) == 1 and kinds <= {*_WHOLE, "float", "double"}:
            return Result(values[0].spark, nullable)
        if kinds <= {*_WHOLE, "double"}:
            return Result("double" if "double" in kinds else "bigint", nullable)
        return Result()

    def _of_strings(self, values: Sequence[Result], *, strict: bool) -> Result:
        is_text = all(one.spark == "string" for one in values)
        return Result("string" if is_text else "", not strict or any(one.nullable for one in values))

    def _aggregate(self, word: str, node: exp.Expr) -> Result:
        """Of a group, which has an event at least."""
        arguments = _arguments(node)
        if word in ("count", "count_if"):
            return Result("bigint", False)
        value = self.of(arguments[0]) if arguments else Result()
        nullable = value.nullable or word == "try_sum" or node.find_ancestor(exp.Filter) is not None
        if word in ("min", "max"):
            return Result(value.spark, nullable, value.node)
        if word in ("avg", "mean"):
            return Result("double" if value.spark in _NUMBERS else "", nullable)
        if word in ("sum", "try_sum"):
            digits = re.fullmatch(r"decimal\((\d+),(\d+)\)", value.spark)
            of_decimal = f"decimal({min(MOST_DIGITS, int(digits[1]) + 10)},{digits[2]})" if digits else ""
            return Result(_SUMS.get(value.spark, of_decimal), nullable)
        if word.startswith("bit_"):
            return Result(value.spark if value.spark in _WHOLE else "", nullable)
        return Result("boolean" if value.spark == "boolean" else "", nullable)

    def _function(self, node: exp.Expr) -> Result:
        word = self._statement.word(node)
        if word in CONTINUED:
            return self._aggregate(word, node)
        arguments = _arguments(node)
        values = [self.of(one) for one in arguments]
        strict = word in STRICT
        if word in ALIKE:
            null = all(one.nullable for one in values) if word != "greatest" and word != "least" else True
            return Result(_common(arguments, values), null)
        if word in OF_STRINGS:
            return self._of_strings(values, strict=strict)
        if word in OF_A_STRING:
            return self._of_strings([self.of(node.this)], strict=False)
        nullable = not strict or any(one.nullable for one in values)
        return Result(FIXED.get(word, ""), nullable if word not in ("isnull", "isnotnull") else False)


def _arguments(node: exp.Expr) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    for part in node.args.values():
        found += [one for one in (part if isinstance(part, list) else [part]) if isinstance(one, exp.Expr)]
    # sqlglot wraps some arguments in a conversion of its own, which has no place.
    wrappers = (exp.TsOrDsToDate, exp.TimeStrToTime)
    return [one.this if isinstance(one, wrappers) and not one.meta else one for one in found]


def _common(nodes: Sequence[exp.Expr], values: Sequence[Result]) -> str:
    kinds = {value.spark for node, value in zip(nodes, values, strict=True) if not isinstance(node, exp.Null)}
    return kinds.pop() if len(kinds) == 1 else ""


def _literal(node: exp.Literal) -> str:
    if node.is_string:
        return "string"
    if re.fullmatch(r"[0-9]+", node.name):
        number = int(node.name)
        return "int" if number < 2**31 else "bigint" if number < 2**63 else ""
    return "double" if "e" in node.name.lower() else ""
