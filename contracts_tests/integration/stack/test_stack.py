"""The embedded servers report their real state, are unreachable from outside, and recover from kill -9."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
import uuid
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
import requests
from cassandra import Unauthorized
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable
from cassandra.concurrent import execute_concurrent_with_args
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from avro_data_contracts.stack.stack import Stack
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.stack import exports_in

SERVERS = ["kafka", "registry", "cassandra", "postgres", "source"]
ONE_COPY = "{'class': 'SimpleStrategy', 'replication_factor': 1}"


def stack_command(root, *arguments):
    return [sys.executable, "-m", "stack", *arguments, "--dir", str(root)]


def run(root, *arguments):
    return subprocess.run(stack_command(root, *arguments), cwd=CLONE, capture_output=True, text=True, check=False)


def processes_below(folder):
    """Return the pids of all processes that run in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            at = os.readlink(entry / "cwd")
        except OSError:
            continue
        if at == str(folder) or at.startswith(f"{folder}/"):
            found.append(int(entry.name))
    return found


@contextmanager
def cassandra(exports, username="", password=""):
    host, _, port = exports["CASSANDRA_HOSTS"].partition(":")
    account = PlainTextAuthProvider(
        username or exports["CASSANDRA_USERNAME"], password or exports["CASSANDRA_PASSWORD"]
    )
    cluster = Cluster([host], port=int(port), auth_provider=account, protocol_version=5, connect_timeout=15)
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()


def test_status_lists_every_server_with_its_address(stack):
    status = stack.status
    assert list(status) == SERVERS
    for row in status.values():
        assert set(row) == {"name", "address", "pid", "ready", "version", "log"}
        assert row["ready"] is True
        assert Path(row["log"]).is_file()
        os.kill(row["pid"], 0)


def test_status_versions_match_the_servers(stack):
    status, exports = stack.status, stack.exports
    with psycopg.connect(exports["POSTGRES_DSN"]) as connection:
        assert connection.info.parameter_status("server_version").startswith(status["postgres"]["version"])
    with cassandra(exports) as session:
        assert session.execute("SELECT release_version FROM system.local").one()[0] == status["cassandra"]["version"]
    system = exports["SCHEMA_REGISTRY_URL"].replace("/apis/ccompat/v7", "/apis/registry/v3/system/info")
    assert requests.get(system, timeout=10).json()["version"] == status["registry"]["version"]


def test_env_prints_every_variable_in_shell_syntax(stack):
    wanted = [
        "KAFKA_BOOTSTRAP_SERVERS SCHEMA_REGISTRY_URL CASSANDRA_HOSTS CASSANDRA_USERNAME CASSANDRA_PASSWORD",
        "POSTGRES_DSN DATASOURCE_URL DATASOURCE_DEFAULT_URL JAVA_HOME SPARK_JARS SPARK_SUBMIT_OPTS",
    ]
    names = " ".join(wanted).split()
    lines = stack.run("env").stdout
    script = lines + "".join(f'printf "%s\\n" "${name}"\n' for name in names)
    values = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, check=True, env={})
    printed = dict(zip(names, values.stdout.splitlines(), strict=True))
    assert printed == exports_in(lines)
    # The archive of Spark's classes, which these options name, comes into being when the first stream has ended.
    of_spark = "SPARK_SUBMIT_OPTS"
    assert printed | {of_spark: ""} == stack.exports | {of_spark: ""}
    assert re.fullmatch(r"127\.0\.0\.1:\d+", stack.exports["CASSANDRA_HOSTS"])
    assert re.fullmatch(r"postgresql://pipeline:\w+@127\.0\.0\.1:\d+/contracts", stack.exports["POSTGRES_DSN"])
    assert all(Path(jar).is_file() for jar in stack.exports["SPARK_JARS"].split(","))


def test_second_up_changes_nothing_and_says_so(stack):
    before = stack.status
    again = stack.run("up")
    assert "already up" in again.stderr
    assert stack.status == before


def listening_addresses(pids):
    """Return (address, port) of every TCP socket that the processes listen on, and of their UDP sockets."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(os.readlink(descriptor))
            except FileNotFoundError:
                continue
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in inodes and (fields[3] == "0A" or table.startswith("udp")):
                packed, _, port = fields[1].partition(":")
                # The kernel prints each 32-bit word of an address in the machine's byte order.
                words = [int(packed[at : at + 8], 16) for at in range(0, len(packed), 8)]
                address = struct.pack(f"={len(words)}I", *words)
                family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
                found.add((socket.inet_ntop(family, address), int(port, 16)))
    return found


def test_servers_listen_only_on_loopback_addresses(stack):
    pids = processes_below(stack.root.resolve())
    assert set(pids) >= {row["pid"] for row in stack.status.values()}
    listening = listening_addresses(pids)
    servers = Stack.at(stack.root).servers
    assert {port for _, port in listening} >= {one.ports[name] for one in servers for name in one.port_names}
    assert {address for address, _ in listening} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_passwords_are_in_one_file_that_only_its_owner_can_read(stack):
    file = stack.root / "secrets.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secrets = json.loads(file.read_text())
    assert len(set(secrets.values())) == len(secrets) > 0
    seen = [Path(f"/proc/{pid}/cmdline").read_text() for pid in processes_below(stack.root.resolve())]
    seen += [log.read_text(errors="replace") for log in (stack.root / "logs").rglob("*") if log.is_file()]
    for secret in secrets.values():
        assert not any(secret in text for text in seen)
    assert stat.S_IMODE((stack.root / "logs").stat().st_mode) == 0o700


def test_well_known_accounts_cannot_log_in(stack):
    exports = stack.exports
    with pytest.raises(NoHostAvailable, match="incorrect"), cassandra(exports, "cassandra", "cassandra"):
        pass
    for user, password in (("postgres", "postgres"), ("stack_admin", ""), ("pipeline", "pipeline")):
        dsn = re.sub(r"//.*@", f"//{user}:{password}@", exports["POSTGRES_DSN"])
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(dsn)


def test_pipeline_account_can_do_its_work_but_not_administer(stack):
    exports = stack.exports
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(exports["POSTGRES_DSN"], autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {name} (a int)")
        connection.execute(f"DROP TABLE {name}")
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE ROLE mallory SUPERUSER")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(exports["POSTGRES_DSN"].replace("/contracts", "/registry"))
    with cassandra(exports) as session:
        session.execute(f"CREATE KEYSPACE {name} WITH replication = {ONE_COPY}")
        session.execute(f"CREATE TABLE {name}.t (a int PRIMARY KEY)")
        session.execute(f"INSERT INTO {name}.t (a) VALUES (1)")
        session.execute(f"DROP KEYSPACE {name}")
        with pytest.raises(Unauthorized):
            session.execute("CREATE ROLE mallory WITH SUPERUSER = true AND LOGIN = true")


def test_kafka_does_not_create_topics_automatically(stack):
    client = AdminClient({"bootstrap.servers": stack.exports["KAFKA_BOOTSTRAP_SERVERS"]})
    name = f"absent-{uuid.uuid4()}"
    client.list_topics(name, timeout=10)
    assert name not in client.list_topics(timeout=10).topics


def test_registry_refuses_incompatible_schema_by_default(stack):
    url, subject = stack.exports["SCHEMA_REGISTRY_URL"], f"s-{uuid.uuid4()}"
    versions = f"{url}/subjects/{subject}/versions"
    assert requests.post(versions, json={"schema": '"int"'}, timeout=10).status_code == 200
    assert requests.post(versions, json={"schema": '"string"'}, timeout=10).status_code == 409


class Written:
    """Data written to each server, and a check that it is still there."""

    rows = 3000

    def __init__(self, exports):
        self.exports = exports
        self.name = f"kept{uuid.uuid4().hex}"
        self._kafka()
        self.schema_id = self._registry()
        with psycopg.connect(exports["POSTGRES_DSN"]) as connection:
            connection.execute(f"CREATE TABLE {self.name} (a text)")
            connection.execute(f"INSERT INTO {self.name} VALUES ('Ünï 名')")
        self._cassandra()

    def _kafka(self):
        servers = {"bootstrap.servers": self.exports["KAFKA_BOOTSTRAP_SERVERS"]}
        client = AdminClient(servers)
        client.create_topics([NewTopic(self.name, 1, 1)])[self.name].result(30)
        producer = Producer({**servers, "acks": "all"})
        producer.produce(self.name, b"value", b"key")
        assert producer.flush(30) == 0

    def _registry(self):
        url = f"{self.exports['SCHEMA_REGISTRY_URL']}/subjects/{self.name}-value/versions"
        return requests.post(url, json={"schema": '{"type":"fixed","name":"F","size":7}'}, timeout=10).json()["id"]

    def _cassandra(self):
        """With Cassandra's default commit log, which waits up to 10 s, a kill loses dozens of these rows."""
        with cassandra(self.exports) as session:
            session.execute(f"CREATE KEYSPACE {self.name} WITH replication = {ONE_COPY}")
            session.execute(f"CREATE TABLE {self.name}.t (a int PRIMARY KEY, b text)")
            insert = session.prepare(f"INSERT INTO {self.name}.t (a, b) VALUES (?, 'Ünï 名')")
            rows = [(number,) for number in range(self.rows)]
            acknowledged = [done for done, _ in execute_concurrent_with_args(session, insert, rows, concurrency=100)]
            assert all(acknowledged)
            time.sleep(0.1)  # the stream waits as long, see ADR 7

    def check(self):
        with closing(
            Consumer({"bootstrap.servers": self.exports["KAFKA_BOOTSTRAP_SERVERS"], "group.id": self.name})
        ) as consumer:
            consumer.assign([TopicPartition(self.name, 0, 0)])
            message = consumer.poll(30)
            assert message is not None
            assert message.error() is None
            assert (message.key(), message.value()) == (b"key", b"value")
        answer = requests.get(
            f"{self.exports['SCHEMA_REGISTRY_URL']}/schemas/ids/{self.schema_id}", timeout=10
        ).json()
        assert json.loads(answer["schema"])["size"] == 7
        with cassandra(self.exports) as session:
            kept = {(row.a, row.b) for row in session.execute(f"SELECT a, b FROM {self.name}.t")}
            assert kept == {(number, "Ünï 名") for number in range(self.rows)}
            session.execute(f"DROP KEYSPACE {self.name}")
        with psycopg.connect(self.exports["POSTGRES_DSN"]) as connection:
            assert connection.execute(f"SELECT a FROM {self.name}").fetchone() == ("Ünï 名",)
        assert requests.get(self.exports["DATASOURCE_URL"], params={"results": 2}, timeout=10).json()["results"]


# The registry while PostgreSQL, where its data is, keeps running, and the other way round; then all at once. Nothing
# else depends on another server.
@pytest.mark.parametrize(
    "killed",
    [["registry", "source"], ["postgres"], SERVERS],
    ids=lambda names: "-".join(names),
)
def test_up_restores_killed_servers_and_their_data(private, killed):
    before = private.status
    written = Written(private.exports)
    for name in killed:
        os.kill(before[name]["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(row["ready"] for name, row in private.status.items() if name in killed):
        assert time.monotonic() < deadline
    private.run("up")
    after = private.status
    for name in SERVERS:
        assert after[name]["ready"]
        assert after[name]["address"] == before[name]["address"]
        assert (after[name]["pid"] != before[name]["pid"]) == (name in killed)
    written.check()


def test_down_stops_every_process_and_keeps_the_data(tmp_path):
    root = tmp_path / "a stack"
    try:
        assert run(root, "up", "--ports", "auto", "--only", "postgres", "source").returncode == 0
        secrets = json.loads((root / "secrets.json").read_text())
        port = json.loads((root / "run" / "ports.json").read_text())["postgres"]
        admin = {
            "host": "127.0.0.1",
            "user": "stack_admin",
            "password": secrets["postgres-admin"],
            "dbname": "contracts",
        }
        with psycopg.connect(port=port, **admin) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS a")
        assert run(root, "down").returncode == 0
        assert processes_below(root) == []
        again = run(root, "down")
        assert again.returncode == 0
        assert "no server was running" in again.stderr
        env = run(root, "env")
        assert env.returncode == 3
        assert "make up" in env.stderr
        assert env.stdout == ""
        assert run(root, "up", "--ports", "auto", "--only", "postgres").returncode == 0
        port = json.loads((root / "run" / "ports.json").read_text())["postgres"]
        with psycopg.connect(port=port, **admin) as connection:
            assert connection.execute("SELECT a FROM kept").fetchone() == (7,)
    finally:
        run(root, "down")


def test_up_names_a_taken_port_and_its_holder(tmp_path):
    with closing(socket.socket()) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", 18000))
            holder.listen()
            ours = True
        except OSError:  # a stack on the documented ports holds it, which works as well
            ours = False
        refused = run(tmp_path, "up", "--ports", "fixed", "--only", "source")
    assert refused.returncode == 3
    assert "port 18000" in refused.stderr
    assert "--ports auto" in refused.stderr
    if ours:
        assert f"(pid {os.getpid()})" in refused.stderr
    assert processes_below(tmp_path) == []


def test_failing_server_shows_its_log_and_stops_the_others(tmp_path):
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    refused = run(tmp_path, "up", "--ports", "auto", "--only", "postgres", "source")
    assert refused.returncode == 3
    assert "postgres 127.0.0.1:" in refused.stderr
    assert "  | postgres: could not" in refused.stderr
    assert str(tmp_path / "logs" / "postgres.log") in refused.stderr
    assert processes_below(tmp_path) == []
    assert not any(row["ready"] for row in json.loads(run(tmp_path, "status", "--json").stdout))


@pytest.mark.parametrize(
    ("number", "servers"),
    [(signal.SIGINT, ["kafka", "postgres", "cassandra"]), (signal.SIGTERM, ["postgres", "cassandra"])],
    ids=["SIGINT", "SIGTERM"],
)
def test_interrupted_up_leaves_no_process(tmp_path, number, servers):
    command = stack_command(tmp_path, "up", "--ports", "auto", "--only", *servers)
    starting = subprocess.Popen(command, cwd=CLONE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not processes_below(tmp_path / "cassandra"):
        assert time.monotonic() < deadline
        assert starting.poll() is None
    starting.send_signal(number)
    _, said = starting.communicate(timeout=60)
    assert starting.returncode == 130
    assert "Traceback" not in said
    assert processes_below(tmp_path) == []


def test_concurrent_ups_start_one_stack(tmp_path):
    command = stack_command(tmp_path, "up", "--ports", "auto", "--only", "postgres", "source")
    try:
        both = [subprocess.Popen(command, cwd=CLONE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [one.communicate(timeout=120)[1] for one in both]
        assert [one.returncode for one in both] == [0, 0], said
        assert sum("already up" in text for text in said) == 1
        assert sum(bool(re.search(r"^source +1\.4 +ready", text, flags=re.M)) for text in said) == 1
    finally:
        run(tmp_path, "down")
    assert processes_below(tmp_path) == []


def test_source_still_replays_recording_after_a_kill(tmp_path):
    root, recorded = tmp_path / "stack", tmp_path / "recorded"

    def emails():
        row = next(row for row in json.loads(run(root, "status", "--json").stdout) if row["name"] == "source")
        answer = requests.get(row["address"], params={"results": 3}, timeout=10)
        return {user["email"] for user in answer.json()["results"]}, row["pid"], answer.text

    try:
        assert run(root, "up", "--ports", "auto", "--only", "source").returncode == 0
        generated, first, text = emails()
        recorded.mkdir()
        (recorded / "001.json").write_text(text)
        assert "restarting source" in run(root, "up", "--only", "source", "--replay", str(recorded)).stderr
        replayed, second, _ = emails()
        assert replayed == generated
        assert second != first
        os.kill(second, signal.SIGKILL)
        assert run(root, "up", "--only", "source").returncode == 0
        assert emails()[0] == generated
        refused = run(root, "up", "--replay", str(tmp_path / "absent"))
        assert (refused.returncode, "--replay" in refused.stderr) == (2, True)
    finally:
        run(root, "down")


def test_full_log_is_rotated_without_losing_lines(tmp_path):
    try:
        assert run(tmp_path, "up", "--ports", "auto", "--only", "postgres").returncode == 0
        stack = Stack.at(tmp_path)
        with psycopg.connect(
            stack.exports()["POSTGRES_DSN"]
            .replace("pipeline", "stack_admin")
            .replace(stack.site.secrets()["postgres-pipeline"], stack.site.secrets()["postgres-admin"])
        ) as connection:
            connection.execute(f"DO $$ BEGIN FOR i IN 1..25000 LOOP RAISE LOG '% {'x' * 1000}', i; END LOOP; END $$")
            connection.execute("DO $$ BEGIN RAISE LOG 'the last one'; END $$")
        log = stack.site.log("postgres")
        deadline = time.monotonic() + 30
        while "the last one" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        older = [log.with_name(f"postgres.log.{number}") for number in (1, 2)]
        assert [path.stat().st_size > 9_900_000 for path in older] == [True, True]
        told = "".join(path.read_text() for path in (*reversed(older), log))
        assert [int(number) for number in re.findall(r"LOG:  (\d+) x", told)] == list(range(1, 25001))
    finally:
        run(tmp_path, "down")
    assert processes_below(tmp_path) == []


def test_registry_log_has_valid_dates(stack):
    text = (stack.root / "logs" / "registry.log").read_text()
    dates = re.findall(r"^(\S+) INFO ", text, flags=re.M)
    assert len(dates) > 5
    now = dt.datetime.now(dt.UTC)
    assert all(dt.timedelta(0) <= now - dt.datetime.fromisoformat(date) < dt.timedelta(days=1) for date in dates)


def test_logs_prints_the_end_of_a_log(stack):
    assert "Kafka" in stack.run("logs", "kafka", "-n", "200").stdout


def test_unknown_server_name_is_a_usage_error(tmp_path):
    refused = run(tmp_path, "up", "--only", "zookeeper")
    assert refused.returncode == 2
    assert "valid names: kafka" in refused.stderr


def test_console_is_a_server_of_the_stack(stack):
    started = run(stack.root, "up", "--with", "console")
    try:
        assert started.returncode == 0, started.stderr
        row = stack.status["console"]
        assert row["ready"] is True
        told = run(stack.root, "status").stdout
        file = stack.root / "console" / "accounts.json"
        assert f"The console is at {row['address']}. Sign in as viewer or operator" in told
        assert str(file) in told
        passwords = json.loads(file.read_text())
        assert not any(password in told + started.stderr for password in passwords.values())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with requests.Session() as session:
            session.trust_env = False
            form = {"name": "viewer", "password": passwords["viewer"]}
            done = session.post(f"{row['address']}/login", form, headers={"Origin": row["address"]}, timeout=30)
            assert "users_created" in done.text
            deadline = time.monotonic() + 60
            while (found := session.get(f"{row['address']}/live.json", timeout=30).json())["state"] != "ok":
                assert time.monotonic() < deadline, found
                time.sleep(0.3)
            assert {one["name"] for one in found["servers"]} == {"kafka", "registry", "cassandra", "postgres"}
        os.kill(row["pid"], signal.SIGKILL)
        assert run(stack.root, "up").returncode == 0, "it comes again, where it was"
        assert stack.status["console"]["address"] == row["address"]
    finally:
        stopped = run(stack.root, "down", "--only", "console")
    assert stopped.returncode == 0, stopped.stderr
    assert list(stack.status) == SERVERS
