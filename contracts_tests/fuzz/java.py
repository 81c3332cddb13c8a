"""Avro's own Java reader, which Spark's `from_avro` uses, for many bodies at once."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pyspark.sql import SparkSession

_SOURCE = Path(__file__).with_name("Verdicts.java")
_MOST_BYTES = 4_000_000


class JavaReader:
    """Reads bodies in the session's JVM, with the limits that the stream's JVM has."""

    def __init__(self, spark: SparkSession) -> None:
        jvm = spark.sparkContext._jvm
        compiler = jvm.org.codehaus.janino.SimpleCompiler()
        compiler.setParentClassLoader(jvm.java.lang.Thread.currentThread().getContextClassLoader())
        compiler.cook(_SOURCE.name, jvm.java.io.StringReader(_SOURCE.read_text()))
        kind = compiler.getClassLoader().loadClass("Verdicts")
        [self._of] = [one for one in kind.getMethods() if one.getName() == "of"]
        self._gateway = spark.sparkContext._gateway

    def read(self, writer: str, reader: str, bodies: Sequence[bytes]) -> Iterator[bytes | None]:
        """Yield each record as the reader schema writes it; None if the body is refused or has bytes left.

        Args:
            writer, reader: self-contained schemas, as JSON.
        """
        for few in _batches(bodies):
            arguments = self._gateway.new_array(self._gateway.jvm.java.lang.Object, 3)
            blob = b"".join(struct.pack(">i", len(body)) + body for body in few)
            arguments[0], arguments[1], arguments[2] = writer, reader, blob
            answers, at = bytes(self._of.invoke(None, arguments)), 0
            for _ in few:
                (size,) = struct.unpack_from(">i", answers, at)
                at += 4
                yield None if size < 0 else answers[at : at + size]
                at += max(size, 0)


def _batches(bodies: Iterable[bytes]) -> Iterator[list[bytes]]:
    few: list[bytes] = []
    size = 0
    for body in bodies:
        if few and size + len(body) > _MOST_BYTES:
            yield few
            few, size = [], 0
        few.append(body)
        size += len(body) + 4
    if few:
        yield few
