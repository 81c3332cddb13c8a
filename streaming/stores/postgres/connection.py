"""Connects to PostgreSQL with psycopg, and configures Spark's JDBC."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.stores.postgres import failures

# How the server writes moments, whatever its database says: psycopg reads no other form, and what we read back in a
# statement means the same.
_FORMS: Final = "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'"

#: Batches of one process that are written to a server at once.  Each has a connection, and one more for each of its
#: tasks that is running; a server has a hundred by default, and they are for others too.
AT_ONCE: Final = 16
# After this time a batch is written all the same: a server that hangs may never give back the places of others.
_WAITS_S: Final = 30.0
_PLACES: defaultdict[str, threading.BoundedSemaphore] = defaultdict(lambda: threading.BoundedSemaphore(AT_ONCE))
#: Connections to a server that stay open between batches, the one that was used last at the end.
KEPT: Final = 8
_KEPT: defaultdict[str, list[psycopg.Connection]] = defaultdict(list)
_LOCK: Final = threading.Lock()


@contextmanager
def place(settings: Settings) -> Iterator[None]:
    """Wait until fewer than `AT_ONCE` batches are written to the server, and keep a place until the end of the block.

    So many contracts in a process do not take all of its connections.
    """
    with _LOCK:
        places = _PLACES[settings.postgres_dsn]
    has_place = places.acquire(timeout=_WAITS_S)
    try:
        yield
    finally:
        if has_place:
            places.release()


@contextmanager
def connect(settings: Settings, *, autocommit: bool = False) -> Iterator[psycopg.Connection]:
    """Yield a connection, in one transaction unless `autocommit`.

    Raises ServiceError when the server cannot be reached, or fails.
    """
    try:
        with _opened(settings) as connection:
            connection.autocommit = autocommit
            yield connection
    except psycopg.Error as error:
        raise failures.of_driver(address(settings), error) from None


@contextmanager
def kept(settings: Settings, lock: Callable[[psycopg.Connection], None]) -> Iterator[psycopg.Connection]:
    """Yield a connection in autocommit mode that stays open after the block, for the next one.

    Opening one takes longer than writing a few hundred rows.  At most `KEPT` stay open.

    Args:
        lock: takes the advisory locks of the block, which end with it.

    Raises ServiceError when the server cannot be reached, or fails.
    """
    try:
        connection = _locked(settings, lock)
        try:
            yield connection
            connection.execute("SELECT pg_advisory_unlock_all()")
        except BaseException:
            connection.close()
            raise
    except psycopg.Error as error:
        raise failures.of_driver(address(settings), error) from None
    with _LOCK:
        _KEPT[settings.postgres_dsn].append(connection)
        surplus = _KEPT[settings.postgres_dsn][:-KEPT]
        del _KEPT[settings.postgres_dsn][:-KEPT]
    for one in surplus:
        one.close()


def _locked(settings: Settings, lock: Callable[[psycopg.Connection], None]) -> psycopg.Connection:
    with _LOCK:
        free = _KEPT[settings.postgres_dsn]
        connection = free.pop() if free else None
    if connection is not None:
        try:
            lock(connection)
            return connection
        except psycopg.OperationalError:
            is_of_server = not connection.closed
            connection.close()
            if is_of_server:
                raise
            # The server was restarted since.  A new connection says how it is now.
    connection = _opened(settings)
    try:
        lock(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _opened(settings: Settings) -> psycopg.Connection:
    # Tables come and go beneath a connection that is kept, so no statement is prepared.
    connection = psycopg.connect(settings.postgres_dsn, connect_timeout=10, autocommit=True, prepare_threshold=None)
    try:
        connection.execute(_FORMS)
    except BaseException:
        connection.close()
        raise
    return connection


def address(settings: Settings) -> str:
    """Return host:port/database of the DSN, without its credentials."""
    parts = _parts(settings.postgres_dsn)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def jdbc(dsn: str) -> tuple[str, dict[str, str]]:
    """Return the JDBC URL and properties of a DSN.  The password is a property, because Spark may log the URL.

    `logServerErrorDetail=false` keeps rows out of error messages.
    """
    parts = _parts(dsn)
    extra = {key: value for key, value in parts.items() if key in ("sslmode", "sslrootcert", "sslcert", "sslkey")}
    query = urlencode({"logServerErrorDetail": "false", **extra})
    place = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{quote(str(parts.get('dbname', '')))}"
    return f"jdbc:postgresql://{place}?{query}", {
        "user": str(parts.get("user", "")),
        "password": str(parts.get("password", "")),
    }


def _parts(dsn: str) -> dict[str, str | int | None]:
    try:
        return conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:  # its message may contain the password
        raise ConfigurationError(
            "POSTGRES_DSN is not a valid PostgreSQL connection string",
            where="environment",
            fix="write postgresql://user:password@host:port/database",
        ) from None
