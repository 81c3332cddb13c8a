"""Docker's bad days: no disk, a socket of another account, Ctrl-C, a wrong authority; and CI without Docker."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.deploy import __main__ as deploy
from avro_data_contracts.deploy import checks
from avro_data_contracts.stack.errors import UsageError
from contracts_tests.compose import builds, contexts, engine, leaks, monitoring
from contracts_tests.fixtures.clone import CLONE

GIB = 1 << 30
DEAD = "#!/bin/sh\necho 'no daemon' >&2\nexit 1\n"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a program `docker` that tests write."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return tmp_path


def write(folder: Path, text: str, name: str = "docker") -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def status(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = deploy.main(["status"])
    return code, capsys.readouterr().err


def test_socket_of_another_account_is_told_apart_from_a_daemon_that_is_down(
    docker: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    write(docker, '#!/bin/sh\nif [ "$1" = compose ]; then echo 2.40.3; else exit 1; fi\n')
    path = docker / "s"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    down = "error: docker: Docker's daemon does not answer\n  fix: start it (systemctl start docker"
    code, text = status(capsys)
    assert code == 3
    assert text.startswith(down)
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(path))
        assert status(capsys)[1].startswith(down)
        real = os.access
        # Nothing is closed to root.
        monkeypatch.setattr("os.access", lambda name, *rest: name != str(path) and real(name, *rest))
        code, text = status(capsys)
    assert code == 3
    assert text == (
        f"error: unix://{path}: your account may not use Docker's daemon\n"
        "  fix: add it to the group `docker` (sudo usermod -aG docker $USER), and log in again\n"
    )


@pytest.mark.parametrize(("image", "needed"), [(1, "FIRST_GB"), (0, "AGAIN_GB")])
def test_too_little_disk_is_refused_with_what_is_needed(
    docker: Path, monkeypatch: pytest.MonkeyPatch, image: int, needed: str
):
    write(docker, f"#!/bin/sh\nexit {image}\n")
    checks.room("/nowhere")  # in the virtual machine of Docker Desktop
    monkeypatch.setattr(checks, "FIRST_GB", 10**9)
    monkeypatch.setattr(checks, "AGAIN_GB", 10**8)
    free = f"{shutil.disk_usage(docker).free / 1e9:.0f}"
    with pytest.raises(UsageError) as caught:
        checks.room(str(docker))
    words = re.escape(
        f" GB are free where Docker keeps images and volumes, and this start needs {getattr(checks, needed)} GB"
    )
    assert re.search(
        rf"{re.escape(str(docker))}: \d+{words}\n  fix: remove what Docker does not use", str(caught.value)
    ), free


def test_daemon_says_what_it_has(docker: Path):
    answer = {"ServerVersion": "28.2.2", "MemTotal": 8 * GIB, "DockerRootDir": "/var/lib/docker"}
    write(docker, f"#!/bin/sh\ncat <<'E'\n{json.dumps(answer)}\nE\n")
    assert checks.daemon() == checks.Daemon(8 * GIB, "/var/lib/docker")


def test_interrupted_start_waits_for_compose_and_says_how_to_go_on(docker: Path, capfd: pytest.CaptureFixture[str]):
    # Ctrl-C reaches both; Compose takes a moment to end.
    write(docker, f"#!/bin/sh\nsleep 0.4\nkill -INT $PPID\nsleep 0.6\necho ended > {docker}/ended\nexit 130\n")
    assert deploy.exit_code(lambda: deploy._run([], "up")) == 130
    assert (docker / "ended").exists()
    assert capfd.readouterr().err == (
        "error: docker compose: interrupted; what has started stays\n"
        "  fix: run it again, which starts only the rest; or run `make compose-down`\n"
    )


def test_authority_of_builds_has_to_be_a_certificate(tmp_path: Path):
    checks.authority("")
    checks.authority("/etc/ssl/certs/ca-certificates.crt") if Path(
        "/etc/ssl/certs/ca-certificates.crt"
    ).exists() else None
    with pytest.raises(UsageError, match=r"DEPLOY_BUILD_CA=\S+: the builds cannot read this file: No such file"):
        checks.authority(str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="Is a directory"):
        checks.authority(str(tmp_path))
    (tmp_path / "ca.der").write_bytes(b"\x30\x82\x01\xff")
    with pytest.raises(UsageError, match=r"has no certificate in PEM\n  fix: convert it: openssl x509"):
        checks.authority(str(tmp_path / "ca.der"))


def test_compose_test_needs_room_for_its_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine, "_NEEDED_GB", 10**9)
    monkeypatch.setattr(engine, "_NEEDED_AGAIN_GB", 0)
    cache = tmp_path / "not" / "there"
    with pytest.raises(
        UsageError, match=rf"{tmp_path}: \d+ GB are free on this disk, and the images need 1000000000 GB"
    ):
        engine._room(cache, real_images=False)
    cache.mkdir(parents=True)
    (cache / "standins.sha256").touch()
    engine._room(cache, real_images=False)
    with pytest.raises(UsageError):
        engine._room(cache, real_images=True)


def test_real_images_need_no_debootstrap(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: None if name == "debootstrap" else f"/usr/bin/{name}")
    monkeypatch.setattr("subprocess.run", lambda *_, **__: subprocess.CompletedProcess([], 1))
    engine._demand(real_images=True)


def saved(files: dict[str, bytes]) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    stream.seek(0)
    return stream


@given(
    before=st.binary(max_size=40),
    after=st.binary(max_size=40),
    chunk=st.integers(5, 30),
    compressed=st.booleans(),
    marked=st.booleans(),
)
def test_mark_is_found_wherever_a_chunk_ends(before: bytes, after: bytes, chunk: int, compressed: bool, marked: bool):
    mark = b"mark\x00\xff"
    content = before.replace(mark, b"") + mark * marked + after.replace(mark, b"")
    held = mark in content
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builds, "_CHUNK", chunk)
        found = builds.layers_with(
            saved({"a/layer.tar": gzip.compress(content) if compressed else content, "b": b""}), mark
        )
    # A file that only looks compressed is not one of Docker's.
    assert found == {"a/layer.tar": held, "b": False}


def test_instructions_that_are_not_cached_are_found():
    output = """\
#1 [spark-master internal] load build definition from Dockerfile
#5 [register-schemas pipeline-packages 3/3] RUN --mount=type=secret,id=build-ca     python -m venv /opt/venv
#5 CACHED

#6 [airflow-init airflow  5/13] COPY --chmod=755 contracts/ /app/contracts/
#6 DONE 0.1s
#7 [airflow-init airflow 13/13] RUN chown pipeline:pipeline /opt/airflow
#7 0.211 CACHED is only a word here
#7 DONE 0.3s
#8 [spark-master base 2/3] RUN useradd
#8 CACHED
"""
    assert builds.carried_out(output) == [
        "COPY --chmod=755 contracts/ /app/contracts/",
        "RUN chown pipeline:pipeline /opt/airflow",
    ]


def test_password_is_allowed_only_in_the_environment_of_its_services():
    secrets = leaks.of(
        {"DEPLOY_A_PASSWORD": "aaaa", "DEPLOY_AB_PASSWORD": "bbbb", "DEPLOY_X_URL": "u", "PORT_X": "1"}
    )
    assert secrets == {"DEPLOY_A_PASSWORD": "aaaa", "DEPLOY_AB_PASSWORD": "bbbb"}
    allowed = leaks.allowed_in({"DSN": "postgresql://x:${DEPLOY_AB_PASSWORD:?make it}@h"}, secrets)
    assert allowed == {"DEPLOY_AB_PASSWORD"}
    facts = {
        "Path": "run",
        "Args": ["--password", "bbbb"],
        "Config": {"Env": ["DSN=bbbb", "X=aaaa"], "Entrypoint": None, "Labels": {"l": "aaaa"}},
    }
    assert set(leaks.misplaced(leaks.of_container(facts), secrets, allowed)) == {
        ("its environment", "DEPLOY_A_PASSWORD"),
        ("its command line", "DEPLOY_AB_PASSWORD"),
        ("a label", "DEPLOY_A_PASSWORD"),
    }
    places = {"its environment": "aaaa", "the environment of a process": "aaaa bbbb"}
    assert list(leaks.misplaced(places, secrets, set(), {"DEPLOY_A_PASSWORD"})) == [
        ("its environment", "DEPLOY_A_PASSWORD"),
        ("the environment of a process", "DEPLOY_AB_PASSWORD"),
    ]


def test_dashboard_queries_have_no_variable_left():
    queries = monitoring.queries_of(json.loads((CLONE / "deploy" / "grafana" / "contracts-stream.json").read_text()))
    assert len(queries) > 8
    assert not [query for query in queries if "$" in query]
    assert "StreamIsDown" in monitoring.rules_in_files()


def test_prometheus_stand_in_leaves_out_only_what_is_too_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = contexts.STANDINS / "cp-enterprise-prometheus" / "run.py"
    started: list[list[str]] = []
    monkeypatch.setenv("CONFIG_PATH", str(tmp_path))
    monkeypatch.setattr("os.execvp", lambda _, command: started.append(command))
    for file in (CLONE / "deploy" / "control-center").glob("*.yml"):
        shutil.copy(file, tmp_path)
    found = spec_from_file_location("standin_prometheus", program)
    assert found
    assert found.loader
    found.loader.exec_module(module_from_spec(found))
    original: dict[str, Any] = yaml.safe_load((tmp_path / "prometheus-generated.yml").read_text())
    made = yaml.safe_load((tmp_path / "standin-prometheus.yml").read_text())
    assert made == {name: value for name, value in original.items() if name != "otlp"}
    assert original.keys() - made.keys() == {"otlp"}
    ((_, settings, *_),) = started
    assert settings == f"--config.file={tmp_path / 'standin-prometheus.yml'}"


def ci(folder: Path, elapsed: int, possible: str, **environment: str) -> tuple[int, str]:
    """Run `.ci/compose` with a Python and a make that say what they are asked."""
    write(folder, f"#!/bin/sh\n{possible}\n", "python")
    write(folder, '#!/bin/sh\necho "make $*"\nexit "${MADE:-0}"\n', "make")
    variables = {"PATH": f"{folder}:{os.environ['PATH']}", **environment}
    command = [CLONE / ".ci" / "compose", str(elapsed), folder / "python"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_ci_runs_compose_test_only_where_it_can_and_in_time(tmp_path: Path):
    assert ci(tmp_path, 100, "exit 0") == (0, "make compose-test\n")
    late = "compose-test: not run: the tests took 33 minutes, and CI ends after 45; COMPOSE_TEST=1 runs it\n"
    assert ci(tmp_path, 2000, "exit 0") == (0, late)
    assert ci(tmp_path, 2000, "exit 0", COMPOSE_TEST="1") == (0, "make compose-test\n")
    assert ci(tmp_path, 0, "exit 0", COMPOSE_TEST="0") == (0, "compose-test: not run: COMPOSE_TEST=0\n")
    refusal = "printf 'error: compose-test: programs are missing: dockerd\\n  fix: install them\\n' >&2; exit 2"
    words = "compose-test: not run: compose-test: programs are missing: dockerd fix: install them \n"
    for forced in ("", "1"):
        assert ci(tmp_path, 100, refusal, COMPOSE_TEST=forced) == (0, words)
    # A step that fails fails CI.
    assert ci(tmp_path, 100, "exit 0", MADE="2")[0] == 2


def test_possible_says_why_not_in_one_line_and_without_a_report():
    program = (
        "import os, sys; os.geteuid = lambda: 1000; from contracts_tests.compose.__main__ import main; "
        "sys.exit(main(['--possible']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=CLONE, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: compose-test: only root can start a Docker daemon\n  fix: run it as root\n"
