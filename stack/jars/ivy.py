"""Ivy, which pyspark contains: fetches from the default Maven repository without Maven and without naming a host."""

from __future__ import annotations

import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from avro_data_contracts.stack.jars import truststore
from avro_data_contracts.stack.jars.artifact import Artifact, Coordinates
from avro_data_contracts.stack.jars.java import ivy_jar, java
from avro_data_contracts.stack.jars.pins import JarSet

_MAVEN_NAMESPACE = 'xmlns:m="http://ant.apache.org/ivy/maven"'
# Path of a download below the folder of its process.
_PATTERN = "[organisation]/[module]/[revision]/[artifact]-[revision](-[classifier]).[ext]"
# The cause that Ivy puts in brackets at the end of a line, without the Java package.
_FAILURE = re.compile(r"\((?:[a-z]+\.)+(\w*(?:Exception|Error): [^\n]*?)\)?$", re.MULTILINE)


class Ivy:
    """Ivy processes that share one trust store.

    Args:
        work: an empty folder for their files; the caller removes it.
    """

    def __init__(self, work: Path) -> None:
        self._work = work
        self._options = work / "java-options"
        truststore.write_truststore(work / "truststore.p12")
        options = [*truststore.java_options(work / "truststore.p12"), *_proxy_options(urllib.request.getproxies())]
        # In a file, not on the command line: the options may contain a proxy's password.
        self._options.touch(mode=0o600)
        self._options.write_text("".join(f'"{_escaped(option)}"\n' for option in options), encoding="utf-8")

    def start_download(self, name: str, artifacts: Sequence[Artifact]) -> Download:
        """Start a process that fetches `artifacts`, one after the other, into a folder of its own."""
        folder = self._work / name
        folder.mkdir()
        (folder / "settings.xml").write_text(_settings(folder, exact=True), encoding="utf-8")
        (folder / "ivy.xml").write_text(_exact_module(artifacts), encoding="utf-8")
        return Download(folder, tuple(artifacts), self._start(folder))

    def resolve(self, sets: Sequence[JarSet]) -> dict[str, list[tuple[Coordinates, Path]]]:
        """Resolve and fetch everything that each set needs.  Takes minutes: only `make lock` calls it.

        Raises:
            RuntimeError: Ivy failed; the message is its output.
        """
        folder = self._work / "resolve"
        folder.mkdir()
        (folder / "settings.xml").write_text(_settings(folder, exact=False), encoding="utf-8")
        (folder / "ivy.xml").write_text(_transitive_module(sets), encoding="utf-8")
        process = self._start(folder)
        if process.wait() != 0:
            raise RuntimeError((folder / "ivy.log").read_text(encoding="utf-8", errors="replace"))
        return {jar_set.name: list(_report(folder / "cache" / f"stack-jars-{jar_set.name}.xml")) for jar_set in sets}

    def _start(self, folder: Path) -> subprocess.Popen[bytes]:
        command = [
            *(java(), f"@{self._options}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"),
            *("-cp", str(ivy_jar()), "org.apache.ivy.Main"),
            *("-settings", str(folder / "settings.xml"), "-ivy", str(folder / "ivy.xml")),
            *("-cache", str(folder / "cache"), "-warn" if folder.name != "resolve" else "-verbose"),
        ]
        with (folder / "ivy.log").open("wb") as log:
            # A session of its own: Ctrl-C reaches only the caller, which then ends its processes.
            return subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )


class Download:
    """One Ivy process that fetches artifacts."""

    def __init__(self, folder: Path, artifacts: tuple[Artifact, ...], process: subprocess.Popen[bytes]) -> None:
        self.artifacts = artifacts
        self._folder = folder
        self._process = process

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process, finished or not."""
        if self.running:
            self._process.kill()
        self._process.wait()

    def file_of(self, artifact: Artifact) -> Path:
        """Path of the downloaded `artifact`; Ivy renames the file into place once it is complete."""
        at = artifact.coordinates
        return self._folder / "cache" / at.group / at.name / at.version / at.file_name

    def bytes_so_far(self) -> int:
        """Bytes on disk, incomplete files included."""
        return sum(_size(path) for path in (self._folder / "cache").rglob("*") if path.suffix != ".xml")

    def why(self, artifact: Artifact) -> str:
        """Why `artifact` did not arrive, in a few words."""
        log = (self._folder / "ivy.log").read_text(encoding="utf-8", errors="replace")
        # The first connection failure; later ones only follow from it.
        failure = _FAILURE.search(log)
        if failure:
            return failure.group(1)
        at = artifact.coordinates
        return "not found" if f"module not found: {at.group}#{at.name};{at.version}" in log else "did not arrive"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:  # renamed after it was listed
        return 0


def _escaped(option: str) -> str:
    return option.replace("\\", "\\\\").replace('"', '\\"')


def _proxy_options(proxies: dict[str, str]) -> list[str]:
    """`HTTPS_PROXY` and `NO_PROXY` as options of Java and Ivy."""
    options = []
    for scheme in ("http", "https"):
        url = urllib.parse.urlsplit(proxies.get(scheme, ""))
        if not url.hostname:
            continue
        options += [f"-D{scheme}.proxyHost={url.hostname}", f"-D{scheme}.proxyPort={url.port or 3128}"]
        if url.username:
            options += [
                f"-Dhttp.proxyUser={urllib.parse.unquote(url.username)}",
                f"-Dhttp.proxyPassword={urllib.parse.unquote(url.password or '')}",
                "-Djdk.http.auth.tunneling.disabledSchemes=",
            ]
    if options and proxies.get("no"):
        hosts = "|".join(
            host.strip().replace(".", "*.", 1) if host.strip().startswith(".") else host.strip()
            for host in proxies["no"].split(",")
        )
        options.append(f"-Dhttp.nonProxyHosts={hosts}")
    return options


def _settings(folder: Path, *, exact: bool) -> str:
    # With `exact` each file is requested once, by name: no POM, no metadata, no remote checksum (the lock has ours).
    shortcut = 'usepoms="false" useMavenMetadata="false" checkmodified="false"' if exact else ""
    manager = ' defaultConflictManager="all"' if exact else ""
    return f"""\
<ivysettings>
  <property name="ivy.checksums" value=""/>
  <settings defaultResolver="maven"{manager}/>
  <caches defaultCacheDir={quoteattr(str(folder / "cache"))} artifactPattern="{_PATTERN}"/>
  <resolvers><ibiblio name="maven" m2compatible="true" {shortcut}/></resolvers>
</ivysettings>
"""


def _artifact_tag(at: Coordinates) -> str:
    classifier = f" m:classifier={quoteattr(at.classifier)}" if at.classifier else ""
    return f"<artifact name={quoteattr(at.name)} type={quoteattr(at.ext)} ext={quoteattr(at.ext)}{classifier}/>"


def _dependency(at: Sequence[Coordinates], conf: str, *, transitive: bool) -> str:
    """One tag for all files of one module and version: Ivy treats several tags for a module as a conflict."""
    first = at[0]
    explicit = not transitive or first.classifier or first.ext != "jar"
    tags = "".join(_artifact_tag(one) for one in at) if explicit else ""
    return (
        f"    <dependency org={quoteattr(first.group)} name={quoteattr(first.name)} rev={quoteattr(first.version)}"
        f' transitive="{str(transitive).lower()}" conf="{conf}">{tags}</dependency>\n'
    )


def _exact_module(artifacts: Iterable[Artifact]) -> str:
    def module(at: Coordinates) -> tuple[str, str, str]:
        return at.group, at.name, at.version

    wanted = sorted(artifact.coordinates for artifact in artifacts)
    tags = [_dependency(list(group), "jars->*", transitive=False) for _, group in groupby(wanted, module)]
    return _module(["jars"], tags)


def _transitive_module(sets: Sequence[JarSet]) -> str:
    tags = [
        _dependency([Coordinates.parse(root)], f"{jar_set.name}->default", transitive=jar_set.transitive)
        for jar_set in sets
        for root in jar_set.roots
    ]
    return _module([jar_set.name for jar_set in sets], tags)


def _module(confs: Sequence[str], tags: Sequence[str]) -> str:
    return (
        f'<ivy-module version="2.0" {_MAVEN_NAMESPACE}>\n  <info organisation="stack" module="jars"/>\n'
        f"  <configurations>{''.join(f'<conf name={quoteattr(conf)}/>' for conf in confs)}</configurations>\n"
        f"  <dependencies>\n{''.join(tags)}  </dependencies>\n</ivy-module>\n"
    )


def _report(path: Path) -> Iterable[tuple[Coordinates, Path]]:
    """The artifacts in one of Ivy's resolution reports, each with its file."""
    for module in ElementTree.parse(path).getroot().iter("module"):  # noqa: S314 - Ivy wrote it
        for revision in module.iter("revision"):
            for artifact in revision.iter("artifact"):
                if artifact.get("location"):
                    yield (
                        Coordinates(
                            module.attrib["organisation"],
                            artifact.attrib["name"],
                            revision.attrib["name"],
                            # Ivy writes the namespace of an extra attribute into its name: extra-1.m.classifier.
                            next((value for key, value in artifact.items() if key.endswith(".classifier")), ""),
                            artifact.attrib["ext"],
                        ),
                        Path(artifact.attrib["location"]),
                    )
