"""Subjects of every strategy keep their history, and contracts.toml counts as it was at the commit."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.check.examine import examine
from avro_data_contracts.contracts.check.verdict import Checked
from contracts_tests.fixtures.git import git

STRATEGIES: list[dict[str, str]] = [
    {}, {"subject_strategy": "TopicRecordName"}, {"subject_strategy": "RecordName"}, {"subject": "my orders"},
]  # fmt: skip


class Repository:
    """Contracts of one topic in a git repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        git(folder, "init", "-q", "-b", "main")

    def write(self, name: str, *fields: dict[str, Any], record: str = "Placed", **said: Any) -> None:
        place = self.folder / "schemas" / name
        place.mkdir(parents=True, exist_ok=True)
        spec = {"topic": "orders", "owner": "shop", "compatibility": "BACKWARD_TRANSITIVE", **said}
        (place / "contract.yaml").write_text(yaml.safe_dump(spec))
        value = {"type": "record", "name": record, "namespace": "shop", "fields": list(fields)}
        (place / "value.avsc").write_text(json.dumps(value))

    def project(self, text: str) -> None:
        (self.folder / "contracts.toml").write_text(text)

    def commit(self) -> None:
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "-m", "change")

    def check(self, against: str = "HEAD") -> Checked:
        return examine(self.folder / "schemas", against, (), date(2026, 6, 1), settings.load)[1]

    def found(self, against: str = "HEAD") -> list[tuple[str, str]]:
        return [(one.contract, one.rule) for one in self.check(against).findings]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


ID = {"name": "id", "type": "string"}
CODE = {"name": "code", "type": "int"}
RETYPED = {"name": "code", "type": "string", "default": ""}


@pytest.mark.parametrize("said", STRATEGIES)
def test_transitive_level_sees_every_earlier_version_of_the_subject(
    repository: Repository, said: dict[str, str]
) -> None:
    for fields in ([ID, CODE], [ID]):
        repository.write("placed", *fields, **said)
        if "subject" in said or "subject_strategy" in said:
            repository.write("paid", *fields, record="Paid", subject="paid")
        repository.commit()
    repository.write("placed", ID, RETYPED, **said)
    assert repository.found() == [("placed", "TYPE_MISMATCH")]


@pytest.mark.parametrize("old", STRATEGIES)
@pytest.mark.parametrize("new", STRATEGIES)
def test_other_name_of_the_subject_is_a_finding(
    repository: Repository, old: dict[str, str], new: dict[str, str]
) -> None:
    repository.write("placed", ID, **old)
    repository.commit()
    repository.write("placed", ID, **new)
    assert repository.found() == [("placed", "SUBJECT_CHANGED")] * (old != new)


def test_contracts_toml_counts_as_it_was_at_the_commit(repository: Repository) -> None:
    repository.project('[contracts]\nsubject_strategy = "TopicRecordName"\n')
    repository.write("placed", ID)
    repository.write("paid", ID, record="Paid")
    repository.commit()
    assert repository.found() == []
    repository.project('[contracts]\nsubject_strategy = "RecordName"\n')
    assert repository.found() == [("paid", "SUBJECT_CHANGED"), ("placed", "SUBJECT_CHANGED")]
    repository.project("")
    repository.write("placed", ID, subject_strategy="TopicRecordName")
    repository.write("paid", ID, record="Paid", subject_strategy="TopicRecordName")
    assert repository.found() == []


def test_second_contract_of_a_topic_is_new_and_a_removed_one_is_told(repository: Repository) -> None:
    by_record = {"subject_strategy": "TopicRecordName"}
    repository.write("placed", ID, **by_record)
    repository.commit()
    repository.write("paid", ID, record="Paid", **by_record)
    assert [(one.contract, one.status) for one in repository.check().verdicts] == [("paid", "new")]
    repository.commit()
    for file in (repository.folder / "schemas" / "placed").iterdir():
        file.unlink()
    [finding] = repository.check().findings
    assert (finding.contract, finding.rule) == ("placed", "CONTRACT_REMOVED")
    assert "shop.Placed in the topic orders is gone; the topic still has paid" in finding.message


def test_schema_outside_the_contracts_folder_keeps_its_history(repository: Repository) -> None:
    shared = repository.folder / "schemas" / "shared.avsc"
    for fields in ([ID, CODE], [ID], [ID, RETYPED]):
        for topic in ("a", "b"):
            repository.write(topic, topic=topic, value="../shared.avsc")
            (repository.folder / "schemas" / topic / "value.avsc").unlink()
        shared.write_text(json.dumps({"type": "record", "name": "shop.Shared", "fields": fields}))
        if RETYPED not in fields:
            repository.commit()
    assert repository.found() == [("a", "TYPE_MISMATCH"), ("b", "TYPE_MISMATCH")]


@pytest.mark.parametrize("sayer", ["placed", "paid"])
def test_change_of_what_concerns_the_topic_is_told_once_by_the_contract_that_says_it(
    repository: Repository, sayer: str
) -> None:
    def write(said: dict[str, Any]) -> None:
        for name in ("placed", "paid"):
            more = said if name == sayer else {}
            repository.write(name, ID, record=name.title(), subject_strategy="TopicRecordName", **more)

    key = repository.folder / "schemas" / sayer / "key.avsc"
    said = {"key": "key.avsc", "kafka": {"partitions": 2}, "dead_letter": {"topic": "x"}}
    write(said)
    key.write_text('"string"')
    repository.commit()
    write(said | {"kafka": {"partitions": 3}, "dead_letter": {"topic": "y"}})
    key.write_text('"bytes"')
    assert {name for name, _ in repository.found()} == {sayer}
    rules = [rule for _, rule in repository.found()]
    assert sorted(rules) == ["DEAD_LETTERS_MOVED", "KEY_CHANGED", "PARTITIONS_CHANGED"]


# -- where a contract is, and what git is told ----------------------------------------------------------------------


def trap(repository: Repository, before: str, after: str, said: dict[str, str]) -> list[tuple[str, str]]:
    """A field goes, and comes back with another type: only the whole history shows it.  The contract moves before."""
    for fields in ([ID, CODE], [ID]):
        repository.write(before, *fields, **said)
        repository.commit()
    if before != after:
        (repository.folder / "schemas" / before).rename(repository.folder / "schemas" / after)
        repository.commit()
    repository.write(after, ID, RETYPED, **said)
    return repository.found()


@pytest.mark.parametrize("said", STRATEGIES)
@pytest.mark.parametrize(("before", "after"), [(".", "."), ("old", "new")])
def test_history_is_found_at_the_root_and_after_a_rename(
    repository: Repository, said: dict[str, str], before: str, after: str
) -> None:
    assert [rule for _, rule in trap(repository, before, after, said)] == ["TYPE_MISMATCH"]


@pytest.mark.parametrize("setting", ["log.showRoot=false", "log.diffMerges=off", "diff.relative=true"])
def test_settings_of_git_hide_no_history(repository: Repository, setting: str) -> None:
    git(repository.folder, "config", *setting.split("="))
    assert trap(repository, "placed", "placed", {}) == [("placed", "TYPE_MISMATCH")]


def test_type_that_a_contract_lent_is_in_the_history(repository: Repository) -> None:
    uses = {"name": "code", "type": "shop.Placed"}
    repository.write("placed", ID, topic="placed")
    for number, fields in enumerate(([ID, uses], [ID])):
        repository.write("paid", *fields, record="Paid", topic="paid")
        # Others need nothing of it: nobody lends anything any longer.
        repository.write(f"other{number}", ID, record=f"Other{number}", topic=f"other{number}")
        repository.commit()
    repository.write("paid", ID, RETYPED, record="Paid", topic="paid")
    assert repository.found() == [("paid", "TYPE_MISMATCH")]


def test_contract_in_a_linked_folder_is_in_the_baseline(repository: Repository) -> None:
    repository.write("placed", ID)
    repository.write("../shop/linked", ID, topic="linked", record="Linked")
    link = repository.folder / "schemas" / "linked"
    link.symlink_to("../shop/linked")
    repository.commit()
    assert repository.found() == []
    link.unlink()
    assert repository.found() == [("linked", "CONTRACT_REMOVED")]


def test_ignoring_a_contract_is_removing_it(repository: Repository) -> None:
    for name in ("placed", "paid"):
        repository.write(name, ID, topic=name, record=name.title())
    repository.project("")
    repository.commit()
    repository.project('[contracts]\nignore = ["schemas/paid"]\n')
    assert repository.found() == [("paid", "CONTRACT_REMOVED")]
    repository.commit()
    assert repository.found() == []


def test_contract_outside_a_sparse_checkout_is_not_removed(repository: Repository) -> None:
    for name in ("placed", "paid"):
        repository.write(name, ID, topic=name, record=name.title())
    repository.commit()
    git(repository.folder, "sparse-checkout", "set", "--no-cone", "/schemas/paid/")
    assert not (repository.folder / "schemas" / "placed").exists()
    assert repository.found() == []
    repository.write("paid", ID, CODE, topic="paid", record="Paid")
    assert repository.found() == [("paid", "READER_FIELD_MISSING_DEFAULT_VALUE")]


@pytest.mark.parametrize("below", ["schemas", "./schemas", "schemas/.", "schemas//", "schemas/placed/.."])
def test_folder_of_a_ref_may_be_written_in_any_way(repository: Repository, below: str) -> None:
    repository.write("placed", ID)
    repository.commit()
    repository.write("placed", ID, CODE)
    assert repository.found(f"HEAD:{below}") == [("placed", "READER_FIELD_MISSING_DEFAULT_VALUE")]


@pytest.mark.parametrize(("one", "other", "topic"), [("a", "a.contract.yaml", "b"), (".", "placed", "placed")])
def test_two_contracts_of_one_name_are_refused(repository: Repository, one: str, other: str, topic: str) -> None:
    repository.write("first", ID, topic="first", record="First")
    repository.commit()
    repository.write(one, ID, topic="a" if topic == "b" else topic)
    if other.endswith(".yaml"):
        text = f"topic: {topic}\nowner: o\ncompatibility: NONE\nvalue: a/value.avsc\n"
        (repository.folder / "schemas" / other).write_text(text)
    else:
        repository.write(other, ID, topic="another", record="Another")
    ((name, rule),) = repository.found()
    assert rule == "UNREADABLE"
    assert name in ("a", "placed")
