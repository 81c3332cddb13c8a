"""Until when a Cassandra cluster can keep a row that goes by itself.

A cell has the second at which it expires.  Until all nodes run with `storage_compatibility_mode: NONE`, that number
ends in 2038, and a node refuses every row that would stay longer.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from cassandra import InvalidRequest, Unauthorized
from cassandra.cluster import Session

#: The last second at which a cell may expire, in seconds since 1970; with storage_compatibility_mode NONE, the other.
LAST: Final = 2**31 - 2
LAST_OF_NEW: Final = 2**32 - 2
_MODE: Final = "SELECT value FROM system_views.settings WHERE name = 'storage_compatibility_mode'"


def last(session: Session) -> int:
    """Return the last second at which a cell may expire, in seconds since 1970."""
    try:
        found = session.execute(_MODE).one()
    except (InvalidRequest, Unauthorized):  # an earlier version, or an account that may not read it
        return LAST
    return LAST_OF_NEW if found is not None and found.value == "NONE" else LAST


def too_long(ttl: int, now: float, last_s: int) -> str:
    """Return why the cluster would refuse the row of an event of now; empty if it would not.

    Args:
        ttl: of the sink, in seconds.
        now: in seconds since 1970.
        last_s: see `last`.
    """
    if now + ttl <= last_s:
        return ""
    ends, most = (f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d}" for at in (now + ttl, last_s))
    days = int(last_s - now) // 86_400
    return (
        f"with its ttl, a row of today stays until {ends}, and this cluster refuses rows that stay beyond {most}: "
        f"write a ttl of at most {days}d, or 0 for ever; or set storage_compatibility_mode to NONE on all nodes, and "
        "let the stream's account read system_views.settings"
    )
