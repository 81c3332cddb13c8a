"""What the JVM and the drivers throw -> `ServiceError`: which server, its address, its own words, how to start it.

An outage is a ServiceError, and worth another try; what the server refuses, and will refuse again, is `Refused`.
"""

from __future__ import annotations

import psycopg
from cassandra import AuthenticationFailed, InvalidRequest, Unauthorized
from cassandra.cluster import NoHostAvailable
from cassandra.protocol import SyntaxException
from py4j.java_gateway import JavaObject
from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.captured import CapturedException

from contracts.errors import Refused, ServiceError
from streaming.decode import strict

_SETTING = {"Cassandra": "CASSANDRA_HOSTS", "PostgreSQL": "POSTGRES_DSN", "Kafka": "KAFKA_BOOTSTRAP_SERVERS"}
# As messages name a server -> `ServiceError.server`.
_SERVER = {"Cassandra": "cassandra", "PostgreSQL": "postgres", "Kafka": "kafka"}
_REFUSALS = frozenset(
    {
        "AuthenticationException",
        "InvalidConfigurationInQueryException",
        "InvalidQueryException",
        "SyntaxError",
        "UnauthorizedException",
    }
)
# What Java throws; some of it PySpark has caught, as that a table is not there.
JAVA_ERRORS = (Py4JJavaError, CapturedException)
# PostgreSQL's conditions that pass: connection, transaction rollback, resources, operator intervention, a lock that
# somebody holds.
_PASSING_STATES = ("08", "40", "53", "57", "58", "55P03")
# Those that are about the row: data, a constraint, a limit of the program, what a trigger raises.
_ROW_STATES = ("22", "23", "54", "P0")
# Whose words are about servers.  Any other may quote the value that it could not take ("Invalid UUID string: …").
_OF_SERVERS = (
    *("com.datastax.oss.driver.", "java.io.", "java.net.", "java.nio.", "java.util.concurrent.", "javax.net."),
    *("org.apache.kafka.", "org.apache.spark.SparkException", "org.postgresql."),
)
# `raise_error` throws from here.
_GENERATED = "org.apache.spark.sql.catalyst.expressions.GeneratedClass"
# Where Spark reads a batch from Kafka.  Its sink for Kafka is in the same package, and may be on any task's stack.
_READS_KAFKA = ("org.apache.spark.sql.kafka010.consumer.", "org.apache.spark.sql.kafka010.KafkaRecordToRowConverter")


class RowRefused(Refused):
    """PostgreSQL refuses a row for what is in it; another row may be taken."""


class UnreadableTimestamp(ServiceError):
    """A batch holds a timestamp that Spark's Kafka source cannot give as it is (see `streaming.run.pieces`)."""


class UnseenSchemaId(ServiceError):
    """A batch holds a schema id that its decoding was not told of; it has to be looked up."""


def service(name: str, address: str, words: str) -> ServiceError:
    """An outage of the server `name` at `address`."""
    mend = f"see whether it is up (`make status`, `make up`), and whether {_SETTING[name]} and its credentials fit"
    return ServiceError(words, where=f"{name} {address}", mend=mend, server=_SERVER[name])


def refused(name: str, address: str, words: str) -> Refused:
    """A refusal of the server `name` at `address`."""
    mend = f"correct what it names, or {_SETTING[name]} and its credentials (`make env` prints the embedded stack's)"
    return Refused(words, where=f"{name} {address}", mend=mend, server=_SERVER[name])


def of_java(name: str, address: str, error: Py4JJavaError | CapturedException) -> ServiceError:
    """A Java exception of a sink, told by its innermost cause; it may be Kafka's, where the batch is read from."""
    cause = _innermost(error.java_exception if isinstance(error, Py4JJavaError) else error._origin)
    kind = cause.getClass().getSimpleName()
    words = _one_line(f"{kind}: {cause.getMessage()}")
    frames = cause.getStackTrace()
    reads = kind in ("TimeoutException", "ArithmeticException") and any(
        frame.getClassName().startswith(_READS_KAFKA) for frame in frames
    )
    if cause.getClass().getName().startswith("org.apache.kafka.") or (reads and kind == "TimeoutException"):
        mend = "see whether it is up (`make status`, `make up`)"
        return ServiceError(words, where="Kafka", mend=mend, server="kafka")
    # Of all that is made of a record where Kafka is read, only its timestamp is calculated.
    if reads or cause.getClass().getName() == strict.UNREADABLE_TIMESTAMP:
        mend = "a plain consumer brings the batch, and it is written again"
        words = "a record's timestamp is not one that Spark can hold"
        return UnreadableTimestamp(words, where="Kafka", mend=mend, server="kafka")
    if kind == "RuntimeException" and len(frames) and frames[0].getClassName().startswith(_GENERATED):
        # Of an expression of ours (`raise_error`), in words of ours.
        mend = "it is the same at every attempt; docs/outages.md has what a stream stops at"
        return Refused(cause.getMessage(), where=f"{name} {address}", mend=mend, server=_SERVER[name])
    if cause.getClass().getName() == strict.UNSEEN:
        mend = "it is looked up, and the batch written again"
        return UnseenSchemaId(words, where=f"{name} {address}", mend=mend, server="registry")
    if kind == "PSQLException":
        return _of_state(address, cause.getSQLState() or "08", words)
    if not cause.getClass().getName().startswith(_OF_SERVERS) and not kind.endswith("Error"):
        words = f"{kind} at {frames[0].toString()}" if len(frames) else kind
    return (refused if kind in _REFUSALS else service)(name, address, words)


def of_cassandra(address: str, error: Exception) -> ServiceError:
    """An exception of cassandra-driver."""
    causes = (
        error.errors.values() if isinstance(error, NoHostAvailable) and isinstance(error.errors, dict) else [error]
    )
    final = (AuthenticationFailed, InvalidRequest, SyntaxException, Unauthorized)
    told = service if not any(isinstance(cause, final) for cause in causes) else refused
    return told("Cassandra", address, _one_line(f"{type(error).__name__}: {error}"))


def of_postgres(address: str, error: psycopg.Error) -> ServiceError:
    """An exception of psycopg, without its details, which may quote a row; without a state it is the connection's."""
    words = error.diag.message_primary or str(error)
    if "authentication failed" in str(error):
        return refused("PostgreSQL", address, _one_line(f"{type(error).__name__}: {words}"))
    named = (error.diag.constraint_name, error.diag.column_name)
    return _of_state(address, error.sqlstate or "08", _one_line(f"{type(error).__name__}: {words}"), named)


def _of_state(
    address: str, state: str, words: str, named: tuple[str | None, str | None] = (None, None)
) -> ServiceError:
    """By PostgreSQL's condition.

    Args:
        named: constraint and column, where the server says so.
    """
    if state.startswith(_PASSING_STATES):
        return service("PostgreSQL", address, words)
    known = _condition(state)
    if known and not state.startswith(_ROW_STATES):
        return refused("PostgreSQL", address, words)
    # The server's words may quote the value, but where they are about sizes.
    constraint, column = named
    told = f"{known or 'a condition of a trigger'} ({state})"
    told += f", constraint {constraint}" if constraint else f", column {column}" if column else ""
    if state.startswith("54"):
        told = words
    mend = "see the record (`python -m streaming dlq show`); correct it, or what the table asks for"
    return RowRefused(told, where=f"PostgreSQL {address}", mend=mend, server="postgres")


def _condition(state: str) -> str:
    """PostgreSQL's name of a condition; empty for one that it does not have: a trigger has raised it."""
    try:
        return psycopg.errors.lookup(state).__name__
    except KeyError:
        return ""


def _innermost(cause: JavaObject) -> JavaObject:
    while cause.getCause() is not None:
        cause = cause.getCause()
    return cause


def _one_line(words: str) -> str:
    return " ".join(words.split())[:300]
