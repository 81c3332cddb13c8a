"""Starts the servers of a site side by side, watches them until they answer, and stops them."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from stack import ports, process
from stack.errors import Cancelled, ServerError, StackError
from stack.launch import Launcher, tail
from stack.servers import Server
from stack.site import Site

MINIMUM_FREE = 1_000_000_000  # bytes of disk that `up` asks for; the stores need most of it at their first start
START_SECONDS = 180.0
_GRACE_SECONDS = 25.0


@dataclass
class _Start:
    """How the start of one server went."""

    server: Server
    done: threading.Event
    error: StackError | None = None


def up(site: Site, servers: Sequence[Server], say: Callable[[str], None], *, seconds: float = START_SECONDS) -> int:
    """Brings up those of `servers` that are not; returns how many it started.

    The caller holds the site's lock.  When one fails, or on Ctrl-C, those that this call has started are stopped
    again; those that were up before stay.

    Args:
        seconds: how long each may take until it answers.
    Raises:
        ServerError: a server could not be started; with the end of its log.
        Cancelled: Ctrl-C, SIGTERM or SIGHUP.
    """
    launcher = Launcher(site)
    alive = {server.name for server in servers if process.recorded(site, server.name)}
    for server in servers:
        if server.name not in alive:
            demand_remnants_gone(site, server)
            ports.demand_free(server.name, {name: server.ports[name] for name in server.port_names})
    if len(alive) < len(servers):
        _demand_disk(site)
    starts = {server.name: _Start(server, threading.Event()) for server in servers}
    with _cancelling(launcher):
        threads = [
            threading.Thread(target=_bring_up, args=(launcher, start, starts, say, seconds), daemon=True)
            for start in starts.values()
        ]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                time.sleep(0.05)
                if launcher.cancelled.is_set():
                    break
            errors = [start.error for start in starts.values() if start.error]
            launcher_failed = next((error for error in errors if not isinstance(error, Cancelled)), None)
            if launcher_failed:
                raise launcher_failed
            launcher.check()
        except StackError:
            launcher.cancel()
            stopping = [server for server in servers if server.name in launcher.started]
            if stopping:
                say("stopping what was started")
            down(site, stopping, lambda _: None, grace=5.0)
            raise
    return len(launcher.started)


class _cancelling:
    """Turns Ctrl-C and its like into an orderly stop, for the time of a `with` block."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._before: Mapping[signal.Signals, object] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._on_signal) for number in self._SIGNALS}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, *_: object) -> None:
        self._launcher.cancelled.set()


def demand_remnants_gone(site: Site, server: Server) -> None:
    """Ends processes of a server that have lost its pid file (an `up` that was killed with -9)."""
    for orphan in process.remnants(site.folder(server.name), server.executable):
        orphan.signal(signal.SIGKILL)
        orphan.ends_within(10)


def _demand_disk(site: Site) -> None:
    free = shutil.disk_usage(site.root).free
    if free < MINIMUM_FREE:
        raise ServerError(
            f"the disk is too full: {free / 1e6:.0f} MB free, {MINIMUM_FREE / 1e6:.0f} MB needed",
            where=str(site.root),
            mend="make room, or put the stack elsewhere: set STACK_DIR, or --dir",
        )


def _bring_up(
    launcher: Launcher,
    start: _Start,
    starts: Mapping[str, _Start],
    say: Callable[[str], None],
    seconds: float,
) -> None:
    """One server's thread."""
    try:
        for name in start.server.depends_on:
            if name in starts:
                starts[name].done.wait()
                if starts[name].error:
                    return
        _start_and_wait(launcher, start.server, say, seconds)
    except StackError as error:
        start.error = error
        launcher.cancelled.set()
    except Exception as error:  # noqa: BLE001 - the edge of a thread: nothing else would show it
        start.error = ServerError(
            f"{type(error).__name__}: {error}",
            where=start.server.name,
            detail=tail(launcher.site.log(start.server.name)),
        )
        launcher.cancelled.set()
    finally:
        start.done.set()


def _start_and_wait(launcher: Launcher, server: Server, say: Callable[[str], None], seconds: float) -> None:
    begin = time.monotonic()
    identity = process.recorded(launcher.site, server.name)
    fresh = identity is None
    if identity is None:
        server.prepare(launcher)
        launcher.check()
        identity = launcher.start(server)
    while not server.ready():
        launcher.check()
        if not identity.alive:
            raise launcher.died(server)
        if time.monotonic() - begin > seconds:
            raise ServerError(
                f"runs (pid {identity.pid}) but has not answered in {seconds:.0f} s",
                where=f"{server.name} {server.address}",
                detail=tail(launcher.site.log(server.name)),
                mend=f"the whole log: {launcher.site.log(server.name)}; `make down`, then `make up`",
            )
        time.sleep(0.1)
    launcher.check()
    server.provision()
    if fresh:
        say(f"{server.name:<10} {server.version:<8} ready in {time.monotonic() - begin:4.1f} s  {server.address}")


def down(site: Site, servers: Sequence[Server], say: Callable[[str], None], *, grace: float = _GRACE_SECONDS) -> int:
    """Stops the servers that run, those that others depend on last; returns how many.  The caller holds the lock.

    Args:
        grace: seconds that each has to end in its own way.
    """
    stopped = 0
    left = list(servers)
    while left:
        needed = {name for server in left for name in server.depends_on}
        wave = [server for server in left if server.name not in needed]
        left = [server for server in left if server.name in needed]
        with ThreadPoolExecutor(len(wave)) as pool:
            stopped += sum(pool.map(lambda server: _stop(site, server, say, grace), wave))
    return stopped


def _stop(site: Site, server: Server, say: Callable[[str], None], grace: float) -> bool:
    identity = process.recorded(site, server.name)
    if identity:
        identity.signal(server.stop_signal)
        if identity.ends_within(grace):
            say(f"{server.name:<10} stopped")
        else:
            identity.signal(signal.SIGKILL)
            say(f"{server.name:<10} killed: it did not stop within {grace:.0f} s")
            identity.ends_within(10)
    orphans = process.remnants(site.folder(server.name), server.executable)
    for orphan in orphans:
        if not orphan.ends_within(1):
            orphan.signal(signal.SIGKILL)
            orphan.ends_within(10)
    site.pid_file(server.name).unlink(missing_ok=True)
    return bool(identity or orphans)
