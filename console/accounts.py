"""Who may sign in to the console: two accounts, with generated passwords in a file that only its owner reads.

In a container, the environment has the passwords instead.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from avro_data_contracts.contracts.environment import secret
from avro_data_contracts.contracts.errors import ConfigurationError

FILE: Final = "accounts.json"
#: A shorter one in the environment is refused: people choose those.
LEAST_CHARACTERS: Final = 12
_OTHERS: Final = 0o077


class Role(StrEnum):
    """What somebody may do.  A viewer sees everything, personal data masked; an operator may reveal it, and act."""

    viewer = "viewer"
    operator = "operator"


def variable(role: Role) -> str:
    """The environment variable with the password of a role."""
    return f"CONSOLE_{role.value.upper()}_PASSWORD"


@dataclass(frozen=True)
class Account:
    """Somebody who is signed in."""

    name: str
    role: Role

    @property
    def acts(self) -> bool:
        """Whether the account may reveal personal data, and put records back."""
        return self.role is Role.operator


@dataclass(frozen=True)
class Accounts:
    """The accounts, by name.  Each role has one, which has its name.  `source`: where the passwords are."""

    source: str
    passwords: Mapping[str, str] = field(repr=False)

    @classmethod
    def at(cls, folder: Path) -> Accounts:
        """Return the accounts of a folder; those that it lacks get passwords (file mode 0600).

        Raises:
            ConfigurationError: the file is damaged, cannot be read or written, or others may read it.
        """
        path = folder / FILE
        try:
            known = _read(path)
            lacking = [role.value for role in Role if role.value not in known]
            if lacking:
                known |= {name: secrets.token_urlsafe(18) for name in lacking}
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write(path, known)
        except OSError as error:
            raise ConfigurationError(
                f"the file with the passwords of the console: {error.strerror}",
                where=str(path),
                fix="correct its permissions, or name another folder: --dir",
            ) from None
        return cls(f"{path} has the passwords", {role.value: known[role.value] for role in Role})

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Accounts | None:
        """Return the accounts whose passwords the environment has, or a file that it names; None if it has none.

        Raises:
            ConfigurationError: it has the password of one account only, one that is too short, or the name of a
                file that cannot be read.
        """
        names = {role.value: variable(role) for role in Role}
        given = {role: value for role, name in names.items() if (value := secret(name, environment))}
        if not given and not any(f"{name}_FILE" in environment for name in names.values()):
            return None
        for role, name in names.items():
            told = f"{name} has fewer than {LEAST_CHARACTERS} characters" if role in given else f"{name} is not set"
            if len(given.get(role, "")) < LEAST_CHARACTERS:
                fix = f"set {' and '.join(names.values())}, or neither: then the console makes passwords itself"
                raise ConfigurationError(told, where="the environment", fix=fix)
        return cls(f"{' and '.join(names.values())} are the passwords", given)

    def signed_in(self, name: str, password: str) -> Account | None:
        """Return the account if the password is right."""
        wanted = self.passwords.get(name, secrets.token_urlsafe(18))
        is_right = hmac.compare_digest(
            wanted.encode("utf-8", "surrogateescape"), password.encode("utf-8", "surrogatepass")
        )
        return Account(name, Role(name)) if is_right and name in self.passwords else None


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS:
                raise ConfigurationError(
                    "other accounts of this machine may read the console's passwords",
                    where=str(path),
                    fix=f"remove the file, and start again: it gets new passwords; or run: chmod 600 {path}",
                )
            found: Any = json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) and one for one in found.values()):
        raise ConfigurationError("this file is damaged", where=str(path), fix="remove it, and start again")
    return found


def _write(path: Path, content: Mapping[str, str]) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
