"""`.certs/`: what docker-compose.secure.yml mounts, certificates and the registry's accounts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from deploy.compose import CLONE
from stack import certificates
from stack.errors import UsageError

FOLDER = CLONE / ".certs"
_SERVERS = ("broker", "schema-registry", "cassandra", "postgres")
NAMES = (*_SERVERS, "admin")
_REGISTRY_USERS = ("register", "producer", "stream", "airflow", "control-center")


def make(environment: Mapping[str, str], *, days: int, folder: Path = FOLDER) -> Path:
    """Makes everything anew; returns the folder.

    Args:
        environment: has the registry's passwords.
    Raises:
        UsageError: one is missing, or `days` is out of range.
    """
    variables = {user: f"DEPLOY_REGISTRY_{user.upper().replace('-', '_')}_PASSWORD" for user in _REGISTRY_USERS}
    missing = [name for name in variables.values() if not environment.get(name)]
    if missing:
        raise UsageError(
            f"not set: {', '.join(missing)}", where=".env", mend="run `make compose-env`, then this again"
        )
    # In the network by the service's name, from this machine by the loopback.
    hosts = {name: (name, "localhost", "127.0.0.1") for name in _SERVERS}
    certificates.make(folder, {**hosts, "admin": ()}, days=days)
    users = folder / "users.properties"
    users.unlink(missing_ok=True)
    with os.fdopen(os.open(users, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{user}: {environment[variable]},user\n" for user, variable in variables.items())
    return folder


def demand(folder: Path = FOLDER) -> None:
    """They are there, and valid for a day at least.

    Raises:
        UsageError: they are not.
    """
    wanted = ("ca.pem", "users.properties", *(f"{name}.pem" for name in NAMES))
    lacking = [name for name in wanted if not (folder / name).exists()]
    if lacking:
        raise UsageError(f"not there: {', '.join(lacking)}", where=str(folder), mend="run `make certs`")
    left = certificates.days_left(folder / "ca.pem")
    if left < 1:
        raise UsageError(
            f"the certificates end in {left:.0f} days", where=str(folder), mend="run `make certs`, then this again"
        )
