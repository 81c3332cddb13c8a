"""Create the accounts of a secure Kafka, with permissions on the contracts' topics (`python -m deploy.kafka_roles`).

docker-compose.secure.yml runs it after the broker's start, with the administrator's certificate.  Running it again
changes only passwords.  docs/how-to/docker.md lists the permissions.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AclBinding, AclOperation, AdminClient, ResourcePatternType

from avro_data_contracts.contracts import edge, settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.environment import secret
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.stack.security import acls

ROLES = ("schema-registry", "control-center", "register", "producer", "stream", "airflow")
# Airflow's tasks run all steps, so its account gets the permissions of all.
_STEPS = {
    "register": [acls.register],
    "producer": [acls.produce],
    "stream": [acls.stream],
    "airflow": [acls.register, acls.produce, acls.stream],
}


def permissions(contracts: Iterable[Contract]) -> list[AclBinding]:
    """Permissions of each role.  Only the broker, the administrator and Control Center may do anything else."""
    found = [
        *acls.topic("schema-registry", "_schemas", (*acls.READ, *acls.WRITE, *acls.MANAGE)),
        *acls.topic("schema-registry", "__consumer_offsets", (AclOperation.DESCRIBE,)),
        acls.group("schema-registry", "schema-registry", ResourcePatternType.LITERAL),
    ]
    for contract in contracts:
        topics = acls.Topics(contract.name, contract.topic, contract.dead_letter_topic)
        for role, steps in _STEPS.items():
            for step in steps:
                found += step(role, topics)
    return list(dict.fromkeys(found))


def passwords(environment: Mapping[str, str]) -> dict[str, str]:
    """Password of each role.

    Raises:
        ConfigurationError: a password is missing, or its file cannot be read.
    """
    variables = {role: f"DEPLOY_KAFKA_{role.upper().replace('-', '_')}_PASSWORD" for role in ROLES}
    found = {role: secret(variable, environment) for role, variable in variables.items()}
    missing = [variables[role] for role, value in found.items() if not value]
    if missing:
        raise ConfigurationError(f"not set: {', '.join(missing)}", where=".env", fix="run `make compose-env`")
    return found


def apply(client: AdminClient, where: str, secrets: Mapping[str, str], wanted: Sequence[AclBinding]) -> None:
    """Create the accounts and grant them the permissions in `wanted`.

    Raises:
        ServiceError: Kafka does not answer, or refuses.
    """
    try:
        acls.apply(client, secrets, wanted)
    except KafkaException as error:
        raise ServiceError(
            error.args[0].str(),
            where=where,
            fix="see the broker's log; `make certs` creates the administrator's certificate",
            server="kafka",
        ) from error


def main() -> None:
    configured = settings.load()
    folder = os.environ.get("KAFKA_ADMIN_CERTIFICATES", ".certs")
    for name in ("ca.pem", "admin.crt", "admin.key"):
        if not os.access(os.path.join(folder, name), os.R_OK):
            raise ConfigurationError(f"{name} cannot be read", where=folder, fix="run `make certs`")
    secrets = passwords(os.environ)
    wanted = permissions(loading.load(configured.contracts_dir).contracts.values())
    client = AdminClient(
        {
            "bootstrap.servers": configured.kafka_bootstrap_servers,
            "security.protocol": "SSL",
            "ssl.ca.location": f"{folder}/ca.pem",
            "ssl.certificate.location": f"{folder}/admin.crt",
            "ssl.key.location": f"{folder}/admin.key",
        }
    )
    apply(client, f"Kafka {configured.kafka_bootstrap_servers}", secrets, wanted)
    print(f"{len(secrets)} accounts, {len(wanted)} permissions")  # noqa: T201


if __name__ == "__main__":
    edge.run(main)
