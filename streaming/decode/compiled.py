"""Compiles our few Java classes into a session's JVM, with the compiler that Spark ships."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from avro_data_contracts.contracts.errors import ConfigurationError


def of_driver(spark: SparkSession, name: str, *, driver: str, jars: str) -> Any:
    """Return one of our classes that needs a driver among Spark's jars.

    Args:
        name: without the package.
        driver, jars: what is lacking otherwise, and what to add, in words.

    Raises:
        ConfigurationError: the driver is not there.
    """
    jvm: Any = spark._jvm
    found = getattr(jvm.datacontracts, name)
    if not callable(found):
        raise ConfigurationError(
            f"Spark has no {driver}",
            where="SPARK_JARS",
            fix=f"add {jars}; `make env` prints the list of the embedded stack",
        )
    return found


def install(spark: SparkSession, sources: Iterable[Path], of_drivers: Mapping[str, Path]) -> None:
    """Compile the classes, and send them to the executors.  Call it once for each session.

    Args:
        sources: Java without generics, because that is what the compiler reads.
        of_drivers: a class that may be among Spark's jars -> the source that needs it.
    """
    jvm: Any = spark._jvm
    context: Any = spark.sparkContext
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    there = [one for name, one in of_drivers.items() if loader.getResource(f"{name.replace('.', '/')}.class")]
    jar = Path(context._temp_dir, "data-contracts.jar")
    with zipfile.ZipFile(jar, "w") as archive:
        for source in (*sources, *there):
            compiler = jvm.org.codehaus.janino.SimpleCompiler()
            compiler.setParentClassLoader(loader)
            compiler.cook(source.name, jvm.java.io.StringReader(source.read_text(encoding="utf-8")))
            for name, code in compiler.getBytecodes().items():
                archive.writestr(f"{name.replace('.', '/')}.class", code)
    loader.addURL(jvm.java.io.File(str(jar)).toURI().toURL())
    context._jsc.addJar(str(jar))
