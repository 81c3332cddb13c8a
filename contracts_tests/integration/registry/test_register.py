"""`contracts plan` and `contracts register` against the real registry and the real broker."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.registry import plan
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.register import Servers
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import Done, run_program
from contracts_tests.fixtures.repository import Repository
from contracts_tests.fixtures.stack import RunningStack

NAMES = st.sampled_from(["a", "b", "c", "d"])
TYPES = st.sampled_from(
    ["string", "int", "types.Shared", ["null", "string"], {"type": "array", "items": "types.Shared"}, "bytes"]
)


def write(folder: Path, topic: str, fields: dict[str, object], level: str, partitions: int, retention: int) -> None:
    """Write the files of a contract with a shared type."""
    (folder / "one").mkdir(parents=True, exist_ok=True)
    contract = {
        "topic": topic,
        "owner": "test",
        "compatibility": level,
        "kafka": {"partitions": partitions, "config": {"retention.ms": retention}},
    }
    (folder / "one" / "contract.yaml").write_text(yaml.safe_dump(contract))
    shared = {"type": "enum", "name": f"types_{topic}.Shared", "symbols": ["X"], "default": "X"}
    (folder / "shared.avsc").write_text(json.dumps(shared))
    text = json.dumps([{"name": name, "type": kind} for name, kind in fields.items()])
    text = text.replace("types.Shared", f"types_{topic}.Shared")
    value = {"type": "record", "name": "One", "namespace": f"n_{topic}", "fields": json.loads(text)}
    (folder / "one" / "value.avsc").write_text(json.dumps(value, indent=2))


@pytest.mark.usefixtures("stack")
@hypothesis_settings(
    max_examples=examples.of(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    fields=st.dictionaries(NAMES, TYPES, min_size=1),
    level=st.sampled_from(["NONE", "BACKWARD", "FULL_TRANSITIVE"]),
    partitions=st.integers(1, 3),
    retention=st.integers(60_000, 90_000),
)
def test_plan_is_empty_after_register(
    settings_of_stack: Settings,
    tmp_path: Path,
    fields: dict[str, object],
    level: str,
    partitions: int,
    retention: int,
) -> None:
    write(tmp_path, f"t{uuid.uuid4().hex[:10]}", fields, level, partitions, retention)
    desired = loading.load(tmp_path)
    servers = Servers(Registry.from_settings(settings_of_stack), Topics(settings_of_stack))
    first = plan.make(desired, servers.read(desired))
    assert len(first.steps) >= 3

    servers.carry_out(first)

    second = plan.make(desired, servers.read(desired))
    assert second.steps == second.conflicts == ()


def contracts(*arguments: str, environment: dict[str, str]) -> Done:
    return run_program("contracts", *arguments, environment=environment)


@pytest.fixture
def environment(stack: RunningStack, tmp_path: Path) -> dict[str, str]:
    """Environment for a command whose contracts are in `tmp_path`."""
    write(tmp_path, f"c{uuid.uuid4().hex[:10]}", {"a": "string"}, "BACKWARD", 1, 60_000)
    return {**stack.environment, "CONTRACTS_DIR": str(tmp_path)}


def test_second_register_changes_nothing_and_says_so(environment: dict[str, str]) -> None:
    """The program itself."""
    command = [str(Path(sys.executable).parent / "contracts"), "register"]
    told = {"cwd": CLONE, "env": environment, "capture_output": True, "text": True}
    first = subprocess.run(command, **told, check=False)
    second = subprocess.run(command, **told, check=False)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "done register" in first.stdout
    assert "no changes" in second.stdout


def test_dry_run_prints_the_plan_and_changes_nothing(environment: dict[str, str]) -> None:
    dry = contracts("register", "--dry-run", environment=environment)
    planned = contracts("plan", "--format", "json", environment=environment)
    assert dry.returncode == 0
    steps = json.loads(planned.stdout)["steps"]
    assert len(steps) == 4
    for step in steps:
        assert step["what"] in dry.stdout


def test_register_reports_docs_that_the_registry_did_not_take(environment: dict[str, str], tmp_path: Path) -> None:
    """The embedded registry (Apicurio) treats schemas that differ only in docs as equal; Confluent's does not."""
    assert contracts("register", environment=environment).returncode == 0
    file = tmp_path / "one" / "value.avsc"
    schema = json.loads(file.read_text())
    schema["fields"][0]["doc"] = "What it means."
    file.write_text(json.dumps(schema))

    again = contracts("register", environment=environment)

    assert again.returncode == 0, again.stderr
    assert "has other docs or aliases than the repository" in again.stdout
    assert "no changes" in again.stdout


def test_reordered_fields_make_a_new_version(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "one" / "value.avsc"
    schema = json.loads(file.read_text())
    schema["fields"].append({"name": "z", "type": "int"})
    file.write_text(json.dumps(schema))
    assert contracts("register", environment=environment).returncode == 0
    schema["fields"].reverse()
    file.write_text(json.dumps(schema))

    again = contracts("register", environment=environment)

    assert again.returncode == 0, again.stderr
    assert "version 2" in again.stdout


def test_incompatible_schema_error_quotes_the_registry(environment: dict[str, str], tmp_path: Path) -> None:
    assert contracts("register", environment=environment).returncode == 0
    file = tmp_path / "one" / "value.avsc"
    schema = json.loads(file.read_text())
    schema["fields"].append({"name": "no_default", "type": "string"})
    file.write_text(json.dumps(schema))

    done = contracts("register", environment=environment)

    assert done.returncode == 3
    assert " with 409: " in done.stderr
    assert "not done: register" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SCHEMA_REGISTRY_URL", "http://127.0.0.1:9", "schema registry http://127.0.0.1:9: not reachable"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9", "Kafka 127.0.0.1:9: no broker answered"),
    ],
)
def test_unreachable_server_is_named_with_its_address(
    environment: dict[str, str], variable: str, value: str, words: str
) -> None:
    done = contracts("plan", environment={**environment, variable: value, "KAFKA_MAX_BLOCK_MS": "1500"})
    assert done.returncode == 3
    assert words in done.stderr
    assert "make up" in done.stderr
    assert "Traceback" not in done.stderr


def test_url_of_another_service_is_an_error(environment: dict[str, str], stack: RunningStack) -> None:
    source = stack.exports["DATASOURCE_URL"]
    done = contracts("plan", environment={**environment, "SCHEMA_REGISTRY_URL": source})
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_error_of_lint_holds_a_new_schema_until_it_is_mended_or_meant(repository: Repository) -> None:
    enum = {"type": "enum", "name": "Kind", "symbols": ["A"]}
    repository.registered().add_field(name="also", type=enum, default="A")
    name = f"{repository.topic}-value"
    for command in ("plan", "register"):
        held = repository.run(command)
        told = " ".join((held.stdout + held.stderr).split())
        assert held.returncode == 1, told
        assert f"lint reports an error in the new schema of {name}: ENUM_DEFAULT also" in told
        assert repository.rest("GET", f"/subjects/{name}/versions") == [1]
    meant = repository.run("register", "--no-lint")
    assert meant.returncode == 0, meant.stdout + meant.stderr
    assert repository.rest("GET", f"/subjects/{name}/versions") == [1, 2]
    again = repository.run("register")
    assert (again.returncode, "no changes" in again.stdout) == (0, True)
