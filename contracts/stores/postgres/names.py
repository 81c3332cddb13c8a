"""Names that PostgreSQL reserves, and names that fit."""

from __future__ import annotations

import hashlib
from typing import Final

#: The most bytes of a name.
MOST_BYTES: Final = 63
#: Columns that every table has.
COLUMNS: Final = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


def is_own_schema(name: str) -> bool:
    """Whether the schema is PostgreSQL's own; it refuses to create others whose name begins the same way."""
    return name.startswith("pg_") or name == "information_schema"


def with_digest(readable: str, *of: object) -> str:
    """Return a name of at most `MOST_BYTES`: what is readable of it, and a digest of what it stands for.

    Args:
        readable: in ASCII.
        of: what no other name stands for.
    """
    digest = hashlib.sha256(repr(of).encode()).hexdigest()[:8]
    return f"{readable[: MOST_BYTES - 9]}_{digest}"
