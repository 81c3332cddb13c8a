"""Many contracts: the number of registry requests, and failures that affect only their own contract."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from avro_data_contracts.contracts.registry.client import Registry
from contracts_tests.fixtures.confluent import Confluent
from contracts_tests.fixtures.gateway import Answer, Gateway, Request
from contracts_tests.fixtures.repository import Repository
from contracts_tests.fixtures.stack import RunningStack

COMMANDS = [("plan",), ("register",), ("drift",), ("check", "--against", "registry")]
MANY = 40


class Contracts:
    """Contracts `c0`, `c1` … in one folder; their topics have the same names after a prefix unique to the test."""

    def __init__(self, folder: Path, environment: dict[str, str], count: int, **shared: Any) -> None:
        self.prefix = f"m{uuid.uuid4().hex[:10]}"
        self.one = Repository(folder, environment)
        self.names = [f"c{number}" for number in range(count)]
        self.shared = shared
        for name in self.names:
            self.write(name)

    def topic(self, name: str) -> str:
        return f"{self.prefix}.{name}"

    def subject(self, name: str) -> str:
        return f"{self.topic(name)}-value"

    def write(self, name: str, *fields: dict[str, Any], **spec: Any) -> None:
        folder = self.one.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        document = {"topic": self.topic(name), "owner": "test", "compatibility": "FULL", **self.shared, **spec}
        (folder / "contract.yaml").write_text(yaml.safe_dump(document))
        listed = [{"name": "id", "type": "string"}, *fields]
        schema = {"type": "record", "name": "Event", "namespace": f"{self.prefix}.{name}", "fields": listed}
        (folder / "value.avsc").write_text(json.dumps(schema))

    def versions(self, name: str) -> list[int]:
        return Registry(self.one.environment["SCHEMA_REGISTRY_URL"]).versions(self.subject(name))


@pytest.fixture
def few(stack: RunningStack, tmp_path: Path) -> Contracts:
    return Contracts(tmp_path / "schemas", stack.environment, 3)


def test_commands_send_each_registry_request_once(
    stack: RunningStack, gateway: Gateway, confluent: Confluent, tmp_path: Path
) -> None:
    """Two requests per unchanged contract: 200 contracts need fewer than 450."""
    many = Contracts(tmp_path / "schemas", stack.environment, MANY, dead_letter={"topic": f"dead-{uuid.uuid4().hex}"})
    many.one.registered()
    for registry in (gateway, confluent):
        one = replace(many.one, environment={**many.one.environment, "SCHEMA_REGISTRY_URL": registry.url})
        for command in COMMANDS:
            registry.seen.clear()
            done = one.run(*command)
            assert done.returncode == 0, done.stderr
            assert len(registry.seen) <= 2 * MANY + 2, command
            often = Counter((asked.method, asked.path, asked.body) for asked in registry.seen)
            assert set(often.values()) == {1}, command


@pytest.mark.parametrize("parallel", [1, 2])
def test_parallel_requests_stay_within_the_limit(few: Contracts, gateway: Gateway, parallel: int) -> None:
    few.one.registered()
    now: list[int] = []
    most: list[int] = []

    def count(_: Request) -> None:
        now.append(1)
        most.append(len(now))

    def uncount(_: Request) -> None:
        now.pop()

    gateway.before, gateway.after = count, uncount
    done = few.one.run("plan", SCHEMA_REGISTRY_URL=gateway.url, SCHEMA_REGISTRY_PARALLEL=str(parallel))
    assert done.returncode == 0, done.stderr
    assert 1 <= max(most) <= parallel


def test_conflict_holds_up_only_its_own_contract(few: Contracts) -> None:
    few.write("c1", kafka={"partitions": 1})
    few.one.registered()
    few.write("c0", {"name": "a", "type": "int", "default": 0})
    few.write("c1", {"name": "a", "type": "int", "default": 0}, kafka={"partitions": 7})
    few.write("c2", {"name": "a", "type": "int", "default": 0})

    planned = few.one.run("plan", "--format", "json")
    dry = few.one.run("register", "--dry-run")
    done = few.one.run("register")

    assert (planned.returncode, dry.returncode, done.returncode) == (1, 1, 1)
    document = json.loads(planned.stdout)
    assert len(document["steps"]) == 2
    assert [few.subject("c1") in step for step in document["held"]] == [True]
    assert f"blocked register {few.subject('c1')} version 2" in done.stdout
    assert "has 1 partitions, the contract says 7" in done.stdout
    assert [few.versions(name) for name in few.names] == [[1, 2], [1], [1, 2]]
    again = few.one.run("register")
    assert (again.returncode, "done register" in again.stdout) == (1, False)


def test_refused_contract_does_not_stop_the_others(few: Contracts) -> None:
    few.one.registered()
    few.write("c0", {"name": "a", "type": "int"})
    few.write("c1", {"name": "a", "type": "int", "default": 0})
    few.write("c2", {"name": "a", "type": "int", "default": 0}, kafka={"config": {"retention.ms": "60000"}})

    done = few.one.run("register")

    assert done.returncode == 3
    assert " with 409: " in done.stderr
    assert "done before it: nothing" in done.stderr
    assert f"done after it, for other contracts: register {few.subject('c1')} version 2" in done.stderr
    assert f"not done: register {few.subject('c0')} version 2" in done.stderr
    assert f"configure topic {few.topic('c2')}" in done.stdout
    assert [few.versions(name) for name in few.names] == [[1], [1, 2], [1, 2]]


def test_several_refusals_are_reported_as_one_error(few: Contracts) -> None:
    few.one.registered()
    few.write("c0", {"name": "a", "type": "int"})
    few.write("c1", kafka={"config": {"no.such": "1"}})
    few.write("c2", {"name": "a", "type": "int", "default": 0})

    done = few.one.run("register")

    assert done.returncode == 3
    assert "2 steps were refused" in done.stderr
    for words in (
        " with 409: ",
        "Unknown topic config name: no.such",
        f"done: register {few.subject('c2')} version 2",
    ):
        assert words in done.stderr
    assert [few.versions(name) for name in few.names] == [[1], [1], [1, 2]]


def test_unauthorized_account_is_reported_once(few: Contracts, gateway: Gateway) -> None:
    gateway.before = lambda asked: (
        Answer(401, b'{"error_code": 401, "message": "Unauthorized"}')
        if asked.method == "POST" and asked.path.endswith("/versions")
        else None
    )
    done = few.one.run("register", SCHEMA_REGISTRY_URL=gateway.url)
    assert done.returncode == 3
    assert done.stderr.count(" with 401: ") == 1
    assert sum(asked.method == "POST" and asked.path.endswith("/versions") for asked in gateway.seen) == 1


def test_only_named_contracts_are_planned_and_registered(few: Contracts, gateway: Gateway) -> None:
    url = {"SCHEMA_REGISTRY_URL": gateway.url}
    planned = few.one.run("plan", "c1", "c2", **url)
    assert planned.returncode == 0
    assert few.subject("c0") not in planned.stdout
    assert not any(few.topic("c0") in asked.path for asked in gateway.seen)

    assert few.one.run("register", "c1", **url).returncode == 0
    assert [few.versions(name) for name in few.names] == [[], [1], []]
    unknown = few.one.run("register", "c1", "c9")
    assert unknown.returncode == 2
    assert "there is no contract 'c9'" in unknown.stderr


def test_conflict_with_an_unnamed_contract_holds_up_the_named_one(few: Contracts) -> None:
    """Two contracts want different settings for one topic: a conflict whether both are named or only one."""
    few.write("c0", dead_letter={"topic": few.topic("c1")})
    done = few.one.run("register", "c0")
    assert done.returncode == 1
    assert "want different settings for topic" in done.stdout
    assert few.versions("c0") == []
    assert few.one.run("register", "c2").returncode == 0
    assert few.one.run("register").returncode == 1
    assert [few.versions(name) for name in few.names] == [[], [], [1]]


def test_shared_type_is_registered_for_contracts_without_conflict(few: Contracts) -> None:
    shared = f"{few.prefix}.Shared"
    enum = {"type": "enum", "name": shared, "symbols": ["A"], "default": "A"}
    few.one.save(few.one.folder / "shared.avsc", enum)
    few.write("c0", {"name": "s", "type": shared}, kafka={"partitions": 2})
    few.write("c1", {"name": "s", "type": shared})
    few.write("c2", dead_letter={"topic": few.topic("c0")})

    assert few.one.run("register").returncode == 1
    assert [few.versions(name) for name in few.names] == [[], [1], []]
    assert few.one.rest("GET", f"/subjects/{shared}/versions") == [1]
