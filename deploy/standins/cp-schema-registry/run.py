"""Start Apicurio with its schemas in Kafka, and a proxy before it that looks like Confluent's registry."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from confluent_images import properties
from proxy import PREFIX, Proxy

INNER = 8090


def kafka(settings: dict[str, str]) -> dict[str, str]:
    """Apicurio's settings for Kafka: `kafkastore.…` for each of its three clients."""
    found = {"apicurio.kafkasql.bootstrap.servers": settings["kafkastore.bootstrap.servers"]}
    for name, value in settings.items():
        inner = name.removeprefix("kafkastore.")
        if inner != name and inner.startswith(("security.", "sasl.", "ssl.")):
            found |= {f"apicurio.kafkasql.{client}.{inner}": value for client in ("admin", "producer", "consumer")}
    return found


def accounts() -> dict[str, str]:
    """Password of each user in the file that the JAAS file names; empty without one."""
    named = re.search(r"java\.security\.auth\.login\.config=(\S+)", os.environ.get("SCHEMA_REGISTRY_OPTS", ""))
    if not named:
        return {}
    file = re.search(r'file="([^"]+)"', Path(named[1]).read_text(encoding="utf-8"))
    assert file
    rows = (line.partition(":") for line in Path(file[1]).read_text(encoding="utf-8").splitlines() if line)
    return {name.strip(): rest.partition(",")[0].strip() for name, _, rest in rows}


def answers() -> bool:
    try:
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{INNER}{PREFIX}/subjects", timeout=5).status == 200)
    except OSError:
        return False


def main() -> None:
    settings = properties(os.environ, "SCHEMA_REGISTRY_")
    inner = {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": INNER,
        "quarkus.management.host": "127.0.0.1",
        "quarkus.management.port": INNER + 1,
        "quarkus.banner.enabled": "false",
        "vertx.disableDnsResolver": "true",
        "java.util.logging.manager": "org.jboss.logmanager.LogManager",
        "apicurio.storage.kind": "kafkasql",
        "apicurio.rules.global.compatibility": settings.get("schema.compatibility.level", "backward").upper(),
        **kafka(settings),
    }
    # In a file, not on the command line, which everybody can read.
    configuration = Path("/etc/schema-registry/apicurio.properties")
    configuration.touch(mode=0o600)
    configuration.write_text("".join(f"{name}={value}\n" for name, value in inner.items()), encoding="utf-8")
    heap = shlex.split(os.environ.get("SCHEMA_REGISTRY_HEAP_OPTS", "-Xmx512M"))
    early = [f"-D{name}={value}" for name, value in inner.items() if name.startswith(("java.", "vertx.", "quarkus."))]
    early.append(f"-Dsmallrye.config.locations={configuration.as_uri()}")
    server = subprocess.Popen(
        ["java", *heap, "-XX:+ExitOnOutOfMemoryError", *early, "-jar", "/opt/registry/quarkus-run.jar"]
    )
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    # As with the original, an open port means that the registry answers.
    while server.poll() is None and not answers():
        time.sleep(0.3)
    scheme, _, port = settings["listeners"].replace("://", ":").partition(":")
    proxy = Proxy(int(port.rpartition(":")[2]), INNER, accounts())
    if scheme == "https":
        proxy.speak_tls(settings["ssl.keystore.location"])
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    sys.exit(server.wait())


main()
