"""The strict reader: checks a record's bytes before `from_avro` sees them.

`java/StrictReader.java` reads the framing and walks the body with its writer schema, record by record, in the JVM.
docs/adr/0016 says why it exists and why it is Java: Avro's own reader alters what it should refuse, and no expression
of Spark can see the bytes of an enum's index or a union's branch number.

`streaming.decode.compiled` installs the class, and `streaming.decode.programs` makes what it walks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from py4j.java_gateway import JavaObject
from pyspark.sql import Column, SparkSession

#: Class of the exception with which an unknown schema id fails a job; its message is the id.
UNSEEN = "datacontracts.UnseenSchema"
#: Class of the exception with which a timestamp that Spark's Kafka source alters fails a job.
UNREADABLE_TIMESTAMP = "datacontracts.UnreadableTimestamp"

SOURCE = Path(__file__).with_name("java") / "StrictReader.java"
_READ = "struct<writer: int, start: int, reason: string, detail: string>"


class StrictReader:
    """Reads records whose schema id is in the prefix or in a header.

    Args:
        header: `VALUE_HEADER` or `KEY_HEADER`.
        programs: schema id or GUID -> number of the writer and its `program`.
        refused: schema id or GUID -> reason and detail.
        unknown: detail for every other id, with `{}` for the id itself; None: such an id fails the job (`UNSEEN`).
    """

    def __init__(
        self,
        spark: SparkSession,
        header: str,
        programs: Mapping[int | str, tuple[int, str]],
        refused: Mapping[int | str, tuple[str, str]],
        unknown: str | None,
    ) -> None:
        self._spark = spark
        self._reader = _made(spark, header)
        for key, (number, text) in programs.items():
            self._reader.add(str(key), number, text)
        for key, (reason, detail) in refused.items():
            self._reader.refuse(str(key), reason, detail)
        if unknown is not None:
            self._reader.close(unknown)

    def read(self) -> Column:
        """Return a struct from `value` and `headers`: writer (number), start (of the body), reason and detail.

        It counts as non-deterministic, so that Spark neither copies nor moves it: each record is read once.
        """
        return _call(self._spark, self._reader, "read", _READ, ("value", "headers"))

    def key(self) -> Column:
        """Return the schema id (digits) or GUID that a record names; null when it names none."""
        return _call(self._spark, self._reader, "key", "string", ("value", "headers"))


def timestamp(spark: SparkSession) -> Column:
    """Return `timestamp`.  One that Spark's Kafka source altered fails the job (`UNREADABLE_TIMESTAMP`)."""
    return _call(spark, _made(spark, ""), "timestamp", "timestamp", ("timestamp",))


def _made(spark: SparkSession, header: str) -> Any:
    jvm: Any = spark._jvm
    return jvm.datacontracts.StrictReader(header)


def _call(spark: SparkSession, reader: JavaObject, method: str, returned: str, names: Sequence[str]) -> Column:
    jvm: Any = spark._jvm
    catalyst = jvm.org.apache.spark.sql.catalyst.expressions
    types = jvm.org.apache.spark.sql.types
    this = catalyst.Literal.create(reader, types.ObjectType(reader.getClass()))
    columns = [jvm.org.apache.spark.sql.functions.col(name).expr() for name in names]
    # target, method, type, arguments, their types, null for null, may be null, deterministic
    call = catalyst.objects.Invoke(
        this, method, types.DataType.fromDDL(returned), _seq(jvm, columns), _seq(jvm, []), False, True, False
    )
    return Column(jvm.org.apache.spark.sql.Column(call))


def _seq(jvm: Any, items: Iterable[object]) -> object:
    return jvm.PythonUtils.toSeq(list(items))
