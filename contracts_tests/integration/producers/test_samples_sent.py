"""`python -m producers --from sample:` on real servers: what `contracts sample` prints is what arrives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from avro_data_contracts.contracts.sample.chance import Chance
from avro_data_contracts.contracts.sample.invalid import Invalid
from contracts_tests.fixtures.command import run_contracts, run_program
from contracts_tests.fixtures.own_topic import Topic

LEFT_OUT = ("INCOMPATIBLE_SCHEMA", "TIMESTAMP_OUT_OF_RANGE")


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


def test_refused_samples_reach_the_topic_and_the_dead_letters(stack: Any, tmp_path: Path) -> None:
    topic = Topic(tmp_path / "schemas", stack.environment).register()
    done = topic.produce("--from", "sample:", "--invalid", "all", "--seed", "7", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    rules = [f"RULE:{rule.name}" for rule in topic.contract.rules]
    assert report["refused"]["reasons"] == dict.fromkeys(sorted(["INVALID_RECORD", "TOO_LARGE", *rules]), 1)
    shown = run_program(
        "streaming", "tail", topic.name, "--from", "begin", "--json", environment=topic.environment
    ).stdout.splitlines()
    # Nobody registers the schema of the first, and the topic takes no such timestamp.
    assert len(shown) == report["produced"] == len(messages(topic)) - len(LEFT_OUT)
    for reason in LEFT_OUT:
        assert reason in done.stderr
        alone = topic.produce("--from", "sample:", "--invalid", reason)
        assert alone.returncode == 2, alone.stderr
    told = [json.loads(line).get("value_undecoded", {}).get("reason") for line in shown]
    for reason in ("TOO_SHORT", "BAD_MAGIC", "BAD_SCHEMA_ID_HEADER", "UNKNOWN_SCHEMA_ID", "DECODE_ERROR"):
        assert reason in told
    one = topic.produce("--from", "sample:", "--invalid", "NULL_VALUE", "--count", "3", "--json")
    assert json.loads(one.stdout)["produced"] == 3
    for words in (("--from", "sample:", "--invalid", "NONSENSE"), ("--invalid", "all")):
        assert topic.produce(*words).returncode == 2


def messages(topic: Topic) -> list[str]:
    """The reasons that only bytes can show."""
    makers = Invalid(topic.contract)
    return [reason for reason in makers.reasons if makers.of(reason, Chance(0)).message is not None]


def _parts(records: list[dict[str, Any]], names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return sorted((tuple(record[name] for name in names) for record in records), key=str)
