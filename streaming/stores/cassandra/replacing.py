"""Makes a table of Cassandra equal to rows that were computed as a whole: those that are gone are deleted.

All rows of one refresh have one write time, which is later than that of every row before.  So what has an earlier
one afterwards is no longer among the rows, and an attempt that was given up, should it wake up, changes no row of a
later one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.cassandra.spec import CassandraSpec
from avro_data_contracts.contracts.stores.position import EVENTS
from avro_data_contracts.streaming.stores.cassandra import existing
from avro_data_contracts.streaming.stores.cassandra.connection import connect

# Deletions that go to the driver together.
_AT_ONCE: Final = 1000


class Refreshed:
    """The refreshes of one table, in one process."""

    def __init__(self) -> None:
        self._last: int | None = None

    def next(self, settings: Settings, spec: CassandraSpec) -> int:
        """Return the write time of the next refresh, in microseconds: now, or later if a row says so.

        A clock may have been put back, and a table whose rows were made of windows has write times of its own.
        """
        if self._last is None:
            with connect(settings) as session:
                self._last = max((written for _, written in _rows(session, spec)), default=0)
        self._last = max(time.time_ns() // 1000, self._last + 1)
        return self._last

    @staticmethod
    def delete_older(settings: Settings, spec: CassandraSpec, moment: int) -> None:
        """Delete the rows that were written before a refresh."""
        which = " AND ".join(f'"{name}" = ?' for name in spec.key)
        statement = f"DELETE FROM {spec.quoted} USING TIMESTAMP {moment} WHERE {which}"  # noqa: S608 - names
        with connect(settings) as session:
            gone = (key for key, written in _rows(session, spec) if written < moment)
            while some := list(islice(gone, _AT_ONCE)):
                execute_concurrent_with_args(session, session.prepare(statement), some, concurrency=64)


def _rows(session: Session, spec: CassandraSpec) -> Iterator[tuple[list[Any], int]]:
    """Yield the key of each row, as the driver binds it, and its write time, page by page."""
    found = existing.table(session, spec)
    if found is None:
        return
    moments = {column.name for column in found.all_columns if column.type == "timestamp"}
    listed = existing.selected(spec.key, moments)
    query = f'SELECT {listed}, writetime("{EVENTS}") FROM {spec.quoted}'  # noqa: S608 - identifiers
    for row in session.execute(query):
        yield list(row[:-1]), row[-1]
