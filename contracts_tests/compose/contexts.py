"""What the stand-ins are built from: the embedded stack's jars, its Java, and the files in deploy/standins/."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from avro_data_contracts.stack.jars import cache, java
from avro_data_contracts.stack.servers import cassandra
from contracts_tests.fixtures.clone import CLONE

STANDINS = CLONE / "deploy" / "standins"
TRUST = CLONE / "deploy" / "trust.sh"
_RULE = CLONE / "contracts_tests" / "fixtures" / "confluent_images.py"
# The set of jars of each server.
_JARS = {
    "cp-server": "kafka",
    "cp-server-7": "kafka-zookeeper",
    "cp-zookeeper": "kafka-zookeeper",
    "cassandra": "cassandra",
}
# Packages of the health checks and of cqlsh, and of the source API; versions and hashes are those of the lock.
_TOOL_PACKAGES = ("confluent-kafka", "cassandra-driver", "geomet", "click")
_SOURCE_PACKAGES = ("faker", "tzdata")
_BLOCK = re.compile(r"^(([\w-]+)==.*\n(?:    --hash.*\n?)+)", flags=re.MULTILINE)


def fill(folder: Path) -> Path:
    """Write the build context of each stand-in into its own folder below `folder`; returns `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    for source in STANDINS.iterdir():
        if source.is_dir():
            shutil.copytree(source, folder / source.name)
    fill_source(folder / "source")
    shutil.copy(TRUST, folder / "java")
    _copy(java.java_home(), folder / "java" / "java")
    cqlsh = (STANDINS / "cqlsh.lock").read_text(encoding="utf-8")
    (folder / "java" / "packages.lock").write_text(_locked(_TOOL_PACKAGES) + cqlsh, encoding="utf-8")
    # The older broker differs in its jars and their logger.
    shutil.copytree(STANDINS / "cp-server", folder / "cp-server-7")
    shutil.copy(STANDINS / "cp-zookeeper" / "log4j.properties", folder / "cp-server-7" / "log4j2.properties")
    for image, jars in _JARS.items():
        _jars(jars, folder / image / "jars")
    (folder / "cassandra" / "jvm.options").write_text(_java_options(), encoding="utf-8")
    _copy(cache.paths("registry")[0], folder / "cp-schema-registry" / "registry")
    _copy(cache.paths(f"postgres-{os.uname().machine}")[0], folder / "postgres" / "server")
    for image in ("cp-server", "cp-server-7", "cp-schema-registry"):
        shutil.copy(_RULE, folder / image)
    return folder


def fill_source(folder: Path) -> None:
    """Write what the source API is built from, beside its Dockerfile."""
    shutil.copytree(STANDINS / "source", folder, dirs_exist_ok=True)
    shutil.copy(TRUST, folder)
    (folder / "packages.lock").write_text(_locked(_SOURCE_PACKAGES), encoding="utf-8")
    inside = folder / "avro_data_contracts"
    shutil.copytree(CLONE / "stack", inside / "stack", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CLONE / "avro_data_contracts" / "__init__.py", inside)


def _locked(names: Sequence[str]) -> str:
    """The lines of requirements.lock for these packages."""
    text = (CLONE / "requirements.lock").read_text(encoding="utf-8")
    blocks = {name: block for block, name in _BLOCK.findall(text)}
    return "".join(blocks[name] for name in names)


def _java_options() -> str:
    """Options of Cassandra's Java, one a line; the internals that it opens are those of the embedded server."""
    opened = {"exports": cassandra._EXPORTS, "opens": cassandra._OPENS}
    lines = [
        f"--add-{kind}={module}/{package}=ALL-UNNAMED"
        for kind, table in opened.items()
        for module, package in cassandra._pairs(table)
    ]
    lines += ["-Djava.security.manager=allow", "-Djdk.attach.allowAttachSelf=true"]
    lines += ["-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"]
    return "\n".join([*lines, ""])


def _jars(name: str, folder: Path) -> None:
    folder.mkdir()
    for path in cache.paths(name):
        _copy_file(str(path), str(folder / path.name))


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=_copy_file, symlinks=True)


def _copy_file(source: str, target: str) -> None:
    # A link costs nothing.  The cache may be on another disk.
    try:
        os.link(source, target, follow_symlinks=True)
    except OSError:
        shutil.copy2(source, target)
