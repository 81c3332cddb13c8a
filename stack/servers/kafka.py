"""Apache Kafka (KRaft): one node that is broker and controller, or three such nodes."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from avro_data_contracts.stack import ports
from avro_data_contracts.stack.errors import ServerError
from avro_data_contracts.stack.jars import cache, classes
from avro_data_contracts.stack.jars.java import java, server_java
from avro_data_contracts.stack.jars.pins import server_versions
from avro_data_contracts.stack.security import acls, roles
from avro_data_contracts.stack.servers import zookeeper
from avro_data_contracts.stack.servers.server import Steps, base_environment
from avro_data_contracts.stack.shape import MOST_BROKERS, Shape
from avro_data_contracts.stack.site import Site

_LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %m (%c{1})%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.server.name = kafka.server
logger.server.level = info
"""


_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"
# All possible nodes; the first one always exists.
NAMES = ("kafka", *(f"kafka-{number}" for number in range(2, MOST_BROKERS + 1)))


@dataclass(frozen=True)
class Kafka:
    """One Kafka node.

    Args:
        shape: how many nodes there are.
        number: number of this node, from 1 on.
    """

    site: Site
    ports: Mapping[str, int]
    shape: Shape
    number: int = 1

    stop_signal = signal.SIGTERM

    @property
    def version(self) -> str:
        return server_versions()["kafka-zookeeper" if self.shape.zookeeper else "kafka"]

    @property
    def depends_on(self) -> tuple[str, ...]:
        return ("zookeeper",) if self.shape.zookeeper else ()

    @property
    def name(self) -> str:
        return NAMES[self.number - 1]

    @property
    def port_names(self) -> tuple[str, ...]:
        return (self.name,) if self.shape.zookeeper else (self.name, f"{self.name}-controller")

    @property
    def _names(self) -> tuple[str, ...]:
        return NAMES[: self.shape.brokers]

    @property
    def address(self) -> str:
        return f"{ports.HOST}:{self.ports[self.name]}"

    @property
    def executable(self) -> Path:
        return Path(java())

    @property
    def _folder(self) -> Path:
        return self.site.folder(self.name)

    def prepare(self, steps: Steps) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        (self._folder / "tmp").mkdir(exist_ok=True)
        (self._folder / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
        self._write("server.properties", self._properties())
        if self.shape.zookeeper:
            (self._folder / "log4j.properties").write_text(zookeeper.LOGGING, encoding="utf-8")
        elif not (self._folder / "data").exists():
            self._format(steps)

    def _format(self, steps: Steps) -> None:
        # Under another name until it is complete, so that an interrupted format starts again.
        half = self._folder / "data.new"
        shutil.rmtree(half, ignore_errors=True)
        self._write("format.properties", self._properties(half.name))
        words = [*self._options(), "kafka.tools.StorageTool", "format"]
        words += ["--cluster-id", self.shape.cluster_id, "--config", "format.properties"]
        if self.shape.secure:  # `provision` creates the accounts of the roles
            words += ["--add-scram", f"SCRAM-SHA-512=[name=broker,password={self.site.secrets()['kafka-broker']}]"]
        # In a file, not on the command line, which every account on this machine can read.
        self._write("format.options", "".join(f'"{word}"\n' for word in words))
        try:
            steps.run(self.name, [java(), "@format.options"], environment=self.environment(), cwd=self._folder)
        finally:
            (self._folder / "format.options").unlink()
        half.rename(self._folder / "data")

    def _write(self, name: str, text: str) -> None:
        """Write a file that may contain passwords (mode 0600)."""
        path = self._folder / name
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)

    def _properties(self, data: str = "data") -> str:
        if self.shape.zookeeper:
            return f"""\
broker.id=1
zookeeper.connect={ports.HOST}:{self.ports["zookeeper"]}
listeners=CLIENT://{self.address}
listener.security.protocol.map=CLIENT:PLAINTEXT
inter.broker.listener.name=CLIENT
log.dirs=data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
"""
        broker, controller = (self.ports[name] for name in self.port_names)
        quorum = [f"{at}@{ports.HOST}:{self.ports[f'{name}-controller']}" for at, name in enumerate(self._names, 1)]
        copies = len(self._names)
        # One less than there are nodes: writes continue while one node is down.
        in_sync = max(1, copies - 1)
        return f"""\
process.roles=broker,controller
node.id={self.number}
controller.quorum.voters={",".join(quorum)}
listeners=CLIENT://{ports.HOST}:{broker},CONTROLLER://{ports.HOST}:{controller}
advertised.listeners=CLIENT://{ports.HOST}:{broker}
{self._access()}\
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
"""

    def _access(self) -> str:
        """Listener security: controllers authenticate by certificate, all clients by password."""
        if not self.shape.secure:
            return "listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        return f"""\
listener.security.protocol.map=CLIENT:SASL_SSL,CONTROLLER:SSL
listener.name.controller.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config={_LOGIN} required \\
  username="broker" password="{self.site.secrets()["kafka-broker"]}";
ssl.keystore.type=PEM
ssl.keystore.location={self.site.certificates / "kafka.pem"}
ssl.truststore.type=PEM
ssl.truststore.location={self.site.authority}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker;User:CN=kafka
"""

    def _options(self) -> list[str]:
        return [
            *("-Xms256m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError"),
            f"-Djava.io.tmpdir={self._folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={(self._folder / 'log4j2.properties').as_uri()}",
            "-Dlog4j2.disableJmx=true",
            f"-Dlog4j.configuration={(self._folder / 'log4j.properties').as_uri()}",
            *("-cp", os.pathsep.join(map(str, cache.paths(zookeeper.JARS if self.shape.zookeeper else "kafka")))),
        ]

    def _classes(self) -> list[str]:
        if self.shape.zookeeper:
            return classes.base()
        # The first node writes the archive, and the others use it.
        return classes.options(self.site, self.name) if self.number == 1 else classes.using(NAMES[0])

    def command(self) -> list[str]:
        return [*server_java(), *self._classes(), *self._options(), "kafka.Kafka", "server.properties"]

    def environment(self) -> Mapping[str, str]:
        return base_environment()

    def ready(self) -> bool:
        if not ports.is_open(self.ports[self.name]):
            return False
        # Level 0: otherwise the library prints an error on stderr for each early attempt.
        client = AdminClient(self._client() | {"socket.timeout.ms": 3000, "log_level": 0})
        try:
            found = client.list_topics(timeout=3)
            partitions = [
                TopicPartition(name, number) for name, topic in found.topics.items() for number in topic.partitions
            ]
            # After a restart Kafka answers a moment before it serves its partitions.
            latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            asked = client.list_offsets(dict.fromkeys(partitions, latest), request_timeout=3)
            return self.number in found.brokers and all(future.result() for future in asked.values())
        except KafkaException:
            return False

    def _client(self) -> dict[str, Any]:
        """Configuration of a client that may do everything."""
        found: dict[str, Any] = {"bootstrap.servers": self.address}
        if self.shape.secure:
            found |= {"security.protocol": "SASL_SSL", "ssl.ca.location": str(self.site.authority)}
            found |= {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "broker"}
            found |= {"sasl.password": self.site.secrets()["kafka-broker"]}
        return found

    def provision(self) -> None:
        """Create the accounts of the roles and their permissions; `contracts register` creates the topics."""
        if not self.shape.secure or self.number > 1:
            return
        client = AdminClient(self._client() | {"log_level": 0})
        passwords = {role: self.site.secrets()[f"kafka-{role}"] for role in roles.ROLES}
        try:
            acls.apply(client, passwords, roles.permissions(roles.contracts()))
        except KafkaException as error:
            raise ServerError(
                f"the accounts of the roles could not be created: {error.args[0].str()}",
                where=f"{self.name} {self.address}",
                fix="run `make up` again",
            ) from None

    def exports(self, role: str) -> Mapping[str, str]:
        found = {"KAFKA_BOOTSTRAP_SERVERS": ",".join(f"{ports.HOST}:{self.ports[name]}" for name in self._names)}
        if self.shape.secure:
            found |= {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"}
            found |= {"KAFKA_SASL_USERNAME": role, "KAFKA_SASL_PASSWORD": self.site.secrets()[f"kafka-{role}"]}
            found |= {"KAFKA_SSL_CA_FILE": str(self.site.authority)}
        return found
