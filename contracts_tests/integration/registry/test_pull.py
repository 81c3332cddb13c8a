"""`contracts pull` from the real registry: the files match what the servers have."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
import yaml

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.registry import drift, plan, pull
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.register import Servers
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures.repository import Repository


def test_pulled_contract_has_no_drift_and_passes_check(repository: Repository, tmp_path: Path) -> None:
    repository.registered()
    repository.add_field(name="later", type=["null", "string"], default=None)
    repository.registered()
    folder = tmp_path / "pulled"

    done = repository.run("pull", "--dir", str(folder), "--topic", repository.topic, "--format", "json")

    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["topics"] == [repository.topic]
    assert document["notes"] == []
    own = [f"{repository.topic}/{name}" for name in ("contract.yaml", "key.avsc", "value.avsc")]
    written = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert sorted(written) == sorted([*own, f"types/{repository.shared}.avsc"])
    pulled = Repository(folder, repository.environment, repository.topic)
    assert pulled.findings("drift", "--fail-on", "warning") == {}
    assert pulled.findings("check", "--against", "registry", "--fail-on", "warning") == {}
    assert "no changes" in pulled.run("register").stdout


def test_pull_of_a_whole_registry_names_subjects_left_out(repository: Repository, tmp_path: Path) -> None:
    repository.registered()
    stray = f"{repository.topic}.stray"
    repository.rest("POST", f"/subjects/{stray}/versions", {"schema": '"string"'})

    done = repository.run("pull", "--dir", str(tmp_path / "pulled"), "--owner", "shop")

    assert done.returncode == 0, done.stderr
    assert f"left out {stray}: its name does not say its topic" in done.stdout
    assert "owner: shop" in (tmp_path / "pulled" / repository.topic / "contract.yaml").read_text()
    assert repository.run("lint", "--fail-on", "never").returncode == 0


def test_pull_does_not_overwrite_existing_files(repository: Repository, tmp_path: Path) -> None:
    repository.registered()
    arguments = ("pull", "--dir", str(tmp_path / "pulled"), "--topic", repository.topic)
    assert repository.run(*arguments).returncode == 0
    file = tmp_path / "pulled" / repository.topic / "contract.yaml"
    file.write_text("mine")

    again = repository.run(*arguments)

    assert again.returncode == 2
    assert "nothing was written" in again.stderr
    assert f"{repository.topic}/contract.yaml" in again.stderr
    assert file.read_text() == "mine"


def test_pull_reports_unknown_topic_and_unreachable_registry(repository: Repository, tmp_path: Path) -> None:
    unknown = repository.run("pull", "--dir", str(tmp_path / "pulled"), "--topic", "no_such_topic")
    assert (unknown.returncode, "no_such_topic-value" in unknown.stderr) == (2, True)
    down = repository.run("pull", "--dir", str(tmp_path / "pulled"), SCHEMA_REGISTRY_URL="http://127.0.0.1:9")
    assert (down.returncode, "not reachable" in down.stderr) == (3, True)
    assert not (tmp_path / "pulled").exists()


@pytest.mark.parametrize("strategy", ["TopicName", "TopicRecordName", "RecordName", ""])
def test_pulled_contracts_of_record_named_subjects_have_no_drift(
    settings_of_stack: Settings, tmp_path: Path, strategy: str
) -> None:
    """Two contracts share a topic, except with `TopicName`; with the last one, subjects have names of their own."""
    topic = f"t{uuid.uuid4().hex[:10]}"
    topics = [topic, topic if strategy != "TopicName" else f"{topic}_2"]
    for number, name in enumerate(topics):
        folder = tmp_path / "made" / f"c{number}"
        folder.mkdir(parents=True)
        naming = {"subject_strategy": strategy} if strategy else {"subject": f"{topic}/{number}"}
        spec = {"topic": name, "owner": "shop", "compatibility": "FULL", "key": "key.avsc", **naming}
        (folder / "contract.yaml").write_text(yaml.safe_dump(spec))
        fields = [{"name": "id", "type": "string"}]
        value = {"type": "record", "name": f"n_{topic}.R{number}", "fields": fields}
        (folder / "value.avsc").write_text(json.dumps(value))
        (folder / "key.avsc").write_text(json.dumps({"type": "record", "name": f"n_{topic}.K", "fields": fields}))
    made = loading.load(tmp_path / "made")
    servers = Servers(Registry.from_settings(settings_of_stack), Topics(settings_of_stack))
    servers.carry_out(plan.make(made, servers.read(made)))

    known = strategy in ("TopicName", "TopicRecordName")
    asked = topics if known else [f"{made.get(f'c{number}').value.name}={topics[number]}" for number in (0, 1)]
    found = pull.files_of(pull.read(servers, asked), "shop")
    pull.write(tmp_path / "pulled", found)

    pulled = loading.load(tmp_path / "pulled")
    assert sorted(one.name for one in pulled.subjects) == sorted(one.name for one in made.subjects)
    assert [one.topic for one in pulled.contracts.values()] == sorted(topics)
    assert drift.find(pulled, servers.read(pulled), Texts()) == ()
    if not known and strategy:
        everything = pull.files_of(pull.read(servers), "shop")
        name = made.get("c0").value.name
        assert f"--topic {name}=TOPIC" in everything.left_out[name]
