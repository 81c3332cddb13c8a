"""`make compose-up` and related targets: refusals, exit codes and fixes.  A script stands in for `docker`."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import socket
import stat
import subprocess
from pathlib import Path
from unittest import mock

import pytest

from avro_data_contracts.deploy import certs, checks, compose, passwords
from avro_data_contracts.deploy.__main__ import main
from avro_data_contracts.stack import ports
from contracts_tests.fixtures.clone import CLONE

GIB = 1 << 30
# Gives short versions of Docker's answers and records the arguments of each call.
DOCKER = """\
#!/bin/sh
echo "$@" >> "$FAKE/called"
echo "$DEPLOY_KAFKA_STREAM_PASSWORD" > "$FAKE/password"
case "$*" in
  "compose version --short") cat "$FAKE/compose" ;;
  "info --format"*) cat "$FAKE/info"; test ! -e "$FAKE/down" ;;
  *" ps --all --format json") cat "$FAKE/ps"; test ! -e "$FAKE/ps_fails" ;;
  *" up --detach"*) exit "$(cat "$FAKE/up")" ;;
esac
"""


class Fake:
    """A fake `docker` that takes its answers from files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "docker").write_text(DOCKER)
        (folder / "docker").chmod(0o755)
        self.answer(
            compose="2.39.1", info=json.dumps({"ServerVersion": "28.2.2", "MemTotal": 32 * GIB}), ps="", up="0"
        )
        names = compose.wanted_variables(compose.files(tuple(compose.OVERLAYS)))
        self.environment = {name: "0123456789abcdef" for name in names}
        # Free ports, whatever else runs on this machine.
        variables = [port.variable for port in compose.ports(compose.files(), {}, ["producer", "stream"])]
        self.environment |= {name: str(port) for name, port in ports.pick(variables).items()}

    def answer(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m deploy ARGUMENTS` in this process, because starting a new one each time takes too long."""
        environment = {**self.environment, "PATH": f"{self.folder}:/usr/bin:/bin", "FAKE": str(self.folder), **more}
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main(arguments)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    @property
    def last_call(self) -> str:
        return (self.folder / "called").read_text().splitlines()[-1]


@pytest.fixture
def docker(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


def test_up_calls_compose_with_the_right_files(docker: Fake):
    assert docker.run("up", "--profile", "stream", "--", "--scale", "spark-worker=3").returncode == 0
    assert docker.last_call == (
        "compose --file docker-compose.yml --profile stream up --detach --build --scale spark-worker=3"
    )
    assert docker.run("up", "--zookeeper").returncode == 0
    assert docker.last_call == (
        "compose --file docker-compose.yml --file docker-compose.zookeeper.yml up --detach --build"
    )
    assert docker.run("up", "--scale", "spark-worker=3").returncode == 0
    assert docker.last_call.endswith(" up --detach --build --scale spark-worker=3")


def test_containers_get_their_passwords_as_files(docker: Fake, secrets: Path):
    """A container runs under another account, so only the folder keeps other accounts of this machine out."""
    named = compose.secrets(compose.files())
    assert docker.run("up", MASK_KEY="").returncode == 0
    assert {file.name: file.read_text() for file in secrets.iterdir()} == {
        name: "" if name == "MASK_KEY" else "0123456789abcdef" for name in named
    }
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in secrets.iterdir()} == {0o644}
    docker.answer(ps="\n".join(json.dumps({"Service": one, "State": "running"}) for one in ("console", "postgres")))
    before = (secrets / "DEPLOY_CONSOLE_VIEWER_PASSWORD").stat()
    assert docker.run("up", MASK_KEY="").returncode == 0
    assert (secrets / "DEPLOY_CONSOLE_VIEWER_PASSWORD").stat() == before
    assert " rm " not in (docker.folder / "called").read_text()

    # Compose does not see that a file has changed.
    assert docker.run("up", MASK_KEY="", DEPLOY_CONSOLE_VIEWER_PASSWORD="another").returncode == 0
    *_, removed, last = (docker.folder / "called").read_text().splitlines()
    assert removed == "compose --file docker-compose.yml --profile * rm --stop --force console"
    assert last.endswith(" up --detach --build")
    assert (secrets / "DEPLOY_CONSOLE_VIEWER_PASSWORD").read_text() == "another"

    # Nobody knows what the container has read.
    (secrets / "DEPLOY_CONSOLE_VIEWER_PASSWORD").unlink()
    assert docker.run("up", MASK_KEY="").returncode == 0
    assert " rm --stop --force console" in (docker.folder / "called").read_text().splitlines()[-2]


def test_mask_key_means_the_same_outside_of_docker(docker: Fake, secrets: Path):
    done = docker.run("up", MASK_KEY="abc${HOME}0123456789abcdef")
    assert done.returncode == 2
    assert "MASK_KEY has ${" in done.stderr
    assert not secrets.exists()


def test_passwords_that_cannot_be_written_are_an_error(docker: Fake, secrets: Path):
    secrets.write_text("")
    done = docker.run("up")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {secrets}: a password cannot be written: File exists\n"
        "  fix: make it a folder that your account may write\n"
    )


@pytest.mark.parametrize("flag", [[], ["--zookeeper"], ["--secure"]])
def test_down_covers_every_overlay_and_needs_no_password(docker: Fake, flag: list[str]):
    docker.environment.clear()
    assert docker.run("down", *flag).returncode == 0
    files = "".join(f" --file {path.name}" for path in compose.files(tuple(compose.OVERLAYS)))
    assert docker.last_call == f"compose{files} --profile * down"
    # Compose refuses to read the files while a variable has no value.
    assert (docker.folder / "password").read_text() == "unset\n"


@pytest.mark.parametrize("word", ["--volumes", "-v"])
def test_down_removes_volumes_that_an_overlay_replaces(docker: Fake, word: str):
    """Compose removes only volumes that a service mounts; with the ZooKeeper overlay no service mounts `broker`."""
    assert docker.run("down", "--", word).returncode == 0
    calls = [line for line in (docker.folder / "called").read_text().splitlines() if " down" in line]
    named = [
        ["zookeeper", "secure"],
        [],
        ["zookeeper"],
        ["secure"],
    ]
    assert calls == [
        "compose" + "".join(f" --file {path.name}" for path in compose.files(overlays)) + f" --profile * down {word}"
        for overlays in named
    ]


@pytest.mark.parametrize(
    ("left", "flags", "named"),
    [("zookeeper", [], "--zookeeper: zookeeper"), ("kafka-roles", ["--zookeeper"], "--secure: kafka-roles")],
)
def test_up_refuses_while_another_overlay_has_containers(docker: Fake, left: str, flags: list[str], named: str):
    docker.answer(ps=json.dumps({"Service": left, "State": "exited"}) + "\n")
    done = docker.run("up", *flags)
    assert done.returncode == 2
    assert f"Docker still has containers of {named}\n  fix: run `make compose-down`" in done.stderr


@pytest.mark.parametrize(("state", "code"), [("running", 2), ("restarting", 2), ("exited", 0)])
def test_certs_refuses_while_containers_use_the_certificates(
    docker: Fake, monkeypatch: pytest.MonkeyPatch, state: str, code: int
):
    made = mock.Mock(return_value=docker.folder)
    monkeypatch.setattr("avro_data_contracts.deploy.certs.make", made)
    rows = [{"Service": "certificates", "State": "exited"}, {"Service": "broker", "State": state}]
    docker.answer(ps="".join(json.dumps(row) + "\n" for row in rows))
    done = docker.run("certs")
    assert done.returncode == code, done.stderr
    assert made.called == (code == 0)
    if code:
        assert "broker\n" in done.stderr
        assert "fix: run `make compose-down`, then `make certs`, then `make compose-up ARGS=--secure`" in done.stderr
    # The services of the plain files use no certificates.
    docker.answer(ps=json.dumps(rows[1]) + "\n")
    assert docker.run("certs").returncode == 0
    # If Docker cannot list containers, existing certificates stay; the first ones may be created.
    docker.answer(ps_fails="")
    for there, wanted in ((True, 2), (False, 0)):
        monkeypatch.setattr("avro_data_contracts.deploy.certs.made", lambda there=there: there)
        assert docker.run("certs").returncode == wanted
    # Without Docker there are no containers.
    assert docker.run("certs", PATH="/nowhere").returncode == 0


def test_control_center_login_file_is_private_and_required(docker: Fake, tmp_path: Path):
    folder = tmp_path / "certs"
    certs.make(docker.environment, days=2, folder=folder)
    certs.demand(folder)
    login = folder / "login.properties"
    assert login.read_text() == "control-center: 0123456789abcdef,Administrators\n"
    assert login.read_text().partition(",")[0] in (folder / "users.properties").read_text()
    assert login.stat().st_mode & 0o777 == 0o600
    # As if an older version, which had no such file, created the folder.
    login.unlink()
    with pytest.raises(
        compose.UsageError, match=r"missing files: login.properties\n  fix: run `make compose-down`, then"
    ):
        certs.demand(folder)


@pytest.mark.parametrize("password", ["p@ss/wo rd%", "a$b", "pass#word", "p'w", "ä"])
def test_up_refuses_password_with_unsafe_characters(docker: Fake, password: str):
    done = docker.run("up", DEPLOY_POSTGRES_PASSWORD=password)
    assert done.returncode == 2
    assert "would change: DEPLOY_POSTGRES_PASSWORD\n  fix: use only letters, digits" in done.stderr
    assert password not in done.stderr


def test_key_with_its_successor_in_front_is_accepted():
    passwords.demand(["KEY"], {"KEY": "bmV3LWtleQ==,b2xkLWtleQ=="})


def test_up_refuses_one_port_for_two_services(docker: Fake):
    done = docker.run("up", PORT_BROKER=docker.environment["PORT_CASSANDRA"])
    assert done.returncode == 2
    assert "broker and cassandra both want port" in done.stderr
    assert "fix: set PORT_BROKER or PORT_CASSANDRA to another" in done.stderr


@pytest.mark.parametrize("private", ["mounted/file", "mounted"])
def test_private_file_or_folder_in_a_mount_is_refused(tmp_path: Path, private: str):
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "file").touch()
    checks.readable([tmp_path / "mounted"])
    checks.readable([tmp_path / "mounted" / "file"])
    (tmp_path / private).chmod(0o700)
    with pytest.raises(compose.UsageError, match="may not read this file\n  fix: run `chmod -R o\\+rX "):
        checks.readable([tmp_path / "mounted"])


def test_mounts_include_files_of_every_overlay():
    names = {str(path.relative_to(CLONE)) for path in compose.mounts(compose.files(tuple(compose.OVERLAYS)))}
    assert {"deploy/control-center", "deploy/postgres/roles.sql", "deploy/secure/registry-jaas.conf"} <= names


def test_up_refuses_missing_variables(docker: Fake):
    done = docker.run("up", DEPLOY_POSTGRES_PASSWORD="", DEPLOY_KAFKA_CLUSTER_ID="")
    assert done.returncode == 2
    assert done.stderr == (
        "error: .env: not set: DEPLOY_POSTGRES_PASSWORD, DEPLOY_KAFKA_CLUSTER_ID\n  fix: run `make compose-env`\n"
    )


def test_up_names_the_process_on_a_taken_port(docker: Fake):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        done = docker.run("up", PORT_POSTGRES=port)
        assert done.returncode == 3
        assert re.fullmatch(
            rf"error: postgres 127\.0\.0\.1:{port}: port {port} is taken by process .+ \(pid {os.getpid()}\)\n"
            r"  fix: stop the program that listens there, or set PORT_POSTGRES in \.env to another port\n",
            done.stderr,
        )
        # A second `make compose-up`: our own container already has the port.
        for state in ("running", "restarting", "paused"):
            docker.answer(ps=json.dumps({"Service": "postgres", "State": state}) + "\n")
            assert docker.run("up", PORT_POSTGRES=port).returncode == 0, state
        docker.answer(ps=json.dumps({"Service": "postgres", "State": "exited"}) + "\n")
        assert docker.run("up", PORT_POSTGRES=port).returncode == 3


@pytest.mark.parametrize("port", ["x", "0", "70000"])
def test_up_refuses_invalid_port(docker: Fake, port: str):
    done = docker.run("up", PORT_POSTGRES=port)
    assert done.returncode == 2
    assert f"PORT_POSTGRES: '{port}' is not a port" in done.stderr


def test_up_refuses_too_little_memory(docker: Fake):
    needed = compose.needed_bytes(compose.files(), [])
    docker.answer(info=json.dumps({"ServerVersion": "28.2.2", "MemTotal": needed}))
    assert docker.run("up").returncode == 0
    done = docker.run("up", "--profile", "stream")
    assert done.returncode == 2
    assert "of memory, but the idle services need" in done.stderr
    assert "fix: give Docker more memory" in done.stderr


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({"compose": "2.20.0"}, 2, "Docker Compose 2.20.0 is too old"),
        ({"compose": ""}, 2, "is too old"),
        ({"info": json.dumps({"ServerVersion": "19.3.15", "MemTotal": 32 * GIB})}, 2, "Docker 19.3.15 is too old"),
        ({"info": json.dumps({"ServerErrors": ["no"]})}, 3, "Docker's daemon does not answer"),
        ({"info": json.dumps({"ServerVersion": "", "MemTotal": 0})}, 3, "Docker's daemon does not answer"),
        ({"info": "", "down": ""}, 3, "Docker's daemon does not answer"),
        ({"up": "17"}, 3, "`docker compose` failed (exit 17)"),
    ],
)
def test_up_explains_an_old_or_failing_docker(docker: Fake, answers: dict[str, str], code: int, words: str):
    docker.answer(**answers)
    done = docker.run("up")
    assert done.returncode == code
    assert words in done.stderr
    assert "  fix: " in done.stderr
    assert "Traceback" not in done.stderr


def test_up_without_docker_exits_with_2(docker: Fake):
    done = docker.run("up", PATH="/nowhere")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: the command `docker` was not found")


def test_up_refuses_two_overlays_and_secure_without_certificates(docker: Fake, tmp_path: Path):
    assert docker.run("up", "--secure", "--zookeeper").returncode == 2
    if not (CLONE / ".certs").exists():
        done = docker.run("up", "--secure")
        assert done.returncode == 2
        assert "fix: run `make certs`" in done.stderr


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"State": "running", "Health": "healthy", "ExitCode": 0}, 0),
        ({"State": "running", "Health": "", "ExitCode": 0}, 0),
        ({"State": "running", "Health": "unhealthy", "ExitCode": 0}, 3),
        ({"State": "running", "Health": "starting", "ExitCode": 0}, 3),
        ({"State": "exited", "Health": "", "ExitCode": 0}, 0),
        ({"State": "exited", "Health": "", "ExitCode": 1}, 3),
        ({"State": "restarting", "Health": "", "ExitCode": 1}, 3),
    ],
)
def test_status_exits_with_3_unless_every_service_is_healthy(docker: Fake, row: dict[str, object], code: int):
    fine = {"Service": "broker", "State": "running", "Health": "healthy", "ExitCode": 0}
    published = {"Publishers": [{"PublishedPort": 9021}, {"PublishedPort": 0}]}
    docker.answer(
        ps="".join(json.dumps(one) + "\n" for one in (fine, {"Service": "control-center", **row, **published}))
    )
    done = docker.run("status")
    assert done.returncode == code, done.stderr
    assert re.search(r"^control-center .* 127\.0\.0\.1:9021$", done.stdout, flags=re.MULTILINE)
    assert len(json.loads(docker.run("status", "--json").stdout)) == 2


def test_status_exits_with_3_when_nothing_runs(docker: Fake):
    done = docker.run("status")
    assert (done.returncode, done.stderr) == (
        3,
        "error: docker compose: no container exists\n  fix: run `make compose-up`\n",
    )


def test_env_adds_missing_variables_and_keeps_the_rest(tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text("DATASOURCE_URL=https://example.org/\nexport DEPLOY_A_PASSWORD='mine'\n#DEPLOY_B_PASSWORD=x")
    wanted = ["DEPLOY_A_PASSWORD", "DEPLOY_B_PASSWORD", "DEPLOY_X_FERNET_KEY", "DEPLOY_KAFKA_CLUSTER_ID"]
    assert passwords.add_missing(file, wanted) == wanted[1:]
    found = passwords.read(file)
    assert found["DEPLOY_A_PASSWORD"] == "mine"
    assert found["DATASOURCE_URL"] == "https://example.org/"
    assert re.fullmatch(r"[0-9a-f]{48}", found["DEPLOY_B_PASSWORD"])
    assert len(base64.urlsafe_b64decode(found["DEPLOY_X_FERNET_KEY"])) == 32
    assert len(base64.urlsafe_b64decode(found["DEPLOY_KAFKA_CLUSTER_ID"] + "==")) == 16
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    file.chmod(0o644)
    assert passwords.add_missing(file, wanted) == []
    assert file.read_bytes() == before
    assert file.stat().st_mode & 0o777 == 0o600


def test_env_file_is_read_as_compose_reads_it(tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text(
        "\ufeffPORT_BROKER=19292   # taken\nNAME = value\nA='single # no comment'\n"
        'B="a$HOME,b"\nexport C=x\n# D=1\nE=\nF=https://example.org/#there\n'
    )
    assert passwords.read(file) == {
        "PORT_BROKER": "19292",
        "NAME": "value",
        "A": "single # no comment",
        # Compose would expand it. As a password it is refused, and no other value is used from here.
        "B": "a$HOME,b",
        "C": "x",
        "E": "",
        "F": "https://example.org/#there",
    }
    assert passwords.read(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("kind", ["folder", "latin-1"])
@pytest.mark.parametrize("command", ["env", "up", "certs", "down"])
def test_unreadable_env_file_exits_with_2(docker: Fake, monkeypatch: pytest.MonkeyPatch, kind: str, command: str):
    file = docker.folder / ".env"
    file.mkdir() if kind == "folder" else file.write_bytes("A=ä\n".encode("latin-1"))
    monkeypatch.setattr("avro_data_contracts.deploy.__main__.ENV_FILE", file)
    done = docker.run(command)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        f"error: {file}: the passwords in this file cannot be used: "
        + ("Is a directory" if kind == "folder" else "it is not UTF-8"),
    )


def test_interpolation_matches_compose():
    have = {"A": "1", "E": ""}
    assert compose.interpolate("${A} ${A:-2} ${B:-2} ${E:-3} ${B}", have) == "1 1 2 3 "
    with pytest.raises(compose.UsageError, match="E is not set"):
        compose.interpolate("${E:?say}", have)


def test_env_example_lists_every_port_and_docs_every_password():
    example = (CLONE / ".env.example").read_text()
    for port in compose.ports(compose.files(), {}, ["producer", "stream"]):
        assert f"#{port.variable}={port.number}\n" in example
    page = (CLONE / "docs" / "how-to" / "docker.md").read_text()
    for name in compose.wanted_variables(compose.files(tuple(compose.OVERLAYS))):
        assert name in page, name
