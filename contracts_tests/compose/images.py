"""The images that cannot be pulled: a base from Debian's packages, and the stand-ins on it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from avro_data_contracts.stack.jars import pins
from avro_data_contracts.stack.jars.artifact import LOCK_FILE
from contracts_tests.compose import commands, contexts
from contracts_tests.compose.engine import Engine
from contracts_tests.fixtures.clone import CLONE

_RELEASE = "bookworm"
# Raise it after a change of `_base`.
_BASE = 4
# What the slim images of Debian and Python leave out as well.
_UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists", "var/cache/apt/archives")


def make(engine: Engine, say: Callable[[str], None]) -> str:
    """Make the base and the stand-ins, unless those of an earlier run are still right; returns what was made.

    Raises:
        ServerError: Debian's packages, or those of Python, could not be fetched, or a build failed.
    """
    if engine.real_images:
        folder = engine.cache / "contexts"
        contexts.fill_source(folder / "source")
        try:
            _build(engine, folder, "source")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return "the source API; all others are pulled"
    base = f"python:{pins.image_versions()['python']}"
    made = engine.cache / f"base-{_BASE}"
    if not made.exists() or not engine.docker("image", "ls", "--quiet", base).strip():
        say(f"making {base} from Debian's packages")
        _base(engine, base)
        made.touch()
    stamp, print_ = engine.cache / "standins.sha256", _fingerprint()
    if stamp.exists() and stamp.read_text() == print_:
        return "those of an earlier run"
    say("building the stand-ins")
    folder = contexts.fill(engine.cache / "contexts")
    try:
        for service in ("java", ""):
            _build(engine, folder, service)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    stamp.write_text(print_)
    return "made"


def authority() -> str:
    """The file with this machine's authorities, for builds behind a proxy that inspects TLS; empty without one."""
    own = os.environ.get("SSL_CERT_FILE", "")
    return own if Path(own).is_file() else ""


def sizes(engine: Engine) -> dict[str, int]:
    """MB of each image of the project."""
    found = {}
    for name in ("spark", "pipeline", "airflow"):
        image = f"avro-data-contracts/{name}"
        text = engine.docker("image", "inspect", "--format", "{{.Size}}", image, check=False).strip()
        if text.isdigit():
            found[image] = int(text) // 1_000_000
    return found


def versions() -> dict[str, str]:
    """Variables of deploy/standins/docker-compose.yml: the tag of each image; with `_7` for the ZooKeeper overlay."""
    pinned = (("", pins.image_versions()), ("_7", pins.image_versions(zookeeper=True)))
    return {
        f"{name.rpartition('/')[2].upper().replace('-', '_')}{suffix}": tag
        for suffix, tags in pinned
        for name, tag in tags.items()
    }


def _base(engine: Engine, image: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="base-", dir=engine.cache))
    packages = "python3,python3-venv,ca-certificates"
    command = ["debootstrap", "--variant=minbase", f"--include={packages}", _RELEASE, str(folder)]
    try:
        commands.run(command, "debootstrap failed", where=_RELEASE, fix="check the network")
        (folder / "usr" / "bin" / "python").symlink_to("python3")
        for unused in _UNUSED:
            shutil.rmtree(folder / unused)
            (folder / unused).mkdir()
        change = "ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
        with subprocess.Popen(
            ["tar", "--one-file-system", "-C", str(folder), "-c", "."], stdout=subprocess.PIPE
        ) as packing:
            subprocess.run(
                ["docker", "import", "--change", change, "-", image],
                stdin=packing.stdout,
                env=dict(engine.environment),
                capture_output=True,
                check=True,
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _build(engine: Engine, folder: Path, service: str) -> None:
    file = str(contexts.STANDINS / "docker-compose.yml")
    command = ["docker", "compose", "--file", file, "build", *([service] if service else [])]
    environment = {**engine.environment, "CONTEXTS": str(folder), **versions()}
    environment["DEPLOY_BUILD_CA"] = authority() or "/dev/null"
    commands.run(command, "the stand-ins could not be built", where=file, environment=environment)


def _fingerprint() -> str:
    """SHA-256 over everything that a stand-in is built from."""
    files = [LOCK_FILE, pins.PINS_FILE, CLONE / "requirements.lock", contexts.TRUST]
    files += sorted((CLONE / "stack").rglob("*.py"))
    files += sorted(path for path in contexts.STANDINS.rglob("*") if path.is_file())
    found = hashlib.sha256()
    for path in files:
        # Another clone of the same commit needs no other stand-ins.
        found.update(f"{os.path.relpath(path, CLONE)}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()
