"""The statements that make a table of PostgreSQL equal to the rows in its staging table.  Pure."""

from __future__ import annotations

from psycopg import sql

from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.streaming.stores.postgres import phrases


def statements(wanted: Table, *, table: sql.Identifier, staging: sql.Identifier) -> list[sql.Composed]:
    """Return the statements: together in one transaction, they show readers the rows before or the rows after.

    A row that stays as it is is not written.
    """
    key = list(wanted.sink.key)
    columns = [column.name for column in wanted.all_columns]
    others = [name for name in columns if name not in key]
    parts = {
        "table": table,
        "staging": staging,
        "columns": phrases.listed(columns),
        "key": phrases.listed(key),
        "same": phrases.same("stored", "loaded", key),
        "assigned": phrases.assigned(others),
        "stored": phrases.listed(others, "stored"),
        "excluded": phrases.listed(others, "excluded"),
    }
    gone = "DELETE FROM {table} AS stored WHERE NOT EXISTS (SELECT FROM {staging} AS loaded WHERE {same})"
    upsert = (
        "INSERT INTO {table} AS stored ({columns}) SELECT {columns} FROM {staging} AS loaded "
        "ON CONFLICT ({key}) DO UPDATE SET {assigned} WHERE ({stored}) IS DISTINCT FROM ({excluded})"
    )
    return [sql.SQL(gone).format(**parts), sql.SQL(upsert).format(**parts)]
