"""What the JVM and the drivers throw -> `ServiceError`: which server, its address, its own words, how to start it.

An outage is a ServiceError, and worth another try; what the server refuses, and will refuse again, is `Refused`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from py4j.java_gateway import JavaObject
from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException

from contracts.errors import Refused, ServiceError
from streaming.decode import strict

# What Java throws; some of it PySpark has caught, as that a table is not there.
JAVA_ERRORS = (Py4JJavaError, CapturedException)
# Whose words are about servers.  Any other may quote the value that it could not take ("Invalid UUID string: …").
_OF_SERVERS = (
    *("java.io.", "java.net.", "java.nio.", "java.util.concurrent.", "javax.net."),
    *("org.apache.kafka.", "org.apache.spark.SparkException"),
)
# `raise_error` throws from here.
_GENERATED = "org.apache.spark.sql.catalyst.expressions.GeneratedClass"
# Where Spark reads a batch from Kafka.  Its sink for Kafka is in the same package, and may be on any task's stack.
_READS_KAFKA = ("org.apache.spark.sql.kafka010.consumer.", "org.apache.spark.sql.kafka010.KafkaRecordToRowConverter")


@dataclass(frozen=True)
class Server:
    """A server as messages name it.

    Attributes:
        title: what people call it.
        name: as in `ServiceError.server`.
        setting: the variable that has its address.
        refusals: simple names of the Java exceptions by which it refuses; every other one is an outage.
        packages: beginnings of its Java classes, whose words are about the server and quote no value.
        of_cause: what its own Java exceptions mean, from address, cause and words; None for those it does not know.
    """

    title: str
    name: str
    setting: str
    refusals: frozenset[str] = frozenset()
    packages: tuple[str, ...] = ()
    of_cause: Callable[[str, JavaObject, str], ServiceError | None] | None = None


KAFKA = Server("Kafka", "kafka", "KAFKA_BOOTSTRAP_SERVERS")


class UnreadableTimestamp(ServiceError):
    """A batch holds a timestamp that Spark's Kafka source cannot give as it is (see `streaming.run.pieces`)."""


class UnseenSchemaId(ServiceError):
    """A batch holds a schema id that its decoding was not told of; it has to be looked up."""


def service(server: Server, address: str, words: str) -> ServiceError:
    """An outage of the server at `address`."""
    fix = f"see whether it is up (`make status`, `make up`), and whether {server.setting} and its credentials fit"
    return ServiceError(words, where=f"{server.title} {address}", fix=fix, server=server.name)


def refused(server: Server, address: str, words: str) -> Refused:
    """A refusal of the server at `address`."""
    fix = f"correct what it names, or {server.setting} and its credentials (`make env` prints the embedded stack's)"
    return Refused(words, where=f"{server.title} {address}", fix=fix, server=server.name)


def of_java(server: Server, address: str, error: Py4JJavaError | CapturedException) -> ServiceError:
    """A Java exception of a sink, told by its innermost cause; it may be Kafka's, where the batch is read from."""
    cause = _innermost(error.java_exception if isinstance(error, Py4JJavaError) else error._origin)
    kind = cause.getClass().getSimpleName()
    words = one_line(f"{kind}: {cause.getMessage()}")
    frames = cause.getStackTrace()
    reads = kind in ("TimeoutException", "ArithmeticException") and any(
        frame.getClassName().startswith(_READS_KAFKA) for frame in frames
    )
    if cause.getClass().getName().startswith("org.apache.kafka.") or (reads and kind == "TimeoutException"):
        fix = "see whether it is up (`make status`, `make up`)"
        return ServiceError(words, where="Kafka", fix=fix, server="kafka")
    # Of all that is made of a record where Kafka is read, only its timestamp is calculated.
    if reads or cause.getClass().getName() == strict.UNREADABLE_TIMESTAMP:
        fix = "a plain consumer brings the batch, and it is written again"
        words = "a record's timestamp is not one that Spark can hold"
        return UnreadableTimestamp(words, where="Kafka", fix=fix, server="kafka")
    if kind == "RuntimeException" and len(frames) and frames[0].getClassName().startswith(_GENERATED):
        # Of an expression of ours (`raise_error`), in words of ours.
        fix = "it is the same at every attempt; docs/explanation/outages.md has what a stream stops at"
        return Refused(cause.getMessage(), where=f"{server.title} {address}", fix=fix, server=server.name)
    if cause.getClass().getName() == strict.UNSEEN:
        fix = "it is looked up, and the batch written again"
        return UnseenSchemaId(words, where=f"{server.title} {address}", fix=fix, server="registry")
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
    """The words without line ends, and not too many."""
    return " ".join(words.split())[:300]
