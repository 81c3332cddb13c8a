"""The secure overlay's servers, asked by clients that they know, and by others."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import psycopg
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from avro_data_contracts.stack.errors import ServerError
from contracts_tests.compose.project import Project
from contracts_tests.compose.run import Scenario, registry


def refused(scenario: Scenario) -> None:
    """Clients without an account, with a wrong one, or without TLS."""
    project, outside = scenario.project, scenario.project.outside()
    authority = outside["KAFKA_SSL_CA_FILE"]
    with scenario.step("refused clients") as step:
        kafka = {"bootstrap.servers": outside["KAFKA_BOOTSTRAP_SERVERS"], "log_level": 0}
        good = {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": authority,
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "stream",
            "sasl.password": outside["KAFKA_SASL_PASSWORD"],
        }
        checks: dict[str, tuple[Callable[[], bool], bool]] = {
            "Kafka with the stream's account": (lambda: _kafka({**kafka, **good}), True),
            "Kafka without TLS": (lambda: _kafka(kafka), False),
            "Kafka with a wrong password": (lambda: _kafka({**kafka, **good, "sasl.password": "wrong"}), False),
            "the registry with the stream's account": (lambda: bool(scenario.ids()), True),
            "the registry without an account": (lambda: registry(outside, "/subjects", None).ok, False),
            "the registry with a wrong password": (
                lambda: registry(outside, "/subjects", ("stream", "wrong")).ok,
                False,
            ),
            "PostgreSQL with the pipeline's account": (lambda: _postgres(outside["POSTGRES_DSN"]), True),
            "PostgreSQL without TLS": (
                lambda: _postgres(outside["POSTGRES_DSN"].replace("sslmode=verify-full", "sslmode=disable")),
                False,
            ),
            "PostgreSQL, Airflow's database": (
                lambda: _postgres(outside["POSTGRES_DSN"].replace("/contracts?", "/airflow?")),
                False,
            ),
            "Cassandra with the pipeline's account": (
                lambda: _cassandra(project, outside["CASSANDRA_PASSWORD"], authority),
                True,
            ),
            "Cassandra without TLS": (lambda: _cassandra(project, outside["CASSANDRA_PASSWORD"], ""), False),
            "Cassandra with a wrong password": (lambda: _cassandra(project, "wrong", authority), False),
            "Cassandra's well-known account": (
                lambda: _cassandra(project, "cassandra", authority, user="cassandra"),
                False,
            ),
        }
        wrong = [name for name, (opens, expected) in checks.items() if opens() != expected]
        if wrong:
            raise ServerError(f"not as expected: {', '.join(wrong)}", where="secure", fix="see the overlay")
        step.found = f"{sum(not expected for _, expected in checks.values())} refused, 4 accepted"


def _kafka(config: dict[str, str | int]) -> bool:
    try:
        return bool(AdminClient({**config, "socket.timeout.ms": 4000}).list_topics(timeout=6).brokers)
    except KafkaException:
        return False


def _postgres(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=5).close()
        return True
    except psycopg.OperationalError:
        return False


def _cassandra(project: Project, password: str, authority: str, user: str = "pipeline") -> bool:
    context = ssl.create_default_context(cafile=authority) if authority else None
    cluster = Cluster(
        ["127.0.0.1"],
        project.ports["PORT_CASSANDRA"],
        auth_provider=PlainTextAuthProvider(user, password),
        ssl_context=context,
        protocol_version=5,
        connect_timeout=5,
        schema_metadata_enabled=False,
        token_metadata_enabled=False,
    )
    try:
        cluster.connect()
        return True
    except NoHostAvailable:
        return False
    finally:
        cluster.shutdown()
