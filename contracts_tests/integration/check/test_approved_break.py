"""A break approved in contract.yaml: `check --against registry` and `register` agree on the real registry."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.contracts.registry import plan
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.register import Servers
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.repository import Repository

TODAY = dt.datetime.now(dt.UTC).date()
RULE = "READER_FIELD_MISSING_DEFAULT_VALUE"
AGAINST = ("check", "--against", "registry")


def approval(path: str, *, days: int = 30) -> dict[str, Any]:
    until = TODAY + dt.timedelta(days=days)
    return {"rule": RULE, "path": path, "reason": f"finance agreed on {path}", "until": until}


def broken(one: Repository, *approvals: dict[str, Any], level: str = "FULL") -> Repository:
    """Register the contract, then add two required fields that older records lack."""
    one.write(compatibility=level)
    one.registered().write(compatibility=level, approvals=list(approvals))
    one.add_field(name="first", type="string")
    one.add_field(name="second", type="string")
    return one


def state(one: Repository) -> tuple[list[int], str]:
    """Return the versions and the level of the value's subject."""
    name = f"{one.topic}-value"
    return one.rest("GET", f"/subjects/{name}/versions"), one.rest("GET", f"/config/{name}")["compatibilityLevel"]


def test_register_carries_out_approved_break_and_restores_level(repository: Repository) -> None:
    broken(repository, approval("first"), approval("second"))
    assert not json.loads(repository.run(*AGAINST, "--format", "json").stdout)["failed"]

    dry = repository.run("register", "--dry-run")
    [step] = json.loads(repository.run("plan", "--format", "json").stdout)["steps"]
    assert state(repository) == ([1], "FULL")
    done = repository.run("register")

    assert (dry.returncode, done.returncode) == (0, 0), done.stderr
    until = TODAY + dt.timedelta(days=30)
    for told in (dry.stdout, step["what"], done.stdout):
        assert f"register {repository.topic}-value version 2" in told
        assert "as an approved break of FULL, with the level at NONE while it is registered" in told
        assert f"{RULE} at first until {until}: finance agreed on first" in told
    assert state(repository) == ([1, 2], "FULL")
    assert "no changes" in repository.run("plan").stdout


@pytest.mark.parametrize(
    "approvals",
    [
        pytest.param([approval("first")], id="one of two is approved"),
        pytest.param([approval("first"), approval("second", days=-1)], id="one has expired"),
    ],
)
def test_check_and_registry_refuse_a_partly_approved_break(
    repository: Repository, approvals: list[dict[str, Any]]
) -> None:
    broken(repository, *approvals)
    assert RULE in repository.findings(*AGAINST)
    assert repository.run(*AGAINST).returncode == 1

    done = repository.run("register")

    assert done.returncode == 3
    assert " with 409: " in done.stderr
    assert "not done: register" in done.stderr
    assert "approved break" not in done.stderr + done.stdout
    assert state(repository) == ([1], "FULL")


def test_transitive_level_needs_the_approval_for_every_later_version(repository: Repository) -> None:
    broken(repository, approval("first"), approval("second"), level="FULL_TRANSITIVE").registered()
    assert repository.findings(*AGAINST) == {}, "the approvals are in use although nothing changes"
    repository.add_field(name="third", type="string", default="")
    text = repository.value.read_text()

    repository.write(compatibility="FULL_TRANSITIVE")
    repository.value.write_text(text)
    assert RULE in repository.findings(*AGAINST)
    assert repository.run("register").returncode == 3

    repository.write(compatibility="FULL_TRANSITIVE", approvals=[approval("first"), approval("second")])
    repository.value.write_text(text)
    assert repository.run(*AGAINST).returncode == 0
    done = repository.run("register")
    assert (done.returncode, state(repository)) == (0, ([1, 2, 3], "FULL_TRANSITIVE")), done.stderr
    assert "approved break" in done.stdout


def test_non_transitive_level_needs_the_approval_only_once(repository: Repository) -> None:
    broken(repository, approval("first"), approval("second")).registered()
    assert list(repository.findings(*AGAINST)) == ["APPROVAL_UNUSED"]
    repository.add_field(name="third", type="string", default="")
    done = repository.run("register")
    assert (done.returncode, state(repository)) == (0, ([1, 2, 3], "FULL")), done.stderr
    assert "approved break" not in done.stdout


def test_break_of_a_shared_type_is_refused_despite_approval(repository: Repository) -> None:
    """A shared type has its own subject, which other contracts use too, and no contract sets its level."""
    repository.write(approvals=[{**approval("kind"), "rule": "MISSING_ENUM_SYMBOLS"}])
    repository.registered()
    schema = {"type": "enum", "name": repository.shared, "symbols": ["A"]}
    repository.save(repository.folder / "shared.avsc", schema)
    assert repository.run(*AGAINST).returncode == 0

    # Without a default, which lint asks for, the enum is a break.
    done = repository.run("register", "--no-lint")

    assert done.returncode == 3
    assert " with 409: " in done.stderr
    assert f"not done: register {repository.shared} version 2" in done.stderr
    assert state(repository) == ([1], "FULL")


def test_shared_type_can_break_under_a_new_name(repository: Repository) -> None:
    def narrowed(*approvals: dict[str, Any]) -> None:
        repository.write(approvals=list(approvals))
        name = repository.shared.replace("Shared", "Narrow")
        narrow = {"type": "enum", "name": name, "symbols": ["A"], "default": "A"}
        repository.save(repository.folder / "narrow.avsc", narrow)
        repository.value.write_text(repository.value.read_text().replace(repository.shared, name))

    repository.registered()
    narrowed()
    found = json.loads(repository.run(*AGAINST, "--format", "json").stdout)["findings"]
    assert "NAME_MISMATCH" in {one["rule"] for one in found}
    narrowed(*({**approval(path), "rule": rule} for rule, path in {(one["rule"], one["path"]) for one in found}))

    assert repository.run(*AGAINST).returncode == 0
    done = repository.run("register")

    assert (done.returncode, state(repository)) == (0, ([1, 2], "FULL")), done.stderr


DIES = """\
import os
from avro_data_contracts.contracts import cli
from avro_data_contracts.contracts.registry.client import Registry

def register(registry, *arguments):
    {first}
    os.kill(os.getpid(), 9)

known, Registry.register = Registry.register, register
cli.main()
"""


@pytest.mark.parametrize(
    ("first", "versions", "steps"),
    [
        pytest.param("pass", [1], 2, id="before the registry has the schema"),
        pytest.param("known(registry, *arguments)", [1, 2], 1, id="after the registry has it"),
    ],
)
def test_plan_restores_level_after_register_was_killed(
    repository: Repository, first: str, versions: list[int], steps: int
) -> None:
    broken(repository, approval("first"), approval("second"))
    command = [sys.executable, "-c", DIES.format(first=first), "--schemas", str(repository.folder), "register"]
    died = subprocess.run(command, cwd=CLONE, env=repository.environment, capture_output=True, check=False)
    assert died.returncode == -9
    assert state(repository) == (versions, "NONE")

    assert "LEVEL_DIFFERS" in repository.findings("drift")
    planned = json.loads(repository.run("plan", "--format", "json").stdout)["steps"]
    assert len(planned) == steps
    assert planned[0]["what"] == f"set level of {repository.topic}-value: NONE -> FULL"
    assert repository.run("register").returncode == 0
    assert state(repository) == ([1, 2], "FULL")


class Refusing(Registry):
    """A registry that refuses every schema at every level."""

    def register(self, *_: object) -> int:
        raise Refused("refused it with 42201: no", fix="correct it", code=42201)


class Ending(Refusing):
    """A registry that refuses every schema, and every level except NONE."""

    def set_level(self, subject: str, level: str) -> None:
        if level != "NONE":
            raise ServiceError("not reachable", fix="start it")
        super().set_level(subject, level)


def test_register_restores_level_after_a_refusal(repository: Repository, settings_of_stack: Settings) -> None:
    broken(repository, approval("first"), approval("second"))
    with pytest.raises(Refused, match="42201: no") as caught:
        carry_out(Refusing, repository, settings_of_stack)
    assert "may be NONE" not in str(caught.value)
    assert state(repository) == ([1], "FULL")


def test_level_that_cannot_be_restored_is_reported(repository: Repository, settings_of_stack: Settings) -> None:
    broken(repository, approval("first"), approval("second"))
    with pytest.raises(ServiceError, match="not reachable") as caught:
        carry_out(Ending, repository, settings_of_stack)
    assert f"the level of {repository.topic}-value may be NONE now, and the contract says FULL" in str(caught.value)
    assert "run `contracts register`" in caught.value.fix
    assert state(repository) == ([1], "NONE")


def carry_out(kind: type[Registry], one: Repository, configured: Settings) -> None:
    servers = Servers(kind.from_settings(configured), Topics(configured))
    desired = loading.load(one.folder)
    servers.carry_out(plan.make(desired, servers.read(desired), today=TODAY))
