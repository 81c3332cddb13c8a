"""`contracts pull` from the real registry: the files match what the servers have."""

from __future__ import annotations

import json
from pathlib import Path

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
    assert f"left out {stray}: it is no topic's" in done.stdout
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
