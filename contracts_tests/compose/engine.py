"""A Docker daemon that belongs to one run, and Compose."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from avro_data_contracts.deploy import checks
from avro_data_contracts.stack.errors import ServerError, UsageError
from avro_data_contracts.stack.jars.cache import cache_dir
from contracts_tests.compose import commands

COMPOSE = "v2.40.3"
_MODULE = "github.com/docker/compose/v2"
_PROGRAMS = {"dockerd": "docker.io", "docker": "docker.io", "iptables": "iptables", "debootstrap": "debootstrap"}
_STARTS_WITHIN_S = 60.0
_ENDS_WITHIN_S = 60.0
_KEPT_LAYERS = "8GB"


@dataclass(frozen=True)
class Engine:
    """A running daemon.

    Args:
        cache: folder that later runs use again: Compose, and the daemon's images.
        environment: with it, `docker` and `docker compose` reach this daemon.
    """

    cache: Path
    environment: Mapping[str, str]

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run a docker command; returns its output.

        Raises:
            ServerError: it failed.
        """
        what = f"`docker {' '.join(arguments[:3])} …` failed"
        return commands.run(["docker", *arguments], what, where="docker", environment=self.environment, check=check)

    def clear(self) -> None:
        """Remove all containers, networks and volumes of this daemon; its images stay."""
        containers = self.docker("ps", "--all", "--quiet").split()
        if containers:
            self.docker("rm", "--force", "--volumes", *containers, check=False)
        self.docker("network", "prune", "--force", check=False)
        volumes = self.docker("volume", "ls", "--quiet").split()
        if volumes:
            self.docker("volume", "rm", "--force", *volumes, check=False)


@contextmanager
def running() -> Iterator[Engine]:
    """Start a daemon with its own folders, socket and pid file; ends it and everything that it runs.

    Raises:
        UsageError: not root, a program is missing, or another daemon runs on this machine.
        ServerError: the daemon does not start.
    """
    _demand()
    cache = cache_dir() / "compose"
    (cache / "images").mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="compose-test-"))
    pid_file, log = folder / "dockerd.pid", folder / "dockerd.log"
    socket = f"unix://{folder / 'docker.sock'}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))},
        "DOCKER_HOST": socket,
        "DOCKER_CONFIG": str(_with_compose(cache)),
    }
    command = ["dockerd", "--data-root", str(cache / "images"), "--exec-root", str(folder / "exec")]
    command += ["--pidfile", str(pid_file), "--host", socket]
    with log.open("w") as output:
        # Its own session: Ctrl-C is for this program, which removes the containers before the daemon ends.
        daemon = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    engine = Engine(cache, environment)
    try:
        _wait(engine, daemon, log)
        engine.clear()
        yield engine
    finally:
        if daemon.poll() is None:
            engine.clear()
            # Images that lost their name to newer ones, and layers beyond what a second run needs.
            engine.docker("image", "prune", "--force", check=False)
            engine.docker("builder", "prune", "--force", "--keep-storage", _KEPT_LAYERS, check=False)
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _demand() -> None:
    if os.geteuid() != 0:
        raise UsageError("only root can start a Docker daemon", where="compose-test", fix="run it as root")
    missing = {package for program, package in _PROGRAMS.items() if shutil.which(program) is None}
    if missing:
        raise UsageError(
            f"programs are missing: {', '.join(name for name in _PROGRAMS if shutil.which(name) is None)}",
            where="compose-test",
            fix=f"apt-get install {' '.join(sorted(missing))}",
        )
    done = subprocess.run(["docker", "info"], capture_output=True, check=False)
    if done.returncode == 0:
        raise UsageError(
            "a Docker daemon runs on this machine, and the stand-ins would get the names of its images",
            where="docker info",
            fix="stop it, or unset DOCKER_HOST",
        )


def _wait(engine: Engine, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while subprocess.run(["docker", "info"], env=dict(engine.environment), capture_output=True).returncode != 0:
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise ServerError(
                "the Docker daemon did not start",
                where="dockerd",
                detail=log.read_text(errors="replace")[-1500:],
                fix="see its messages above; another daemon may use the folder of images",
            )
        time.sleep(0.2)


def _with_compose(cache: Path) -> Path:
    """Folder for DOCKER_CONFIG with Compose: the installed one if it is new enough, else one built here."""
    plugin = cache / "config" / "cli-plugins" / "docker-compose"
    try:
        checks.client()
    except UsageError:
        if not plugin.exists():
            plugin.parent.mkdir(parents=True, exist_ok=True)
            _build(cache, plugin)
        return cache / "config"
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _build(cache: Path, target: Path) -> None:
    if shutil.which("go") is None:
        raise UsageError(
            f"Docker Compose {'.'.join(map(str, checks.OLDEST_COMPOSE))} or newer is missing",
            where="docker compose",
            fix="install Docker's Compose plugin, or Go, with which this program builds it",
        )
    folder = cache / "compose-source"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        answer = _go(["mod", "download", "-json", f"{_MODULE}@{COMPOSE}"], cache)
        # The module cache is read-only, and the build writes beside its source.
        shutil.copytree(_field(answer, "Dir"), folder)
        folder.chmod(0o755)
        flags = f"-s -w -X {_MODULE}/internal.Version={COMPOSE}"
        half = target.with_name("docker-compose.new")
        _go(
            ["build", "-trimpath", "-buildvcs=false", "-mod=mod", "-ldflags", flags, "-o", str(half), "./cmd"], folder
        )
        half.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _go(arguments: list[str], folder: Path) -> str:
    return commands.run(
        ["go", *arguments],
        "Docker Compose could not be built",
        where="go",
        fix="check the network",
        folder=folder,
        environment={**os.environ, "CGO_ENABLED": "0"},
    )


def _field(text: str, name: str) -> str:
    return str(json.loads(text)[name])
