"""What `plan` says about a version is what the registry does with it; and what needs no broker asks none."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import Refused
from avro_data_contracts.contracts.registry import plan
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.register import Servers
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures.command import Done, run_program
from contracts_tests.fixtures.stack import RunningStack

LEVELS = ["NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"]
OPTIONAL = {"name": "b", "type": ["null", "string"], "default": None}
REQUIRED = {"name": "b", "type": "string"}
#: What the value becomes: nothing, or an incompatible change in one direction or in both.
CHANGES: dict[str, list[dict[str, Any]]] = {
    "optional": [{"name": "a", "type": "string"}, OPTIONAL],
    "required": [{"name": "a", "type": "string"}, REQUIRED],
    "gone": [],
    "retyped": [{"name": "a", "type": "int"}],
}


class Repository:
    """A contract in a folder, and the servers."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.topic = f"v{uuid.uuid4().hex[:10]}"
        self.servers = Servers(Registry.from_settings(settings), Topics(settings))

    def write(self, fields: list[dict[str, Any]], level: str, **said: Any) -> None:
        one = self.folder / "one"
        one.mkdir(exist_ok=True)
        spec = {"topic": self.topic, "owner": "test", "compatibility": level, "kafka": "external", **said}
        (one / "contract.yaml").write_text(yaml.safe_dump(spec))
        value = {"type": "record", "name": "One", "namespace": f"n_{self.topic}", "fields": fields}
        (one / "value.avsc").write_text(json.dumps(value))

    def plan(self) -> plan.Plan:
        desired = loading.load(self.folder)
        return plan.make(desired, self.servers.read(desired, verdicts=True))

    def register(self) -> bool:
        """Register without looking at verdicts; whether the registry took it."""
        desired = loading.load(self.folder)
        try:
            self.servers.carry_out(plan.make(desired, self.servers.read(desired)))
        except Refused:
            return False
        return True


@pytest.fixture
def repository(settings_of_stack: Settings, tmp_path: Path) -> Repository:
    return Repository(tmp_path, settings_of_stack)


@pytest.mark.parametrize("before", ["NONE", "FULL"])
@pytest.mark.parametrize("level", LEVELS)
def test_plan_predicts_what_the_registry_does_at_the_level_that_will_hold(
    repository: Repository, level: str, before: str
) -> None:
    for change, fields in CHANGES.items():
        repository.topic = f"v{uuid.uuid4().hex[:10]}"
        repository.write([{"name": "a", "type": "string"}], before)
        assert repository.plan().conflicts == ()
        assert repository.register()
        repository.write(fields, level)
        predicted = repository.plan()
        taken = repository.register()
        assert taken is not bool(predicted.conflicts), change
        assert repository.plan().steps == () if taken else predicted.held != ()
        for conflict in predicted.conflicts:
            assert conflict.key == "schema"
            assert f"at level {level}" in conflict.what
            assert "contracts check --against registry" in conflict.fix
        asked = before == level
        assert any("the registry cannot be asked" in note for note in predicted.notes) is not asked


def test_schema_that_refers_to_a_type_not_yet_registered_is_compared_here(repository: Repository) -> None:
    repository.write([{"name": "a", "type": "string"}], "BACKWARD")
    assert repository.register()
    shared = f"n_{repository.topic}.Shared"
    (repository.folder / "shared.avsc").write_text(json.dumps({"type": "enum", "name": shared, "symbols": ["X"]}))
    repository.write([{"name": "b", "type": shared}], "BACKWARD")
    made = repository.plan()
    [note] = [one for one in made.notes if "cannot be asked" in one]
    assert f"it refers to {shared}, which is not registered yet; its versions were compared here" in note
    [conflict] = made.conflicts
    assert "b: " in conflict.fix


def contracts(*arguments: str, environment: dict[str, str]) -> Done:
    return run_program("contracts", *arguments, environment=environment)


def test_plan_and_dry_run_end_with_1_and_change_nothing_where_the_registry_would_refuse(
    repository: Repository, stack: RunningStack
) -> None:
    environment = {**stack.environment, "CONTRACTS_DIR": str(repository.folder)}
    repository.write([{"name": "a", "type": "string"}], "BACKWARD")
    assert contracts("register", environment=environment).returncode == 0
    repository.write(CHANGES["required"], "BACKWARD")
    for command in (("plan",), ("register", "--dry-run")):
        done = contracts(*command, environment=environment)
        assert (done.returncode, done.stderr) == (1, "")
        assert "b: give it a default" in done.stdout
        assert "blocked" in done.stdout
    assert contracts("register", environment=environment).returncode == 3


@pytest.mark.parametrize(
    ("bootstrap", "kafka", "why"),
    [("", {}, "KAFKA_BOOTSTRAP_SERVERS is empty"), ("127.0.0.1:9", "external", "`kafka: external`")],
)
def test_schemas_alone_need_no_broker(
    repository: Repository, stack: RunningStack, bootstrap: str, kafka: object, why: str, tmp_path: Path
) -> None:
    environment = {
        **stack.environment, "CONTRACTS_DIR": str(repository.folder), "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
    }  # fmt: skip
    repository.write([{"name": "a", "type": "string"}], "BACKWARD", kafka=kafka)
    for command in (("plan",), ("register",), ("plan",), ("drift",)):
        done = contracts(*command, environment=environment)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert why in done.stdout, command
    assert "no changes" in contracts("plan", environment=environment).stdout
