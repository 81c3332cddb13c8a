"""Apache Cassandra: one node or two, with authentication."""

from __future__ import annotations

import logging
import os
import signal
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from avro_data_contracts.stack import ports
from avro_data_contracts.stack.errors import ServerError
from avro_data_contracts.stack.jars import cache, classes
from avro_data_contracts.stack.jars.java import java, server_java
from avro_data_contracts.stack.jars.pins import server_versions
from avro_data_contracts.stack.security import roles
from avro_data_contracts.stack.servers.server import Steps, base_environment
from avro_data_contracts.stack.shape import MOST_CASSANDRA_NODES, Shape
from avro_data_contracts.stack.site import Site

# The driver takes a quarter of the time of a command that only reads files, such as `env`: whoever connects loads it.
if TYPE_CHECKING:
    from cassandra.cluster import Session

_ADMIN = "stack_admin"
_PIPELINE = "pipeline"
# All possible nodes; the first one always exists.
NAMES = ("cassandra", *(f"cassandra-{number}" for number in range(2, MOST_CASSANDRA_NODES + 1)))
_EACH_OTHER_SECONDS = 60.0
# The internals of the Java runtime that Cassandra's code uses (from its jvm-server.options).
_EXPORTS = {
    "java.base": "jdk.internal.misc jdk.internal.ref sun.nio.ch java.lang.ref",
    "java.management.rmi": "com.sun.jmx.remote.internal.rmi",
    "java.rmi": "sun.rmi.registry sun.rmi.server",
    "java.sql": "java.sql",
    "jdk.unsupported": "sun.misc",
}
_OPENS = {
    "java.base": "java.lang java.lang.module java.lang.reflect java.io java.net java.nio java.math java.util"
    " java.util.concurrent java.util.concurrent.atomic jdk.internal.loader jdk.internal.ref jdk.internal.reflect"
    " jdk.internal.math jdk.internal.module jdk.internal.util.jar sun.nio.ch",
    "jdk.management": "com.sun.management.internal",
}
LOGGING = """\
<configuration>
  <appender name="console" class="ch.qos.logback.core.ConsoleAppender">
    <!-- Cassandra's warning about a slow or large read would contain the key. -->
    <encoder>
      <pattern>%date{ISO8601} %level %replace(%msg){'(?s) WHERE .*', ' WHERE ...'} \\(%logger{0}\\)%n</pattern>
    </encoder>
  </appender>
  <root level="WARN"><appender-ref ref="console"/></root>
  <logger name="org.apache.cassandra.service" level="INFO"/>
</configuration>
"""
logging.getLogger("cassandra").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Cassandra:
    """One Cassandra node.

    Args:
        shape: how many nodes there are.
        number: number of this node, from 1 on.
    """

    site: Site
    ports: Mapping[str, int]
    shape: Shape
    number: int = 1

    version = server_versions()["cassandra"]
    # All nodes of a cluster use the same ports.
    port_names = ("cassandra", "cassandra-storage")
    stop_signal = signal.SIGTERM

    @property
    def depends_on(self) -> tuple[str, ...]:
        return NAMES[: self.number - 1]

    @property
    def name(self) -> str:
        return NAMES[self.number - 1]

    @property
    def _host(self) -> str:
        return ports.host(self.name)

    @property
    def _hosts(self) -> list[str]:
        return [ports.host(name) for name in NAMES[: self.shape.cassandra_nodes]]

    @property
    def _last(self) -> bool:
        return self.number == self.shape.cassandra_nodes

    @property
    def address(self) -> str:
        return f"{self._host}:{self.ports['cassandra']}"

    @property
    def executable(self) -> Path:
        return Path(java())

    @property
    def _folder(self) -> Path:
        return self.site.folder(self.name)

    def prepare(self, steps: Steps) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        (self._folder / "tmp").mkdir(exist_ok=True)
        if self.number == 1 and not (self._folder / "data").exists():
            self._provisioned.unlink(missing_ok=True)
        (self._folder / "logback.xml").write_text(LOGGING, encoding="utf-8")
        (self._folder / "cassandra.yaml").write_text(self._yaml(), encoding="utf-8")

    def _yaml(self) -> str:
        return f"""\
cluster_name: stack
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: "{ports.HOST}:{self.ports["cassandra-storage"]}"}}]
listen_address: {self._host}
rpc_address: {self._host}
storage_port: {self.ports["cassandra-storage"]}
native_transport_port: {self.ports["cassandra"]}
authenticator: PasswordAuthenticator
authorizer: CassandraAuthorizer
role_manager: CassandraRoleManager
# Keyspaces are on all nodes by default.  So are the accounts, and one node is enough to log in.
default_keyspace_rf: {self.shape.cassandra_nodes}
auth_read_consistency_level: LOCAL_ONE
# Waiting for the disk at every write (`batch`) costs more than half of the throughput.  With these settings an
# answered write is on disk a few milliseconds later, and writes wait when the disk falls behind.
commitlog_sync: periodic
commitlog_sync_period: 2ms
periodic_commitlog_sync_lag_block: 50ms
commitlog_segment_size: 16MiB
# End the process, so that `status` shows it.  The default keeps a server running that answers nothing.
disk_failure_policy: die
commit_failure_policy: die
hinted_handoff_enabled: false
auto_snapshot: false
{self._encryption() if self.shape.secure else ""}"""

    def _encryption(self) -> str:
        pem = "org.apache.cassandra.security.PEMBasedSslContextFactory"
        own, trusted = self.site.certificates / "cassandra.pem", self.site.authority
        return f"""\
client_encryption_options:
  enabled: true
  optional: false
  ssl_context_factory: {{class_name: {pem}}}
  keystore: {own}
  truststore: {trusted}
server_encryption_options:
  internode_encryption: all
  require_client_auth: true
  ssl_context_factory: {{class_name: {pem}}}
  keystore: {own}
  truststore: {trusted}
"""

    def command(self) -> list[str]:
        return [
            *(*server_java(), "-Xms512m", "-Xmx768m", "-XX:+UseG1GC", "-XX:-UsePerfData"),
            "-XX:+ExitOnOutOfMemoryError",
            *self._classes(),
            *(f"--add-exports={module}/{package}=ALL-UNNAMED" for module, package in _pairs(_EXPORTS)),
            *(f"--add-opens={module}/{package}=ALL-UNNAMED" for module, package in _pairs(_OPENS)),
            "-Djava.security.manager=allow",
            "-Djdk.attach.allowAttachSelf=true",
            f"-Djava.io.tmpdir={self._folder / 'tmp'}",
            f"-Djna.tmpdir={self._folder / 'tmp'}",
            f"-Dcassandra.config={(self._folder / 'cassandra.yaml').as_uri()}",
            f"-Dcassandra.storagedir={self._folder / 'data'}",
            f"-Dcassandra.logdir={self._folder / 'logs'}",
            f"-Dlogback.configurationFile={(self._folder / 'logback.xml').as_uri()}",
            # Without it Cassandra closes its output after startup, and the log ends there.
            "-Dcassandra-foreground=yes",
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            *self._delays(),
            *("-cp", os.pathsep.join(map(str, cache.paths("cassandra")))),
            "org.apache.cassandra.service.CassandraDaemon",
        ]

    def _classes(self) -> list[str]:
        # The first node writes the archive, and the others use it.
        return classes.options(self.site, self.name) if self.number == 1 else classes.using(NAMES[0])

    def _delays(self) -> list[str]:
        """How long the node waits, in ms, for news of other nodes, and before each attempt to create the first
        account, which needs a majority of all nodes."""
        if self.shape.cassandra_nodes == 1:
            ring, account = 1, 0
        elif self.number == 1:
            ring, account = 1, 1_000
        else:
            # Leave it to the first node: an account created by both could come back after it was dropped.
            ring, account = 5_000, 120_000
        return [f"-Dcassandra.ring_delay_ms={ring}", f"-Dcassandra.superuser_setup_delay_ms={account}"]

    def environment(self) -> Mapping[str, str]:
        return base_environment()

    @contextmanager
    def _session(self, username: str, password: str) -> Iterator[Session]:
        from cassandra.auth import PlainTextAuthProvider
        from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
        from cassandra.policies import WhiteListRoundRobinPolicy

        profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([self._host]), request_timeout=20)
        cluster = Cluster(
            [self._host],
            port=self.ports["cassandra"],
            auth_provider=PlainTextAuthProvider(username, password),
            ssl_context=ssl.create_default_context(cafile=str(self.site.authority)) if self.shape.secure else None,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            protocol_version=5,
            connect_timeout=5,
            schema_metadata_enabled=False,
            token_metadata_enabled=False,
        )
        try:
            yield cluster.connect()
        finally:
            cluster.shutdown()

    def _answers(self, username: str, password: str) -> bool:
        from cassandra import DriverException
        from cassandra.cluster import NoHostAvailable

        try:
            with self._session(username, password) as session:
                return session.execute("SELECT release_version FROM system.local").one() is not None
        except (NoHostAvailable, DriverException, OSError):
            return False

    def _admin(self) -> tuple[str, str]:
        return _ADMIN, self.site.secrets()["cassandra-admin"]

    @property
    def _provisioned(self) -> Path:
        return self.site.folder(NAMES[0]) / "provisioned"

    def ready(self) -> bool:
        if not ports.is_open(self.ports["cassandra"], self._host):
            return False
        if self._provisioned.exists():
            return self._answers(*self._admin())
        if not self._last:  # no account exists before all nodes are up
            return True
        # At the first start only Cassandra's built-in account exists, and that only after a while.
        return self._answers("cassandra", "cassandra") or self._answers(*self._admin())

    def provision(self) -> None:
        """Create the accounts once all nodes are up, and wait until every node can read from all others.

        Our superuser replaces the built-in one, whose password is well known; the pipeline gets its own account.
        """
        if not self._last:
            return
        nodes = [replace(self, number=number) for number in range(1, self.number + 1)]
        if not self._provisioned.exists():
            nodes[0]._make_accounts()
        for node in nodes if len(nodes) > 1 else ():
            node._hears_all()

    def _make_accounts(self) -> None:
        name, password = self._admin()
        if not self._answers(name, password):
            with self._session("cassandra", "cassandra") as session:
                account = f"SUPERUSER = true AND LOGIN = true AND PASSWORD = '{password}'"
                session.execute(f"CREATE ROLE IF NOT EXISTS {name} WITH {account}")
        deadline = time.monotonic() + 20
        while not self._answers(name, password):
            if time.monotonic() > deadline:
                raise ServerError(
                    "Cassandra did not accept its new superuser within 20 s",
                    where=f"{self.name} {self.address}",
                    fix="run `make up` again",
                )
            time.sleep(0.2)
        pipeline = self.site.secrets()["cassandra-pipeline"]
        with self._session(name, password) as session:
            session.execute("DROP ROLE IF EXISTS cassandra")
            session.execute(f"CREATE ROLE IF NOT EXISTS {_PIPELINE} WITH LOGIN = true AND PASSWORD = '{pipeline}'")
            # The pipeline owns what it creates and has all permissions on it.
            session.execute(f"GRANT CREATE ON ALL KEYSPACES TO {_PIPELINE}")
            if self.shape.secure:
                account = f"LOGIN = true AND PASSWORD = '{self.site.secrets()['cassandra-producer']}'"
                session.execute(f"CREATE ROLE IF NOT EXISTS producer WITH {account}")
        self._provisioned.touch()

    def _hears_all(self) -> None:
        """Wait until this node can read from all nodes."""
        from cassandra import ConsistencyLevel, DriverException
        from cassandra.cluster import NoHostAvailable
        from cassandra.query import SimpleStatement

        deadline = time.monotonic() + _EACH_OTHER_SECONDS
        query = SimpleStatement("SELECT role FROM system_auth.roles", consistency_level=ConsistencyLevel.ALL)
        while True:
            try:
                with self._session(*self._admin()) as session:
                    session.execute(query)
                    return
            except (NoHostAvailable, DriverException) as error:
                if time.monotonic() > deadline:
                    raise ServerError(
                        f"this node cannot reach the others: {error}",
                        where=f"{self.name} {self.address}",
                        fix=f"run `make up` again; see the logs in {self.site.log(self.name).parent}",
                    ) from None
            time.sleep(0.2)

    def exports(self, role: str) -> Mapping[str, str]:
        user = roles.store_account(role) if self.shape.secure else _PIPELINE
        found = {
            "CASSANDRA_HOSTS": ",".join(f"{host}:{self.ports['cassandra']}" for host in self._hosts),
            "CASSANDRA_USERNAME": user,
            "CASSANDRA_PASSWORD": self.site.secrets()[f"cassandra-{user}"],
        }
        return found | ({"CASSANDRA_CA_FILE": str(self.site.authority)} if self.shape.secure else {})


def _pairs(table: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((module, package) for module, packages in table.items() for package in packages.split())
