"""What lint knows of Spark's SQL is what Spark does: its functions, and the types of expressions."""

from __future__ import annotations

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.views import results, spark_functions, spark_types
from contracts_tests.fixtures.viewed import FIELDS, derived

#: Operators, which are not names of functions.
_SIGNS = frozenset(
    ["!", "!=", "%", "&", "*", "+", "-", "/", "<", "<=", "<=>", "<>", "=", "==", ">", ">=", "^", "|", "||", "~"]
)
_OF_A_DAY = ("day", "dayofmonth", "dayofweek", "dayofyear", "month", "quarter", "weekday", "weekofyear", "year")
#: Arguments of each function whose result has a fixed type, if these are not one text.
_ARGUMENTS = {
    "add_months": "day, 1",
    "array_contains": "tags, 'a'",
    "bigint": "number",
    "binary": "id",
    "boolean": "flag",
    "cardinality": "tags",
    "cbrt": "score",
    "char": "number",
    "chr": "amount",
    "concat_ws": "'-', id, note",
    "contains": "id, 'a'",
    "date": "at",
    "date_add": "day, 1",
    "date_diff": "day, day",
    "date_format": "at, 'y'",
    "date_from_unix_date": "number",
    "date_sub": "day, 1",
    "date_trunc": "'HOUR', at",
    "datediff": "day, day",
    "double": "number",
    "endswith": "id, 'a'",
    "exp": "score",
    "float": "number",
    "from_utc_timestamp": "at, 'UTC'",
    "get_json_object": "id, '$.a'",
    "hex": "amount",
    "hour": "at",
    "instr": "id, 'a'",
    "int": "amount",
    "isnan": "score",
    "last_day": "day",
    "levenshtein": "id, note",
    "ln": "score",
    "locate": "'a', id",
    "log10": "score",
    "log2": "score",
    "make_date": "number, 1, 1",
    "minute": "at",
    "months_between": "at, at",
    "next_day": "day, 'MONDAY'",
    "pow": "score, 2",
    "power": "score, 2",
    "regexp_extract": "id, 'a', 0",
    "regexp_replace": "id, 'a', 'b'",
    "repeat": "id, 2",
    "replace": "id, 'a', 'b'",
    "second": "at",
    "sha2": "id, 256",
    "size": "tags",
    "split_part": "id, '-', 1",
    "sqrt": "score",
    "startswith": "id, 'a'",
    "string": "number",
    "timestamp": "day",
    "timestamp_micros": "amount",
    "timestamp_millis": "amount",
    "timestamp_seconds": "amount",
    "to_unix_timestamp": "at",
    "to_utc_timestamp": "at, 'UTC'",
    "translate": "id, 'a', 'b'",
    "trunc": "day, 'MM'",
    "unix_micros": "at",
    "unix_millis": "at",
    "unix_seconds": "at",
    "unix_timestamp": "at",
} | dict.fromkeys(
    ["day", "dayofmonth", "dayofweek", "dayofyear", "month", "quarter", "weekday", "weekofyear", "year"], "day"
)
_NUMBERS = ("number", "amount", "ratio", "score", "price", "1", "3000000000")
_EXPRESSIONS = [
    *(f"{name}({_ARGUMENTS.get(name, 'id')})" for name in sorted(results.FIXED)),
    *(f"{name}({value}, {value})" for name in sorted(results.ALIKE) for value in ("id", "number", "day", "price")),
    *(f"{name}(note, 2)" for name in sorted(results.OF_A_STRING - {"lpad", "rpad", "reverse"})),
    "lpad(id, 3, 'x')",
    "rpad(id, 3, 'x')",
    "reverse(id)",
    "concat(id, note)",
    "id || note",
    *(f"{one} {sign} {other}" for sign in "+-*/%" for one in _NUMBERS for other in _NUMBERS),
    "amount div number",
    "-number",
    "abs(amount)",
    "number > 1 AND flag OR NOT flag",
    "id LIKE 'a%'",
    "id RLIKE 'a'",
    "number IN (1, 2)",
    "number BETWEEN 1 AND 2",
    "note IS NOT NULL",
    "note <=> id",
    "CASE WHEN flag THEN id END",
    "CASE number WHEN 1 THEN 1 ELSE NULL END",
    "if(flag, number, number)",
    "nullif(id, 'a')",
    "try_cast(id AS TIMESTAMP)",
    "CAST(at AS DATE)",
    "CAST(number AS DECIMAL(12, 2))",
    "CAST(number AS DECIMAL)",
    "CAST(id AS VARCHAR(3))",
    "CAST(id AS TIMESTAMP_NTZ)",
    "buyer.address.city",
    "tags[0]",
    "sizes['a']",
    "1e3",
    "true",
    "'x'",
    "DATE '2020-01-01'",
    "TIMESTAMP '2020-01-01 00:00:00'",
    *FIELDS,
]


@pytest.fixture(scope="module")
def ansi(spark: SparkSession) -> SparkSession:
    session = spark.newSession()
    session.conf.set("spark.sql.ansi.enabled", "true")
    found = derived(f"SELECT id, {', '.join(FIELDS)} FROM orders")
    assert found.contract is not None
    schema, record = found.contract.value.schema, found.contract.value.record
    kinds = (f"`{field.name}` {spark_types.ddl_of(schema, field.type)}" for field in record.fields)
    session.createDataFrame([], ", ".join(kinds)).createOrReplaceTempView("orders")
    return session


def test_types_are_those_that_spark_gives(ansi: SparkSession) -> None:
    """In one query, because each takes a tenth of a second."""
    listed = ", ".join(f"{expression} AS x{number}" for number, expression in enumerate(_EXPRESSIONS))
    given = [kind for _, kind in ansi.sql(f"SELECT {listed} FROM orders").dtypes]
    found = derived(f"SELECT id, {listed} FROM orders").analysis.by_name
    known = [found[f"x{number}"].spark for number in range(len(_EXPRESSIONS))]
    told = {one: (mine, theirs) for one, mine, theirs in zip(_EXPRESSIONS, known, given, strict=True)}
    assert {one: both for one, both in told.items() if both[0] not in (both[1], "")} == {}
    uncertain = {one for one, both in told.items() if not both[0]}
    assert not {one for one in uncertain if one.partition("(")[0] in results.FIXED}
    # What stays uncertain is arithmetic of decimals, and of a float with another type.
    assert all("price" in one or "ratio" in one for one in uncertain), uncertain


def test_functions_are_those_of_spark(ansi: SparkSession) -> None:
    shown = {row.function for row in ansi.sql("SHOW SYSTEM FUNCTIONS").collect()}
    # Two of them are tables.
    assert shown - _SIGNS - {"range", "sql_keywords"} == spark_functions.KNOWN
    assert spark_functions.CHANGING <= spark_functions.KNOWN
    assert spark_functions.GENERATORS <= spark_functions.KNOWN


def test_function_that_is_not_deterministic_for_spark_may_change(ansi: SparkSession) -> None:
    """Spark marks some of them; those without arguments can be asked."""
    for name in sorted(spark_functions.KNOWN - spark_functions.CHANGING):
        try:
            frame = ansi.range(1).select(F.expr(f"{name}()").alias("x"))
        except (AnalysisException, Py4JJavaError):  # it needs arguments, or a context
            continue
        assert frame._jdf.queryExecution().analyzed().deterministic(), name
