"""Start Prometheus with the files in CONFIG_PATH, without the settings that are too new for Debian's version."""

from __future__ import annotations

import os
import re
from pathlib import Path

DATA = "/var/lib/confluent/control-center/prometheus/data"
# Since Prometheus 2.47: it takes the broker's metrics, which the stand-in of the broker does not send.
TOO_NEW = re.compile(r"^otlp:.*\n(?:[ #].*\n|\n)*", flags=re.MULTILINE)


def main() -> None:
    folder = Path(os.environ["CONFIG_PATH"])
    text = (folder / "prometheus-generated.yml").read_text(encoding="utf-8")
    # Beside the original, because it names the files of rules by their place.
    settings = folder / "standin-prometheus.yml"
    settings.write_text(TOO_NEW.sub("", text), encoding="utf-8")
    command = ["prometheus", f"--config.file={settings}", f"--web.config.file={folder / 'web-config-prom.yml'}"]
    command += [f"--storage.tsdb.path={DATA}", "--storage.tsdb.retention.time=15d", "--web.enable-lifecycle"]
    os.execvp(command[0], command)


main()
