"""Names that Cassandra, or Spark's connector to it, reserves.

Our statements put every name in quotes, so a reserved word is fine there.  But the connector looks up keyspace and
table without quotes, and its driver refuses these words.
"""

from __future__ import annotations

from typing import Final

#: Source: `Strings.isReservedCqlKeyword` of the DataStax Java driver 4.18.
WORDS: Final = frozenset(
    {
        "add", "allow", "alter", "and", "apply", "asc", "authorize", "batch", "begin", "by", "columnfamily",
        "create", "default", "delete", "desc", "describe", "drop", "entries", "execute", "from", "full", "grant",
        "if", "in", "index", "infinity", "insert", "into", "is", "keyspace", "limit", "materialized", "mbean",
        "mbeans", "modify", "nan", "norecursive", "not", "null", "of", "on", "or", "order", "primary", "rename",
        "replace", "revoke", "schema", "select", "set", "table", "to", "token", "truncate", "unlogged", "unset",
        "update", "use", "using", "view", "where", "with",
    }
)  # fmt: skip

#: Keyspaces of Cassandra itself, where nobody can create a table.
KEYSPACES: Final = frozenset(
    f"system{ending}" for ending in ("", "_auth", "_distributed", "_schema", "_traces", "_views", "_virtual_schema")
)
