"""Reads a Cassandra table as it exists, and creates or alters it to what the contract wants."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from cassandra.cluster import Session

from avro_data_contracts.contracts.masks.hashing import Key
from avro_data_contracts.contracts.stores.cassandra.spec import CassandraSpec
from avro_data_contracts.contracts.stores.position import COORDINATES, EVENT_TOPIC
from avro_data_contracts.contracts.stores.spec import Mode
from avro_data_contracts.contracts.stores.table import Column, Table
from avro_data_contracts.streaming.sinks import keyed
from avro_data_contracts.streaming.sinks.altering import as_found, statements, tell

_KEY = ("partition_key", "clustering")


def table(session: Session, spec: CassandraSpec) -> Table | None:
    """Return the table with its actual primary key and time to live; None when there is none."""
    found = list(
        session.execute(
            "SELECT column_name, type, kind, position, clustering_order FROM system_schema.columns"
            " WHERE keyspace_name = %s AND table_name = %s",
            (spec.keyspace, spec.table),
        )
    )
    if not found:
        return None
    columns = [Column(row.column_name, row.type, nullable=row.kind not in _KEY) for row in found]
    key = sorted((row for row in found if row.kind in _KEY), key=lambda row: (_KEY.index(row.kind), row.position))
    options = session.execute(
        "SELECT default_time_to_live FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s",
        (spec.keyspace, spec.table),
    ).one()
    return as_found(_actual(spec, key, options.default_time_to_live if options else 0), columns)


def _actual(spec: CassandraSpec, key: list[Any], ttl: int) -> CassandraSpec:
    """Return the sink as a contract would say it for the table that exists.

    Args:
        key: the columns of its primary key, in their order.
    """
    names = [row.column_name for row in key]
    partition = [row.column_name for row in key if row.kind == _KEY[0]]
    clustering = [
        row.column_name + (" desc" if row.clustering_order == "desc" else "") for row in key if row.kind == _KEY[1]
    ]
    made = {"ttl": ttl, "partition_key": partition, "clustering": clustering}
    if EVENT_TOPIC in names:
        own = len(clustering) - sum(name in COORDINATES for name in names if name not in partition)
        said = {"partition_key": [] if partition == list(COORDINATES) else partition, "clustering": clustering[:own]}
        actual = spec.model_copy(update={**made, **said, "mode": Mode.append, "primary_key": []})
        order = [(one.partition(" ")[0], one.endswith(" desc")) for one in clustering]
        if list(actual.partition) == partition and list(actual.ordering) == order:
            return actual
    return spec.model_copy(update={**made, "mode": Mode.upsert, "primary_key": names})


def bring(session: Session, wanted: Table) -> None:
    """Create or alter the table; log each alteration once it is done.

    Raises:
        ConfigurationError: no statement makes the table what the contract wants; nothing has been altered.
    """
    assert isinstance(wanted.sink, CassandraSpec)
    found = table(session, wanted.sink)
    for statement in statements(found, wanted):
        session.execute(statement)
        if found is not None:
            tell(wanted, [statement])


def selected(names: Iterable[str], moments: Collection[str]) -> str:
    """Return the columns of a SELECT: timestamps as milliseconds, because Python has no year after 9999.

    Args:
        moments: those of the columns that are timestamps.
    """
    return ", ".join(f'toUnixTimestamp("{one}")' if one in moments else f'"{one}"' for one in names)


def note_key(session: Session, spec: CassandraSpec, key: Key | None) -> None:
    """Keep the id of the key of the table's hashes in its comment, if there is the table.

    Raises:
        ConfigurationError: another key has hashed its rows.
    """
    was = comment(session, spec)
    if key is not None and was is not None and (note := keyed.to_note(was, key, spec)) is not None:
        session.execute(f"ALTER TABLE {spec.quoted} WITH comment = %s", (note,))


def forget_key(session: Session, spec: CassandraSpec) -> None:
    """Take the id of the key out of the comment of a table that is empty."""
    if keyed.noted(was := comment(session, spec) or ""):
        session.execute(f"ALTER TABLE {spec.quoted} WITH comment = %s", (keyed.with_note(was, None),))


def comment(session: Session, spec: CassandraSpec) -> str | None:
    """Return the comment of a table; None if there is no table."""
    found = session.execute(
        "SELECT comment FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s",
        (spec.keyspace, spec.table),
    ).one()
    return None if found is None else found.comment or ""
