"""The project's images: built behind a proxy, again after a change of code, and twice from the same commit."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from avro_data_contracts.stack.errors import ServerError
from contracts_tests.compose import commands, images
from contracts_tests.compose.project import MARK
from contracts_tests.compose.run import Scenario

_NAMES = tuple(f"avro-data-contracts/{target}" for target in ("spark", "pipeline", "airflow"))
_PIPELINE = "avro-data-contracts/pipeline"
_AGAIN = "compose-test/again"
_LARGEST_MB = 600
# In two of the images.
_CODE = Path("contracts", "errors.py")
# What an instruction has that installs or fetches packages.
_PACKAGES = ("pip install", "stack.jars")
_CHUNK = 1 << 22


def build(scenario: Scenario) -> None:
    """Build with the secret, and look for it in every layer; then change code, and build again."""
    project, engine = scenario.project, scenario.project.engine
    with scenario.step("make compose-env"):
        project.make("compose-env")
    with scenario.step("the project's images, with an authority as build secret"):
        project.build()
    with scenario.step("no layer has the authority or .env") as step:
        with _output(scenario, "save", *_NAMES) as stream:
            layers = layers_with(stream, MARK.encode())
        if any(layers.values()):
            raise ServerError(f"it is in {[name for name, has in layers.items() if has]}", where="deploy/Dockerfile")
        step.found = f"{len(layers)} layers and files searched"
    with scenario.step("size of the images") as step:
        sizes = images.sizes(engine)
        if sizes[_PIPELINE] >= _LARGEST_MB:
            raise ServerError(f"{sizes[_PIPELINE]} MB, not below {_LARGEST_MB}", where=_PIPELINE)
        step.found = ", ".join(f"{name.rpartition('/')[2]} {size} MB" for name, size in sizes.items())
    with scenario.step("images after a change of code") as step:
        before = {name: _id(scenario, name) for name in _NAMES}
        with (project.folder / _CODE).open("a", encoding="utf-8") as file:
            # No earlier run has made the same change, so no cache has its layers.
            file.write(f"# changed at {time.time_ns()}\n")
        done = carried_out(_built(scenario))
        wrong = [step for step in done if any(word in step for word in _PACKAGES)]
        same = [name for name in _NAMES[1:] if before[name] == _id(scenario, name)]
        if wrong or same or not done:
            raise ServerError(f"carried out again: {wrong}; not built: {same}", where="deploy/Dockerfile")
        step.found = f"no package was installed again; {len(done)} steps carried out, the first {done[0]}"


def again(scenario: Scenario) -> None:
    """Two builds of the same files have the same content, and need no password."""
    project = scenario.project
    with scenario.step("a second build without cache and without .env") as step:
        file = project.folder / "again.json"
        secret = {"file": str(project.folder / "build-ca.pem")}
        recipe = {"context": str(project.folder), "dockerfile": "deploy/Dockerfile", "target": "pipeline"}
        service = {"image": _AGAIN, "build": {**recipe, "secrets": ["build-ca"]}}
        document = {"name": "again", "services": {"again": service}, "secrets": {"build-ca": secret}}
        file.write_text(json.dumps(document), encoding="utf-8")
        commands.run(
            ["docker", "compose", "--env-file", "/dev/null", "--file", str(file), "build", "--no-cache"],
            "the image could not be built",
            where="deploy/Dockerfile",
            environment=project.environment,
        )
        first, second = (_content(scenario, image) for image in (_PIPELINE, _AGAIN))
        project.engine.docker("image", "rm", "--force", _AGAIN)
        differ = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
        if differ:
            raise ServerError(f"{len(differ)} files differ: {differ[:20]}", where="deploy/Dockerfile")
        step.found = f"{len(first):,} files are the same, with owner and mode; only their times differ"


def layers_with(stream: IO[bytes], mark: bytes) -> dict[str, bool]:
    """Whether each file in the output of `docker save` has a mark; layers can be compressed."""
    found = {}
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file:
                found[member.name] = _has(file, mark)
    return found


def _has(file: IO[bytes], mark: bytes) -> bool:
    unpack: Any = None
    before, first = b"", True
    while chunk := file.read(_CHUNK):
        if first and chunk.startswith(b"\x1f\x8b"):
            unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
        first = False
        chunk = before + (unpack.decompress(chunk) if unpack else chunk)
        if mark in chunk:
            return True
        # The mark can begin in one chunk and end in the next.
        before = chunk[-len(mark) :]
    return False


def carried_out(output: str) -> list[str]:
    """The instructions that a build did not take from its cache, in the order of its messages."""
    steps = dict(re.findall(r"^#(\d+) \[[^\]]+\d+/\d+\] ((?:RUN|COPY|WORKDIR) .*)$", output, flags=re.MULTILINE))
    cached = set(re.findall(r"^#(\d+) CACHED$", output, flags=re.MULTILINE))
    return [text for number, text in steps.items() if number not in cached]


def _built(scenario: Scenario) -> str:
    """Build the project's images; returns the messages of the build."""
    done = subprocess.run(
        scenario.project.compose("build"),
        cwd=scenario.project.folder,
        env=scenario.project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServerError("an image could not be built", where="deploy/Dockerfile", detail=done.stdout[-3000:])
    return done.stdout


def _id(scenario: Scenario, image: str) -> str:
    return scenario.project.engine.docker("image", "inspect", "--format", "{{.Id}}", image).strip()


@contextmanager
def _output(scenario: Scenario, *arguments: str) -> Iterator[IO[bytes]]:
    """The output of a docker command that ends well."""
    environment = dict(scenario.project.engine.environment)
    with subprocess.Popen(["docker", *arguments], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield process.stdout
        process.stdout.read()
    if process.returncode:
        raise ServerError(f"`docker {arguments[0]}` failed (exit {process.returncode})", where="docker")


def _content(scenario: Scenario, image: str) -> dict[str, tuple[object, ...]]:
    """Kind, mode, owner and content of each file of an image, by its path."""
    engine, found = scenario.project.engine, dict[str, tuple[object, ...]]()
    container = engine.docker("create", image).strip()
    try:
        with _output(scenario, "export", container) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                content = hashlib.file_digest(file, "sha256").hexdigest() if file else member.linkname  # type: ignore[arg-type]
                found[member.name] = (member.type, member.mode, member.uid, member.gid, content)
    finally:
        engine.docker("rm", container)
    return found
