"""Secrets in files: the variable `NAME_FILE` names the file, so that the value is in no environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from avro_data_contracts.console.accounts import Accounts, Role, variable
from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings

SECRETS = [name for name, field in Settings.model_fields.items() if not field.repr]
ODD = "ä'@:/ \\%&?#1"


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("begin", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_every_secret_may_be_in_a_file(
    name: str, begin: str, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "postgresql://u:pw@h/d" if name == "postgres_dsn" else ODD
    file = tmp_path / "secret"
    file.write_bytes((begin + value + end).encode())
    monkeypatch.setenv(f"{name.upper()}_FILE", str(file))
    assert getattr(settings.load(), name) == value
    monkeypatch.setenv(name.upper(), "other")
    with pytest.raises(ConfigurationError, match=f"both {name.upper()} and {name.upper()}_FILE are set"):
        settings.load()


def test_empty_file_is_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").touch()
    monkeypatch.setenv("MASK_KEY_FILE", str(tmp_path / "key"))
    assert settings.load().mask_key == ""


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_file_that_cannot_be_read_is_an_error_that_names_it(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("CASSANDRA_PASSWORD_FILE", str(file))
    with pytest.raises(ConfigurationError, match=f"CASSANDRA_PASSWORD_FILE={file}: the file cannot be read"):
        settings.load()


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u@h:1/d",
        "postgresql://u@h:1/d?",
        "postgresql:///d?host=h&port=1&user=u",
        "host=h port=1 dbname=d user=u",
    ],
)
def test_password_is_added_to_a_dsn_that_has_none(dsn: str) -> None:
    made = Settings(postgres_dsn=dsn, postgres_password=ODD).postgres_dsn
    assert conninfo_to_dict(made) == {"host": "h", "port": "1", "dbname": "d", "user": "u", "password": ODD}


def test_name_that_looks_like_a_password_is_none() -> None:
    made = Settings(postgres_dsn="host=h dbname=password_store user=u", postgres_password=ODD).postgres_dsn
    assert conninfo_to_dict(made)["password"] == ODD


@pytest.mark.parametrize("dsn", ["postgresql://u:own@h/d", "postgresql://u@h/d?password=own", "host=h password=own"])
def test_password_of_a_dsn_stays(dsn: str) -> None:
    assert Settings(postgres_dsn=dsn, postgres_password="other").postgres_dsn == dsn


def test_empty_file_of_a_password_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    given = {f"{variable(role)}_FILE": str(tmp_path / "empty") for role in Role}
    with pytest.raises(ConfigurationError, match="CONSOLE_VIEWER_PASSWORD is not set"):
        Accounts.of_environment(given)


def test_passwords_of_the_console_may_be_in_files(tmp_path: Path) -> None:
    given = {}
    for role in Role:
        (tmp_path / role.value).write_text(f"the password of {role.value}\n")
        given[f"{variable(role)}_FILE"] = str(tmp_path / role.value)
    found = Accounts.of_environment(given)
    assert found is not None
    assert found.passwords == {role.value: f"the password of {role.value}" for role in Role}
