"""What psycopg and the JDBC driver throw -> `ServiceError`."""

from __future__ import annotations

import psycopg
from py4j.java_gateway import JavaObject

from contracts.errors import Refused, ServiceError
from streaming.failures import Server, one_line, refused, service

# PostgreSQL's conditions that pass: connection, transaction rollback, resources, operator intervention, a lock that
# somebody holds.
_PASSING_STATES = ("08", "40", "53", "57", "58", "55P03")
# Those that are about the row: data, a constraint, a limit of the program, what a trigger raises.
_ROW_STATES = ("22", "23", "54", "P0")


class RowRefused(Refused):
    """PostgreSQL refuses a row for what is in it; another row may be taken."""


def of_driver(address: str, error: psycopg.Error) -> ServiceError:
    """An exception of psycopg, without its details, which may quote a row; without a state it is the connection's."""
    words = error.diag.message_primary or str(error)
    if "authentication failed" in str(error):
        return refused(SERVER, address, one_line(f"{type(error).__name__}: {words}"))
    named = (error.diag.constraint_name, error.diag.column_name)
    return _of_state(address, error.sqlstate or "08", one_line(f"{type(error).__name__}: {words}"), named)


def _of_java(address: str, cause: JavaObject, words: str) -> ServiceError | None:
    """The JDBC driver's own exception."""
    if cause.getClass().getSimpleName() != "PSQLException":
        return None
    return _of_state(address, cause.getSQLState() or "08", words)


def _of_state(
    address: str, state: str, words: str, named: tuple[str | None, str | None] = (None, None)
) -> ServiceError:
    """By PostgreSQL's condition.

    Args:
        named: constraint and column, where the server says so.
    """
    if state.startswith(_PASSING_STATES):
        return service(SERVER, address, words)
    known = _condition(state)
    if known and not state.startswith(_ROW_STATES):
        return refused(SERVER, address, words)
    # The server's words may quote the value, but where they are about sizes.
    constraint, column = named
    told = f"{known or 'a condition of a trigger'} ({state})"
    told += f", constraint {constraint}" if constraint else f", column {column}" if column else ""
    if state.startswith("54"):
        told = words
    fix = "see the record (`python -m streaming dlq show`); correct it, or what the table asks for"
    return RowRefused(told, where=f"PostgreSQL {address}", fix=fix, server="postgres")


def _condition(state: str) -> str:
    """PostgreSQL's name of a condition; empty for one that it does not have: a trigger has raised it."""
    try:
        return psycopg.errors.lookup(state).__name__
    except KeyError:
        return ""


SERVER = Server("PostgreSQL", "postgres", "POSTGRES_DSN", packages=("org.postgresql.",), of_cause=_of_java)
