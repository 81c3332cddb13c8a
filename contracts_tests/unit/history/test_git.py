"""Reading earlier contracts from real git repositories: refs, histories, and everything that can be missing."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.check import diffs
from avro_data_contracts.contracts.check.examine import examine
from avro_data_contracts.contracts.check.verdict import Checked
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.history.git import Repository
from contracts_tests.fixtures.git import git

CONTRACT = "topic: orders\nowner: shop\ncompatibility: {level}\n"


def order(**fields: Any) -> str:
    listed = [{"name": name, "type": kind} for name, kind in {"id": "string", **fields}.items()]
    return json.dumps({"type": "record", "name": "Order", "namespace": "com.example", "fields": listed})


def write(clone: Path, text: str, level: str = "BACKWARD_TRANSITIVE", **others: str) -> None:
    folder = clone / "schemas" / "orders"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "contract.yaml").write_text(CONTRACT.format(level=level), encoding="utf-8")
    (folder / "value.avsc").write_text(text, encoding="utf-8")
    for name, other in others.items():
        path = clone / "schemas" / "types" / f"{name}.avsc"
        path.parent.mkdir(exist_ok=True)
        path.write_text(other, encoding="utf-8")


def commit(clone: Path, text: str, *, level: str = "BACKWARD_TRANSITIVE", **others: str) -> str:
    write(clone, text, level, **others)
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "change")
    return git(clone, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with one commit on main."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, order())
    return folder


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """A clone of `origin`, on its own branch."""
    git(tmp_path, "clone", "-q", str(origin), "clone")
    git(tmp_path / "clone", "switch", "-q", "-c", "change")
    return tmp_path / "clone"


def run(clone: Path, against: str | None = None, below: str = "schemas") -> Checked:
    folder = clone / below
    return examine(folder, against, (), date(2026, 6, 1), settings.load)[1]


def found(checked: Checked) -> list[tuple[str, str]]:
    return [(one.rule, one.path) for one in checked.findings]


BREAK = ("READER_FIELD_MISSING_DEFAULT_VALUE", "city")


def test_default_base_is_the_merge_base_with_origin_main(origin: Path, clone: Path) -> None:
    write(clone, order(city="string"))
    commit(origin, order(city="string"))  # meanwhile main gained the very same change
    git(clone, "fetch", "-q")
    checked = run(clone)
    assert BREAK in found(checked)
    assert "merge base" in checked.against
    assert run(clone, "origin/main").unchanged == 1


def test_committed_and_uncommitted_changes_count_alike(clone: Path) -> None:
    commit(clone, order(city="string"))
    assert BREAK in found(run(clone))
    assert found(run(clone, "HEAD")) == []


@pytest.mark.parametrize("form", ["branch", "tag", "hash", "short"])
def test_against_accepts_every_form_of_ref(clone: Path, form: str) -> None:
    sha = git(clone, "rev-parse", "HEAD")
    git(clone, "tag", "v1")
    write(clone, order(city="string"))
    ref = {"branch": "main", "tag": "v1", "hash": sha, "short": sha[:10]}[form]
    if form == "branch":
        git(clone, "branch", "-f", "main", sha)
    assert BREAK in found(run(clone, ref))


def test_transitive_level_reads_whole_first_parent_history(clone: Path) -> None:
    commit(clone, order(count="string"))
    commit(clone, order(), level="BACKWARD_TRANSITIVE")
    git(clone, "switch", "-q", "-c", "aside")
    commit(clone, order(total="string"))  # this version is never on the first-parent line
    commit(clone, order())
    git(clone, "switch", "-q", "change")
    git(clone, "merge", "-q", "--no-ff", "-m", "merge", "aside")
    write(clone, order(count=["null", "int"], total=["null", "int"]).replace('"int"]}', '"int"], "default": null}'))
    assert found(run(clone, "HEAD")) == [("MISSING_UNION_BRANCH", "count")]
    (one,) = run(clone, "HEAD").findings
    assert git(clone, "rev-parse", "--short=9", "HEAD~2") in one.message
    write(clone, (clone / "schemas/orders/value.avsc").read_text(), level="BACKWARD")
    assert found(run(clone, "HEAD~1")) == [("LEVEL_LOWERED", "compatibility"), ("MISSING_UNION_BRANCH", "count")]


def test_non_transitive_level_reads_only_the_ref(clone: Path) -> None:
    commit(clone, order(count="string"), level="BACKWARD")
    commit(clone, order(), level="BACKWARD")
    write(clone, order(count=["null", "int"]).replace('"int"]}', '"int"], "default": null}'), level="BACKWARD")
    assert found(run(clone, "HEAD")) == []


def test_history_reads_shared_types_and_skips_broken_schemas(clone: Path) -> None:
    size = '{"type": "record", "name": "Size", "namespace": "com.example", "fields": [{"name": "n", "type": "%s"}]}'
    commit(clone, order(size="com.example.Size"), size=size % "string")
    commit(clone, "{ broken", size=size % "string")
    commit(clone, order(size="com.example.Size"), size=size % "bytes")
    write(clone, order(size="com.example.Size"), size=size % "int")
    findings = [one for one in run(clone, "HEAD").findings if one.rule == "TYPE_MISMATCH"]
    assert {one.path for one in findings} == {"size.n"}
    assert any(
        "HEAD" in one.message or git(clone, "rev-parse", "--short=9", "HEAD~2") in one.message for one in findings
    )


@pytest.mark.parametrize(
    "form", ["%s", "// comment\n%s", "[%s]", '/* a */[{"type": "enum", "name": "E", "symbols": []}, %s]']
)
def test_history_reads_types_inside_shared_types(clone: Path, form: str) -> None:
    inner = '{"type": "record", "name": "Size", "fields": [{"name": "n", "type": "%s"}]}'
    around = '{"type": "record", "name": "Box", "namespace": "com.example", "fields": [{"name": "s", "type": %s}]}'
    for kind in ("string", "bytes"):
        commit(clone, order(size="com.example.Size"), size=form % around % inner % kind)
    write(clone, order(size="com.example.Size"), size=form % around % inner % "int")
    findings = [one for one in run(clone, "HEAD").findings if one.rule == "TYPE_MISMATCH"]
    assert {one.path for one in findings} == {"size.n"}
    told = " ".join(one.message for one in findings)
    assert "string" in told
    assert "bytes" in told


def test_contract_of_a_submodule_is_told_as_not_compared(clone: Path, tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    write(vendor, order())
    git(vendor, "init", "-q")
    git(vendor, "add", "-A")
    git(vendor, "commit", "-q", "-m", "1")
    git(clone, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(vendor), "schemas/vendor")
    spec = clone / "schemas" / "vendor" / "schemas" / "orders" / "contract.yaml"
    spec.write_text(spec.read_text().replace("orders", "bills"))
    git(clone, "commit", "-q", "-a", "-m", "vendor")
    checked = run(clone, "HEAD")
    (one,) = checked.findings
    assert (one.rule, one.file) == ("BASE_UNREADABLE", f"{clone}/schemas/vendor")
    assert "count as new" in one.message
    assert [each.status for each in checked.verdicts] == ["new"]


def test_replaced_topic_is_a_removed_and_a_new_contract(clone: Path) -> None:
    (clone / "schemas" / "orders").rename(clone / "schemas" / "returns")
    path = clone / "schemas" / "returns" / "contract.yaml"
    path.write_text(path.read_text().replace("orders", "returns"))
    checked = run(clone)
    assert found(checked) == [("CONTRACT_REMOVED", "topic")]
    assert [one.status for one in checked.verdicts] == ["new", "removed"]


def test_moved_folder_is_the_same_contract(clone: Path) -> None:
    (clone / "schemas" / "orders").rename(clone / "schemas" / "moved")
    assert run(clone).unchanged == 1


def test_base_without_contracts_is_reported(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "empty")
    write(tmp_path, order())
    checked = run(tmp_path, "HEAD")
    assert [one.status for one in checked.verdicts] == ["new"]
    assert found(checked) == [("NOTHING_COMPARED", "")]


# -- renamed, removed and returning contracts --------------------------------------------------------------------

COUNT = order(count=["null", "int"]).replace('"int"]}', '"int"], "default": null}')


def history_of_count(clone: Path) -> None:
    """Commit a version with a text field `count`, then a version without it."""
    commit(clone, order(count="string"))
    commit(clone, order())


def rename(clone: Path, old: str, new: str) -> None:
    (clone / new).parent.mkdir(parents=True, exist_ok=True)
    git(clone, "mv", old, new)
    git(clone, "commit", "-q", "-m", "rename")


def test_renamed_contract_keeps_its_history(clone: Path) -> None:
    history_of_count(clone)
    rename(clone, "schemas/orders", "schemas/shop/orders")
    value = clone / "schemas" / "shop" / "orders" / "value.avsc"
    for later in (order(total="string"), order()):
        value.write_text(later, encoding="utf-8")
        git(clone, "commit", "-q", "-a", "-m", "in the new place")
    both = COUNT.replace('{"name": "count"', '{"name": "total", "type": "int", "default": 1}, {"name": "count"')
    value.write_text(both, encoding="utf-8")
    assert sorted(found(run(clone, "HEAD"))) == [("MISSING_UNION_BRANCH", "count"), ("TYPE_MISMATCH", "total")]


def test_renamed_schema_file_keeps_its_history(clone: Path) -> None:
    history_of_count(clone)
    folder = clone / "schemas" / "orders"
    text = (folder / "contract.yaml").read_text(encoding="utf-8") + "value: order.avsc\n"
    (folder / "contract.yaml").write_text(text, encoding="utf-8")
    rename(clone, "schemas/orders/value.avsc", "schemas/orders/order.avsc")
    git(clone, "commit", "-q", "-a", "-m", "and its contract")
    (folder / "order.avsc").write_text(COUNT, encoding="utf-8")
    assert found(run(clone, "HEAD")) == [("MISSING_UNION_BRANCH", "count")]


def test_another_subject_in_the_same_file_does_not_share_history(clone: Path) -> None:
    history_of_count(clone)
    write(clone, order())
    path = clone / "schemas" / "orders" / "contract.yaml"
    path.write_text(path.read_text().replace("topic: orders", "topic: returns"))
    git(clone, "commit", "-q", "-a", "-m", "another topic")
    (clone / "schemas" / "orders" / "value.avsc").write_text(COUNT, encoding="utf-8")
    assert found(run(clone, "HEAD")) == []


def test_renamed_schemas_folder_keeps_its_history(clone: Path) -> None:
    history_of_count(clone)
    rename(clone, "schemas", "data/contracts")
    (clone / "data/contracts/orders/value.avsc").write_text(COUNT, encoding="utf-8")
    assert found(run(clone, "HEAD", "data/contracts")) == [("MISSING_UNION_BRANCH", "count")]


def test_uncommitted_rename_of_schemas_folder_keeps_its_history(clone: Path) -> None:
    history_of_count(clone)
    git(clone, "mv", "schemas", "contracts")
    checked = run(clone, "HEAD", "contracts")
    assert (found(checked), checked.unchanged) == ([], 1)
    assert checked.against.endswith(" in schemas")
    (clone / "contracts/orders/value.avsc").write_text(COUNT, encoding="utf-8")
    assert found(run(clone, "HEAD", "contracts")) == [("MISSING_UNION_BRANCH", "count")]
    assert found(run(clone, "HEAD:schemas", "contracts")) == [("MISSING_UNION_BRANCH", "count")]


def test_untraceable_move_of_contracts_is_refused(clone: Path) -> None:
    git(clone, "mv", "schemas/orders", "purchases")
    (clone / "contracts").mkdir()
    git(clone, "mv", "purchases", "contracts/purchases")
    told = refused(clone, "HEAD", "contracts")
    assert "has others that are gone now: schemas/orders/contract.yaml" in told
    assert "--against REF:DIR" in told
    assert run(clone, "HEAD:schemas", "contracts").unchanged == 1
    told = refused(clone, "HEAD:nowhere", "contracts")
    assert "nowhere has no contract.yaml; it has schemas/orders/contract.yaml" in told


def test_nothing_compared_names_contracts_in_other_folders(clone: Path) -> None:
    (clone / "more" / "returns").mkdir(parents=True)
    (clone / "more" / "returns" / "contract.yaml").write_text(CONTRACT.format(level="NONE").replace("orders", "r"))
    (clone / "more" / "returns" / "value.avsc").write_text(order(), encoding="utf-8")
    (one,) = run(clone, "HEAD", "more").findings
    assert one.rule == "NOTHING_COMPARED"
    assert "it has schemas/orders/contract.yaml" in one.message


def test_returning_contract_keeps_its_history(clone: Path) -> None:
    history_of_count(clone)
    git(clone, "rm", "-q", "-r", "schemas/orders")
    write(clone, order(), keep='"string"')
    path = clone / "schemas" / "orders" / "contract.yaml"
    path.write_text(path.read_text().replace("topic: orders", "topic: returns"))
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "another one instead")
    (clone / "schemas" / "back").mkdir()
    (clone / "schemas" / "back" / "contract.yaml").write_text(CONTRACT.format(level="BACKWARD_TRANSITIVE"))
    (clone / "schemas" / "back" / "value.avsc").write_text(COUNT, encoding="utf-8")
    checked = run(clone, "HEAD")
    assert found(checked) == [("MISSING_UNION_BRANCH", "count")]
    assert git(clone, "rev-parse", "--short=9", "HEAD~2") in checked.findings[0].message
    (clone / "schemas" / "back" / "value.avsc").write_text(order(city="string"), encoding="utf-8")
    checked = run(clone, "HEAD")
    assert BREAK in found(checked)
    assert [one.status for one in checked.verdicts] == ["back"]
    assert f", {git(clone, 'rev-parse', '--short=9', 'main')} of " in checked.findings[0].message
    (clone / "schemas" / "back" / "value.avsc").write_text(order(), encoding="utf-8")
    assert (found(run(clone, "HEAD")), run(clone, "HEAD").unchanged) == ([], 2)


def test_history_skips_unreadable_versions_of_a_contract(clone: Path) -> None:
    path = clone / "schemas" / "orders" / "contract.yaml"
    before = path.read_text()
    for broken in ("topic: [", "- a list\n", before + "unknown: 1\n"):
        path.write_text(broken)
        git(clone, "commit", "-q", "-a", "-m", "broken")
    path.write_text(before)
    commit(clone, order(count="string"))
    commit(clone, order())
    write(clone, COUNT)
    assert found(run(clone, "HEAD")) == [("MISSING_UNION_BRANCH", "count")]


SINK = "sinks:\n  postgres: {table: orders, primary_key: [id]}\n"


@pytest.mark.parametrize("level", ["NONE", "BACKWARD", "FULL_TRANSITIVE"])
def test_column_of_any_version_still_counts_for_the_table(clone: Path, level: str) -> None:
    def stored(text: str) -> None:
        write(clone, text.replace('"long"]}', '"long"], "default": null}'), level)
        with (clone / "schemas/orders/contract.yaml").open("a") as file:
            file.write(SINK)

    stored(order(count=["null", "long"]))
    git(clone, "commit", "-q", "-a", "-m", "a count")
    stored(order())
    git(clone, "commit", "-q", "-a", "-m", "none")
    stored(COUNT.replace("int", "string"))
    (one,) = [one for one in run(clone, "HEAD").findings if one.rule == "COLUMN_CANNOT_CHANGE"]
    assert f"count was bigint in {git(clone, 'rev-parse', '--short=9', 'HEAD~1')} of " in one.message
    stored(order(count=["null", "long"]))
    checked = run(clone, "HEAD")
    assert found(checked) == []
    assert checked.verdicts[0].impact is not None
    assert checked.verdicts[0].impact.tables[0].migration.statements == ()


# -- links -------------------------------------------------------------------------------------------------------


def link(clone: Path, target: str) -> None:
    path = clone / "schemas" / "orders" / "value.avsc"
    path.unlink()
    path.symlink_to(target)
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "link")


@pytest.mark.parametrize("target", ["../../shared/order.json", "../order.json"])
def test_link_inside_the_repository_is_followed(clone: Path, target: str) -> None:
    file = (clone / "schemas" / "orders" / target).resolve()
    file.parent.mkdir(exist_ok=True)
    file.write_text(order(count="string"), encoding="utf-8")
    link(clone, target)
    assert run(clone, "HEAD").unchanged == 1
    file.write_text(order(), encoding="utf-8")
    git(clone, "commit", "-q", "-a", "-m", "what it leads to")
    file.write_text(COUNT, encoding="utf-8")
    assert found(run(clone, "HEAD")) == [("MISSING_UNION_BRANCH", "count")]


def test_link_out_of_the_repository_cannot_be_read_in_the_base(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "order.avsc").write_text(order(), encoding="utf-8")
    link(clone, "../../../order.avsc")
    (one,) = run(clone, "HEAD").findings
    assert (one.rule, one.file) == ("BASE_UNREADABLE", f"{clone}/schemas/orders/value.avsc")
    assert "outside the repository; compared with the last version that can be read" in one.message


def test_contract_in_linked_folder_keeps_its_history(clone: Path) -> None:
    history_of_count(clone)
    (clone / "shared").mkdir()
    git(clone, "mv", "schemas/orders", "shared/orders")
    (clone / "schemas").mkdir(exist_ok=True)
    (clone / "schemas" / "orders").symlink_to("../shared/orders")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "link the folder")
    file = clone / "shared" / "orders" / "value.avsc"
    assert run(clone, "HEAD").unchanged == 1
    file.write_text(order(total="string"), encoding="utf-8")
    git(clone, "commit", "-q", "-a", "-m", "a version behind the link")
    file.write_text(order(), encoding="utf-8")
    git(clone, "commit", "-q", "-a", "-m", "and another")
    file.write_text(order(total=["null", "int"]), encoding="utf-8")
    assert ("MISSING_UNION_BRANCH", "total") in found(run(clone, "HEAD"))
    file.write_text(order(city="string"), encoding="utf-8")
    assert BREAK in found(run(clone, "HEAD"))


def test_link_to_a_missing_file_is_refused(clone: Path) -> None:
    link(clone, "nothing.avsc")
    (clone / "schemas/orders/value.avsc").unlink()
    write(clone, order())
    (one,) = run(clone, "HEAD").findings
    assert one.rule == "BASE_UNREADABLE"
    assert "the file value.avsc does not exist" in one.message


# -- what --against names ----------------------------------------------------------------------------------------


def test_name_of_both_folder_and_ref_is_refused_as_ambiguous(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone)
    git(clone, "branch", "old")

    def label(against: str) -> str:
        return examine(Path("schemas"), against, (), date(2026, 6, 1), settings.load)[1].against

    assert label("old").startswith("old (")
    (clone / "old").mkdir()
    with pytest.raises(ConfigurationError) as caught:
        label("old")
    assert "./old or refs/heads/old" in caught.value.fix
    assert label("./old") == "old"
    assert label("refs/heads/old").startswith("refs/heads/old (")
    git(clone, "branch", "-D", "old")
    assert label("old") == "old"


def test_repository_without_commits_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, order())
    for against in (None, "HEAD", "main"):
        told = refused(tmp_path, against)
        assert "no commit yet" in told
        assert "git commit" in told
        assert "git fetch" not in told


def test_folder_name_that_git_quotes_is_read(clone: Path) -> None:
    (clone / "schemas" / "orders").rename(clone / "schemas" / 'bestellungen "ü"\n')
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "change")
    assert run(clone, "HEAD").unchanged == 1


def refused(clone: Path, against: str | None = None, below: str = "schemas") -> str:
    with pytest.raises(ConfigurationError) as caught:
        run(clone, against, below)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_missing_ref_suggests_git_fetch(clone: Path) -> None:
    told = refused(clone, "origin/nowhere")
    assert "'origin/nowhere'" in told
    assert "git fetch origin nowhere:refs/remotes/origin/nowhere" in told
    assert "git fetch" in refused(clone, "v99")
    assert "not a git ref" in refused(clone, "--output=x")


def test_repository_without_remote_suggests_against_option(origin: Path) -> None:
    told = refused(origin)
    assert "--against REF|DIR|registry (branches here: main)" in told
    assert "git fetch" not in told


def test_folder_outside_a_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write(tmp_path, order())
    told = refused(tmp_path)
    assert "not in a git repository" in told
    assert "--against DIR|registry" in told


def test_missing_git_suggests_installing_it(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "install git" in refused(clone)


def test_shallow_clone_suggests_unshallow_fetch(origin: Path, tmp_path: Path) -> None:
    commit(origin, order(count=["null", "string"]).replace('"string"]}', '"string"], "default": null}'))
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{origin}", "shallow")
    shallow = tmp_path / "shallow"
    git(shallow, "switch", "-q", "-c", "change")
    assert run(shallow).unchanged == 1
    write(shallow, order(city="string"))
    assert "git fetch --unshallow origin" in refused(shallow)
    git(shallow, "fetch", "-q", "--unshallow", "origin")
    assert BREAK in found(run(shallow))


def test_shallow_clone_without_merge_base_suggests_unshallow_fetch(origin: Path, tmp_path: Path) -> None:
    git(origin, "switch", "-q", "-c", "change")
    commit(origin, order(a="string"))
    git(origin, "switch", "-q", "main")
    commit(origin, order(b="string"))
    git(tmp_path, "clone", "-q", "--depth", "1", "--no-single-branch", "-b", "change", f"file://{origin}", "shallow")
    told = refused(tmp_path / "shallow")
    assert "no common commit" in told
    assert "git fetch --unshallow origin" in told


@pytest.mark.parametrize("file", ["orders/value.avsc", "orders/contract.yaml", "types/size.avsc"])
@pytest.mark.parametrize("text", ["{ broken", "\ufeff{}", "topic: ["])
def test_change_of_broken_base_is_compared_with_last_readable_version(clone: Path, file: str, text: str) -> None:
    size = '{"type": "fixed", "name": "Size", "namespace": "com.example", "size": 4}'
    good = commit(clone, order(size="com.example.Size"), size=size)
    (clone / "schemas" / file).write_text(text, encoding="utf-8")
    git(clone, "commit", "-q", "-a", "-m", "broken")
    write(clone, order(size="com.example.Size"), size=size)
    repaired = run(clone, "HEAD")
    told = [one for one in repaired.findings if one.rule == "BASE_UNREADABLE"]
    assert told
    assert all(one.severity == "warning" and one.message.startswith("in HEAD (") for one in told)
    assert any(good[:9] in one.message for one in told)
    assert [one.rule for one in repaired.findings if one.severity == "error"] == []
    write(clone, order(size="com.example.Size", city="string"), size=size)
    assert BREAK in found(run(clone, "HEAD"))
    assert [one.status for one in run(clone, "HEAD").verdicts] == ["changed"]


def test_removal_of_a_broken_contract_is_still_a_removal(clone: Path) -> None:
    commit(clone, "{ broken")
    (clone / "schemas" / "other").mkdir()
    (clone / "schemas" / "other" / "contract.yaml").write_text("topic: other\nowner: o\ncompatibility: NONE\n")
    (clone / "schemas" / "other" / "value.avsc").write_text(order())
    git(clone, "rm", "-q", "-r", "schemas/orders")
    assert ("CONTRACT_REMOVED", "topic") in found(run(clone, "HEAD"))


def test_base_is_found_from_a_subfolder(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(clone, order(city="string"))
    monkeypatch.chdir(clone / "schemas")
    assert [one.topic for one in run(clone, "HEAD", "schemas").verdicts] == ["orders"]
    (verdict,) = examine(Path("."), "HEAD", (), date(2026, 6, 1), settings.load)[1].verdicts
    assert verdict.status == "changed"


def test_git_variables_set_by_a_hook_are_ignored(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index.lock")
    write(clone, order(city="string"))
    assert BREAK in found(run(clone))


def test_diff_accepts_refs(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone)
    write(clone, order(city="string"))
    told = [(one.kind, one.path) for one in diffs.compare("HEAD:schemas", "schemas")]
    assert told == [("added", "orders/value.avsc: city")]
    told = [
        (one.kind, one.path) for one in diffs.compare("HEAD:schemas/orders/value.avsc", "schemas/orders/value.avsc")
    ]
    assert told == [("added", "city")]
    with pytest.raises(ConfigurationError, match="no file or folder"):
        diffs.compare("HEAD:nowhere/a.avsc", "schemas/orders/value.avsc")


def test_repository_reads_only_requested_files(clone: Path) -> None:
    repository = Repository(clone / "schemas" / "orders")
    head = repository.commit("HEAD")
    files = repository.files(head, "schemas/orders")
    assert sorted(files) == ["schemas/orders/contract.yaml", "schemas/orders/value.avsc"]
    blobs = repository.blobs(files.values())
    assert blobs[files["schemas/orders/value.avsc"]].decode() == order()
    with pytest.raises(ConfigurationError, match="lacks the object"):
        repository.blobs(["0" * 40])
