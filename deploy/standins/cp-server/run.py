"""Start a Kafka as Confluent's image documents it: properties from the environment, storage formatted once."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from confluent_images import properties

CONFIGURATION = Path("/etc/kafka/kafka.properties")
# For Confluent's own broker; Apache Kafka has neither these nor the classes that they name.
CONFLUENT_ONLY = re.compile(r"confluent\..*|metric\.reporters")


def main() -> None:
    made = {"log.dirs": "/var/lib/kafka/data", **properties(os.environ, "KAFKA_")}
    left_out = sorted(name for name in made if CONFLUENT_ONLY.fullmatch(name))
    if left_out:
        print(f"stand-in: left out {', '.join(left_out)}", flush=True)  # noqa: T201
    for folder in made["log.dirs"].split(","):
        if not os.access(folder, os.W_OK):
            sys.exit(f"{folder} is not writable for uid {os.geteuid()}")
    descriptor = os.open(CONFIGURATION, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in made.items() if name not in left_out)
    # The file is for one of the two loggers, that of this Kafka.
    java = ["java", "-Dlog4j2.configurationFile=/etc/kafka/log4j2.properties"]
    java += ["-Dlog4j.configuration=file:/etc/kafka/log4j2.properties", "-cp", "/usr/share/java/kafka/*"]
    if "process.roles" in made:
        words = ["--ignore-formatted", "--cluster-id", os.environ["CLUSTER_ID"], "--config", str(CONFIGURATION)]
        subprocess.run([*java, "kafka.tools.StorageTool", "format", *words], check=True)
    options = shlex.split(f"{os.environ.get('KAFKA_HEAP_OPTS', '-Xmx1G')} {os.environ.get('KAFKA_OPTS', '')}")
    os.execvp("java", [java[0], *options, *java[1:], "kafka.Kafka", str(CONFIGURATION)])


main()
