"""Writes the rows of a small batch with cassandra-driver, on a session that stays open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from cassandra import InvalidRequest
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement

from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_ORDER, EVENT_PARTITION, EVENT_TIMESTAMP
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.streaming.stores.cassandra import row_by_row

#: A row's cells in the order of the table's columns, then its write time, µs.
Written = tuple[Any, ...]
#: Timestamp (ms), offset and partition of an event, in the order of `EVENT_ORDER`.
Position = tuple[int, int, int]

MICROS: Final = 1000
# Rows of one request: a node warns above 5 kB, and above 10 partitions.
_REQUEST_BYTES: Final = 4096
_MOST_IN_REQUEST: Final = 10
_REQUESTS_AT_ONCE: Final = 32


class NotHere(Exception):
    """Only the connector can write the rows, or say what is wrong with them."""


class DirectWriter:
    """Writes the table of a contract.  Each method raises DriverException or NoHostAvailable when the nodes fail."""

    def __init__(self, table: Table) -> None:
        self._table = table
        columns = [column.name for column in table.all_columns]
        self._key = [columns.index(name) for name in table.sink.key]
        self._position = [columns.index(name) for name in EVENT_ORDER]
        # Each with the session that prepared it, and replaced as a whole: an attempt that was abandoned may wake up
        # beside the next one.
        self._insert: tuple[Session, PreparedStatement] | None = None
        self._look: tuple[Session, PreparedStatement] | None = None

    def write(self, session: Session, rows: Sequence[Written]) -> None:
        """Write each row.

        Raises:
            NotHere: a row cannot be sent, or is refused; others may be written.
        """
        insert = self._insert
        if insert is None or insert[0] is not session:
            insert = self._insert = session, row_by_row.insertion(session, self._table)
        bound = [_bound(insert[1], row) for row in rows]
        _all(session, [_one(some) for some in _requests(bound)])

    def that_win(self, session: Session, late: Sequence[Written]) -> list[Written]:
        """Return the rows that are newer than the stored ones, each with the write time that makes it win.

        Raises:
            NotHere: a key cannot be sent, or there is no write time left.
        """
        look = self._look
        if look is None or look[0] is not session:
            look = self._look = session, session.prepare(self._stored())
        asked = [_bound(look[1], [row[at] for at in self._key]) for row in late]
        found = []
        for row, result in zip(late, _all(session, asked), strict=True):
            stored = result.one()
            if self._table.sink.appends:  # only the event itself has written its row
                if stored is None:
                    found.append(row)
                continue
            ms, offset, partition = (row[at] for at in self._position)
            won = winning((ms, offset, partition), None if stored is None or stored[0] is None else tuple(stored))
            if won is not None:
                found.append((*row[:-1], won))
        return found

    def _stored(self) -> str:
        which = " AND ".join(f'"{name}" = ?' for name in self._table.sink.key)
        # As milliseconds: Python has no year after 9999.
        moment = f'toUnixTimestamp("{EVENT_TIMESTAMP}")'
        order = f'{moment}, "{EVENT_OFFSET}", "{EVENT_PARTITION}", writetime("{EVENT_OFFSET}")'
        wanted = moment if self._table.sink.appends else order
        return f"SELECT {wanted} FROM {self._table.sink.quoted} WHERE {which}"  # noqa: S608 - names


def winning(event: Position, stored: tuple[int, int, int, int] | None) -> int | None:
    """Return the write time with which an event wins against a stored row, µs; None if it is not newer.

    Args:
        stored: the position of the event that wrote the row, and its write time; None: there is no row.

    Raises:
        NotHere: a thousand events of one key and one millisecond.
    """
    own = event[0] * MICROS
    if stored is None:
        return own
    if event <= stored[:3]:
        return None
    if event[0] != stored[0]:
        return own
    if stored[3] % MICROS == MICROS - 1:
        raise NotHere
    return stored[3] + 1


def _bound(statement: PreparedStatement, values: Sequence[Any]) -> BoundStatement:
    try:
        return row_by_row.bind(statement, values)
    except row_by_row.UNSENDABLE:
        raise NotHere from None  # the error may quote the value


def _all(session: Session, statements: Sequence[BoundStatement | BatchStatement]) -> list[Any]:
    requests = [(one, ()) for one in statements]
    answers = execute_concurrent(session, requests, concurrency=_REQUESTS_AT_ONCE, raise_on_first_error=False)
    for done, answer in answers:
        if not done and isinstance(answer, InvalidRequest):
            raise NotHere
        if not done:
            raise answer
    return [answer for _, answer in answers]


def _requests(bound: Sequence[BoundStatement]) -> Iterator[list[BoundStatement]]:
    some: list[BoundStatement] = []
    total = 0
    for one in bound:
        size = sum(len(value) for value in one.values if isinstance(value, bytes))
        if some and (total + size > _REQUEST_BYTES or len(some) == _MOST_IN_REQUEST):
            yield some
            some, total = [], 0
        some.append(one)
        total += size
    if some:
        yield some


def _one(some: Sequence[BoundStatement]) -> BoundStatement | BatchStatement:
    if len(some) == 1:
        return some[0]
    # Each row has its own write time.
    batch = BatchStatement(BatchType.UNLOGGED)
    for one in some:
        batch.add(one)
    return batch
