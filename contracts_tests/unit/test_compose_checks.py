"""`make compose-up` and its kin: what they refuse, their exit codes and the ways out.  `docker` is a script here."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import socket
import subprocess
from pathlib import Path
from unittest import mock

import pytest

from deploy import compose, passwords
from deploy.__main__ import main

CLONE = Path(__file__).parents[2]
GIB = 1 << 30
# What the real one answers, in short; it takes down what it was called with.
DOCKER = """\
#!/bin/sh
echo "$@" >> "$FAKE/called"
case "$*" in
  "compose version --short") cat "$FAKE/compose" ;;
  "info --format"*) cat "$FAKE/info"; test ! -e "$FAKE/down" ;;
  *" ps --all --format json") cat "$FAKE/ps" ;;
  *" up --detach"*) exit "$(cat "$FAKE/up")" ;;
esac
"""


class Fake:
    """A `docker` whose answers are files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "docker").write_text(DOCKER)
        (folder / "docker").chmod(0o755)
        self.answer(
            compose="2.39.1", info=json.dumps({"ServerVersion": "28.2.2", "MemTotal": 32 * GIB}), ps="", up="0"
        )
        names = compose.wanted_variables(compose.files(tuple(compose.OVERLAYS)))
        self.environment = {name: "0123456789abcdef" for name in names}
        # Free ones, whatever runs on this machine.
        for port in compose.ports(compose.files(), {}, ["producer", "stream"]):
            self.environment[port.variable] = str(free_port())

    def answer(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """`python -m deploy ARGUMENTS`, in this process: a new one for each of them takes too long."""
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_up_calls_compose_with_the_right_files(docker: Fake):
    assert docker.run("up", "--profile", "stream", "--", "--scale", "spark-worker=3").returncode == 0
    assert docker.last_call == (
        "compose --file docker-compose.yml --profile stream up --detach --build --scale spark-worker=3"
    )
    assert docker.run("up", "--zookeeper").returncode == 0
    assert docker.last_call == (
        "compose --file docker-compose.yml --file docker-compose.zookeeper.yml up --detach --build"
    )
    assert docker.run("down", "--", "--volumes").returncode == 0
    assert docker.last_call == "compose --file docker-compose.yml --profile * down --volumes"


def test_a_missing_variable(docker: Fake):
    done = docker.run("up", DEPLOY_POSTGRES_PASSWORD="", DEPLOY_KAFKA_CLUSTER_ID="")
    assert done.returncode == 2
    assert done.stderr == (
        "error: .env: not set: DEPLOY_POSTGRES_PASSWORD, DEPLOY_KAFKA_CLUSTER_ID\n  mend: run `make compose-env`\n"
    )


def test_a_port_that_is_taken(docker: Fake):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        done = docker.run("up", PORT_POSTGRES=port)
        assert done.returncode == 3
        assert re.fullmatch(
            rf"error: postgres 127\.0\.0\.1:{port}: port {port} is taken by process .+ \(pid {os.getpid()}\)\n"
            r"  mend: stop what listens there, or set PORT_POSTGRES in \.env to another\n",
            done.stderr,
        )
        # It is ours already: the second `make compose-up`.
        docker.answer(ps=json.dumps({"Service": "postgres", "State": "running"}) + "\n")
        assert docker.run("up", PORT_POSTGRES=port).returncode == 0


@pytest.mark.parametrize("port", ["x", "0", "70000"])
def test_a_port_that_is_none(docker: Fake, port: str):
    done = docker.run("up", PORT_POSTGRES=port)
    assert done.returncode == 2
    assert f"PORT_POSTGRES: '{port}' is no port" in done.stderr


def test_too_little_memory(docker: Fake):
    needed = compose.needed_bytes(compose.files(), [])
    docker.answer(info=json.dumps({"ServerVersion": "28.2.2", "MemTotal": needed}))
    assert docker.run("up").returncode == 0
    done = docker.run("up", "--profile", "stream")
    assert done.returncode == 2
    assert "of memory, the services take" in done.stderr
    assert "mend: give it more" in done.stderr


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({"compose": "2.20.0"}, 2, "Docker Compose 2.20.0 is too old"),
        ({"compose": ""}, 2, "is too old"),
        ({"info": json.dumps({"ServerVersion": "20.10.1", "MemTotal": 32 * GIB})}, 2, "Docker 20.10.1 is too old"),
        ({"info": json.dumps({"ServerErrors": ["no"]})}, 3, "the daemon does not answer"),
        ({"info": json.dumps({"ServerVersion": "", "MemTotal": 0})}, 3, "the daemon does not answer"),
        ({"info": "", "down": ""}, 3, "the daemon does not answer"),
        ({"up": "17"}, 3, "`docker compose` ended with 17"),
    ],
)
def test_a_docker_that_cannot(docker: Fake, answers: dict[str, str], code: int, words: str):
    docker.answer(**answers)
    done = docker.run("up")
    assert done.returncode == code
    assert words in done.stderr
    assert "  mend: " in done.stderr
    assert "Traceback" not in done.stderr


def test_no_docker_at_all(docker: Fake):
    done = docker.run("up", PATH="/nowhere")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: there is no `docker` command")


def test_overlays_do_not_go_together_and_secure_wants_certificates(docker: Fake, tmp_path: Path):
    assert docker.run("up", "--secure", "--zookeeper").returncode == 2
    if not (CLONE / ".certs").exists():
        done = docker.run("up", "--secure")
        assert done.returncode == 2
        assert "mend: run `make certs`" in done.stderr


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
def test_status_is_3_unless_all_are_in_order(docker: Fake, row: dict[str, object], code: int):
    fine = {"Service": "broker", "State": "running", "Health": "healthy", "ExitCode": 0}
    published = {"Publishers": [{"PublishedPort": 9021}, {"PublishedPort": 0}]}
    docker.answer(
        ps="".join(json.dumps(one) + "\n" for one in (fine, {"Service": "control-center", **row, **published}))
    )
    done = docker.run("status")
    assert done.returncode == code, done.stderr
    assert re.search(r"^control-center .* 127\.0\.0\.1:9021$", done.stdout, flags=re.MULTILINE)
    assert len(json.loads(docker.run("status", "--json").stdout)) == 2


def test_status_of_nothing(docker: Fake):
    done = docker.run("status")
    assert (done.returncode, done.stderr) == (
        3,
        "error: docker compose: nothing runs\n  mend: run `make compose-up`\n",
    )


def test_env_adds_what_is_missing_and_changes_nothing(tmp_path: Path):
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
    assert passwords.add_missing(file, wanted) == []
    assert file.read_bytes() == before


def test_variables_are_put_in_as_compose_does():
    have = {"A": "1", "E": ""}
    assert compose.interpolate("${A} ${A:-2} ${B:-2} ${E:-3} ${B}", have) == "1 1 2 3 "
    with pytest.raises(compose.UsageError, match="E is not set"):
        compose.interpolate("${E:?say}", have)


def test_the_example_names_every_port_and_the_page_every_password():
    example = (CLONE / ".env.example").read_text()
    for port in compose.ports(compose.files(), {}, ["producer", "stream"]):
        assert f"#{port.variable}={port.number}\n" in example
    page = (CLONE / "docs" / "docker.md").read_text()
    for name in compose.wanted_variables(compose.files(tuple(compose.OVERLAYS))):
        assert name in page, name
