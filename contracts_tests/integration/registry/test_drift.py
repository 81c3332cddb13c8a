"""`contracts drift` and `contracts register --prune` against the real registry and the real broker."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from contracts_tests.fixtures.repository import Repository

Change = Callable[[Repository], object]


def admin(one: Repository) -> AdminClient:
    return AdminClient({"bootstrap.servers": one.environment["KAFKA_BOOTSTRAP_SERVERS"]})


def change_config(one: Repository) -> None:
    client = admin(one)
    entry = ConfigEntry("retention.ms", "70000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, one.topic, incremental_configs=[entry])
    client.incremental_alter_configs([resource])[resource].result(10)


def add_partitions(one: Repository) -> None:
    client = admin(one)
    client.create_partitions([NewPartitions(one.topic, 5)])[one.topic].result(10)


def delete_topic(ending: str) -> Change:
    def change(one: Repository) -> None:
        client, name = admin(one), one.topic + ending
        client.delete_topics([name], operation_timeout=10)[name].result(20)

    return change


def register_newer(one: Repository) -> None:
    found = one.rest("GET", f"/subjects/{one.topic}-value/versions/latest")
    schema = json.loads(found["schema"])
    schema["fields"].append({"name": "late", "type": ["null", "string"], "default": None})
    body = {"schema": json.dumps(schema), "references": found["references"]}
    one.rest("POST", f"/subjects/{one.topic}-value/versions", body)


def register_inline(one: Repository) -> None:
    """Replace the registered schema with the same one, its shared type inline instead of referenced."""
    schema = json.loads(one.value.read_text())
    schema["fields"][1]["type"] = json.loads((one.folder / "shared.avsc").read_text())
    one.rest("DELETE", f"/subjects/{one.topic}-value")
    one.rest("POST", f"/subjects/{one.topic}-value/versions", {"schema": json.dumps(schema)})


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        pytest.param(lambda one: None, [], id="nothing"),
        pytest.param(lambda one: one.add_field(name="new", type="int", default=0), ["SCHEMA_DIFFERS"], id="schema"),
        pytest.param(register_newer, ["NOT_LATEST"], id="newer version"),
        pytest.param(register_inline, ["REFERENCES_DIFFER"], id="references"),
        pytest.param(lambda one: one.rest("DELETE", f"/subjects/{one.topic}-key"), ["SUBJECT_MISSING"], id="subject"),
        pytest.param(lambda one: one.write(key=None), ["SUBJECT_EXTRA"], id="key dropped"),
        pytest.param(
            lambda one: one.rest("PUT", f"/config/{one.topic}-value", {"compatibility": "NONE"}),
            ["LEVEL_DIFFERS"],
            id="level",
        ),
        pytest.param(change_config, ["TOPIC_CONFIG_DIFFERS"], id="config"),
        pytest.param(add_partitions, ["TOPIC_DIFFERS"], id="partitions"),
        pytest.param(delete_topic(""), ["TOPIC_MISSING"], id="topic"),
        pytest.param(delete_topic(".dlq"), ["DEAD_LETTERS_MISSING"], id="dead letters"),
    ],
)
def test_each_difference_is_found_and_its_fix_works(repository: Repository, change: Change, rules: list[str]) -> None:
    change(repository.registered())

    found = repository.findings("drift")

    assert list(found) == rules
    for rule, fix in found.items():
        if rule not in ("NOT_LATEST", "TOPIC_DIFFERS"):  # these are fixed in the repository
            done = repository.run("register", *(["--prune"] if "--prune" in fix else []))
            assert done.returncode == 0, done.stderr
            assert repository.findings("drift") == {}


def test_drift_exit_codes_tell_findings_from_outages(repository: Repository) -> None:
    assert repository.run("drift").returncode == 1
    assert repository.registered().run("drift").returncode == 0
    down = repository.run("drift", SCHEMA_REGISTRY_URL="http://127.0.0.1:9")
    assert down.returncode == 3
    assert "schema registry http://127.0.0.1:9: not reachable" in down.stderr
    assert repository.run("drift", "--format", "github", "--fail-on", "never").returncode == 0


def test_register_prunes_nothing_without_the_flag_or_in_a_dry_run(repository: Repository) -> None:
    repository.registered().write(key=None)
    plain = repository.run("register")
    assert "register --prune" in plain.stdout
    dry = repository.run("register", "--prune", "--dry-run")
    assert f"delete subject {repository.topic}-key, softly: version 1" in dry.stdout
    assert dry.returncode == 0
    assert repository.rest("GET", f"/subjects/{repository.topic}-key/versions") == [1]


def test_prune_soft_deletes_only_subjects_of_the_repository(repository: Repository) -> None:
    foreign = f"{repository.topic}x-key"
    repository.rest("POST", f"/subjects/{foreign}/versions", {"schema": '"string"'})
    repository.registered().write(key=None)

    done = repository.run("register", "--prune")

    assert done.returncode == 0, done.stderr
    assert f"done delete subject {repository.topic}-key" in done.stdout
    assert foreign in repository.rest("GET", "/subjects")
    assert repository.shared in repository.rest("GET", "/subjects")
    assert f"{repository.topic}-key" not in repository.rest("GET", "/subjects")
    assert f"{repository.topic}-key" in repository.rest("GET", "/subjects?deleted=true")
    assert "no changes" in repository.run("register", "--prune").stdout


def test_refused_deletion_reports_completed_and_open_steps(repository: Repository) -> None:
    """Another subject references the key: the registry refuses to delete it after registering the value."""
    repository.registered()
    body = {
        "schema": json.dumps(
            {"type": "record", "name": "Uses", "fields": [{"name": "k", "type": f"{repository.topic}.Key"}]}
        ),
        "references": [{"name": f"{repository.topic}.Key", "subject": f"{repository.topic}-key", "version": 1}],
    }
    repository.rest("POST", f"/subjects/{repository.topic}x-value/versions", body)
    repository.write(key=None)
    repository.add_field(name="new", type="int", default=0)

    done = repository.run("register", "--prune")

    assert done.returncode == 3
    assert "42206" in done.stderr
    assert f"done before it: register {repository.topic}-value version 2" in done.stderr
    assert f"not done: delete subject {repository.topic}-key" in done.stderr
    assert repository.rest("GET", f"/subjects/{repository.topic}-key/versions") == [1]
