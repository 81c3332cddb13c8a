"""Schema changes as pull requests, from the branch to the rows in both stores, on real servers.

A compatible change is merged and its column appears. An incompatible one is refused in three places; once approved,
it goes through with its migration. A producer with the first schema keeps working throughout.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.registry.http import MEDIA_TYPE
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.git import git
from contracts_tests.fixtures.pipeline import Pipeline, made
from contracts_tests.fixtures.repository import Done, Repository
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import headers, user

LEVEL = "FULL_TRANSITIVE"
REASON = "the address moves to a topic of its own; shipping reads it there"

Fields = list[dict[str, Any]]


@dataclass
class Clone:
    """A git repository around the contracts of a pipeline: `main`, and a branch for each change."""

    folder: Path
    pipeline: Pipeline
    command: Repository

    def contracts(self, *arguments: str) -> Done:
        return self.command.run(*arguments)

    def branch(self, name: str) -> None:
        git(self.folder, "switch", "-c", name)

    def commit(self) -> None:
        git(self.folder, "add", "schemas")
        git(self.folder, "commit", "-m", "a change")

    def merge(self) -> None:
        """Merge the branch into main, like a pull request."""
        branch = git(self.folder, "rev-parse", "--abbrev-ref", "HEAD").strip()
        git(self.folder, "switch", "main")
        git(self.folder, "merge", "--no-ff", "-m", f"merge {branch}", branch)

    def edit(self, change: Callable[[Fields], Fields]) -> None:
        file = self.pipeline.folder / "value.avsc"
        schema = json.loads(file.read_text())
        schema["fields"] = change(schema["fields"])
        file.write_text(json.dumps(schema, indent=2))

    def edit_contract(self, **changes: Any) -> None:
        file = self.pipeline.folder / "contract.yaml"
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **changes}, sort_keys=False))

    @property
    def subject(self) -> str:
        return self.pipeline.contract.value.name

    @property
    def schema_id(self) -> int:
        """Schema id of the value schema in the folder."""
        found = Snapshot(self.pipeline.registry).find(self.pipeline.contract.value)
        assert found is not None
        return found.schema_id

    @property
    def registered(self) -> dict[str, tuple[list[int], str | None]]:
        """Versions and compatibility level of every subject."""
        registry = self.pipeline.registry
        names = [subject.name for subject in self.pipeline.contract.subjects]
        return {name: (registry.versions(name), registry.level(name)) for name in names}

    def send(self, schema_id: int, record: dict[str, Any]) -> None:
        """Send a record from a producer with this schema, keyed by its id."""
        self.pipeline.send({"value": self.pipeline.encode(schema_id, record), "key": record["id"]})

    def rows(self) -> list[dict[str, dict[str, Any]]]:
        """Return the rows of Cassandra and of PostgreSQL."""
        return [self.pipeline.cassandra_rows(), self.pipeline.postgres_rows()]


def test_schema_changes_travel_from_branch_to_stored_rows(
    stack: RunningStack, settings_of_stack: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    pipeline = made(settings_of_stack, spark, tmp_path)
    clone = Clone(tmp_path, pipeline, Repository(tmp_path / "schemas", stack.environment))
    tables = (pipeline.contract.spec.sinks.cassandra.quoted, pipeline.contract.spec.sinks.postgres.quoted)
    value, key = clone.subject, pipeline.contract.key.name
    ids = {number: user(number)["id"] for number in range(1, 9)}

    # Register the base schema and send a record with it.
    clone.edit_contract(compatibility=LEVEL)
    git(tmp_path, "init", "-b", "main")
    clone.commit()
    assert clone.contracts("register").returncode == 0
    assert clone.registered == {key: ([1], LEVEL), value: ([1], LEVEL)}
    first = clone.schema_id
    clone.send(first, user(1))
    pipeline.stream()
    for rows in clone.rows():
        assert set(rows) == {ids[1]}

    # A compatible change is checked, merged and registered, and both stores get its column.
    clone.branch("score")
    clone.edit(lambda fields: [*fields, {"name": "score", "type": "int", "default": 7, "doc": "Points."}])
    clone.commit()
    checked = clone.contracts("check", "--against", "main")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f'ALTER TABLE {tables[0]} ADD IF NOT EXISTS "score" int;' in checked.stdout
    assert f'ALTER TABLE {tables[1]} ADD COLUMN IF NOT EXISTS "score" integer;' in checked.stdout
    assert clone.registered[value] == ([1], LEVEL)

    clone.merge()
    done = clone.contracts("register")
    assert done.returncode == 0, done.stderr
    assert clone.registered == {key: ([1], LEVEL), value: ([1, 2], LEVEL)}
    second = clone.schema_id
    clone.send(second, user(2, score=9))
    clone.send(first, user(3))
    pipeline.stream()
    for rows in clone.rows():
        assert {key: row["score"] for key, row in rows.items()} == {ids[1]: None, ids[2]: 9, ids[3]: 7}

    # An incompatible change is refused offline, by `register`, and by the registry itself.
    clone.branch("no-address")
    clone.edit(lambda fields: [field for field in fields if field["name"] != "address"])
    clone.commit()
    before = clone.registered
    checked = clone.contracts("check", "--against", "main")
    assert checked.returncode == 1
    assert "error READER_FIELD_MISSING_DEFAULT_VALUE  address" in checked.stdout
    assert clone.contracts("check", "--against", "registry").returncode == 1
    done = clone.contracts("register")
    assert done.returncode == 3
    for words in ("409", "done before it: nothing", f"not done: register {value} version 3"):
        assert words in done.stderr
    answer = requests.post(
        f"{pipeline.registry.url}/subjects/{value}/versions",
        data=json.dumps({"schema": pipeline.contract.value.registered_text}),
        headers={"Content-Type": MEDIA_TYPE},
        timeout=15,
    )
    assert answer.status_code == 409, answer.text
    assert clone.registered == before
    clone.send(first, user(4))

    # The same change, approved, goes through with its migration.
    until = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)
    approval = {"rule": "READER_FIELD_MISSING_DEFAULT_VALUE", "path": "address", "reason": REASON, "until": until}
    clone.edit_contract(approvals=[approval])
    clone.commit()
    for against in ("main", "registry"):
        checked = clone.contracts("check", "--against", against)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "approved READER_FIELD_MISSING_DEFAULT_VALUE  address" in checked.stdout
        assert f"approved until {until}: {REASON}" in checked.stdout
        assert f'ALTER TABLE {tables[1]} ALTER COLUMN "address" DROP NOT NULL;' in checked.stdout
        assert "consumers first" in checked.stdout
    clone.merge()
    planned = clone.contracts("register", "--dry-run")
    assert planned.returncode == 0
    assert f"register {value} version 3" in planned.stdout
    assert f"as an approved break of {LEVEL}, with the level at NONE" in planned.stdout
    assert clone.registered == before
    done = clone.contracts("register")
    assert done.returncode == 0, done.stderr
    assert clone.registered == {key: ([1], LEVEL), value: ([1, 2, 3], LEVEL)}
    assert "no changes" in clone.contracts("plan").stdout
    checked = clone.contracts("check", "--against", "registry", "--fail-on", "warning")
    assert checked.returncode == 0, f"the level is transitive, so the approval is still in use:\n{checked.stdout}"

    # Every producer keeps its own schema; a record that cannot be stored becomes a dead letter.
    third = clone.schema_id
    assert len({first, second, third}) == 3
    clone.send(first, user(5, first_name="nul \x00 inside"))
    clone.send(first, user(6))
    clone.send(second, user(7, score=1))
    clone.send(third, {name: it for name, it in user(8, score=2).items() if name != "address"})
    pipeline.stream()
    for rows in clone.rows():
        assert {key: row["score"] for key, row in rows.items()} == {
            ids[1]: None, ids[2]: 9, ids[3]: 7, ids[4]: 7, ids[6]: 7, ids[7]: 1, ids[8]: 2,
        }  # fmt: skip
        kept = {key for key, row in rows.items() if row["address"] is not None}
        assert kept == {ids[1], ids[2], ids[3]}, "the column stays but is no longer written"
    with postgres.connect(pipeline.settings) as connection:
        asked = "SELECT is_nullable FROM information_schema.columns WHERE table_name = %s AND column_name = 'address'"
        nullable = connection.execute(asked, [pipeline.contract.spec.sinks.postgres.table]).fetchone()
    assert nullable == ("YES",)
    [letter] = pipeline.dead_letters()
    assert (letter.key().decode(), headers(letter)["contracts.reason"]) == (ids[5], "DECODE_ERROR")
    outcome = reconcile(pipeline.settings, pipeline.contract)
    assert outcome.in_order()
    assert (outcome.events, dict(outcome.dead_lettered)) == (8, {"DECODE_ERROR": 1})
