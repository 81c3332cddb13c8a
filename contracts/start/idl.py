"""Compiles Avro IDL (.avdl) to protocols (.avpr) with Apache's avro-tools, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from avro_data_contracts.contracts.catalog.folder import Folder
from avro_data_contracts.contracts.errors import ConfigurationError

#: The environment variable with the path of avro-tools.
JAR = "AVRO_TOOLS_JAR"
_HOW = (
    f"to read them, install a Java, set {JAR} to avro-tools-1.12.1.jar (org.apache.avro:avro-tools:1.12.1 of Maven "
    "Central), and run `contracts init` again"
)


def compiled(folder: Path, there: Folder) -> tuple[dict[str, str], list[str]]:
    """The protocols of the .avdl files below `folder` that have none beside them: path -> text; and notes.

    Args:
        there: the files of the folder.

    Raises:
        ConfigurationError: avro-tools is named, but does not exist.
    """
    waiting = [path for path, why in there.unread.items() if path.endswith(".avdl") and not why]
    waiting = [path for path in waiting if f"{path[:-4]}avpr" not in there.texts]
    if not waiting:
        return {}, []
    java, jar = _java(), os.environ.get(JAR, "")
    if jar and not Path(jar).is_file():
        raise ConfigurationError("the file does not exist", where=f"{JAR}={jar}", fix=f"correct {JAR}, or unset it")
    if not java or not jar:
        return {}, [f"{len(waiting)} .avdl file{'s are' if len(waiting) > 1 else ' is'} not read: {_HOW}"]
    found, notes = {}, []
    for path in waiting:
        done = subprocess.run(
            [java, "-jar", jar, "idl", str(folder / path)], capture_output=True, text=True, check=False, cwd=Path()
        )
        if done.returncode == 0 and done.stdout.strip():
            found[f"{path[:-4]}avpr"] = done.stdout
        else:
            said = next((line for line in done.stderr.splitlines() if "Exception" in line), "no protocol in it")
            notes.append(f"{path} is not read: avro-tools says: {said.strip()}")
    if found:
        notes.append("the .avpr files are copies: after a change of an .avdl, delete its .avpr and run init again")
    return found, notes


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=str(Path(home, "bin"))) or "" if home else shutil.which("java") or ""
