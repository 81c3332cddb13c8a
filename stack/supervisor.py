"""Start the servers of a stack in parallel, wait until they answer, and stop them."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from avro_data_contracts.stack import ports, process
from avro_data_contracts.stack.errors import Cancelled, ServerError, StackError
from avro_data_contracts.stack.jars import classes
from avro_data_contracts.stack.launch import Launcher
from avro_data_contracts.stack.servers.server import Server
from avro_data_contracts.stack.site import Site

MINIMUM_FREE = 1_000_000_000  # bytes of free disk that `up` requires; the stores use most of it at their first start
START_SECONDS = 180.0
_GRACE_SECONDS = 25.0


@dataclass
class _Start:
    """The start of one server and its outcome."""

    server: Server
    done: threading.Event
    error: StackError | None = None


def up(site: Site, servers: Sequence[Server], say: Callable[[str], None], *, seconds: float = START_SECONDS) -> int:
    """Start those of `servers` that do not run; returns how many it started.

    The caller holds the site's lock.  If a server fails, or on Ctrl-C, the servers that this call has started are
    stopped again; those that were up before stay up.

    Args:
        seconds: how long each server may take until it answers.
    Raises:
        ServerError: a server could not be started; the error holds the end of its log.
        Cancelled: Ctrl-C, SIGTERM or SIGHUP.
    """
    launcher = Launcher(site)
    with _cancelling(launcher):
        try:
            _check_before_start(site, [server for server in servers if not process.recorded(site, server.name)])
            _start_all(launcher, servers, say, seconds)
        except StackError:
            launcher.cancel()
            stopping = [server for server in servers if server.name in launcher.started]
            if stopping:
                say(f"stopping the servers that had started: {', '.join(server.name for server in stopping)}")
            down(site, stopping, lambda _: None, grace=5.0, orderly=False)
            raise
    return len(launcher.started)


@contextmanager
def _cancelling(launcher: Launcher) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into an orderly stop inside a `with` block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: launcher.cancelled.set()) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_before_start(site: Site, servers: Sequence[Server]) -> None:
    """Check ports and disk before the first process starts."""
    for server in servers:
        _end_remnants(site, server)
        ports.demand_free(server.name, {name: server.ports[name] for name in server.port_names})
    free = shutil.disk_usage(site.root).free
    if servers and free < MINIMUM_FREE:
        raise ServerError(
            f"the disk is too full: {free / 1e6:.0f} MB free, {MINIMUM_FREE / 1e6:.0f} MB needed",
            where=str(site.root),
            fix="make room, or set STACK_DIR or --dir to a folder on another disk",
        )


def _end_remnants(site: Site, server: Server) -> None:
    """End the processes of a server whose main process or pid file is gone, for example after a kill -9."""
    for orphan in process.remnants(site.folder(server.name), server.executable):
        if not orphan.ends_within(1):
            orphan.signal(signal.SIGKILL)
            orphan.ends_within(10)


def _start_all(launcher: Launcher, servers: Sequence[Server], say: Callable[[str], None], seconds: float) -> None:
    starts = {server.name: _Start(server, threading.Event()) for server in servers}
    threads = [
        threading.Thread(target=_bring_up, args=(launcher, start, starts, say, seconds), daemon=True)
        for start in starts.values()
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and not launcher.cancelled.is_set():
        time.sleep(0.05)
    errors = [start.error for start in starts.values() if start.error]
    # Report a failure before the cancellations that followed from it.
    for error in sorted(errors, key=lambda error: isinstance(error, Cancelled)):
        raise error
    launcher.check()


def _bring_up(
    launcher: Launcher,
    start: _Start,
    starts: Mapping[str, _Start],
    say: Callable[[str], None],
    seconds: float,
) -> None:
    """Start one server, in a thread of its own, after those that it depends on."""
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
    except Exception as error:  # the top of a thread: nothing else would report it
        server = start.server
        what = f"{type(error).__name__}: {error}"
        start.error = launcher.failure(what, f"{server.name} {server.address}", server.name)
        launcher.cancelled.set()
    finally:
        start.done.set()


def _start_and_wait(launcher: Launcher, server: Server, say: Callable[[str], None], seconds: float) -> None:
    begin = time.monotonic()
    identity = process.recorded(launcher.site, server.name)
    fresh = identity is None
    if identity is None:
        launcher.open_log(server.name)
        server.prepare(launcher)
        launcher.check()
        identity = launcher.start(server)
    while not server.ready():
        launcher.check()
        if not identity.alive:
            raise launcher.died(server)
        if time.monotonic() - begin > seconds:
            what = f"runs (pid {identity.pid}) but has not answered in {seconds:.0f} s; `make down` stops it"
            raise launcher.failure(what, f"{server.name} {server.address}", server.name)
        time.sleep(0.1)
    launcher.check()
    server.provision()
    if fresh:
        say(f"{server.name:<21} {server.version:<8} ready in {time.monotonic() - begin:4.1f} s  {server.address}")


def down(
    site: Site,
    servers: Sequence[Server],
    say: Callable[[str], None],
    *,
    grace: float = _GRACE_SECONDS,
    orderly: bool = True,
) -> int:
    """Stop the running servers, those that others depend on last; returns how many.  The caller holds the lock.

    Args:
        grace: seconds that each server has to end on its own.
        orderly: whether the servers were fully up, so that their class archives are worth keeping.
    """
    stopped = 0
    left = list(servers)
    while left:
        needed = {name for server in left for name in server.depends_on}
        wave = [server for server in left if server.name not in needed]
        left = [server for server in left if server.name in needed]
        with ThreadPoolExecutor(len(wave)) as pool:
            stops = pool.map(lambda server: _stop(site, server, say, grace, orderly), wave)
            try:
                stopped += sum(stops)
            except KeyboardInterrupt:
                say(f"interrupted while stopping {', '.join(server.name for server in wave)}; the others stay up")
                raise
    return stopped


def _stop(site: Site, server: Server, say: Callable[[str], None], grace: float, orderly: bool) -> bool:
    identity = process.recorded(site, server.name)
    if identity:
        identity.signal(server.stop_signal)
        if identity.ends_within(grace):
            say(f"{server.name:<21} stopped")
            if orderly:
                classes.keep(site, server.name)
        else:
            identity.signal(signal.SIGKILL)
            say(f"{server.name:<21} killed, because it did not stop within {grace:.0f} s")
            identity.ends_within(10)
    orphans = process.remnants(site.folder(server.name), server.executable)
    _end_remnants(site, server)
    site.pid_file(server.name).unlink(missing_ok=True)
    return bool(identity or orphans)
