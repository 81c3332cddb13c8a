"""Turns exceptions of cassandra-driver and Spark's connector into `ServiceError`."""

from __future__ import annotations

from cassandra import AuthenticationFailed, InvalidRequest, Unauthorized
from cassandra.cluster import NoHostAvailable
from cassandra.protocol import SyntaxException

from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.streaming.failures import (
    ComputationFailed,
    Server,
    UnseenSchemaId,
    one_line,
    refused,
    service,
)

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


def may_have_broken_session(told: ServiceError) -> bool:
    """Whether the connector may need another session after an error: not if the batch itself was the cause."""
    return not isinstance(told, UnseenSchemaId | ComputationFailed)


def of_driver(address: str, error: Exception) -> ServiceError:
    """Return the error for an exception of cassandra-driver."""
    causes = (
        error.errors.values() if isinstance(error, NoHostAvailable) and isinstance(error.errors, dict) else [error]
    )
    final = (AuthenticationFailed, InvalidRequest, SyntaxException, Unauthorized)
    told = service if not any(isinstance(cause, final) for cause in causes) else refused
    return told(SERVER, address, one_line(f"{type(error).__name__}: {error}"))
