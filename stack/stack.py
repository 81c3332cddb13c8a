"""One stack: its five servers at their ports, and Airflow, a Spark cluster and the console on request."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from avro_data_contracts.stack import ports, process, supervisor
from avro_data_contracts.stack.errors import ServerError, StackError, UsageError
from avro_data_contracts.stack.jars import cache, classes
from avro_data_contracts.stack.jars.fetch import fetch
from avro_data_contracts.stack.jars.java import java_home
from avro_data_contracts.stack.security import certificates
from avro_data_contracts.stack.servers import airflow, cassandra, console, kafka, spark
from avro_data_contracts.stack.servers.airflow import Airflow
from avro_data_contracts.stack.servers.cassandra import Cassandra
from avro_data_contracts.stack.servers.console import Console
from avro_data_contracts.stack.servers.kafka import Kafka
from avro_data_contracts.stack.servers.postgres import Postgres
from avro_data_contracts.stack.servers.registry import Registry
from avro_data_contracts.stack.servers.server import Server
from avro_data_contracts.stack.servers.source import DataSource
from avro_data_contracts.stack.servers.spark import Spark
from avro_data_contracts.stack.servers.zookeeper import ZooKeeper
from avro_data_contracts.stack.shape import Shape, agreed
from avro_data_contracts.stack.site import Site

NAMES = ("kafka", "registry", "cassandra", "postgres", "source")
_WITH_TLS = ("kafka", "registry", "cassandra", "postgres")
# The words of `--with`, and the servers that each adds.
EXTRAS = {"airflow": tuple(airflow.PARTS), "spark-cluster": spark.PARTS, "console": console.PARTS}
# All servers that a stack can have.
ALL_NAMES = (
    *NAMES,
    "zookeeper",
    *kafka.NAMES[1:],
    *cassandra.NAMES[1:],
    *(name for added in EXTRAS.values() for name in added),
)


@dataclass(frozen=True)
class Row:
    """A line of `status`.

    Args:
        pid: None if the server does not run.
        ready: whether the server answered in its own protocol.
    """

    name: str
    address: str
    pid: int | None
    ready: bool
    version: str
    log: str


@dataclass(frozen=True)
class Stack:
    """The servers of one site.

    Args:
        site: the folder of the stack.
        ports: port of each name in `stack.ports.FIXED`.
        shape: the properties that stay as long as the data does.
        replay: folder of recorded responses for the source API; None to generate users.
        extras: keys of EXTRAS.
    """

    site: Site
    ports: Mapping[str, int]
    shape: Shape
    replay: Path | None = None
    extras: tuple[str, ...] = ()

    @classmethod
    def at(cls, root: Path) -> Stack:
        """The stack in a folder as it was last started; on the documented ports if it never was."""
        site = Site(root)
        options = site.read(site.root / "run" / "options.json") or {}
        replay = Path(options["replay"]) if options.get("replay") else None
        found = ports.FIXED | (ports.recorded(site) or {})
        return cls(site, found, Shape.of(site), replay, tuple(options.get("extras", ())))

    @property
    def servers(self) -> tuple[Server, ...]:
        return (
            *([ZooKeeper(self.site, self.ports)] if self.shape.zookeeper else ()),
            *(Kafka(self.site, self.ports, self.shape, number) for number in range(1, self.shape.brokers + 1)),
            Registry(self.site, self.ports, self.shape),
            *(Cassandra(self.site, self.ports, self.shape, at) for at in range(1, self.shape.cassandra_nodes + 1)),
            Postgres(self.site, self.ports, self.shape),
            DataSource(self.site, self.ports, self.replay),
            *(self._added(name) for one in self.extras for name in EXTRAS[one]),
        )

    def wanted(self, only: Collection[str], extras: Collection[str]) -> list[Server]:
        """The servers of these names and extras, and those that they depend on; all servers if `only` is empty."""
        names = {*only, *(name for one in extras for name in EXTRAS[one])} if only else set()
        for nodes in (kafka.NAMES, cassandra.NAMES):
            if nodes[0] in names:
                names |= set(nodes)
        return _with_dependencies(self.servers, names or [server.name for server in self.servers])

    def _added(self, name: str) -> Server:
        if name in spark.PARTS:
            return Spark(self.site, self.ports, name)
        if name in console.PARTS:
            return self.console
        return Airflow(self.site, self.ports, name, self.exports)

    @property
    def airflow(self) -> Airflow:
        """Airflow's API server, which people log in to."""
        return Airflow(self.site, self.ports, "airflow", self.exports)

    @property
    def console(self) -> Console:
        """The console, which people sign in to."""
        return Console(self.site, self.ports, self.exports)

    def logins(self) -> list[str]:
        """Where to sign in to the servers that have pages for people, and with which password; those that run."""
        pages: dict[str, Airflow | Console] = {"airflow": self.airflow, "console": self.console}
        return [one.login for name, one in pages.items() if process.recorded(self.site, name)]

    def remember(self) -> None:
        """Record what the next `up`, `status` and `env` need to know."""
        ports.record(self.site, self.ports)
        options = {"replay": str(self.replay or ""), "extras": self.extras}
        self.site.write(self.site.root / "run" / "options.json", options)

    def status(self) -> list[Row]:
        """Ask all servers in parallel."""

        def row(server: Server) -> Row:
            identity = process.recorded(self.site, server.name)
            ready = identity is not None and server.ready()
            pid = identity.pid if identity else None
            return Row(server.name, server.address, pid, ready, server.version, str(self.site.log(server.name)))

        with ThreadPoolExecutor(len(self.servers)) as pool:
            return list(pool.map(row, self.servers))

    def exports(self, *, role: str = "stream", learn: bool = False) -> dict[str, str]:
        """Environment variables with which other tools find the servers.

        Includes the addresses of servers that are down: the client that needs one reports it, with the right address.

        Args:
            role: whose accounts to use on a secure stack.
            learn: whether a Spark started with these variables may write an archive of its classes.
        Raises:
            ServerError: no server runs.
        """
        if not any(process.recorded(self.site, name) for name in NAMES):
            raise ServerError("the stack is not up", where=str(self.site.root), fix="run `make up`")
        exports = {key: value for server in self.servers for key, value in server.exports(role).items()}
        spark_options = classes.spark_options(learn=learn)
        return exports | {
            "JAVA_HOME": str(java_home()),
            "SPARK_JARS": ",".join(map(str, cache.paths("spark"))),
            **({"SPARK_SUBMIT_OPTS": spark_options} if spark_options else {}),
        }


def up(
    root: Path,
    say: Callable[[str], None],
    *,
    port_mode: str = "",
    replay: Path | None = None,
    only: Collection[str] = (),
    extras: Collection[str] = (),
    brokers: int | None = None,
    cassandra_nodes: int | None = None,
    secure: bool = False,
    zookeeper: bool = False,
) -> Stack:
    """Start the servers of the stack in `root` that do not run yet.

    Args:
        port_mode: `fixed` or `auto`; empty for the ports of the running or killed stack.
        replay: folder of recorded answers for the source API; None to leave it as it is.
        only: names of the servers wanted; those they depend on come with them; empty for all.
        extras: keys of EXTRAS, beside those that the stack has.
        brokers, cassandra_nodes: how many there are; None for as many as the stack has.
        secure: TLS, and an account for each role.
        zookeeper: Kafka with ZooKeeper instead of KRaft.
    Raises:
        UsageError: a name is unknown, `replay` is not a folder, the data was made for another number of nodes, or
            this machine has no address for a node.
        ServerError: a server could not be started.
    """
    _check(only, replay)
    fetch(say)
    classes.make_base()
    site = _made(root)
    with site.locked(say):
        before = Stack.at(root)
        alive = [server.name for server in before.servers if process.recorded(site, server.name)]
        shape = agreed(site, brokers, secure, zookeeper, cassandra_nodes)
        found = _choose_ports(site, port_mode, alive, _addresses(shape))
        together = tuple(one for one in EXTRAS if one in extras or one in before.extras)
        stack = Stack(site, found, shape, replay.resolve() if replay else before.replay, together)
        if shape.secure:
            _secure(stack, alive)
        if stack.replay != before.replay and "source" in alive:
            say("restarting source with other responses")
            supervisor.down(site, [server for server in before.servers if server.name == "source"], lambda _: None)
        # Before the first process starts: even if this one is killed, the next `up` knows the nodes and their ports.
        shape.keep(site)
        site.secrets()  # create them now, before the servers' threads would do so in parallel
        stack.remember()
        if "airflow" in extras:
            stack.airflow.remember(os.environ)
        if "console" in extras:
            stack.console.remember(os.environ, Path.cwd())
        try:
            started = supervisor.up(site, stack.wanted(only, extras), say)
        except StackError:
            if not any(process.recorded(site, name) for name in NAMES):
                before.remember()
            raise
        if not started:
            say("all servers were already up")
    return stack


def _check(only: Collection[str], replay: Path | None) -> None:
    if unknown := set(only) - set(NAMES):
        raise UsageError(f"unknown server: {', '.join(sorted(unknown))}", fix=f"valid names: {', '.join(NAMES)}")
    if replay is not None and not replay.is_dir():
        raise UsageError("this folder does not exist", where=str(replay), fix="correct --replay")


def _made(root: Path) -> Site:
    site = Site(root)
    try:
        site.create()
    except OSError as error:
        raise UsageError(
            f"this folder cannot be created ({error.strerror})",
            where=str(root),
            fix="set STACK_DIR or --dir to a folder that you can write to",
        ) from None
    return site


def _addresses(shape: Shape) -> list[str]:
    """The addresses of the nodes.

    Raises:
        UsageError: this machine does not have one of them.
    """
    nodes = cassandra.NAMES[: shape.cassandra_nodes]
    for name in nodes:
        ports.demand_host(name)
    return [ports.host(name) for name in nodes]


def _secure(stack: Stack, alive: Collection[str]) -> None:
    """Create the missing certificates of a secure stack.

    Raises:
        UsageError: Airflow is part of the stack, or running servers would not know new certificates.
    """
    certified = stack.site.certificates
    if "airflow" in stack.extras:
        raise UsageError(
            "Airflow's tasks share one account, and a secure stack has a separate account for each step",
            where=str(stack.site.root),
            fix="leave out --with airflow",
        )
    lacking = [name for name in _WITH_TLS if not (certified / f"{name}.pem").exists()]
    if lacking and alive:
        raise UsageError(
            f"certificates are missing for {', '.join(lacking)}, and the running servers would not know new ones",
            where=str(certified),
            fix="run `make down`, then run this command again",
        )
    if lacking:
        hosts = {name: [ports.HOST, "localhost"] for name in _WITH_TLS}
        hosts["cassandra"] += map(ports.host, cassandra.NAMES[1:])
        certificates.make(certified, hosts)


def down(root: Path, say: Callable[[str], None], *, extras: Collection[str] = ()) -> int:
    """Stop the servers of the stack in `root`; returns how many ran.

    Args:
        extras: keys of EXTRAS; if given, stop only the servers that they added and remove them from the stack.
    """
    site = Site(root)
    if not (root / "run").is_dir():
        return 0
    with site.locked(say):
        stack = Stack.at(root)
        if extras:
            names = [name for one in extras for name in EXTRAS[one]]
            stopped = supervisor.down(site, [one for one in stack.servers if one.name in names], say)
            replace(stack, extras=tuple(one for one in stack.extras if one not in extras)).remember()
            return stopped
        # Stop what uses the servers before the servers.
        added = [server for server in stack.servers if any(server.name in names for names in EXTRAS.values())]
        stopped = supervisor.down(site, added, say)
        stopped += supervisor.down(site, [server for server in stack.servers if server not in added], say)
        for name in ("ports.json", "options.json"):
            (root / "run" / name).unlink(missing_ok=True)
    return stopped


def _choose_ports(site: Site, mode: str, alive: Collection[str], hosts: Collection[str]) -> dict[str, int]:
    last = ports.recorded(site)
    if last and (alive or not mode):
        return ports.FIXED | last
    if mode == "auto":
        # Keep the previous ports if they are free: clients may know them.
        if last and last != ports.FIXED and all(ports.is_free(port, at) for port in last.values() for at in hosts):
            return last
        return ports.pick(ports.FIXED, at=hosts)
    return dict(ports.FIXED)


def _with_dependencies(servers: Collection[Server], names: Collection[str]) -> list[Server]:
    wanted = set(names)
    while True:
        more = {name for server in servers if server.name in wanted for name in server.depends_on} - wanted
        if not more:
            return [server for server in servers if server.name in wanted]
        wanted |= more
