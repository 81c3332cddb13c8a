"""Which of the connector's sessions is used now: for the whole JVM, as the connector keeps them.

A session that has lost its control connection may wait for its schema forever, or miss new tables.  The connector
reuses a session for equal settings as long as anything uses it, even a hanging task, on executors too.  So the
settings change after a failure, and after a restart of the node.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from avro_data_contracts.contracts.settings import Settings

# How long the connector keeps an unused session at least, ms.
_KEEP_MS: Final = 300_000


@dataclass
class ConnectorSession:
    """The connector's session that is used now.

    Attributes:
        number: which session it is.
        healthy: whether the last write with it was completed.
        met: generation of the node at its last use.
    """

    number: int = 0
    healthy: bool = True
    met: int | None = None


_SESSIONS: defaultdict[str, ConnectorSession] = defaultdict(ConnectorSession)


def of(settings: Settings) -> ConnectorSession:
    """Return the session of these nodes, which all tables share."""
    return _SESSIONS[settings.cassandra_hosts]


def options(settings: Settings, met: int | None = None) -> dict[str, str]:
    """Return settings that select the session.

    Args:
        met: the generation of the node, to be asked for before a table is read; None: there are replicas, or a sink
            has looked.
    """
    session = of(settings)
    if met is not None and session.met not in (None, met):
        session.number += 1
        session.met = met
    return {"spark.cassandra.connection.keepAliveMS": str(_KEEP_MS + session.number)}
