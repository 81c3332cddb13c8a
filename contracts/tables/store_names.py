"""Names that a store, or its connector, keeps for itself.

In the statements of `contracts.tables.layout` every name stands in quotes, so a reserved word is fine there.  But
Spark's Cassandra connector looks keyspace and table up without quotes, and its driver refuses these words.
"""

from __future__ import annotations

from typing import Final

#: Source: `Strings.isReservedCqlKeyword` of the DataStax Java driver 4.18.
CQL_WORDS: Final = frozenset(
    {
        "add", "allow", "alter", "and", "apply", "asc", "authorize", "batch", "begin", "by", "columnfamily",
        "create", "default", "delete", "desc", "describe", "drop", "entries", "execute", "from", "full", "grant",
        "if", "in", "index", "infinity", "insert", "into", "is", "keyspace", "limit", "materialized", "mbean",
        "mbeans", "modify", "nan", "norecursive", "not", "null", "of", "on", "or", "order", "primary", "rename",
        "replace", "revoke", "schema", "select", "set", "table", "to", "token", "truncate", "unlogged", "unset",
        "update", "use", "using", "view", "where", "with",
    }
)  # fmt: skip

#: Keyspaces of Cassandra itself, where nobody makes a table.
CASSANDRA_KEYSPACES: Final = frozenset(
    f"system{ending}" for ending in ("", "_auth", "_distributed", "_schema", "_traces", "_views", "_virtual_schema")
)

#: Columns that every table of PostgreSQL has.
POSTGRES_COLUMNS: Final = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


def is_postgres_schema(name: str) -> bool:
    """A schema of PostgreSQL itself; it makes no other whose name begins like one."""
    return name.startswith("pg_") or name == "information_schema"
