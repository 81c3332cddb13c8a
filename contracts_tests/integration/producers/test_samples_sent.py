"""`python -m producers --from sample:` on real servers: what `contracts sample` prints is what arrives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.own_topic import Topic


def test_samples_arrive_as_the_command_prints_them(stack: Any, tmp_path: Path) -> None:
    topic = Topic(tmp_path / "schemas", stack.environment).register()
    done = topic.produce("--from", "sample:", "--count", "60", "--seed", "7", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["fetched"], report["produced"], report["ended"]) == (60, 60, "count")
    assert (report["seed"], report["source"]) == ("7", "samples of users_created")
    printed = run_contracts("sample", "users_created", "--count", "60", "--seed", "7", "--schemas", str(topic.folder))
    names = ("id", "first_name", "email", "phone", "picture")
    samples = [json.loads(line) for line in printed.stdout.split("\n") if line]
    assert _parts(topic.records(), names) == _parts(samples, names)
    assert report["ids_distinct"] == len({one["id"] for one in samples})


def _parts(records: list[dict[str, Any]], names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return sorted((tuple(record[name] for name in names) for record in records), key=str)
