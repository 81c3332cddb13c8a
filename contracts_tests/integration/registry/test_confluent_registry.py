"""`plan`, `register`, `drift`, `check` and `pull` with a registry that behaves like Confluent's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.streaming.decode.reasons import Reason
from avro_data_contracts.streaming.decode.writer_schemas import Writers
from contracts_tests.fixtures.confluent import TAGS, Confluent, failure
from contracts_tests.fixtures.repository import Repository

AGAINST = ("check", "--against", "registry")


def at(one: Repository, url: str) -> Repository:
    """Return the repository with another registry."""
    return replace(one, environment={**one.environment, "SCHEMA_REGISTRY_URL": url})


def registry_of(one: Repository) -> Registry:
    return Registry(one.environment["SCHEMA_REGISTRY_URL"])


def contract_of(one: Repository) -> Contract:
    return loading.load(one.folder).get("one")


def assert_all_is_the_same(one: Repository, folder: Path, left_behind: tuple[str, ...] = ()) -> None:
    """Check that no command finds a difference, and that the notes of `pull` mention only what is `left_behind`."""
    assert one.findings("drift", "--fail-on", "warning") == {}
    assert "no changes" in one.run("register").stdout
    assert one.findings(*AGAINST, "--fail-on", "warning") == {}
    done = one.run("pull", "--topic", one.topic, "--dir", str(folder), "--format", "json")
    assert done.returncode == 0, done.stderr
    notes = json.loads(done.stdout)["notes"]
    assert len(notes) == len(left_behind)
    assert all(words in note for words, note in zip(left_behind, notes, strict=True))
    assert Repository(folder, one.environment, one.topic).findings("drift", "--fail-on", "warning") == {}


def schema_id(one: Repository) -> int:
    found = registry_of(one).version(f"{one.topic}-value")
    assert found is not None
    return found.schema_id


@pytest.mark.parametrize("context", ["", ".staging"])
def test_contract_is_registered_evolved_and_checked(
    repository: Repository, confluent: Confluent, tmp_path: Path, context: str
) -> None:
    one = at(repository, confluent.context(context) if context else confluent.url)
    assert set(one.findings("drift")) == {"SUBJECT_MISSING", "TOPIC_MISSING", "DEAD_LETTERS_MISSING"}
    one.registered()
    assert_all_is_the_same(one, tmp_path / "first")

    one.add_field(name="new", type=["null", "string"], default=None)
    assert list(one.findings("drift")) == ["SCHEMA_DIFFERS"]
    one.registered()
    assert_all_is_the_same(one, tmp_path / "second")
    assert registry_of(one).versions(f"{one.topic}-value") == [1, 2]

    one.add_field(name="no_default", type="string")
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in one.findings(*AGAINST)
    refused = one.run("register")
    assert refused.returncode == 3
    assert "40901" in refused.stderr
    one.rest("PUT", f"/config/{one.topic}-value", {"compatibility": "NONE"})
    assert "LEVEL_DIFFERS" in one.findings("drift")


def test_contexts_are_isolated_from_each_other(repository: Repository, confluent: Confluent, tmp_path: Path) -> None:
    staging = at(repository, confluent.context(".staging")).registered()
    here = at(repository, confluent.url)
    assert "SUBJECT_MISSING" in here.findings("drift")
    assert "SUBJECT_MISSING" in at(repository, confluent.context(".other")).findings("drift")
    here.registered()
    assert_all_is_the_same(here, tmp_path / "here")
    assert_all_is_the_same(staging, tmp_path / "staging")

    done = here.run("pull", "--dir", str(tmp_path / "all"), "--format", "json")
    left_out = json.loads(done.stdout)["left_out"]
    assert "another context" in left_out[f":.staging:{here.topic}-value"]


def test_context_level_takes_precedence_over_global_level(repository: Repository, confluent: Confluent) -> None:
    registry = Registry(confluent.context(".staging"))
    assert registry.global_config().level == "BACKWARD"
    one = at(repository, confluent.context(".staging"))
    one.rest("PUT", "/config", {"compatibility": "FULL"})
    assert registry.global_config().level == "FULL"
    assert Registry(confluent.url).global_config().level == "BACKWARD"


@pytest.mark.parametrize("context", ["", ".staging"])
def test_records_of_a_context_belong_to_the_contract(
    repository: Repository, confluent: Confluent, context: str
) -> None:
    one = at(repository, confluent.context(context) if context else confluent.url).registered()
    key = registry_of(one).version(f"{one.topic}-key")
    assert key is not None
    writers = Writers(registry_of(one), contract_of(one)).of([schema_id(one), key.schema_id, 2**31 - 1])
    assert writers[schema_id(one)].reason is None
    assert writers[key.schema_id].reason is Reason.WRONG_SUBJECT
    assert f"{one.topic}-key" in writers[key.schema_id].detail
    assert ":." not in writers[key.schema_id].detail
    assert writers[2**31 - 1].reason is Reason.UNKNOWN_SCHEMA_ID


@pytest.mark.parametrize("context", ["", ".staging"])
def test_aliased_subject_has_no_drift_and_its_records_are_accepted(
    repository: Repository, confluent: Confluent, tmp_path: Path, context: str
) -> None:
    one = at(repository, confluent.context(context) if context else confluent.url)
    target = f"{one.topic}-target-value"
    name = f":{context}:{target}" if context else target
    one.rest("PUT", f"/config/{one.topic}-value", {"alias": name})
    one.registered()
    assert registry_of(one).versions(target) == [1]
    assert_all_is_the_same(one, tmp_path / "pulled", (f"alias {target}",))
    registry = registry_of(one)
    assert registry.subjects_of(schema_id(one)) == [target]
    assert registry.holds(f"{one.topic}-value", schema_id(one))
    assert not registry.holds(f"{one.topic}-key", schema_id(one))
    assert [(kept.schema_id, kept.version) for kept in registry.all_of(f"{one.topic}-value")] == [(schema_id(one), 1)]
    assert Writers(registry, contract_of(one)).of([schema_id(one)])[schema_id(one)].reason is None


def test_aliased_shared_type_is_registered_once(repository: Repository, confluent: Confluent, tmp_path: Path) -> None:
    one = at(repository, confluent.url)
    one.rest("PUT", f"/config/{one.shared}", {"alias": f"{one.shared}.Target"})
    one.registered()
    assert "no changes" in one.run("register").stdout


FLOATS: tuple[tuple[Any, Any], ...] = (
    ("double", 1),
    ("float", -3),
    ("double", 1.5),
    (["double", "null"], 0),
    ({"type": "array", "items": "double"}, [1, 2.5, 3]),
    ({"type": "map", "values": ["float", "null"]}, {"a": 7}),
    (
        {"type": "record", "name": "In", "fields": [{"name": "d", "type": "double"}, {"name": "i", "type": "int"}]},
        {"d": 4, "i": 5},
    ),
)


@pytest.mark.parametrize("everywhere", [False, True])
def test_normalized_defaults_are_not_drift(
    repository: Repository, confluent: Confluent, tmp_path: Path, everywhere: bool
) -> None:
    one = at(repository, confluent.url)
    one.rest("PUT", f"/config{'' if everywhere else f'/{one.topic}-value'}", {"normalize": True})
    for number, (kind, default) in enumerate(FLOATS):
        one.add_field(name=f"f{number}", type=kind, default=default)
    one.registered()
    found = registry_of(one).version(f"{one.topic}-value")
    assert found is not None
    assert '"default": 1.0' in found.text, "the registry normalized the default"
    assert_all_is_the_same(one, tmp_path / "pulled", () if everywhere else ("normalize true",))


def tagged(one: Repository) -> Repository:
    """Register the repository, then tag a field at the registry."""
    one.registered()
    entity = {"entityPath": f"{one.topic}.One.id", "entityType": "sr_field"}
    body = {"tagsToAdd": [{"schemaEntity": entity, "tags": ["PII"]}]}
    one.rest("POST", f"/subjects/{one.topic}-value/versions/1/tags", body)
    return one


def newest_tags(one: Repository) -> list[str]:
    found = registry_of(one).version(f"{one.topic}-value")
    assert found is not None
    return json.loads(found.text)["fields"][0].get(TAGS, [])


def test_plan_lists_registry_tags_before_they_are_lost(repository: Repository, confluent: Confluent) -> None:
    one = tagged(at(repository, confluent.url))
    assert set(one.findings("drift", "--fail-on", "error")) == {"NOT_LATEST", "TAGS_DIFFER"}
    one.add_field(name="new", type="int", default=0)
    planned = one.run("plan")
    assert f"version 3 will lack: {one.topic}.One.id: PII" in planned.stdout
    assert "SCHEMA_REGISTRY_KEEP_TAGS" in planned.stdout
    one.registered()
    assert newest_tags(one) == []


def test_registry_tags_are_kept_when_configured(repository: Repository, confluent: Confluent, tmp_path: Path) -> None:
    one = tagged(at(repository, confluent.url))
    one = replace(one, environment={**one.environment, "SCHEMA_REGISTRY_KEEP_TAGS": "true"})
    assert_all_is_the_same(one, tmp_path / "first")
    one.add_field(name="new", type="int", default=0)
    planned = one.run("plan")
    assert "version 3" in planned.stdout
    assert "PII" not in planned.stdout
    one.registered()
    assert newest_tags(one) == ["PII"]
    assert_all_is_the_same(one, tmp_path / "second")


def test_metadata_is_drift_and_pull_says_it_stays_behind(
    repository: Repository, confluent: Confluent, tmp_path: Path
) -> None:
    one = at(repository, confluent.url).registered()
    name = f"{one.topic}-value"
    schema = json.loads(one.value.read_text())
    schema["fields"].append({"name": "later", "type": ["null", "string"], "default": None})
    found = one.rest("GET", f"/subjects/{name}/versions/1")
    body = {
        "schema": json.dumps(schema),
        "references": found["references"],
        "metadata": {"properties": {"team": "secret-team"}, "tags": {"**.id": ["PII"]}},
    }
    one.rest("POST", f"/subjects/{name}/versions", body)
    one.add_field(name="later", type=["null", "string"], default=None)
    assert list(one.findings("drift", "--fail-on", "error")) == ["METADATA_EXTRA"]
    done = one.run("pull", "--topic", one.topic, "--dir", str(tmp_path / "pulled"))
    assert f"{name}: its metadata (properties team; tags **.id) stays in the registry alone" in done.stdout
    assert "secret-team" not in done.stdout
    one.add_field(name="next", type=["null", "string"], default=None)
    one.registered()
    assert list(one.findings("drift", "--fail-on", "error")) == ["METADATA_EXTRA"], "a new version inherits it"


MODES = ["READONLY", "READONLY_OVERRIDE", "IMPORT"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("everywhere", [False, True])
def test_plan_predicts_refusal_by_the_registry_mode(
    repository: Repository, confluent: Confluent, mode: str, everywhere: bool
) -> None:
    one = at(repository, confluent.url).registered()
    name = f"{one.topic}-value"
    one.rest("PUT", f"/mode{'' if everywhere else f'/{name}'}", {"mode": mode})
    nothing = one.run("plan")
    assert (nothing.returncode, "no changes" in nothing.stdout) == (0, True)

    one.add_field(name="new", type="int", default=0)
    planned = json.loads(one.run("plan", "--format", "json").stdout)
    done = one.run("register")

    assert planned["steps"] == []
    assert any(name in words and mode in words for words in planned["conflicts"])
    assert planned["held"] == [f"register {name} version 2 from {one.value}"]
    assert done.returncode == 1
    assert mode in done.stdout
    assert "MODE_REFUSES" in one.findings("drift")
    assert registry_of(one).versions(name) == [1]


def test_mode_set_during_register_is_reported_with_its_fix(repository: Repository, confluent: Confluent) -> None:
    one = at(repository, confluent.url)
    confluent.before = lambda asked: (
        confluent.modes.update({"": "READONLY"})
        if asked.method == "POST" and asked.path.endswith("versions")
        else None
    )
    done = one.run("register")
    assert done.returncode == 3
    assert "42205" in done.stderr
    assert "set it to READWRITE" in done.stderr


@pytest.mark.parametrize("code", [403, 40301])
def test_account_without_access_to_modes_can_register(
    repository: Repository, confluent: Confluent, code: int
) -> None:
    one = at(repository, confluent.url)
    confluent.before = lambda asked: failure(code, "no") if asked.path.startswith("/mode") else None
    one.registered()
    assert "no changes" in one.run("plan").stdout


def in_group(one: Repository, group: str, **field: Any) -> None:
    """Register another version, in the group, with another field."""
    name = f"{one.topic}-value"
    found = one.rest("GET", f"/subjects/{name}/versions/latest")
    schema = json.loads(found["schema"])
    schema["fields"] = [*schema["fields"][:2], field]
    one.rest("PUT", f"/config/{name}", {"compatibility": "NONE"})
    body = {
        "schema": json.dumps(schema),
        "references": found["references"],
        "metadata": {"properties": {"major": group}},
    }
    one.rest("POST", f"/subjects/{name}/versions", body)
    one.rest("PUT", f"/config/{name}", {"compatibility": "FULL_TRANSITIVE"})


@pytest.mark.parametrize("grouped", [True, False])
def test_versions_are_compared_only_within_their_group(
    repository: Repository, confluent: Confluent, grouped: bool
) -> None:
    repository.write(compatibility="FULL_TRANSITIVE")
    one = at(repository, confluent.url).registered()
    if grouped:
        one.rest("PUT", f"/config/{one.topic}-value", {"compatibilityGroup": "major"})
    in_group(one, "1", name="amount", type="string", default="")
    in_group(one, "2", name="amount", type="int", default=0)
    one.add_field(name="amount", type="int", default=0)
    one.add_field(name="new", type="int", default=0)
    found = one.findings(*AGAINST)
    assert ("TYPE_MISMATCH" in found) is not grouped
