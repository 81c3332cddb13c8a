"""Names that PostgreSQL keeps for itself."""

from __future__ import annotations

from typing import Final

#: Bytes of a name.
MOST_BYTES: Final = 63
#: Columns that every table has.
COLUMNS: Final = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


def is_own_schema(name: str) -> bool:
    """A schema of PostgreSQL itself; it makes no other whose name begins like one."""
    return name.startswith("pg_") or name == "information_schema"
