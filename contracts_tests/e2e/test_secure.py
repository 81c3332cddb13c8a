"""The big stack: the job passes with an account for each step, other accounts are refused, and topics are replicated.

For its servers that are killed, see test_cluster.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import certifi
import psycopg
import pytest
import requests
from cassandra.cluster import Session
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.stack.security.roles import ROLES
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.big_stack import PARTITIONS, BigStack
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack, run_stack

TOPIC, TABLE = "users_created", "created_users"
BAD = b"no record"


@dataclass
class Secure:
    """The big stack after the job has run.

    Args:
        folder: the folder of the job's checkpoints.
    """

    big: BigStack
    folder: Path

    @property
    def exports(self) -> dict[str, dict[str, str]]:
        return self.big.exports

    @property
    def stack(self) -> RunningStack:
        return self.big.stack

    def run(self, role: str, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m COMMAND` as a role, with changed variables."""
        own = {"CHECKPOINT_DIR": str(self.folder / "checkpoints"), "SPARK_LOG_FILE": str(self.folder / "spark.log")}
        # A local master: the cluster's executors would take as long to start as the driver.
        own |= {"SPARK_SUBMIT_OPTS": self.stack.spark_options, "SPARK_MASTER": "local[4]"}
        own |= {"CONTRACTS_DIR": str(self.big.schemas)}
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=CLONE,
            env={**os.environ, **self.exports[role], **own, **changes},
            capture_output=True,
            text=True,
        )

    def step(self, role: str, *command: str, **changes: str) -> str:
        """Run a command that must succeed, and return what it prints."""
        done = self.run(role, *command, **changes)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def of(self, role: str, **changes: str) -> Settings:
        """Return the settings of a role, with changes."""
        return self.big.settings(role, **changes)


@pytest.fixture(scope="module")
def secure(big_stack: BigStack, tmp_path_factory: pytest.TempPathFactory) -> Secure:
    """The main job, each step as a user runs it, under its own account; its topic also has a bad record."""
    made = Secure(big_stack, tmp_path_factory.mktemp("job"))
    made.step("admin", "contracts", "register")
    producer = Producer({**kafka.client(made.of("producer")), "log_level": 0})
    producer.produce(TOPIC, BAD)
    assert producer.flush(40) == 0
    report = made.folder / "run.json"
    report.write_text(made.step("producer", "producers", "--count", "200", "--json"))
    assert json.loads(report.read_text())["produced"] > 0
    made.step("stream", "streaming", "--available-now", SPARK_MASTER=made.exports["stream"]["SPARK_MASTER"])
    assert "reconciled" in made.step("stream", "streaming", "reconcile", "--run", str(report))
    return made


def read_topic(configured: Settings) -> str:
    """Return what a consumer of the topic gets: a record's topic, or an error."""
    told: list[KafkaError] = []
    consumer = Consumer(
        {**kafka.client(configured), "group.id": "contracts-test", "log_level": 0, "error_cb": told.append}
    )
    try:
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        for _ in range(60):
            message = consumer.poll(0.5)
            # The refused group may be reported first, in either way; it is not what this function tests.
            error = message and message.error()
            if message is not None and (error is None or error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED):
                return error.name() if error else message.topic()
            if others := [error for error in told if error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED]:
                return f"{others[0].name()} {others[0].str()}"
        return "nothing"
    finally:
        consumer.close()


@pytest.fixture(scope="module")
def pipeline(big_stack: BigStack, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return big_stack.pipeline(tmp_path_factory.mktemp("pipeline"))


@contextmanager
def open_client(configured: Settings) -> Iterator[Consumer]:
    client = Consumer({**kafka.client(configured), "group.id": "contracts-test", "log_level": 0})
    try:
        yield client
    finally:
        client.close()


def test_executors_of_the_job_run_on_both_workers_with_private_files(secure: Secure) -> None:
    for worker in ("spark-worker-1", "spark-worker-2"):
        folder = secure.stack.root / worker
        assert list(folder.rglob("executor.log")) != []
        assert folder.stat().st_mode & 0o077 == 0


def test_topic_is_replicated_across_brokers(pipeline: Pipeline) -> None:
    topics, name = Topics(pipeline.of("admin")), pipeline.contract.topic
    state = topics.read([name])[name]
    assert (state.partitions, state.replication_factor) == (PARTITIONS, 3)
    assert topics.setting(name, "min.insync.replicas") == "2"


def test_standalone_master_refuses_python_in_cluster_mode(big_stack: BigStack, pipeline: Pipeline) -> None:
    refused = big_stack.submit(pipeline, "--deploy-mode", "cluster")
    assert refused.returncode != 0
    assert "Cluster deploy mode is currently not supported for python" in refused.stderr


def test_kafka_accepts_only_clients_with_an_account_and_tls(secure: Secure) -> None:
    assert read_topic(secure.of("stream")) == TOPIC
    assert read_topic(secure.of("stream", kafka_sasl_password="wrong")).startswith("_AUTHENTICATION ")
    with open_client(secure.of("stream")) as client:
        assert TOPIC in client.list_topics(timeout=15).topics
    for protocol in ("SSL", "PLAINTEXT"):
        wrong = secure.of("stream", kafka_security_protocol=protocol)
        # The broker closes the connection each time, so the client gets no response.
        with open_client(wrong) as client, pytest.raises(KafkaException, match="_TRANSPORT"):
            client.list_topics(timeout=5)
    assert "certificate verify failed" in read_topic(secure.of("stream", kafka_ssl_ca_file=""))


def test_kafka_limits_each_role_to_its_own_work(secure: Secure) -> None:
    assert read_topic(secure.of("producer")) == "TOPIC_AUTHORIZATION_FAILED"
    assert read_topic(secure.of("admin")) == "TOPIC_AUTHORIZATION_FAILED"
    for role, topic, taken in (
        ("stream", TOPIC, False),
        ("admin", TOPIC, False),
        ("stream", f"{TOPIC}.dlq", True),
        ("producer", f"{TOPIC}.dlq", True),
        ("producer", "orders_placed", True),
    ):
        answers: list[KafkaError | None] = []
        producer = Producer({**kafka.client(secure.of(role)), "message.timeout.ms": 30_000, "log_level": 0})
        producer.produce(topic, b"x", on_delivery=lambda error, _, answers=answers: answers.append(error))
        producer.flush(40)
        told = [error and error.name() for error in answers]
        assert told == [None if taken else "TOPIC_AUTHORIZATION_FAILED"], (role, topic)
    for role in ("producer", "stream"):
        client = AdminClient({**kafka.client(secure.of(role)), "log_level": 0})
        with pytest.raises(KafkaException, match="AUTHORIZATION_FAILED"):
            client.create_topics([NewTopic("mine", 1)])["mine"].result(60)


def test_kafka_controller_requires_the_broker_certificate(secure: Secure) -> None:
    port = json.loads((secure.stack.root / "run" / "ports.json").read_text())["kafka-controller"]
    told: list[KafkaError] = []
    client = AdminClient(
        {
            "bootstrap.servers": f"127.0.0.1:{port}",
            "security.protocol": "SSL",
            "ssl.ca.location": secure.exports["admin"]["KAFKA_SSL_CA_FILE"],
            "log_level": 0,
            "error_cb": told.append,
        }
    )
    with pytest.raises(KafkaException):
        client.list_topics(timeout=5)
    client.poll(1)
    assert any("certificate" in error.str() for error in told), told


def test_registry_requires_an_account_and_lets_only_admin_register(secure: Secure) -> None:
    schema, subject = '{"type": "string"}', f"{TOPIC}-value"
    for role in ROLES:
        assert Registry.from_settings(secure.of(role)).versions(subject) == [1]
    for changes in ({"schema_registry_user": ""}, {"schema_registry_password": "wrong"}):
        with pytest.raises(ServiceError, match="401"):
            Registry.from_settings(secure.of("admin", **changes)).versions(subject)
    for role in ("producer", "stream"):
        registry = Registry.from_settings(secure.of(role))
        for refused in (
            lambda registry=registry: registry.register("mine-value", schema),
            lambda registry=registry: registry.set_level(subject, "NONE"),
            lambda registry=registry: registry.delete(subject),
        ):
            with pytest.raises(ServiceError, match="403"):
                refused()
    with pytest.raises(ServiceError, match="certificate"):
        Registry.from_settings(secure.of("admin", schema_registry_ca_file="")).subjects()
    with pytest.raises(requests.ConnectionError):
        requests.get(secure.exports["admin"]["SCHEMA_REGISTRY_URL"].replace("https", "http"), timeout=15)
    account = (
        secure.exports["producer"]["SCHEMA_REGISTRY_USER"],
        secure.exports["producer"]["SCHEMA_REGISTRY_PASSWORD"],
    )
    own_api = secure.exports["producer"]["SCHEMA_REGISTRY_URL"].replace(
        "/apis/ccompat/v7", "/apis/registry/v3/groups"
    )
    ca_file = secure.exports["producer"]["SCHEMA_REGISTRY_CA_FILE"]
    assert requests.get(own_api, auth=account, verify=ca_file, timeout=15).status_code == 403


def count(session: Session) -> int:
    return session.execute(f"SELECT count(*) FROM spark_streams.{TABLE}").one()[0]


def test_cassandra_shows_rows_only_to_the_stream_role(secure: Secure) -> None:
    with cassandra.connect(secure.of("stream")) as session:
        assert count(session) > 0
    with pytest.raises(ServiceError, match="Unauthorized"), cassandra.connect(secure.of("producer")) as session:
        count(session)
    for changes in ({"cassandra_password": "wrong"}, {"cassandra_username": "", "cassandra_password": ""}):
        refused = pytest.raises(ServiceError, match=r"AuthenticationFailed|Bad credentials|incorrect")
        with refused, cassandra.connect(secure.of("stream", **changes)):
            pass
    with pytest.raises(ServiceError), cassandra.connect(secure.of("stream", cassandra_ca_file="")):
        pass


def test_postgres_shows_rows_only_to_the_stream_role(secure: Secure) -> None:
    with postgres.connect(secure.of("stream")) as connection:
        assert connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone() > (0,)
    dsn = secure.exports["stream"]["POSTGRES_DSN"]
    for other, words in (
        (secure.exports["producer"]["POSTGRES_DSN"], "permission denied"),
        (re.sub(r":\w+@", ":wrong@", dsn), "password authentication failed"),
        (re.sub(r"//.*@", "//", dsn), "no password supplied|does not exist|authentication failed"),
    ):
        with pytest.raises(psycopg.OperationalError, match=words):
            psycopg.connect(other, connect_timeout=15)
    for changes, words in (
        ({"sslmode": "disable"}, "no pg_hba.conf entry .* no encryption"),
        ({"sslrootcert": certifi.where()}, "certificate verify failed"),
    ):
        with pytest.raises(psycopg.OperationalError, match=words):
            psycopg.connect(dsn, connect_timeout=15, **changes)


def test_tail_decodes_records_and_dead_letters_as_the_stream_role_only(secure: Secure) -> None:
    words = ("streaming", "tail", "--json", "--from", "begin")
    shown = [json.loads(line) for line in secure.step("stream", *words, TOPIC).splitlines()]
    ids = [one["value"]["id"] for one in shown if one["value"] is not None]
    assert sorted(ids) == sorted(one["key"]["id"] for one in shown if one["key"] is not None)
    assert len(ids) == json.loads((secure.folder / "run.json").read_text())["produced"]
    assert {one["value"]["email"] for one in shown if one["value"] is not None} == {"***"}
    assert [one["value_undecoded"]["reason"] for one in shown if one["value"] is None] == ["BAD_MAGIC"]
    letters = [json.loads(line) for line in secure.step("stream", *words, f"{TOPIC}.dlq").splitlines()]
    # Other tests send letters of their own, which have no reason.
    assert "BAD_MAGIC" in [one["rejected"]["reason"] for one in letters if one.get("rejected")]
    refused = secure.run("producer", *words, TOPIC, KAFKA_MAX_BLOCK_MS="5000")
    assert refused.returncode == 3, refused.stderr
    assert "uthoriz" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_only_the_replay_role_can_replay_dead_letters(secure: Secure) -> None:
    refused = secure.run("stream", "streaming", "dlq", "replay", KAFKA_MAX_BLOCK_MS="15000")
    assert refused.returncode == 3, refused.stderr
    assert "uthorization failed" in refused.stderr
    assert len(json.loads(secure.step("replay", "streaming", "dlq", "replay", "--json"))["put_back"]) == 1


def test_command_lines_and_logs_contain_no_password(secure: Secure) -> None:
    secrets = json.loads((secure.stack.root / "secrets.json").read_text()).values()
    seen = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    seen += "".join(log.read_text(errors="replace") for log in (secure.stack.root / "logs").glob("*.log"))
    assert not [secret for secret in secrets if secret in seen]


def test_wrong_credentials_end_each_command_with_a_clear_error(secure: Secure) -> None:
    wrong = {"KAFKA_SASL_PASSWORD": "wrong", "KAFKA_MAX_BLOCK_MS": "3000"}
    for command in (("producers", "--count", "1"), ("streaming", "--available-now")):
        done = secure.run("producer", *command, **wrong)
        assert done.returncode == 3, done.stderr
        assert "Traceback" not in done.stderr
        assert "uthentication" in done.stderr


def test_secure_stack_refuses_to_start_airflow(tmp_path: Path) -> None:
    refused = run_stack(tmp_path, "up", "--ports", "auto", "--secure", "--with", "airflow", check=False)
    assert refused.returncode == 2
    assert "leave out --with airflow" in refused.stderr
