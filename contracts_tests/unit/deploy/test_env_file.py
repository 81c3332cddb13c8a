"""A `.env` of another version: what is missing, unknown or renamed is told, and nothing starts.

A script stands in for `docker`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro_data_contracts.deploy import compose, passwords, variables, volumes
from avro_data_contracts.deploy.__main__ import main
from avro_data_contracts.stack import ports
from avro_data_contracts.stack.errors import UsageError
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.clone import CLONE

EVERYTHING = compose.files(tuple(compose.OVERLAYS))
REQUIRED = compose.wanted_variables(EVERYTHING)
PLAIN = compose.wanted_variables(compose.files())
# Names in `.env` that are not ours: settings of the embedded stack, of Compose, and a token of a source.
OTHERS = ("DATASOURCE_URL", "COMPOSE_PARALLEL_LIMIT", "SHOP_TOKEN", "AIRFLOW_OWNER", "SUPPORT_EMAIL")
DOCKER = """\
#!/bin/sh
echo "$@" >> "$FAKE/called"
case "$*" in
  "compose version --short") echo 2.39.1 ;;
  "info --format"*) cat "$FAKE/info" ;;
  "volume ls"*) cat "$FAKE/volumes" ;;
esac
"""


class Project:
    """A folder with a `.env`, and a `docker` that says which volumes there are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / ".env"
        (folder / "docker").write_text(DOCKER)
        (folder / "docker").chmod(0o755)
        (folder / "info").write_text(json.dumps({"ServerVersion": "28.2.2", "MemTotal": 64 << 30}))
        (folder / "volumes").touch()
        (folder / "called").touch()
        names = [port.variable for port in compose.ports(compose.files(), {}, ["producer", "stream"])]
        # Free ports, whatever else runs on this machine.
        self.environment = {name: str(port) for name, port in ports.pick(names).items()}

    def write(self, *lines: str) -> str:
        text = "".join(f"{line}\n" for line in lines)
        self.file.write_text(text)
        return text

    def run(self, *arguments: str, **more: str) -> tuple[int, str]:
        """Exit code and messages of `python -m deploy ARGUMENTS`."""
        told = {**self.environment, "PATH": f"{self.folder}:/usr/bin:/bin", "FAKE": str(self.folder), **more}
        err = io.StringIO()
        with (
            mock.patch.dict(os.environ, told, clear=True),
            mock.patch("avro_data_contracts.deploy.__main__.ENV_FILE", self.file),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(err),
        ):
            return main(arguments), err.getvalue()

    @property
    def started(self) -> bool:
        return " up --detach" in (self.folder / "called").read_text()


@contextlib.contextmanager
def project() -> Iterator[Project]:
    with tempfile.TemporaryDirectory() as folder:
        yield Project(Path(folder))


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Project:
    return Project(tmp_path)


def values(names: list[str]) -> list[str]:
    return [f"{name}=secret{number}" for number, name in enumerate(names)]


# -- an older version: variables are missing ----------------------------------------------------------------------


@settings(deadline=None, max_examples=examples.of(8))
@given(have=st.sets(st.sampled_from(REQUIRED)), others=st.sets(st.sampled_from(OTHERS)))
def test_env_adds_what_is_missing_and_keeps_the_rest(have: set[str], others: set[str]):
    with project() as here:
        before = here.write(*values(sorted(have)), *(f"{name}=x" for name in sorted(others)))
        assert here.run("env") == (0, "")
        assert here.file.read_text().startswith(before)
        found = passwords.read(here.file)
        assert set(found) == {*REQUIRED, *others}
        assert all(found.values())
        complete = here.file.read_bytes()
        assert here.run("env") == (0, "")
        assert here.file.read_bytes() == complete
        assert here.run("up") == (0, "")
        assert here.started


@settings(deadline=None, max_examples=examples.of(8))
@given(lacking=st.sets(st.sampled_from(PLAIN), min_size=1))
def test_up_names_every_missing_variable_and_starts_nothing(lacking: set[str]):
    with project() as here:
        here.write(*values([name for name in REQUIRED if name not in lacking]))
        names = ", ".join(name for name in PLAIN if name in lacking)
        assert here.run("up") == (2, f"error: .env: not set: {names}\n  fix: run `make compose-env`\n")
        assert not here.started


def test_file_from_before_the_secure_overlay_still_starts_the_plain_one(here: Project):
    here.write(*values(PLAIN))
    assert here.run("up") == (0, "")
    assert here.started
    assert here.run("env") == (0, "")
    assert set(passwords.read(here.file)) == set(REQUIRED)


# -- another version: names are unknown ---------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["env", "up"])
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("DEPLOY_POSTGRES_PASWORD", "DEPLOY_POSTGRES_PASSWORD"),
        ("DEPLOY_CASSANDRA_ADMIN_PASS", "DEPLOY_CASSANDRA_ADMIN_PASSWORD"),
        ("DEPLOY_AIRFLOW_DB_PASSWORD", "DEPLOY_AIRFLOW_DATABASE_PASSWORD"),
    ],
)
def test_renamed_password_is_refused_with_its_new_name(here: Project, command: str, written: str, meant: str):
    """A new value would not be the one that the server has."""
    before = here.write(*values([name for name in REQUIRED if name != meant]), f"{written}=the-old-one")
    code, told = here.run(command)
    assert code == 2
    assert f"error: .env: this version knows no variable of this name: {written} (is it {meant}?)\n" in told
    assert "  fix: rename it if it is the same; otherwise put a # in front of its line\n" in told
    assert "the-old-one" not in told
    assert here.file.read_text() == before
    assert not here.started


@pytest.mark.parametrize("command", ["env", "up"])
def test_misspelled_port_is_refused(here: Project, command: str):
    here.environment = {}
    before = here.write(*values(REQUIRED), "PORT_POSTGRESS=5433")
    code, told = here.run(command)
    assert (code, here.started, here.file.read_text()) == (2, False, before)
    assert "PORT_POSTGRESS (is it PORT_POSTGRES?)" in told


@pytest.mark.parametrize("command", ["env", "up"])
def test_unlike_name_is_refused_while_a_password_is_missing(here: Project, command: str):
    lacking = "DEPLOY_POSTGRES_PASSWORD"
    before = here.write(*values([name for name in REQUIRED if name != lacking]), "DEPLOY_PG_SECRET=x")
    code, told = here.run(command)
    assert (code, here.started, here.file.read_text()) == (2, False, before)
    assert told.startswith(
        f"error: .env: not set: {lacking}; and this version does not know DEPLOY_PG_SECRET, which may be the name"
    )
    assert "  fix: rename what is the same" in told


@pytest.mark.parametrize("command", ["env", "up"])
@pytest.mark.parametrize("extra", ["DEPLOY_MIRROR_PASSWORD", "PORT_OF_A_SERVER_TO_COME"])
def test_name_of_a_newer_version_is_told_and_left_alone(here: Project, command: str, extra: str):
    """Without the line, the newer version would make another password than its server has."""
    before = here.write(*values(REQUIRED), f"{extra}=x")
    note = f"note: .env: this version does not use {extra}; another one may have written it\n"
    assert here.run(command) == (0, note)
    assert here.file.read_text() == before
    assert here.started == (command == "up")


OURS = [name for name in compose.variables(EVERYTHING) if name.startswith(("DEPLOY_", "PORT_"))]


@given(name=st.sampled_from(OURS), data=st.data())
def test_missing_letter_in_any_name_is_found(name: str, data: st.DataObject):
    at = data.draw(st.integers(name.index("_") + 1, len(name) - 1))
    written = name[:at] + name[at + 1 :]
    known = compose.variables(EVERYTHING)
    told = {one: "x" for one in known if one != name}
    with pytest.raises(UsageError, match=rf"{written} \(is it {name}\?\)"):
        variables.unused({**told, written: "x"}, known, REQUIRED, told)


def test_every_name_of_the_example_is_known():
    lines = (CLONE / ".env.example").read_text().splitlines()
    written = {line[1:].partition("=")[0]: "x" for line in lines if line.startswith("#") and "=" in line}
    assert variables.unused(written, compose.variables(EVERYTHING), [], {}) == []


@pytest.mark.parametrize("command", ["env", "up", "down", "status", "certs"])
@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (["<<<<<<< HEAD", "A=1", "=======", "A=2", ">>>>>>> theirs"], "1, 3, 5"),
        (["A=1", "DEPLOY_POSTGRES_PASSWORD: hunter2"], "2"),
        (["A='hunter2", "B=1"], "1"),
    ],
)
def test_line_that_is_no_variable_is_named(here: Project, command: str, lines: list[str], wrong: str):
    before = here.write(*lines)
    code, told = here.run(command)
    assert (code, here.started, here.file.read_text()) == (2, False, before)
    assert told.startswith(f"error: {here.file}: not NAME=value: line {wrong}\n  fix: correct these lines")
    assert "hunter2" not in told


# -- another clone: the data was made with other values ----------------------------------------------------------


@pytest.mark.parametrize("volume", volumes.MADE_WITH)
@pytest.mark.parametrize("name", ["", "second"])
def test_env_makes_no_value_in_place_of_one_that_is_in_the_data(here: Project, volume: str, name: str):
    lost = volumes.MADE_WITH[volume]
    kept = f"COMPOSE_PROJECT_NAME={name}" if name else "A=1"
    before = here.write(*values([one for one in REQUIRED if one not in lost]), kept)
    own = f"{name or 'avro-data-contracts'}_{volume}"
    for there in ("", f"another_{volume}\n", f"{own}-zookeeper\n"):
        (here.folder / "volumes").write_text(there)
        assert here.run("env") == (0, "")
        here.file.write_text(before)
    (here.folder / "volumes").write_text(f"another_x\n{own}\n")
    code, told = here.run("env")
    assert (code, here.file.read_text()) == (2, before)
    assert f"any more: {own} with {', '.join(lost)}\n  fix: put the old values back" in told
    # Without Docker there are no volumes.
    assert here.run("env", PATH="/nowhere")[0] == 0


def test_env_makes_what_no_data_was_made_with(here: Project):
    """The other passwords are set at each start."""
    made_with = {name for names in volumes.MADE_WITH.values() for name in names}
    here.write(*values([name for name in REQUIRED if name in made_with]))
    (here.folder / "volumes").write_text("".join(f"avro-data-contracts_{volume}\n" for volume in volumes.MADE_WITH))
    assert here.run("env") == (0, "")
    assert set(passwords.read(here.file)) == set(REQUIRED)


def test_volumes_and_variables_are_those_of_the_compose_files():
    assert set(volumes.MADE_WITH) <= set(compose.read(compose.files()[0])["volumes"])
    assert {name for names in volumes.MADE_WITH.values() for name in names} <= set(PLAIN)
