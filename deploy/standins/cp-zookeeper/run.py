"""Start a ZooKeeper as Confluent's image documents it: `ZOOKEEPER_CLIENT_PORT` becomes `clientPort`, and so on."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

CONFIGURATION = Path("/etc/kafka/zookeeper.properties")
FOLDERS = {"dataDir": "/var/lib/zookeeper/data", "dataLogDir": "/var/lib/zookeeper/log"}


def name(variable: str) -> str:
    first, *rest = variable.removeprefix("ZOOKEEPER_").lower().split("_")
    return first + "".join(word.capitalize() for word in rest)


def main() -> None:
    for folder in FOLDERS.values():
        if not os.access(folder, os.W_OK):
            sys.exit(f"{folder} is not writable for uid {os.geteuid()}")
    made = {name(key): value for key, value in os.environ.items() if key.startswith("ZOOKEEPER_")}
    lines = {**FOLDERS, "admin.enableServer": "false", **made}
    CONFIGURATION.write_text("".join(f"{key}={value}\n" for key, value in lines.items()), encoding="utf-8")
    options = shlex.split(os.environ.get("KAFKA_HEAP_OPTS", "-Xmx512M"))
    java = ["java", *options, "-Dlog4j.configuration=file:/etc/kafka/log4j.properties"]
    java += ["-Dzookeeper.jmx.log4j.disable=true", "-cp", "/usr/share/java/kafka/*"]
    os.execvp("java", [*java, "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(CONFIGURATION)])


main()
