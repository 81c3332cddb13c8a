"""Turns exceptions of psycopg and the JDBC driver into `ServiceError`."""

from __future__ import annotations

import psycopg
from py4j.java_gateway import JavaObject

from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.streaming.failures import RowRefused, Server, one_line, refused, service

# Temporary conditions: connection, transaction rollback, resources, operator intervention, a lock that somebody
# holds.
_PASSING_STATES = ("08", "40", "53", "57", "58", "55P03")
# Conditions about the row: data, a constraint, a program limit, an exception of a trigger.
_ROW_STATES = ("22", "23", "54", "P0")


def of_driver(address: str, error: psycopg.Error) -> ServiceError:
    """Return the error for a psycopg exception, without its details, which may quote a row.

    An exception without a state is about the connection.
    """
    words = error.diag.message_primary or str(error)
    if "authentication failed" in str(error):
        return refused(SERVER, address, one_line(f"{type(error).__name__}: {words}"))
    named = (error.diag.constraint_name, error.diag.column_name)
    return _of_state(address, error.sqlstate or "08", one_line(f"{type(error).__name__}: {words}"), named)


def _of_java(address: str, cause: JavaObject, words: str) -> ServiceError | None:
    """Return the error for the JDBC driver's own exception."""
    if cause.getClass().getSimpleName() != "PSQLException":
        return None
    return _of_state(address, cause.getSQLState() or "08", words)


def _of_state(
    address: str, state: str, words: str, named: tuple[str | None, str | None] = (None, None)
) -> ServiceError:
    """Return the error for a condition of PostgreSQL.

    Args:
        named: constraint and column, when the server names them.
    """
    if state.startswith(_PASSING_STATES):
        return service(SERVER, address, words)
    known = _condition(state)
    if known and not state.startswith(_ROW_STATES):
        return refused(SERVER, address, words)
    # The server's words may quote the value, except when they are about sizes.
    constraint, column = named
    told = f"{known or 'a condition of a trigger'} ({state})"
    told += f", constraint {constraint}" if constraint else f", column {column}" if column else ""
    if state.startswith("54"):
        told = words
    fix = (
        "look at the record (`python -m avro_data_contracts.streaming --contract NAME dlq show`); correct it, or the "
        "table's constraints"
    )
    return RowRefused(told, where=f"PostgreSQL {address}", fix=fix, server="postgres")


def _condition(state: str) -> str:
    """Return PostgreSQL's name of a condition; empty for one that only a trigger can have raised."""
    try:
        return psycopg.errors.lookup(state).__name__
    except KeyError:
        return ""


SERVER = Server("PostgreSQL", "postgres", "POSTGRES_DSN", packages=("org.postgresql.",), of_cause=_of_java)
