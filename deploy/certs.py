"""`.certs/`: what docker-compose.secure.yml mounts, certificates and the registry's accounts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from deploy import passwords
from stack.errors import UsageError
from stack.security import certificates
from stack.site import CLONE

FOLDER = CLONE / ".certs"
_SERVERS = ("broker", "schema-registry", "cassandra", "postgres")
NAMES = (*_SERVERS, "admin")
# Certificates of one authority go together, and who runs keeps what it has read.
ANEW = "run `make compose-down`, then `make certs`, then `make compose-up ARGS=--secure`"
_REGISTRY_USERS = ("register", "producer", "stream", "airflow", "control-center")


def make(environment: Mapping[str, str], *, days: int, folder: Path = FOLDER) -> Path:
    """Makes everything anew; returns the folder.

    Args:
        environment: has the registry's passwords.
    Raises:
        UsageError: one is missing or cannot be one, or `days` is out of range.
    """
    variables = {user: f"DEPLOY_REGISTRY_{user.upper().replace('-', '_')}_PASSWORD" for user in _REGISTRY_USERS}
    passwords.demand(list(variables.values()), environment)
    # In the network by the service's name, from this machine by the loopback.
    hosts = {name: (name, "localhost", "127.0.0.1") for name in _SERVERS}
    certificates.make(folder, {**hosts, "admin": ()}, days=days)
    lines = [f"{user}: {environment[variable]},user\n" for user, variable in variables.items()]
    _write(folder / "users.properties", *lines)
    # Who logs in to Control Center: the account that it has at the registry itself, should it hand on who asks.
    _write(
        folder / "login.properties", f"control-center: {environment[variables['control-center']]},Administrators\n"
    )
    return folder


def _write(path: Path, *lines: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(lines)


def made(folder: Path = FOLDER) -> bool:
    """Whether there are any."""
    return (folder / "ca.pem").exists()


def demand(folder: Path = FOLDER) -> None:
    """They are there, and valid for a day at least.

    Raises:
        UsageError: they are not.
    """
    wanted = ("ca.pem", "users.properties", "login.properties", *(f"{name}.pem" for name in NAMES))
    lacking = [name for name in wanted if not (folder / name).exists()]
    if lacking:
        fix = ANEW if made(folder) else "run `make certs`"
        raise UsageError(f"not there: {', '.join(lacking)}", where=str(folder), fix=fix)
    left = certificates.days_left(folder / "ca.pem")
    if left < 1:
        raise UsageError(f"the certificates end in {max(left, 0):.0f} days", where=str(folder), fix=ANEW)
