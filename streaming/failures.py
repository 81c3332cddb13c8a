"""What the JVM and the drivers throw -> `ServiceError`: which server, its address, its own words, how to start it."""

from __future__ import annotations

from py4j.protocol import Py4JJavaError

from contracts.errors import ServiceError

_SETTING = {"Cassandra": "CASSANDRA_HOSTS", "PostgreSQL": "POSTGRES_DSN", "Kafka": "KAFKA_BOOTSTRAP_SERVERS"}


def service(name: str, address: str, words: str) -> ServiceError:
    """A failure of the server `name` at `address`."""
    mend = f"see whether it is up (`make status`, `make up`), and whether {_SETTING[name]} and its credentials fit"
    return ServiceError(words, where=f"{name} {address}", mend=mend)


def java(error: Py4JJavaError) -> str:
    """The innermost cause of a Java exception, class and message in one line."""
    cause = error.java_exception
    while cause.getCause() is not None:
        cause = cause.getCause()
    return _one_line(f"{cause.getClass().getSimpleName()}: {cause.getMessage()}")


def python(error: BaseException) -> str:
    """The words of a Python exception in one line."""
    return _one_line(f"{type(error).__name__}: {error}")


def _one_line(words: str) -> str:
    return " ".join(words.split())[:300]
