"""The folder `.certs/` that docker-compose.secure.yml mounts: certificates and the registry's accounts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from avro_data_contracts.deploy import passwords
from avro_data_contracts.stack.errors import UsageError
from avro_data_contracts.stack.security import certificates
from avro_data_contracts.stack.site import CLONE

FOLDER = CLONE / ".certs"
_SERVERS = ("broker", "schema-registry", "cassandra", "postgres")
NAMES = (*_SERVERS, "admin")
# All certificates belong to one authority, and a running server keeps those that it has read.
ANEW = "run `make compose-down`, then `make certs`, then `make compose-up ARGS=--secure`"
_REGISTRY_USERS = ("register", "producer", "stream", "airflow", "control-center")


def make(environment: Mapping[str, str], *, days: int, folder: Path = FOLDER) -> Path:
    """Create all files again; returns the folder.

    Args:
        environment: contains the registry's passwords.
        days: how long the certificates are valid.
    Raises:
        UsageError: a password is missing or unusable, or `days` is out of range.
    """
    variables = {user: f"DEPLOY_REGISTRY_{user.upper().replace('-', '_')}_PASSWORD" for user in _REGISTRY_USERS}
    passwords.demand(list(variables.values()), environment)
    # Containers use the service's name, programs on this machine the loopback address.
    hosts = {name: (name, "localhost", "127.0.0.1") for name in _SERVERS}
    certificates.make(folder, {**hosts, "admin": ()}, days=days)
    lines = [f"{user}: {environment[variable]},user\n" for user, variable in variables.items()]
    _write(folder / "users.properties", *lines)
    # The login of Control Center is its own account at the registry, in case it forwards the user's credentials.
    _write(
        folder / "login.properties", f"control-center: {environment[variables['control-center']]},Administrators\n"
    )
    return folder


def _write(path: Path, *lines: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(lines)


def made(folder: Path = FOLDER) -> bool:
    """Whether certificates exist."""
    return (folder / "ca.pem").exists()


def demand(folder: Path = FOLDER) -> None:
    """Check that all files exist and the certificates are valid for at least one more day.

    Raises:
        UsageError: a file is missing, or the certificates expire sooner.
    """
    wanted = ("ca.pem", "users.properties", "login.properties", *(f"{name}.pem" for name in NAMES))
    lacking = [name for name in wanted if not (folder / name).exists()]
    if lacking:
        fix = ANEW if made(folder) else "run `make certs`"
        raise UsageError(f"missing files: {', '.join(lacking)}", where=str(folder), fix=fix)
    left = certificates.days_left(folder / "ca.pem")
    if left < 1:
        what = "the certificates have expired" if left < 0 else "the certificates expire in less than a day"
        raise UsageError(what, where=str(folder), fix=ANEW)
