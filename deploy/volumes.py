"""Docker's volumes with data that was made with a value of `.env`.

A server reads such a value only when its data is new.  With another one, it refuses to start, or refuses its clients.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence

from avro_data_contracts.deploy import compose
from avro_data_contracts.stack.errors import UsageError

#: Volume -> the variables whose first values are in its data.
MADE_WITH: Mapping[str, Sequence[str]] = {
    "broker": ("DEPLOY_KAFKA_CLUSTER_ID",),
    "cassandra": ("DEPLOY_CASSANDRA_ADMIN_PASSWORD",),
    "postgres": (
        "DEPLOY_POSTGRES_ADMIN_PASSWORD",
        "DEPLOY_POSTGRES_PASSWORD",
        "DEPLOY_AIRFLOW_DATABASE_PASSWORD",
        "DEPLOY_AIRFLOW_FERNET_KEY",
    ),
}


def demand_none(variables: Sequence[str], environment: Mapping[str, str]) -> None:
    """Check that no data was made with another value of these variables.  Without Docker there is no data.

    Args:
        variables: those that are about to get a new value.
        environment: the variables that Compose sees.

    Raises:
        UsageError: a volume has such data.
    """
    lost = {volume: [name for name in names if name in variables] for volume, names in MADE_WITH.items()}
    there = _volumes() if any(lost.values()) else set()
    if not there:
        return
    project = environment.get("COMPOSE_PROJECT_NAME") or compose.read(compose.files()[0])["name"]
    found = {f"{project}_{volume}": names for volume, names in lost.items() if names}
    found = {volume: names for volume, names in found.items() if volume in there}
    if found:
        told = "; ".join(f"{volume} with {', '.join(names)}" for volume, names in found.items())
        raise UsageError(
            f"Docker has volumes whose data was made with values that are not in this file any more: {told}",
            where=".env",
            fix="put the old values back (a backup, or the clone that started the servers); or delete the data with "
            '`make compose-down ARGS="-- --volumes"`, and run this command again',
        )


def _volumes() -> set[str]:
    if shutil.which("docker") is None:
        return set()
    done = subprocess.run(
        ["docker", "volume", "ls", "--format", "{{.Name}}"], capture_output=True, text=True, check=False
    )
    return set(done.stdout.split())
