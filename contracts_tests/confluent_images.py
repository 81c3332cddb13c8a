"""How Confluent's images make a properties file of their environment (their tool `ub`; `dub` up to 7.9)."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Of the broker's image; the registry's has none.
NOT_PROPERTIES = {
    *("KAFKA_VERSION", "KAFKA_HEAP_OPTS", "KAFKA_LOG4J_OPTS", "KAFKA_OPTS", "KAFKA_JMX_OPTS"),
    *("KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_GC_LOG_OPTS", "KAFKA_LOG4J_ROOT_LOGLEVEL", "KAFKA_LOG4J_LOGGERS"),
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
}


def property_name(variable: str) -> str:
    """`A_B` -> `a.b`, `A__B` -> `a_b`, `A___B` -> `a-b`."""
    dotted = re.sub(r"[^_]_[^_]", lambda match: match[0].replace("_", "."), variable)
    return dotted.replace("___", "-").replace("__", "_").lower()


def properties(environment: Mapping[str, object], prefix: str) -> dict[str, str]:
    """The properties that the variables with `prefix` become."""
    return {
        property_name(name.removeprefix(prefix)): str(value)
        for name, value in environment.items()
        if name.startswith(prefix) and name not in NOT_PROPERTIES
    }
