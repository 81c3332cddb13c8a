"""A Docker daemon that belongs to one run, and Compose."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from avro_data_contracts.deploy import checks
from avro_data_contracts.stack.errors import ServerError, UsageError
from avro_data_contracts.stack.jars.cache import cache_dir
from contracts_tests.compose import commands

COMPOSE = "v2.40.3"
_MODULE = "github.com/docker/compose/v2"
_PROGRAMS = {"dockerd": "docker.io", "docker": "docker.io", "iptables": "iptables"}
# Only for the stand-ins.
_MORE_PROGRAMS = {"debootstrap": "debootstrap"}
_STARTS_WITHIN_S = 60.0
# Before it ends, the daemon stops all containers, and gives each of them its `stop_grace_period`.
_ENDS_WITHIN_S = 150.0
# Its containerd dies with it, a moment later; a daemon that starts earlier waits for the old one in vain.
_PAUSE_S = 2.0
_KEPT_LAYERS = "8GB"
# All images, their layers' cache, and the data of the servers.
_NEEDED_GB, _NEEDED_AGAIN_GB = 22, 6


class Daemon:
    """The process `dockerd`, which can be ended and started again.

    Args:
        command: its command line.
        environment: with it, `docker` reaches this daemon.
        log: the file for its output.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._command, self._environment, self._log = list(command), dict(environment), log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            ServerError: it does not within a minute.
        """
        with self._log.open("a") as output:
            # Its own session: Ctrl-C is for this program, which removes the containers before the daemon ends.
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while subprocess.run(["docker", "info"], env=self._environment, capture_output=True).returncode != 0:
            if not self.runs or time.monotonic() > deadline:
                raise ServerError(
                    "the Docker daemon did not start",
                    where="dockerd",
                    detail=self._log.read_text(errors="replace")[-1500:],
                    fix="see its messages above; another daemon may use the folder of images",
                )
            time.sleep(0.2)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def restart(self) -> None:
        """Start it after its end, as Debian's service does: after two seconds, and then once more if it ends again.

        Raises:
            ServerError: it does not start.
        """
        time.sleep(_PAUSE_S)
        try:
            self.start()
        except ServerError:
            if self.runs:
                raise
            time.sleep(_PAUSE_S)
            self.start()

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it with a signal, and wait for its end."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True)
class Engine:
    """A running daemon.

    Args:
        cache: folder that later runs use again: Compose, and the daemon's images.
        environment: with it, `docker` and `docker compose` reach this daemon.
        daemon: its process.
        real_images: whether the images are pulled; otherwise stand-ins have their names.
    """

    cache: Path
    environment: Mapping[str, str]
    daemon: Daemon
    real_images: bool = False

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
def running(*, real_images: bool = False) -> Iterator[Engine]:
    """Start a daemon with its own folders, socket and pid file; ends it and everything that it runs.

    Raises:
        UsageError: not root, a program is missing, the disk is too small, or another daemon runs on this machine.
        ServerError: the daemon does not start.
    """
    cache = cache_dir() / "compose"
    _demand(real_images=real_images)
    _room(cache, real_images=real_images)
    # Pulled images have the names of the stand-ins.
    images = cache / ("pulled-images" if real_images else "images")
    images.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="compose-test-"))
    # Other accounts reach its socket, and are refused by the socket's mode.
    folder.chmod(0o755)
    socket = f"unix://{folder / 'docker.sock'}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))},
        "DOCKER_HOST": socket,
        "DOCKER_CONFIG": str(_with_compose(cache)),
    }
    command = ["dockerd", "--data-root", str(images), "--exec-root", str(folder / "exec")]
    command += ["--pidfile", str(folder / "dockerd.pid"), "--host", socket]
    daemon = Daemon(command, environment, folder / "dockerd.log")
    engine = Engine(cache, environment, daemon, real_images)
    try:
        daemon.start()
        engine.clear()
        yield engine
    finally:
        if not daemon.runs and (folder / "exec").exists():
            # Containers outlive a daemon that was killed.
            with suppress(ServerError):
                daemon.restart()
        if daemon.runs:
            engine.clear()
            # Images that lost their name to newer ones, and layers beyond what a second run needs.
            engine.docker("image", "prune", "--force", check=False)
            engine.docker("builder", "prune", "--force", "--keep-storage", _KEPT_LAYERS, check=False)
            daemon.end()
        # A killed daemon has mounted its folder a second time.
        subprocess.run(["umount", "--quiet", str(images)], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _demand(*, real_images: bool = False) -> None:
    if os.geteuid() != 0:
        raise UsageError("only root can start a Docker daemon", where="compose-test", fix="run it as root")
    programs = _PROGRAMS if real_images else {**_PROGRAMS, **_MORE_PROGRAMS}
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise UsageError(
            f"programs are missing: {', '.join(missing)}",
            where="compose-test",
            fix=f"apt-get install {' '.join(sorted({programs[name] for name in missing}))}",
        )
    done = subprocess.run(["docker", "info"], capture_output=True, check=False)
    if done.returncode == 0:
        raise UsageError(
            "a Docker daemon runs on this machine, and the stand-ins would get the names of its images",
            where="docker info",
            fix="stop it, or unset DOCKER_HOST",
        )


def _room(cache: Path, *, real_images: bool) -> None:
    needed = _NEEDED_AGAIN_GB if (cache / "standins.sha256").exists() and not real_images else _NEEDED_GB
    there = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(there).free / 1e9
    if free < needed:
        raise UsageError(
            f"{free:.0f} GB are free on this disk, and the images need {needed} GB",
            where=str(there),
            fix="remove files, or set XDG_CACHE_HOME to a folder on a larger disk",
        )


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
