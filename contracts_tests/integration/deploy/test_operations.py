"""Backup and restore with the commands of docs/how-to/operations.md, without `docker compose exec`.

The programs match the images where possible: Kafka's tools have the version of Confluent's image, and nodetool comes
from Cassandra's jars. PostgreSQL is Debian's, with its own client: pg_dump refuses a server newer than itself.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable, Session
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from avro_data_contracts.deploy import compose
from avro_data_contracts.stack import ports
from avro_data_contracts.stack.jars import cache, fetch
from avro_data_contracts.stack.jars.java import java
from avro_data_contracts.stack.servers.cassandra import Cassandra
from avro_data_contracts.stack.servers.server import base_environment
from avro_data_contracts.stack.shape import Shape
from avro_data_contracts.stack.site import Site
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.compose_servers import Running, hosts_file
from contracts_tests.fixtures.programs import program
from contracts_tests.fixtures.secret_files import mounted
from contracts_tests.fixtures.stack import RunningStack, private_stack

PAGE = (CLONE / "docs" / "how-to" / "operations.md").read_text()
SERVICES = compose.services(compose.files())
TOOLS = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
}
# Records as Confluent's registry writes them: a level, a version, a permanently deleted version, and a no-op.
RECORDS = [
    ('{"keytype":"CONFIG","subject":null,"magic":0}', '{"compatibilityLevel":"BACKWARD"}'),
    (
        '{"keytype":"SCHEMA","subject":"users_created-value","version":1,"magic":1}',
        '{"subject":"users_created-value","version":1,"id":7,"schema":"{\\"type\\":\\"record\\",\\n\\t\\"name\\":\\"Ü\\"}"}',
    ),
    ('{"keytype":"SCHEMA","subject":"gone-value","version":1,"magic":1}', None),
    ('{"keytype":"NOOP","magic":0}', None),
]


def commands(word: str) -> list[str]:
    """Return the page's commands that call `word`, as their container receives them."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if re.search(rf"\b{word}\b", line)]
    assert lines, word
    found = [re.fullmatch(r"docker compose exec -T (?:-e \S+ )?([\w-]+) (.+)", line) for line in lines]
    assert all(match and match[1] in SERVICES for match in found), lines
    return [match[2] for match in found if match]


def fetched(name: str) -> list[Path]:
    """Return the paths of a set of jars that the servers do not need."""
    fetch.fetch(print, only=name)
    return cache.paths(name)


def run(command: str, folder: Path, **environment: str) -> None:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={"PATH": f"{folder}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def script(path: Path, *command: str | Path) -> None:
    path.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in command) + ' "$@"\n')
    path.chmod(0o755)


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[RunningStack]:
    with private_stack(tmp_path / "stack", "--only", "kafka") as running:
        yield running


def test_registry_topic_is_restored_from_backup(kafka: RunningStack, tmp_path: Path):
    address = kafka.status["kafka"]["address"]
    classes = os.pathsep.join(map(str, [*fetched("kafka-tools"), *cache.paths("kafka")]))
    for name, main in TOOLS.items():
        script(tmp_path / name, java(), "-XX:TieredStopAtLevel=1", "-cp", classes, main)
    (create,) = commands("kafka-topics")
    (dump,) = commands("kafka-console-consumer")
    (restore,) = commands("kafka-console-producer")

    def here(command: str) -> None:
        assert "broker:29092" in command
        run(command.replace("broker:29092", address), tmp_path)

    admin = AdminClient({"bootstrap.servers": address})
    here(create)
    producer = Producer({"bootstrap.servers": address})
    for key, value in RECORDS:
        producer.produce("_schemas", key=key, value=value)
    assert producer.flush(20) == 0
    here(dump)
    assert len((tmp_path / "schemas.txt").read_text().splitlines()) == len(RECORDS)

    admin.delete_topics(["_schemas"])["_schemas"].result(20)
    deadline = time.monotonic() + 20
    while "_schemas" in admin.list_topics(timeout=10).topics:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    here(create)
    here(restore)
    assert read_back(address, len(RECORDS)) == RECORDS
    assert len(admin.list_topics("_schemas", timeout=10).topics["_schemas"].partitions) == 1


def read_back(address: str, number: int) -> list[tuple[str, str | None]]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "read-back"})
    consumer.assign([TopicPartition("_schemas", 0, 0)])
    try:
        found = consumer.consume(number, timeout=20)
        return [(one.key().decode(), None if one.value() is None else one.value().decode()) for one in found]
    finally:
        consumer.close()


def test_kafka_tools_accept_the_option_for_the_secure_overlay(tmp_path: Path):
    """The option exists and the overlay mounts its file; the test connects to no server."""
    mounted = {
        mount.split(":")[1] for mount in compose.read(compose.files(["secure"])[1])["services"]["broker"]["volumes"]
    }
    (option,) = re.findall(r"With `--secure`, add this option to every Kafka command:\s+`(--[\w-]+ \S+)`", PAGE)
    flag, _, file = option.partition(" ")
    assert file in mounted
    classes = os.pathsep.join(map(str, [*fetched("kafka-tools"), *cache.paths("kafka")]))
    for main in TOOLS.values():
        done = subprocess.run([java(), "-cp", classes, main, "--help"], capture_output=True, text=True)
        assert re.search(rf"^{flag} <", done.stdout + done.stderr, flags=re.MULTILINE), main


@contextmanager
def postgres(folder: Path, password: str) -> Iterator[dict[str, str]]:
    """Start Debian's server with the image's accounts; yield the environment that a client needs for its socket."""
    server = Path(program("postgresql", "postgres", *map(str, Path("/usr/lib/postgresql").glob("*/bin/postgres"))))
    server = server.resolve()
    # PostgreSQL refuses to run as root.
    account = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    if account:
        os.chown(folder, 65534, 65534)
    (port,) = ports.pick(["postgres"]).values()
    (folder / "password").write_text(password)
    (folder / "password").chmod(0o644)
    arguments = ["--username=stack_admin", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"]
    subprocess.run(
        [server.with_name("initdb"), *arguments, f"--pwfile={folder / 'password'}", folder / "data"],
        cwd=folder,
        check=True,
        capture_output=True,
        **account,
    )
    listening = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", f"port={port}"]
    process = subprocess.Popen(
        [server, "-D", folder / "data", *listening], cwd=folder, stderr=subprocess.DEVNULL, **account
    )
    environment = {"PGHOST": str(folder), "PGPORT": str(port), "PATH": f"{server.parent}:{os.environ['PATH']}"}
    try:
        deadline = time.monotonic() + 30
        while subprocess.run([server.with_name("pg_isready"), "-q"], env=environment).returncode:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield environment
    finally:
        process.kill()
        process.wait()


def test_postgres_is_restored_from_backup(tmp_path: Path):
    with tempfile.TemporaryDirectory(prefix="operations-") as folder, postgres(Path(folder), "admins") as environment:
        roles = subprocess.run(
            ["psql", "--no-psqlrc", "--username=stack_admin", "postgres", "-f", CLONE / "deploy/postgres/roles.sql"],
            env={
                **environment,
                "PGPASSWORD": "admins",
                **mounted(tmp_path, {"PIPELINE_PASSWORD": "p", "AIRFLOW_PASSWORD": "a"}),
            },
            capture_output=True,
            text=True,
        )
        assert roles.returncode == 0, roles.stderr
        (dump,) = commands("pg_dump")
        (restore,) = commands("pg_restore")
        # The commands use no variables beyond those of the container.
        assert set(re.findall(r"\$(\w+)", dump + restore)) <= set(SERVICES["postgres"]["environment"])
        told = {**environment, **mounted(tmp_path, {"POSTGRES_PASSWORD": "admins"})}
        connection = psycopg.connect(
            host=environment["PGHOST"], port=environment["PGPORT"], user="pipeline", password="p", dbname="contracts"
        )
        with connection:
            connection.execute("CREATE TABLE users (id int PRIMARY KEY, name text)")
            connection.execute("INSERT INTO users VALUES (1, 'Ü'), (2, NULL)")
            connection.commit()
            run(dump, tmp_path, **told)
            connection.execute("DELETE FROM users")
            connection.execute("CREATE INDEX later ON users (name)")
            connection.commit()
            run(restore, tmp_path, **told)
            assert connection.execute("SELECT * FROM users ORDER BY id").fetchall() == [(1, "Ü"), (2, None)]
            # The table still belongs to the pipeline.
            connection.execute("ALTER TABLE users ADD COLUMN more text")


def test_cassandra_is_restored_from_backup(tmp_path: Path):
    picked = ports.pick(["cassandra", "cassandra-storage", "jmx"])
    server = Cassandra(Site(tmp_path), picked, Shape())
    server.prepare(None)  # type: ignore[arg-type] - nothing is launched
    data = server._folder / "data" / "data"
    (tmp_path / "restore").mkdir()
    *options, flag, classes, main = server.command()
    # The image's cassandra-env.sh does the same.
    options += [f"-Dcassandra.jmx.local.port={picked['jmx']}", hosts_file(tmp_path, "cassandra")]
    running = Running(tmp_path, [*options, flag, classes, main])
    # JMX finds its server through RMI, which the wheel's Java lacks (`jdk.naming.rmi`).
    jre = program("default-jre-headless", "java")
    tool = [jre, "-XX:TieredStopAtLevel=1", *(word for word in options if word.startswith("--add-"))]
    more = os.pathsep.join([classes, *map(str, fetched("nodetool"))])
    tool += [f"-Dcassandra.storagedir={tmp_path / 'tool'}", flag, more, "org.apache.cassandra.tools.NodeTool"]
    script(tmp_path / "nodetool", *tool, "-h", "127.0.0.1", "-p", str(picked["jmx"]))
    snapshot, clear, load = commands("nodetool")
    pack, unpack = commands("tar")

    def here(command: str) -> None:
        command = command.replace("/var/lib/cassandra/data", str(data)).replace("/tmp/restore", f"{tmp_path}/restore")
        run(command, tmp_path, **base_environment() | {"PATH": f"{tmp_path}:{os.environ['PATH']}"})

    with running.up(lambda: ports.is_open(picked["cassandra"])), session(picked["cassandra"]) as connection:
        connection.execute(
            "CREATE KEYSPACE spark_streams WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
        )
        connection.execute("CREATE TABLE spark_streams.created_users (id int PRIMARY KEY, name text)")
        for number in range(3):
            connection.execute("INSERT INTO spark_streams.created_users (id, name) VALUES (%s, 'Ü')", [number])
        for command in (snapshot, pack, clear):
            here(command)
        assert not list(data.glob("spark_streams/*/snapshots/backup"))
        connection.execute("TRUNCATE spark_streams.created_users")
        # Written after the backup, so it stays.
        connection.execute("INSERT INTO spark_streams.created_users (id, name) VALUES (7, 'later')")
        for command in (unpack, load):
            here(command)
        rows = connection.execute("SELECT id, name FROM spark_streams.created_users")
        assert sorted((row.id, row.name) for row in rows) == [(0, "Ü"), (1, "Ü"), (2, "Ü"), (7, "later")]


@contextmanager
def session(port: int) -> Iterator[Session]:
    """Open a session with a new Cassandra's first account, which appears a moment after the port opens."""
    deadline = time.monotonic() + 60
    while True:
        cluster = Cluster(
            ["127.0.0.1"],
            port=port,
            auth_provider=PlainTextAuthProvider("cassandra", "cassandra"),
            protocol_version=5,
            connect_timeout=20,
            schema_metadata_enabled=False,
            token_metadata_enabled=False,
        )
        try:
            connection = cluster.connect()
            break
        except NoHostAvailable:
            cluster.shutdown()
            assert time.monotonic() < deadline
            time.sleep(0.5)
    connection.default_timeout = 60
    try:
        yield connection
    finally:
        cluster.shutdown()
