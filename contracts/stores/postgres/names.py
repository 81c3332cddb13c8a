"""Names that PostgreSQL reserves."""

from __future__ import annotations

from typing import Final

#: The most bytes of a name.
MOST_BYTES: Final = 63
#: Columns that every table has.
COLUMNS: Final = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


def is_own_schema(name: str) -> bool:
    """Whether the schema is PostgreSQL's own; it refuses to create others whose name begins the same way."""
    return name.startswith("pg_") or name == "information_schema"
