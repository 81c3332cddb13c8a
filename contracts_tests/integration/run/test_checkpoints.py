"""A checkpoint of another stream is refused with a fix before anything is read or written."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.run.checkpoints import LAYOUT, Checkpoints
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.pipeline import Pipeline, made
from contracts_tests.fixtures.processes import run
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user


@pytest.fixture
def unstreamed(settings_of_stack: Settings, tmp_path: Path) -> Pipeline:
    """A pipeline without Spark."""
    return made(settings_of_stack, None, tmp_path)


def folders(pipeline: Pipeline) -> list[Path]:
    checkpoints = Checkpoints(pipeline.settings, pipeline.contract)
    return [checkpoints.folder / sink for sink in ("cassandra", "postgres")]


def claim(pipeline: Pipeline) -> None:
    Checkpoints(pipeline.settings, pipeline.contract).claim(["cassandra", "postgres"])


def change(folder: Path, **changes: Any) -> None:
    file = folder / "layout.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_checkpoint_without_layout_is_refused_and_its_fix_works(stack: RunningStack, pipeline: Pipeline) -> None:
    schema_id = pipeline.register()
    pipeline.send(*({"value": pipeline.encode(schema_id, user(number))} for number in range(20)))
    pipeline.send({"value": b"", "partition": 0})
    pipeline.stream()
    first, second = folders(pipeline)
    written = json.loads((first / "layout.json").read_text())
    assert written == {**written, "layout": LAYOUT, "topic": pipeline.contract.topic, "sink": "cassandra"}
    assert (first / "offsets" / "0").exists(), "Spark uses this folder"
    rows = pipeline.cassandra_rows(), pipeline.postgres_rows()
    (second / "layout.json").unlink()

    done = run(stack, pipeline, "--available-now")

    assert done.returncode == 2, done.stderr
    assert str(second) in done.stderr
    assert "rows are upserts" in done.stderr
    assert "Traceback" not in done.stderr
    command = re.search(r"mv '[^']+' '[^']+'", done.stderr)
    assert command is not None
    subprocess.run(command[0], shell=True, check=True)
    pipeline.send({"value": pipeline.encode(schema_id, user(20))})
    pipeline.stream()
    for before, after in zip(rows, (pipeline.cassandra_rows(), pipeline.postgres_rows()), strict=True):
        assert len(after) == 21
        assert {key: after[key] for key in before} == before
    assert len(pipeline.dead_letters()) == 1, "the first store kept its checkpoint"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layout": LAYOUT + 1}, "layout 2; this version reads layout 1"),
        ({"layout": None}, "layout None"),
        ({"topic": "another"}, "another topic: 'another'"),
        ({"topic_id": "another"}, "another topic id"),
        ({"contract": "another"}, "another contract"),
        ({"sink": "cassandra"}, "another sink"),
        ({"partitions": 4}, "4 partitions"),
        ({"partitions": None}, "None partitions"),
    ],
)
def test_checkpoint_of_another_stream_is_refused(unstreamed: Pipeline, changes: dict[str, Any], words: str) -> None:
    claim(unstreamed)
    claim(unstreamed)
    _, second = folders(unstreamed)
    change(second, **changes)

    with pytest.raises(ConfigurationError, match=re.escape(words)) as refused:
        claim(unstreamed)

    assert refused.value.where == str(second)


def test_checkpoint_copied_from_another_topic_is_refused(unstreamed: Pipeline, tmp_path: Path) -> None:
    other = made(unstreamed.settings, None, tmp_path / "other")
    claim(other)
    for source, target in zip(folders(other), folders(unstreamed), strict=True):
        shutil.copytree(source, target)

    with pytest.raises(ConfigurationError, match="another contract"):
        claim(unstreamed)


def test_checkpoint_with_older_or_unreadable_layout_is_refused(unstreamed: Pipeline) -> None:
    old = unstreamed.settings.checkpoint_dir / unstreamed.contract.name / "postgres"
    (old / "offsets").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="older layout") as refused:
        claim(unstreamed)
    assert refused.value.where == str(old)
    assert not any(folder.exists() for folder in folders(unstreamed)), "nothing was created"
    old.rename(old.with_name("postgres.away"))
    old.mkdir()

    claim(unstreamed)
    (folders(unstreamed)[0] / "layout.json").write_text("[")
    with pytest.raises(ConfigurationError, match="no readable"):
        claim(unstreamed)


def test_half_written_layout_is_written_again(unstreamed: Pipeline) -> None:
    """A process killed between the two steps of writing the layout leaves this state."""
    first, _ = folders(unstreamed)
    first.mkdir(parents=True)
    (first / ".layout.json").write_text('{"lay')

    claim(unstreamed)

    assert json.loads((first / "layout.json").read_text())["layout"] == LAYOUT


def ended(checkpoint: Path, topic: str, offset: int) -> None:
    """Write what Spark leaves after a batch that ended at this offset."""
    for name, text in (("offsets", f"v1\n{{}}\n{json.dumps({topic: {'0': offset}})}"), ("commits", "v1\n{}")):
        (checkpoint / name).mkdir(exist_ok=True)
        (checkpoint / name / "0").write_text(text)


def test_store_takes_over_dead_letters_only_without_a_gap(unstreamed: Pipeline) -> None:
    """Otherwise neither store would send the dead letters of the records between the two positions."""
    claim(unstreamed)
    checkpoints = Checkpoints(unstreamed.settings, unstreamed.contract)
    first, second = folders(unstreamed)
    ended(first, unstreamed.contract.topic, 2)
    ended(second, unstreamed.contract.topic, 3)

    with pytest.raises(ConfigurationError, match="cassandra sent the dead letters so far") as refused:
        checkpoints.claim(["postgres"])
    assert refused.value.where == str(second)
    assert "put sinks.cassandra back" in refused.value.fix

    ended(first, unstreamed.contract.topic, 3)
    checkpoints.claim(["postgres"])
    ended(second, unstreamed.contract.topic, 9)
    checkpoints.claim(["postgres"])
    checkpoints.claim(["cassandra", "postgres"])
    ended(first, unstreamed.contract.topic, 10)
    (second / "offsets" / "0").write_text("")
    with pytest.raises(ConfigurationError, match="not a checkpoint as Spark writes it"):
        checkpoints.claim(["postgres"])


def test_lost_table_is_reported_and_not_replaced_by_an_empty_one(lean: Pipeline) -> None:
    schema_id = lean.register()
    lean.send(*({"value": lean.encode(schema_id, user(number))} for number in range(3)))
    lean.stream()
    with postgres.connect(lean.settings) as connection:
        connection.execute(f"DROP TABLE {lean.contract.spec.sinks.postgres.quoted}")

    with pytest.raises(ConfigurationError, match="there is no such table") as refused:
        lean.stream()

    command = re.search(r"mv '[^']+' '[^']+'", refused.value.fix)
    assert command is not None
    subprocess.run(command[0], shell=True, check=True)
    lean.stream()
    assert lean.postgres_rows().keys() == {user(number)["id"] for number in range(3)}
