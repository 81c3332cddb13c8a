"""Failures of `plan`, `register`, `drift` and `pull`, on the real servers behind a gateway."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.registry import plan
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.register import Servers
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.gateway import Answer, Gateway, Request
from contracts_tests.fixtures.repository import Repository

COMMANDS = [
    ("plan",),
    ("register",),
    ("drift",),
    ("check", "--against", "registry"),
    ("tables", "--against", "registry"),
]


def error(status: int, code: int, message: str) -> Answer:
    return Answer(status, json.dumps({"error_code": code, "message": message}).encode())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_account_in_the_url_is_used_and_never_shown(
    repository: Repository, gateway: Gateway, command: tuple[str, ...]
) -> None:
    repository.registered()
    account = "Basic " + base64.b64encode("reader:pä/ss@wörd".encode()).decode()
    gateway.before = lambda asked: None if asked.authorization == account else error(401, 401, "Unauthorized")
    place = gateway.url.removeprefix("http://")

    let_in = repository.run(*command, SCHEMA_REGISTRY_URL=f"http://reader:p%C3%A4%2Fss%40w%C3%B6rd@{place}/")
    refused = repository.run(*command, SCHEMA_REGISTRY_URL=f"http://reader:s3cr3t@{place}")

    assert let_in.returncode == 0, let_in.stderr
    assert (refused.returncode, "with 401: Unauthorized" in refused.stderr) == (3, True)
    assert f"http://{place}" in refused.stderr
    for secret in ("reader", "p%C3", "s3cr3t"):
        assert secret not in let_in.stdout + let_in.stderr + refused.stdout + refused.stderr


def test_read_only_registry_is_reported(repository: Repository, gateway: Gateway) -> None:
    """The embedded registry does not enforce READONLY, so the gateway gives Confluent's response."""
    gateway.before = lambda asked: (
        None
        if asked.method == "GET" or not asked.path.endswith("/versions")
        else error(422, 42205, "Subject x is in read-only mode")
    )
    done = repository.run("register", SCHEMA_REGISTRY_URL=gateway.url)
    assert done.returncode == 3
    for words in (
        "42205: Subject x is in read-only mode",
        "done before it: nothing",
        "not done: register",
        "READONLY",
    ):
        assert words in done.stderr


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(error(429, 42901, "slow down"), "takes no more requests for now (42901)", id="429"),
        pytest.param(Answer(503, b"<h1>gone</h1>", "text/html"), "answered 503", id="503"),
        pytest.param(Answer(200, b'{"id": "x"}'), "unlike a schema registry", id="odd"),
    ],
)
def test_next_register_continues_after_a_step_of_unknown_outcome(
    repository: Repository, gateway: Gateway, answer: Answer, words: str
) -> None:
    """The registry accepts the value, but its response never arrives."""
    name = f"{repository.topic}-value"
    gateway.after = (
        lambda asked: answer if (asked.method, asked.path) == ("POST", f"/subjects/{name}/versions") else None
    )

    done = repository.run("register", SCHEMA_REGISTRY_URL=gateway.url, SCHEMA_REGISTRY_RETRY_FOR_S="0.5")

    assert done.returncode == 3
    assert words in done.stderr
    assert f"may be done or not: register {name} version 1" in done.stderr
    assert f"not done: set level of {name}" in done.stderr
    assert repository.rest("GET", f"/subjects/{name}/versions") == [1]
    assert repository.run("register").returncode == 0
    assert "no changes" in repository.run("plan").stdout


@pytest.mark.parametrize("output", ["text", "json"])
def test_interrupted_register_reports_its_progress(repository: Repository, gateway: Gateway, output: str) -> None:
    asked, ended = threading.Event(), threading.Event()

    def hold(request: Request) -> Answer | None:
        if (request.method, request.path) == ("PUT", f"/config/{repository.topic}-key"):
            asked.set()
            ended.wait(60)
            return error(503, 50301, "too late")
        return None

    gateway.before = hold
    command = [sys.executable, "-m", "contracts", "--schemas", str(repository.folder)]
    with subprocess.Popen(
        [*command, "register", "--format", output],
        cwd=CLONE,
        env={**repository.environment, "SCHEMA_REGISTRY_URL": gateway.url, "SCHEMA_REGISTRY_TIMEOUT_S": "60"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    ended.set()

    assert process.returncode == 130, err
    assert "interrupted" in err
    assert f"done before it: register {repository.shared} version 1" in err
    assert f"may be done or not: set level of {repository.topic}-key" in err
    assert f"not done: register {repository.topic}-value version 1" in err
    assert (out == "") == (output == "json")


def test_concurrent_registers_reach_the_same_state(repository: Repository, settings_of_stack: Settings) -> None:
    desired = loading.load(repository.folder)
    servers = Servers(Registry.from_settings(settings_of_stack), Topics(settings_of_stack))
    planned = plan.make(desired, servers.read(desired))
    repository.registered()

    servers.carry_out(planned)

    assert plan.make(desired, servers.read(desired)).steps == ()


@pytest.mark.parametrize(
    ("deleted", "versions"),
    [pytest.param("", [3], id="subject"), pytest.param("/versions/2", [1, 3], id="newest version")],
)
def test_number_of_a_deleted_version_is_not_reused(repository: Repository, deleted: str, versions: list[int]) -> None:
    name = f"{repository.topic}-value"
    repository.registered().add_field(name="new", type="int", default=0)
    repository.registered().rest("DELETE", f"/subjects/{name}{deleted}")

    planned = repository.run("plan")
    done = repository.run("register")

    assert f"register {name} version 3" in planned.stdout
    assert f"register {name} version 3" in done.stdout
    assert repository.rest("GET", f"/subjects/{name}/versions") == versions
    assert "no changes" in repository.run("plan").stdout


def test_settings_that_kafka_rewrites_are_not_drift(repository: Repository) -> None:
    config: dict[str, Any] = {
        "cleanup.policy": "compact, delete",
        "min.cleanable.dirty.ratio": "0.50",
        "retention.ms": "060000",
        "unclean.leader.election.enable": "TRUE",
    }
    repository.write(kafka={"partitions": 1, "config": config}, dead_letter={"config": {"retention.ms": 1000}})
    assert repository.registered().findings("drift") == {}
    assert "no changes" in repository.run("plan").stdout


@pytest.mark.parametrize(
    ("kafka", "words"),
    [
        pytest.param({"config": {"no.such": "1"}}, "Unknown topic config name: no.such", id="config"),
        pytest.param({"replication_factor": 3}, "replication factor", id="replicas"),
    ],
)
def test_new_topic_refused_by_kafka_leaves_registry_untouched(
    repository: Repository, kafka: dict[str, Any], words: str
) -> None:
    repository.write(kafka=kafka)
    done = repository.run("register")
    assert done.returncode == 3
    assert words in done.stderr.replace("Replication", "replication")
    assert "done before it: nothing" in done.stderr
    assert not {f"{repository.topic}-value", repository.shared} & set(repository.rest("GET", "/subjects"))


def test_topic_setting_refused_by_kafka_leaves_registry_untouched(repository: Repository) -> None:
    repository.registered().write(kafka={"partitions": 2, "config": {"retention.ms": "soon"}})
    repository.add_field(name="new", type="int", default=0)
    done = repository.run("register")
    assert done.returncode == 3
    assert "done before it: nothing" in done.stderr
    assert repository.rest("GET", f"/subjects/{repository.topic}-value/versions") == [1]


def test_subject_without_a_level_inherits_the_global_one(
    repository: Repository, gateway: Gateway, tmp_path: Path
) -> None:
    """Confluent's registry also keeps settings such as `normalize` there; without a level, the global one applies."""
    repository.registered().write(compatibility="BACKWARD")
    gateway.before = lambda asked: (
        Answer(200, b'{"normalize": true}') if asked.method == "GET" and asked.path.startswith("/config/") else None
    )
    url = {"SCHEMA_REGISTRY_URL": gateway.url}
    drift = repository.run("drift", "--format", "json", **url)
    assert {one["rule"] for one in json.loads(drift.stdout)["findings"]} == {"LEVEL_INHERITED"}
    check = repository.run("check", "--against", "registry", **url)
    assert check.returncode == 0, check.stderr
    pulled = repository.run("pull", "--topic", repository.topic, "--dir", str(tmp_path / "pulled"), **url)
    assert pulled.returncode == 0, pulled.stderr
    text = (tmp_path / "pulled" / repository.topic / "contract.yaml").read_text()
    assert "compatibility: BACKWARD\n" in text


def test_subject_that_is_not_avro_is_named(repository: Repository) -> None:
    name = f"{repository.topic}-value"
    schema = json.dumps({"type": "object", "properties": {"id": {"type": "string"}}})
    repository.rest("POST", f"/subjects/{name}/versions", {"schema": schema, "schemaType": "JSON"})
    done = repository.run("check", "--against", "registry")
    assert done.returncode == 2
    assert f"{name} version 1" in done.stderr
    assert "it is a JSON schema, and contracts are Avro" in done.stderr


def test_same_schema_written_differently_is_not_drift(repository: Repository) -> None:
    """The attributes are in another order, and defaults are explicit."""
    number = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    repository.add_field(name="sum", type=number)
    repository.registered()
    name = f"{repository.topic}-value"
    schema = json.loads(repository.value.read_text())
    schema["fields"][-1] = {"order": "ascending", "type": dict(reversed(number.items())), "name": "sum"}
    schema["name"] = f"{schema.pop('namespace')}.{schema['name']}"
    references = [{"name": repository.shared, "subject": repository.shared, "version": 1}]
    repository.rest("DELETE", f"/subjects/{name}")
    repository.rest("DELETE", f"/subjects/{name}?permanent=true")
    body = {"schema": json.dumps(dict(reversed(schema.items()))), "references": references}
    repository.rest("POST", f"/subjects/{name}/versions", body)
    repository.rest("PUT", f"/config/{name}", {"compatibility": "FULL"})

    assert repository.findings("drift") == {}
    assert "no changes" in repository.run("plan").stdout


def test_nested_references_are_requested_once(repository: Repository, gateway: Gateway) -> None:
    """Each of ten types references the two before it, which makes about a hundred paths."""
    space = f"types_{repository.topic}"
    for number in range(10):
        kinds = [f"{space}.T{number - 1}", f"{space}.T{number - 2}"] if number > 1 else ["int", "int"]
        fields = [{"name": name, "type": kind} for name, kind in zip("ab", kinds, strict=True)]
        schema = {"type": "record", "namespace": space, "name": f"T{number}", "fields": fields}
        repository.save(repository.folder / f"T{number}.avsc", schema)
    repository.add_field(name="t", type=f"{space}.T9")
    repository.registered()

    planned = repository.run("plan", SCHEMA_REGISTRY_URL=gateway.url)

    assert "no changes" in planned.stdout
    assert len(gateway.seen) < 13 * 5, "thirteen subjects: versions, lookup, level, and each reference once"


def test_pull_keeps_characters_that_utf_8_cannot_encode(repository: Repository, tmp_path: Path) -> None:
    schema = json.loads(repository.value.read_text())
    schema["doc"] = "half \ud83d of a \U0001f680"
    repository.save(repository.value, schema)
    repository.registered()
    folder = tmp_path / "pulled"
    done = repository.run("pull", "--topic", repository.topic, "--dir", str(folder))
    assert done.returncode == 0, done.stderr
    pulled = Repository(folder, repository.environment, repository.topic)
    assert pulled.findings("drift") == {}
