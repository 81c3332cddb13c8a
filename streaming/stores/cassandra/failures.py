"""Turns exceptions of cassandra-driver and Spark's connector into `ServiceError`."""

from __future__ import annotations

from cassandra import AuthenticationFailed, InvalidRequest, Unauthorized
from cassandra.cluster import NoHostAvailable
from cassandra.protocol import SyntaxException

from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.streaming.failures import Server, one_line, refused, service

SERVER = Server(
    "Cassandra",
    "cassandra",
    "CASSANDRA_HOSTS",
    refusals=frozenset(
        {
            "AuthenticationException",
            "InvalidConfigurationInQueryException",
            "InvalidQueryException",
            "SyntaxError",
            "UnauthorizedException",
        }
    ),
    packages=("com.datastax.oss.driver.",),
)


def of_driver(address: str, error: Exception) -> ServiceError:
    """Return the error for an exception of cassandra-driver."""
    causes = (
        error.errors.values() if isinstance(error, NoHostAvailable) and isinstance(error.errors, dict) else [error]
    )
    final = (AuthenticationFailed, InvalidRequest, SyntaxException, Unauthorized)
    told = service if not any(isinstance(cause, final) for cause in causes) else refused
    return told(SERVER, address, one_line(f"{type(error).__name__}: {error}"))
