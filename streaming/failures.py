"""Turns exceptions of the JVM and the drivers into `ServiceError`: the server, its address, its words, a fix.

An outage is a ServiceError and worth another attempt; what a server will refuse again is `Refused`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from py4j.java_gateway import JavaObject
from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException

from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.streaming.decode import strict

# Java's exceptions.  PySpark has converted some of them, such as a missing table.
JAVA_ERRORS = (Py4JJavaError, CapturedException)
# Exceptions with messages about servers.  Any other may quote a value ("Invalid UUID string: …").
_OF_SERVERS = (
    *("java.io.", "java.net.", "java.nio.", "java.util.concurrent.", "javax.net."),
    *("org.apache.kafka.", "org.apache.spark.SparkException"),
)
# Where `raise_error` throws.
_GENERATED = "org.apache.spark.sql.catalyst.expressions.GeneratedClass"
# What Spark throws where a value has no result in ANSI mode.
_COMPUTATIONS = frozenset(
    f"org.apache.spark.Spark{name}Exception"
    for name in ("Arithmetic", "DateTime", "NumberFormat", "ArrayIndexOutOfBounds", "NoSuchElement", "Runtime")
)
# Where Spark reads a batch from Kafka.  Its Kafka sink is in the same package, and may be on any task's stack.
_READS_KAFKA = ("org.apache.spark.sql.kafka010.consumer.", "org.apache.spark.sql.kafka010.KafkaRecordToRowConverter")


@dataclass(frozen=True)
class Server:
    """A server, as messages name it.

    Attributes:
        title: what people call it.
        name: as in `ServiceError.server`.
        setting: the variable with its address.
        refusals: simple names of the Java exceptions that are refusals; every other one is an outage.
        packages: prefixes of its Java classes, whose messages are about the server and quote no value.
        of_cause: makes the error for its own Java exceptions from address, cause and words; None for others.
    """

    title: str
    name: str
    setting: str
    refusals: frozenset[str] = frozenset()
    packages: tuple[str, ...] = ()
    of_cause: Callable[[str, JavaObject, str], ServiceError | None] | None = None


KAFKA = Server("Kafka", "kafka", "KAFKA_BOOTSTRAP_SERVERS")


class UnreadableTimestamp(ServiceError):
    """A batch has a timestamp that Spark's Kafka source cannot return unaltered (see `streaming.run.pieces`)."""


class UnseenSchemaId(ServiceError):
    """A batch has a schema id that is not known yet; it has to be looked up."""


class RowRefused(Refused):
    """A store refuses a row for its content; it may accept another row."""


class ComputationFailed(ServiceError):
    """The SQL of a view fails for an event; `what` is Spark's name of the error, and quotes no value."""


def service(server: Server, address: str, words: str) -> ServiceError:
    """Return an outage of the server at `address`."""
    fix = f"check that it is up (`make status`, `make up`), and that {server.setting} and its credentials are right"
    return ServiceError(words, where=f"{server.title} {address}", fix=fix, server=server.name)


def refused(server: Server, address: str, words: str) -> Refused:
    """Return a refusal of the server at `address`."""
    fix = f"correct what it names, or {server.setting} and its credentials (`make env` prints the embedded stack's)"
    return Refused(words, where=f"{server.title} {address}", fix=fix, server=server.name)


def of_java(server: Server, address: str, error: Py4JJavaError | CapturedException) -> ServiceError:
    """Return the error for a sink's Java exception, by its innermost cause; that may be Kafka's, from reading."""
    cause = _innermost(error.java_exception if isinstance(error, Py4JJavaError) else error._origin)
    kind = cause.getClass().getSimpleName()
    words = one_line(f"{kind}: {cause.getMessage()}")
    frames = cause.getStackTrace()
    reads = kind in ("TimeoutException", "ArithmeticException") and any(
        frame.getClassName().startswith(_READS_KAFKA) for frame in frames
    )
    if cause.getClass().getName().startswith("org.apache.kafka.") or (reads and kind == "TimeoutException"):
        fix = "check that it is up (`make status`, `make up`)"
        return ServiceError(words, where="Kafka", fix=fix, server="kafka")
    # While Spark reads a record from Kafka, it computes only the timestamp.
    if reads or cause.getClass().getName() == strict.UNREADABLE_TIMESTAMP:
        fix = "a plain consumer reads the batch, and it is written again"
        words = "a record's timestamp is not one that Spark can hold"
        return UnreadableTimestamp(words, where="Kafka", fix=fix, server="kafka")
    if kind == "RuntimeException" and len(frames) and frames[0].getClassName().startswith(_GENERATED):
        # One of our own expressions (`raise_error`), with our own words.
        fix = "another attempt does not help; docs/explanation/outages.md says what stops a stream"
        return Refused(cause.getMessage(), where=f"{server.title} {address}", fix=fix, server=server.name)
    if cause.getClass().getName() == strict.UNSEEN:
        fix = "it is looked up, and the batch is written again"
        return UnseenSchemaId(words, where=f"{server.title} {address}", fix=fix, server="registry")
    if cause.getClass().getName() in _COMPUTATIONS:
        fix = "correct the SQL of the view, e.g. with try_cast or try_divide"
        return ComputationFailed(str(cause.getErrorClass()), where="Spark", fix=fix, server="spark")
    if server.of_cause and (told := server.of_cause(address, cause, words)):
        return told
    if not cause.getClass().getName().startswith(_OF_SERVERS + server.packages) and not kind.endswith("Error"):
        words = f"{kind} at {frames[0].toString()}" if len(frames) else kind
    return (refused if kind in server.refusals else service)(server, address, words)


def _innermost(cause: JavaObject) -> JavaObject:
    while cause.getCause() is not None:
        cause = cause.getCause()
    return cause


def one_line(words: str) -> str:
    """Return the words without line ends, shortened."""
    return " ".join(words.split())[:300]
