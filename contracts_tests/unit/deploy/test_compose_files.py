"""docker-compose.yml and its overlays: valid, pinned, reachable only locally, and complete."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from avro_data_contracts.console import accounts
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.deploy import compose
from avro_data_contracts.stack.jars.pins import image_versions
from avro_data_contracts.stack.servers import cassandra, postgres
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.compose_files import merged
from contracts_tests.fixtures.confluent_images import properties, property_name

SCHEMA = json.loads((CLONE / "contracts_tests" / "vendored" / "compose-spec.json").read_text())
BASE, ZOOKEEPER, SECURE = compose.files(tuple(compose.OVERLAYS))
PASSWORD = re.compile(r"PASSWORD|SECRET|FERNET|_KEY$")
OURS = "avro-data-contracts/"
# Programs that a health check may call in each image, according to its Dockerfile or that of its base image.
PROGRAMS = {
    "confluentinc/cp-server": {"ub"},
    "confluentinc/cp-schema-registry": {"ub", "bash"},
    "confluentinc/cp-enterprise-control-center-next-gen": {"ub", "bash"},
    "confluentinc/cp-enterprise-prometheus": {"bash"},
    "confluentinc/cp-enterprise-alertmanager": {"bash"},
    "cassandra": {"bash"},
    "postgres": {"pg_isready"},
    "avro-data-contracts/spark": {"python"},
    "avro-data-contracts/pipeline": {"python"},
    "avro-data-contracts/airflow": {"python", "airflow"},
}
# Folders that the images declare as volumes, according to their Dockerfiles.
DECLARED = {
    "confluentinc/cp-server": {"/var/lib/kafka/data", "/etc/kafka/secrets"},
    "confluentinc/cp-schema-registry": {"/etc/schema-registry/secrets"},
    "confluentinc/cp-zookeeper": {"/var/lib/zookeeper/data", "/var/lib/zookeeper/log", "/etc/zookeeper/secrets"},
    "cassandra": {"/var/lib/cassandra"},
    "postgres": {"/var/lib/postgresql"},
}
# The 7.9 images have an older Python tool with the same commands.
PROGRAMS_OF_7_9 = {"cub"}
# Settings in the documentation of Confluent's registry. It silently ignores any other.
REGISTRY_SETTINGS = {
    *("host.name", "listeners", "inter.instance.protocol", "schema.compatibility.level"),
    *("ssl.keystore.type", "ssl.keystore.location", "ssl.truststore.type", "ssl.truststore.location"),
    *("authentication.method", "authentication.realm", "authentication.roles"),
    *("kafkastore.bootstrap.servers", "kafkastore.topic.replication.factor", "kafkastore.security.protocol"),
    *("kafkastore.sasl.mechanism", "kafkastore.sasl.jaas.config"),
    *("kafkastore.ssl.truststore.type", "kafkastore.ssl.truststore.location"),
}
# Its start script reads these; as properties they are harmless.
NOT_REGISTRY_SETTINGS = {"heap.opts", "opts"}


@cache
def named_volumes(overlay: str) -> set[str]:
    return {name for path in compose.files([overlay] if overlay else []) for name in compose.read(path)["volumes"]}


SERVICES = [(overlay, name) for overlay in ("", "zookeeper", "secure") for name in merged(*filter(None, [overlay]))]


def service(overlay: str, name: str) -> dict[str, Any]:
    return merged(*filter(None, [overlay]))[name]


@pytest.mark.parametrize("path", [BASE, ZOOKEEPER, SECURE], ids=lambda path: path.name)
def test_file_follows_the_compose_specification(path: Path):
    jsonschema.Draft7Validator(SCHEMA).validate(compose.read(path))


@pytest.mark.parametrize("overlay", ["", "zookeeper", "secure"])
def test_docker_compose_accepts_the_files(overlay: str):
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("`docker compose` is not installed")
    paths = compose.files([overlay] if overlay else [])
    environment = {name: "0123456789" for name in compose.wanted_variables(paths)} | {
        "PATH": "/usr/bin:/usr/local/bin"
    }
    named = [word for path in paths for word in ("--file", path.name)]
    done = subprocess.run(
        ["docker", "compose", *named, "--profile", "*", "config", "--quiet"],
        cwd=CLONE,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_every_image_is_pinned_in_one_place():
    for path, pins in (
        (BASE, image_versions()),
        (SECURE, image_versions()),
        (ZOOKEEPER, image_versions(zookeeper=True)),
    ):
        for name, keys in compose.read(path)["services"].items():
            image = keys.get("image", f"{OURS}x")
            if not image.startswith(OURS):
                repository, _, tag = image.partition(":")
                assert pins.get(repository) == tag, f"{path.name} {name}: {image}; the pins are in stack/pins.toml"
            elif "build" in keys:
                assert keys["build"]["dockerfile"] == "deploy/Dockerfile"
                assert keys["build"]["target"] == image.removeprefix(OURS)
    assert f"ARG PYTHON={image_versions()['python']}\n" in (CLONE / "deploy" / "Dockerfile").read_text()
    used = {keys["image"].partition(":")[0] for keys in merged().values()}
    assert set(image_versions()) - {"python"} <= used


@pytest.mark.parametrize("overlay", ["", "zookeeper", "secure"])
def test_one_service_of_each_image_builds_it(overlay: str):
    """Each build labels the image with its service's name: with two, every `up` would make the containers again."""
    everything = merged(*filter(None, [overlay]))
    builders = {name: keys["image"] for name, keys in everything.items() if "build" in keys}
    ours = {keys["image"] for keys in everything.values() if keys["image"].startswith(OURS)}
    assert sorted(builders.values()) == sorted(ours)
    # `up SERVICE` builds what the service depends on.
    for name in ("producer", "stream", "console", "spark-worker", "airflow-scheduler"):
        assert any(
            everything[other]["image"] == everything[name]["image"] and other in builders
            for other in everything[name]["depends_on"]
        ), name


@pytest.mark.parametrize(("overlay", "name"), SERVICES)
def test_service_runs_without_privileges_and_within_limits(overlay: str, name: str):
    keys = service(overlay, name)
    assert "no-new-privileges:true" in keys["security_opt"]
    assert keys["cap_drop"] == ["ALL"]
    assert "privileged" not in keys
    assert keys["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert 0 < compose.in_bytes(keys["mem_reservation"]) <= compose.in_bytes(keys["mem_limit"])
    assert "container_name" not in keys
    assert keys["restart"] in ("no", "always")
    if (overlay, name) == ("secure", "certificates"):
        # Runs as root to hand out keys, so it has no network and only three capabilities.
        assert keys["network_mode"] == "none"
        assert set(keys["cap_add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER"}
        assert keys["read_only"]
        return
    assert keys["user"].partition(":")[0] not in ("", "0", "root")
    assert keys["networks"] == ["pipeline"]
    assert "cap_add" not in keys


@pytest.mark.parametrize(("overlay", "name"), SERVICES)
def test_ports_are_published_only_on_loopback(overlay: str, name: str):
    for port in service(overlay, name).get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{PORT_[A-Z_]+:-\d+\}:\d+", port), port


@pytest.mark.parametrize("overlay", ["", "zookeeper", "secure"])
def test_no_two_services_publish_the_same_port(overlay: str):
    found = compose.ports(compose.files([overlay] if overlay else []), {}, ["producer", "stream", "console"])
    assert len({port.number for port in found}) == len(found)


@pytest.mark.parametrize(("overlay", "name"), SERVICES)
def test_every_dependency_can_reach_its_condition(overlay: str, name: str):
    everything = merged(*filter(None, [overlay]))
    for other, how in everything[name].get("depends_on", {}).items():
        assert not everything[other].get("profiles"), f"{other} starts only with a profile"
        if how["condition"] == "service_healthy":
            assert everything[other]["healthcheck"]["test"], other
        else:
            assert how["condition"] == "service_completed_successfully"
            assert everything[other]["restart"] == "no", f"{other} never ends"


@pytest.mark.parametrize(("overlay", "name"), SERVICES)
def test_health_check_uses_a_program_of_the_image(overlay: str, name: str):
    keys = service(overlay, name)
    if keys["restart"] == "no":
        assert "healthcheck" not in keys
        return
    kind, program, *_ = keys["healthcheck"]["test"]
    repository, _, tag = keys["image"].partition(":")
    assert kind == "CMD"
    assert program in (PROGRAMS_OF_7_9 if tag.startswith("7.9") else PROGRAMS[repository])


def test_producer_stream_and_airflow_wait_for_the_schemas():
    for name in ("producer", "stream", "console", "airflow-api-server", "airflow-scheduler", "airflow-triggerer"):
        assert merged()[name]["depends_on"]["register-schemas"] == {"condition": "service_completed_successfully"}
    assert merged()["producer"]["profiles"] == ["producer"]
    assert merged()["stream"]["profiles"] == ["stream"]
    assert merged()["console"]["profiles"] == ["console"]
    assert not {"container_name", "ports", "hostname"} & set(merged()["spark-worker"])


def test_console_answers_to_the_port_that_is_published():
    keys = merged()["console"]
    [published] = keys["ports"]
    assert published == "127.0.0.1:${PORT_CONSOLE:-18088}:18088"
    assert keys["command"] == ["console", "--port", "18088", "--published", "${PORT_CONSOLE:-18088}"]
    assert keys["read_only"]
    assert {f"{accounts.variable(role)}_FILE" for role in accounts.Role} <= keys["environment"].keys()
    assert "http://127.0.0.1:18088/login" in keys["healthcheck"]["test"][-1]


@pytest.mark.parametrize("path", [BASE, ZOOKEEPER, SECURE], ids=lambda path: path.name)
def test_no_file_contains_a_password(path: Path):
    for name, keys in compose.read(path)["services"].items():
        for variable, value in (keys.get("environment") or {}).items():
            if PASSWORD.search(variable) and not variable.endswith(("_FILE", "_CMD", "KEY_PASSWORD_LOCATION")):
                assert value == "unused" or re.search(r"\$\{\w+:(\?make compose-env|-\})", str(value)), (
                    f"{name} {variable}"
                )
    # Every required variable says what to do, and none has a name that the embedded stack reads (Makefile).
    text = path.read_text()
    for variable in compose.wanted_variables([path]):
        assert variable.startswith("DEPLOY_")
        in_file = variable in compose.secrets([path])
        assert in_file or f"${{{variable}:?make compose-env writes it to .env}}" in text


#: Confluent's images take every setting from a variable.
IN_ENVIRONMENT = {
    "broker": {"DEPLOY_KAFKA_CLUSTER_ID"},
    "schema-registry": {"DEPLOY_KAFKA_SCHEMA_REGISTRY_PASSWORD"},
    "control-center": {"DEPLOY_KAFKA_CONTROL_CENTER_PASSWORD", "DEPLOY_REGISTRY_CONTROL_CENTER_PASSWORD"},
}


@pytest.mark.parametrize(("overlay", "name"), SERVICES)
def test_service_has_the_passwords_that_it_reads_as_files(overlay: str, name: str):
    paths = compose.files([overlay] if overlay else [])
    keys = service(overlay, name)
    text = json.dumps({key: value for key, value in keys.items() if key != "secrets"})
    assert set(re.findall(r"/run/secrets/(\w+)", text)) == set(keys.get("secrets") or ())
    assert set(keys.get("secrets") or ()) <= set(compose.secrets(paths))
    in_environment = set(re.findall(r"\$\{(DEPLOY_\w+)", text)) & set(compose.wanted_variables(paths))
    assert in_environment <= IN_ENVIRONMENT.get(name, set())


@pytest.mark.parametrize(("overlay", "name"), SERVICES)
def test_every_mount_source_exists(overlay: str, name: str):
    volumes = named_volumes(overlay)
    for mount in service(overlay, name).get("volumes", ()):
        source, target, *_ = mount.split(":")
        assert target.startswith("/")
        if source.startswith("./"):
            assert mount.endswith(":ro"), mount
            assert source == "./.certs" or (CLONE / source).exists(), source
        else:
            assert source in volumes, source


@pytest.mark.parametrize(("overlay", "name"), SERVICES)
def test_every_folder_that_the_image_declares_is_mounted(overlay: str, name: str):
    """Docker makes a nameless volume for the others, and each `compose-down` leaves one more behind."""
    keys = service(overlay, name)
    mounted = {mount.split(":")[1] for mount in keys.get("volumes", ())}
    mounted |= {mount.split(":")[0] for mount in keys.get("tmpfs", ())}
    assert DECLARED.get(keys["image"].partition(":")[0], set()) <= mounted


@pytest.mark.parametrize(("overlay", "broker"), [("", "broker:29092"), ("secure", "broker:29094")])
def test_our_services_get_only_known_settings_and_the_right_broker(overlay: str, broker: str):
    others = {"AIRFLOW_ADMIN_PASSWORD", "AIRFLOW_DATABASE_PASSWORD", "AIRFLOW_CONN_SMTP_DEFAULT", "TMPDIR"}
    others |= {"ALERT_EMAIL_TO", "ALERT_EMAIL_FROM", "ALERT_WEBHOOK_URL", *map(accounts.variable, accounts.Role)}
    for name, keys in merged(*filter(None, [overlay])).items():
        # This service creates the accounts, so it gets all passwords.
        ours = keys["image"] in (f"{OURS}pipeline", f"{OURS}airflow") and name != "kafka-roles"
        if not ours or "environment" not in keys:
            continue
        for variable in set(keys["environment"]) - others - {f"{name}_FILE" for name in others}:
            setting = variable.lower()
            secret = setting.removesuffix("_file")
            known = setting in Settings.model_fields or (secret in Settings.model_fields and secret != setting)
            assert variable.startswith("AIRFLOW__") or known, f"{name}: {variable}"
        assert keys["environment"]["KAFKA_BOOTSTRAP_SERVERS"] == broker


@pytest.mark.parametrize("overlay", ["", "secure"])
def test_airflow_image_has_both_drivers_for_its_database(overlay: str):
    told = service(overlay, "airflow-scheduler")["environment"]
    name = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    assert told[f"{name}_CMD"].startswith("airflow-database-url postgresql+psycopg2://airflow@")
    assert told[f"{name}_ASYNC_CMD"] == told[f"{name}_CMD"].replace("psycopg2", "psycopg_async")
    locked = (CLONE / "deploy" / "airflow.lock").read_text()
    assert "\npsycopg2-binary==" in locked
    assert "\npsycopg==" in locked


def test_settings_pass_the_startup_checks_of_the_images():
    """The start scripts of cp-server and cp-schema-registry refuse other combinations."""
    for overlay in ("", "secure"):
        broker, registry = (service(overlay, name)["environment"] for name in ("broker", "schema-registry"))
        assert {"KAFKA_PROCESS_ROLES", "CLUSTER_ID", "KAFKA_ADVERTISED_LISTENERS"} <= set(broker)
        assert not {"KAFKA_PORT", "KAFKA_HOST", "KAFKA_ADVERTISED_HOST", "KAFKA_ADVERTISED_PORT"} & set(broker)
        # From these, the scripts conclude that there are Java key stores with password files.
        assert "SSL://" not in broker["KAFKA_ADVERTISED_LISTENERS"]
        assert not re.search(r"SASL_.*://", broker["KAFKA_ADVERTISED_LISTENERS"])
        assert not re.search(r"CONTROLLER:(SSL|SASL_SSL)", broker["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"])
        assert {"SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_HOST_NAME"} <= set(registry)
        assert "SCHEMA_REGISTRY_PORT" not in registry
    # The overlay replaces the environment of the base file instead of adding to it.
    with_zookeeper = compose.read(ZOOKEEPER)["services"]["broker"]["environment"]
    assert "environment: !override\n      KAFKA_HEAP_OPTS" in ZOOKEEPER.read_text()
    assert not any(
        name.startswith(("KAFKA_PROCESS_ROLES", "KAFKA_CONTROLLER", "CLUSTER_ID")) for name in with_zookeeper
    )


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("NODE_ID", "node.id"),
        ("A__B_C", "a_b.c"),
        (
            "LISTENER_NAME_CLIENT_SCRAM___SHA___512_SASL_JAAS_CONFIG",
            "listener.name.client.scram-sha-512.sasl.jaas.config",
        ),
        ("CONFLUENT_TELEMETRY_EXPORTER_C3PLUSPLUS_TYPE", "confluent.telemetry.exporter.c3plusplus.type"),
    ],
)
def test_property_name_is_derived_from_the_variable(variable: str, name: str):
    assert property_name(variable) == name


@pytest.mark.parametrize("overlay", ["", "zookeeper", "secure"])
def test_registry_gets_only_settings_that_it_knows(overlay: str):
    made = properties(service(overlay, "schema-registry")["environment"], "SCHEMA_REGISTRY_")
    assert set(made) - NOT_REGISTRY_SETTINGS <= REGISTRY_SETTINGS
    assert made["listeners"].startswith("https" if overlay == "secure" else "http:")
    realm = (CLONE / "deploy" / "secure" / "registry-jaas.conf").read_text().partition(" ")[0]
    assert made.get("authentication.realm", realm) == realm


def test_tmpfs_mounts_let_java_load_native_code():
    """Kafka's clients and Spark unpack native code for compression from their jars."""
    for overlay in ("", "secure"):
        for name, keys in merged(*filter(None, [overlay])).items():
            for mount in keys.get("tmpfs", ()):
                assert "exec" in mount.split(":")[1:], name


def test_secure_cassandra_differs_from_the_plain_one_only_in_tls():
    folder = CLONE / "deploy"
    plain, secure = ((folder / where / "cassandra.yaml").read_text() for where in ("cassandra", "secure"))
    settings, _, tls = secure.partition("client_encryption_options:")
    assert settings.partition("\n")[2] == plain.partition("\n")[2]
    assert "optional: false" in tls


@pytest.mark.parametrize("overlay", ["", "secure"])
def test_store_logs_hide_values_as_in_the_embedded_stack(overlay: str):
    command = service(overlay, "postgres")["command"]
    given = dict(word.split("=", 1) for option, word in itertools.pairwise(command) if option == "-c")
    assert postgres.NO_ROWS_IN_THE_LOG.items() <= given.items()
    assert "ALTER ROLE pipeline SET log_min_messages = 'fatal'" in (CLONE / "deploy/postgres/roles.sql").read_text()
    mounted = dict(volume.split(":")[:2] for volume in service(overlay, "cassandra")["volumes"])
    assert mounted["./deploy/cassandra/logback.xml"] == "/etc/cassandra/logback.xml"
    assert (CLONE / "deploy/cassandra/logback.xml").read_text() == cassandra.LOGGING
