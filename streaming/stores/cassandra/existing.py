"""Reads a Cassandra table as it exists, and creates or alters it to what the contract wants."""

from __future__ import annotations

from cassandra.cluster import Session

from avro_data_contracts.contracts.stores.cassandra.spec import CassandraSpec
from avro_data_contracts.contracts.stores.table import Column, Table
from avro_data_contracts.streaming.sinks.altering import as_found, statements, tell


def table(session: Session, spec: CassandraSpec) -> Table | None:
    """Return the table with its actual primary key; None when there is none."""
    found = list(
        session.execute(
            "SELECT column_name, type, kind, position FROM system_schema.columns"
            " WHERE keyspace_name = %s AND table_name = %s",
            (spec.keyspace, spec.table),
        )
    )
    kinds = ("partition_key", "clustering")
    key = sorted((kinds.index(row.kind), row.position, row.column_name) for row in found if row.kind in kinds)
    columns = [Column(row.column_name, row.type, nullable=row.kind not in kinds) for row in found]
    return as_found(spec, columns, [name for _, _, name in key])


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
