"""The settings of docker-compose.yml on real servers: they start, and they refuse clients without permission.

The tests replace ports, folders and, with a hosts file for Java, the container's name; the rest is as mounted.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg import sql
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.deploy import certs, compose
from avro_data_contracts.deploy.kafka_roles import ROLES
from avro_data_contracts.stack import ports
from avro_data_contracts.stack.servers.cassandra import Cassandra
from avro_data_contracts.stack.servers.kafka import _LOGGING, Kafka
from avro_data_contracts.stack.servers.server import base_environment
from avro_data_contracts.stack.shape import Shape
from avro_data_contracts.stack.site import Site
from contracts_tests.fixtures import pipeline as pipelines
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import run_program
from contracts_tests.fixtures.compose_files import merged
from contracts_tests.fixtures.compose_servers import Running, hosts_file
from contracts_tests.fixtures.confluent_images import properties
from contracts_tests.fixtures.programs import program
from contracts_tests.fixtures.secret_files import mounted
from contracts_tests.fixtures.stack import RunningStack, private_stack

# For Confluent's own broker: Apache Kafka has neither these nor the reporter that sends metrics to Control Center.
CONFLUENT_ONLY = re.compile(r"confluent\..*|metric\.reporters")
PASSWORDS = {f"DEPLOY_KAFKA_{role.upper().replace('-', '_')}_PASSWORD": f"pw-of-{role}" for role in ROLES}
REGISTRY_PASSWORDS = {
    f"DEPLOY_REGISTRY_{user}_PASSWORD": "pw"
    for user in ("REGISTER", "PRODUCER", "STREAM", "AIRFLOW", "CONTROL_CENTER")
}
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"


def broker(folder: Path, *overlays: str) -> tuple[Running, dict[str, int], set[str]]:
    """Return a Kafka with the image's properties, its ports by listener, and the properties that were left out."""
    environment = {
        name: compose.interpolate(str(value), {"DEPLOY_KAFKA_CLUSTER_ID": CLUSTER_ID})
        for name, value in merged(*overlays)["broker"]["environment"].items()
    }
    made = properties(environment, "KAFKA_")
    left_out = {name for name in made if CONFLUENT_ONLY.fullmatch(name)}
    listeners = dict(re.findall(r"(\w+)://[\w.]+:(\d+)", made["listeners"]))
    picked = ports.pick(listeners)
    text = "".join(f"{name}={value}\n" for name, value in made.items() if name not in left_out)
    for name, number in listeners.items():
        text = re.sub(rf"(?<=:){number}\b", str(picked[name]), text)
    text = text.replace("/etc/kafka/secrets", str(folder / "secrets"))
    # Only the broker's JVM knows the container's name; the clients of this test need an address.
    text = re.sub(
        r"^(advertised\.listeners=.*)$", lambda line: line[0].replace("//broker:", "//127.0.0.1:"), text, flags=re.M
    )
    # The default of fifty takes half a minute to create here.
    text += f"offsets.topic.num.partitions=1\nlog.dirs={folder / 'data'}\n"
    (folder / "kafka.properties").write_text(text)
    server = Kafka(Site(folder), {}, Shape())
    server._folder.mkdir()
    (server._folder / "tmp").mkdir()
    (server._folder / "log4j2.properties").write_text(_LOGGING)
    java = [str(server.executable), hosts_file(folder, "broker"), "-XX:TieredStopAtLevel=1", *server._options()]
    # The image's start script does the same.
    done = subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config", "kafka.properties"],
        cwd=folder,
        env=base_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Running(folder, [*java, "kafka.Kafka", "kafka.properties"]), picked, left_out


def client(port: int, **more: str) -> dict[str, str | int]:
    return {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0, "socket.timeout.ms": 5000, **more}


def answers(config: Mapping[str, str | int]) -> bool:
    try:
        return bool(AdminClient(dict(config)).list_topics(timeout=4).brokers)
    except KafkaException:
        return False


def test_kafka_starts_with_properties_built_by_the_image(tmp_path: Path):
    running, listening, left_out = broker(tmp_path)
    assert left_out == {
        "confluent.balancer.enable",
        "confluent.balancer.topic.replication.factor",
        "confluent.consumer.lag.emitter.enabled",
        "confluent.license.topic.replication.factor",
        "confluent.schema.registry.url",
        *(
            f"confluent.telemetry.exporter.c3plusplus.{name}"
            for name in (
                *(
                    "type",
                    "enabled",
                    "metrics.include",
                    "client.base.url",
                    "client.compression",
                    "api.key",
                    "api.secret",
                ),
                *("buffer.pending.batches.max", "buffer.batch.items.max", "buffer.inflight.submissions.max"),
            )
        ),
        "confluent.telemetry.metrics.collector.interval.ms",
        "confluent.telemetry.remoteconfig.confluent.enabled",
        "metric.reporters",
    }
    config = client(listening["HOST"])
    with running.up(lambda: answers(config)):
        admin = AdminClient(config)
        admin.create_topics([NewTopic("t", 1)])["t"].result(20)
        errors: list[KafkaError | None] = []
        producer = Producer(config)
        producer.produce("t", b"x", on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(20) == 0
        assert errors == [None]
        # The broker does not create topics by itself: the contracts do.
        producer.list_topics("other", timeout=10)
        time.sleep(0.5)
        assert "other" not in admin.list_topics(timeout=10).topics
    assert "ERROR" not in running.log.read_text()


def refusal(config: Mapping[str, str | int]) -> int | None:
    """Return the code of the client's first error, None when it gets an answer."""
    errors: list[KafkaError] = []
    admin = AdminClient({**config, "error_cb": errors.append})
    deadline = time.monotonic() + 20
    while not errors and time.monotonic() < deadline:
        with contextlib.suppress(KafkaException):
            admin.list_topics(timeout=0.3)
            return None
        admin.poll(0.1)
    return errors[0].code() if errors else None


def scram(role: str, password: str, ca: Path) -> dict[str, str]:
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": role,
        "sasl.password": password,
        "ssl.ca.location": str(ca),
    }


def test_secure_kafka_allows_each_role_only_its_own_work(
    stack: RunningStack, settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
):
    made = certs.make(REGISTRY_PASSWORDS, days=2, folder=tmp_path / "certs")
    (tmp_path / "secrets").mkdir()
    for name in ("ca.pem", "broker.pem"):
        shutil.copy(made / name, tmp_path / "secrets" / name)
    running, listening, _ = broker(tmp_path, "secure")
    ca = made / "ca.pem"
    by_certificate = {
        "security.protocol": "SSL",
        "ssl.ca.location": str(ca),
        "ssl.certificate.location": str(made / "admin.crt"),
        "ssl.key.location": str(made / "admin.key"),
    }
    # The other servers belong to the stack, where this contract is already registered.
    pipeline = pipelines.made(settings_of_stack, None, tmp_path, partitions=1)
    contract = pipeline.contract
    topic, letters = contract.topic, contract.dead_letter_topic

    environment = {
        **stack.environment,
        "CONTRACTS_DIR": str(pipeline.settings.contracts_dir),
        "CHECKPOINT_DIR": str(pipeline.settings.checkpoint_dir),
        # Where the shared session logs, which the commands run in.
        "SPARK_LOG_FILE": str(settings_of_stack.spark_log_file),
    }
    with running.up(lambda: answers(client(listening["INTERNAL"], **by_certificate))):
        by_admin = {
            **mounted(tmp_path / "passwords", PASSWORDS),
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{listening['INTERNAL']}",
            "KAFKA_ADMIN_CERTIFICATES": str(made),
        }
        told = subprocess.run(
            [sys.executable, "-m", "deploy.kafka_roles"],
            cwd=CLONE,
            env={**environment, **by_admin},
            capture_output=True,
            text=True,
        )
        assert told.returncode == 0, told.stdout + told.stderr
        assert re.match(r"6 accounts, \d+ permissions\n", told.stdout)

        def account(role: str, password: str = "") -> dict[str, str | int]:
            return client(listening["HOST"], **scram(role, password or f"pw-of-{role}", ca))

        # No account, a wrong password, no certificate, no TLS.
        assert answers(account("producer"))
        without_certificate = {"security.protocol": "SSL", "ssl.ca.location": str(ca)}
        gone = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._SSL}
        assert refusal(account("producer", "wrong")) == KafkaError._AUTHENTICATION
        assert refusal(account("nobody")) == KafkaError._AUTHENTICATION
        assert refusal(client(listening["HOST"])) in gone
        assert refusal(client(listening["INTERNAL"], **without_certificate)) in gone

        def work(role: str, *command: str) -> str:
            """Run a command of docker-compose.secure.yml under its account."""
            own = {
                "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{listening['HOST']}",
                "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SASL_USERNAME": role,
                "KAFKA_SASL_PASSWORD": f"pw-of-{role}",
                "KAFKA_SSL_CA_FILE": str(ca),
            }
            done = run_program(*command, environment={**environment, **own})
            assert done.returncode == 0, (command, done.stdout + done.stderr)
            return done.stdout

        streaming = ("streaming", "--contract", contract.name)
        work("register", "contracts", "register")
        for producer in ("producer", "airflow"):
            work(producer, "producers", "--contract", contract.name, "--count", "20")
        # Invalid bytes become a dead letter.
        assert sent(account("producer"), topic) is None
        work("stream", *streaming, "--available-now")
        for role in ("stream", "airflow"):
            assert "reconciled: 41 events" in work(role, *streaming, "reconcile")
            assert json.loads(work(role, *streaming, "dlq", "list", "--json"))
        work("airflow", *streaming, "--available-now")
        work("airflow", *streaming, "dlq", "replay")

        maker = AdminClient(account("producer"))
        with pytest.raises(KafkaException, match=r"(?i)authorization"):
            maker.create_topics([NewTopic("mine", 1)])["mine"].result(20)
        assert sent(account("producer"), letters) is None
        assert sent(account("stream"), topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED
        assert sent(account("register"), topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED
        assert read(account("control-center"), "any", topic) is None
        # Neither account may read in these groups.
        assert read(account("producer"), f"{contract.name}.cassandra", topic) is not None
        assert read(account("stream"), "somebody-elses-group", topic) is not None


def sent(config: Mapping[str, str | int], topic: str) -> int | None:
    """Return the error's code, None when the broker accepted the record."""
    errors: list[KafkaError | None] = []
    producer = Producer({**config, "message.timeout.ms": 10_000})
    producer.produce(topic, b"x", on_delivery=lambda error, _: errors.append(error))
    producer.flush(15)
    (error,) = errors
    return error.code() if error else None


def read(config: Mapping[str, str | int], group: str, topic: str) -> int | None:
    """Return the error's code, None when the first record arrived and its offset was committed."""
    consumer = Consumer({**config, "group.id": group, "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                return message.error().code()
            consumer.commit(message, asynchronous=False)
            return None
        return -1
    except KafkaException as error:
        return error.args[0].code()
    finally:
        consumer.close()


# A stand-in for cqlsh: it reads the account and TLS from files, and statements from stdin.
CQLSH = """\
#!{python}
import configparser, os, ssl, sys
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster
flag, rc, other, credentials, host, port = sys.argv[1:]
assert (flag, other, host, port) == ("--cqlshrc", "--credentials", "cassandra", "9042")
assert (os.stat(rc).st_mode | os.stat(credentials).st_mode) & 0o077 == 0
have = configparser.ConfigParser(interpolation=None)
have.read([rc, credentials])
assert "authentication" not in have
context = None
if have.getboolean("connection", "ssl", fallback=False):
    assert have["ssl"]["certfile"] == "/certs/ca.pem"
    context = ssl.create_default_context(cafile=os.environ["CA"])
    context.check_hostname = False
account = PlainTextAuthProvider(**have["PlainTextAuthProvider"])
options = {{"protocol_version": 5, "schema_metadata_enabled": False, "token_metadata_enabled": False}}
cluster = Cluster(["127.0.0.1"], int(os.environ["PORT"]), auth_provider=account, ssl_context=context, **options)
session = cluster.connect()
for statement in filter(str.strip, sys.stdin.read().split(";")):
    session.execute(statement)
"""


def test_cassandra_starts_with_mounted_yaml(tmp_path: Path):
    """The one with TLS; `unit/deploy/test_compose_files.py` shows that the other is the same without it."""
    text = (CLONE / "deploy" / "secure" / "cassandra.yaml").read_text()
    text = text.replace("/var/lib/cassandra", str(tmp_path / "data")).replace("/certs/", f"{tmp_path / 'certs'}/")
    picked = ports.pick(["cassandra", "cassandra-storage"])
    server = Cassandra(Site(tmp_path), picked, Shape())
    server.prepare(None)  # type: ignore[arg-type] - nothing is launched
    # By default a role that was just dropped can still connect for the two seconds that Cassandra caches it.
    text += "credentials_validity: 0ms\nroles_validity: 0ms\n"
    (server._folder / "cassandra.yaml").write_text(text)
    # The image has this file next to the YAML.
    (server._folder / "cassandra-rackdc.properties").write_text("dc=dc1\nrack=rack1\n")
    *java, flag, classes, main = server.command()
    java += [
        hosts_file(tmp_path, "cassandra"),
        f"-Dcassandra.native_transport_port={picked['cassandra']}",
        f"-Dcassandra.storage_port={picked['cassandra-storage']}",
    ]
    running = Running(tmp_path, [*java, flag, f"{server._folder}:{classes}", main])
    certs.make(REGISTRY_PASSWORDS, days=2, folder=tmp_path / "certs")
    context = ssl.create_default_context(cafile=tmp_path / "certs" / "ca.pem")

    def opens(username: str, password: str, tls: ssl.SSLContext | None = context) -> bool:
        # The host name is checked too: the certificate names 127.0.0.1.
        endpoint = {"server_hostname": "127.0.0.1"} if tls else None
        cluster = Cluster(
            ["127.0.0.1"],
            port=picked["cassandra"],
            auth_provider=PlainTextAuthProvider(username, password),
            ssl_context=tls,
            ssl_options=endpoint,
            connect_timeout=5,
            protocol_version=5,
            schema_metadata_enabled=False,
            token_metadata_enabled=False,
        )
        try:
            cluster.connect().execute("SELECT release_version FROM system.local")
            return True
        except (NoHostAvailable, OSError):
            return False
        finally:
            cluster.shutdown()

    def make_roles() -> None:
        done = subprocess.run(
            ["bash", CLONE / "deploy" / "cassandra" / "roles.sh"],
            env={
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "PORT": str(picked["cassandra"]),
                "CA": str(tmp_path / "certs" / "ca.pem"),
                **merged("secure")["cassandra-roles"]["environment"],
                **mounted(tmp_path, {"CASSANDRA_ADMIN_PASSWORD": "admins", "CASSANDRA_PASSWORD": "pipelines"}),
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    (tmp_path / "cqlsh").write_text(CQLSH.format(python=sys.executable))
    (tmp_path / "cqlsh").chmod(0o755)
    # The first account appears a moment after the port opens; the script waits for it by itself.
    with running.up(lambda: ports.is_open(picked["cassandra"])):
        for _ in range(2):
            make_roles()
        assert opens("pipeline", "pipelines")
        assert not opens("pipeline", "wrong")
        assert not opens("cassandra", "cassandra")
        assert not opens("pipeline", "pipelines", None)


@dataclass
class Postgres:
    """A PostgreSQL of these tests.

    Args:
        data: its data folder.
        admin: how the administrator connects.
    """

    data: Path
    admin: dict[str, str]

    def opens(self, user: str, password: str, database: str, **more: str) -> bool:
        where = {"host": "127.0.0.1", "port": self.admin["port"], **more}
        try:
            psycopg.connect(user=user, password=password, dbname=database, **where).close()
            return True
        except psycopg.OperationalError:
            return False


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with private_stack(tmp_path_factory.mktemp("postgres") / "stack", "--only", "postgres") as running:
        secrets = json.loads((running.root / "secrets.json").read_text())
        port = running.status["postgres"]["address"].rpartition(":")[2]
        admin = {"host": "127.0.0.1", "port": port, "user": "stack_admin", "password": secrets["postgres-admin"]}
        yield Postgres(running.root / "postgres" / "data", admin)


def test_postgres_script_creates_separate_accounts(postgres: Postgres, tmp_path: Path):
    psql = program("postgresql-client", "psql")
    with psycopg.connect(**postgres.admin, dbname="postgres", autocommit=True) as connection:
        for database in ("contracts", "registry", "airflow"):
            connection.execute(f"DROP DATABASE IF EXISTS {database}")
        for role in ("pipeline", "registry", "airflow"):
            connection.execute(f"DROP ROLE IF EXISTS {role}")
    script = [psql, "--no-psqlrc", "--file", CLONE / "deploy" / "postgres" / "roles.sql"]
    admin = {**{f"PG{name.upper()}": value for name, value in postgres.admin.items()}, "PGDATABASE": "postgres"}
    refused = subprocess.run(script, env=admin, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "a file with a password is missing or empty" in refused.stderr
    passwords = mounted(tmp_path, {"PIPELINE_PASSWORD": "it's", "AIRFLOW_PASSWORD": "flow"})
    done = subprocess.run(script, env={**admin, **passwords}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert postgres.opens("pipeline", "it's", "contracts")
    assert postgres.opens("airflow", "flow", "airflow")
    assert not postgres.opens("pipeline", "it's", "airflow")
    assert not postgres.opens("airflow", "flow", "contracts")


def test_secure_postgres_refuses_connections_without_tls(postgres: Postgres, tmp_path: Path):
    """From then on, the server refuses the other tests of this file."""
    password = "it's"
    # Settings of the secure overlay; all except the path of the rules can change while the server runs.
    words = merged("secure")["postgres"]["command"]
    settings = dict(word.split("=") for word in words if "=" in word)
    assert words == ["postgres", *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]
    rules = postgres.data / "pg_hba.conf"
    assert settings.pop("hba_file") == "/etc/postgresql/pg_hba.conf"
    rules.write_text((CLONE / "deploy" / "secure" / "pg_hba.conf").read_text())
    made, owner = certs.make(REGISTRY_PASSWORDS, days=2, folder=tmp_path / "certs"), rules.stat()
    for name in ("postgres.crt", "postgres.key"):
        given = shutil.copy(made / name, rules.with_name(name))
        os.chown(given, owner.st_uid, owner.st_gid)
    with psycopg.connect(**postgres.admin, dbname="postgres", autocommit=True) as connection:
        for name, value in settings.items():
            value = value.replace("/certs", str(rules.parent))
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        connection.execute(sql.SQL("ALTER ROLE pipeline PASSWORD {}").format(sql.Literal(password)))
        connection.execute("SELECT pg_reload_conf()")
    # Like a client in the containers' network, where the server's host name is the service's name.
    trusting = {"hostaddr": "127.0.0.1", "sslmode": "verify-full", "sslrootcert": str(made / "ca.pem")}
    deadline = time.monotonic() + 10
    while postgres.opens("pipeline", password, "contracts", sslmode="disable") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not postgres.opens("pipeline", password, "contracts", sslmode="disable")
    assert postgres.opens("pipeline", password, "contracts", **trusting, host="postgres")
    assert not postgres.opens("pipeline", password, "contracts", **trusting, host="cassandra")
    assert not postgres.opens("pipeline", "wrong", "contracts", **trusting, host="postgres")
    with psycopg.connect(**postgres.admin | trusting | {"host": "postgres"}, dbname="postgres") as connection:
        read = connection.execute("SELECT type, auth_method, error FROM pg_hba_file_rules ORDER BY line_number")
        assert read.fetchall() == [
            ("local", "scram-sha-256", None),
            ("hostssl", "scram-sha-256", None),
            ("hostnossl", "reject", None),
        ]
