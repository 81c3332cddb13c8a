"""`FROM contract.latest` on real servers: the newest event of a key decides whether it has a row, and which."""

from __future__ import annotations

import random
from typing import Any

import pytest
import yaml

from avro_data_contracts.streaming.rebuild import rebuild
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.joined_rows import GENDERS, write_csv
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.users import user
from contracts_tests.fixtures.view_rows import add_view, stored

SQL = """\
SELECT u.id, CAST(phone AS INT) AS phone, g.title
FROM {source}.latest u JOIN genders g ON u.gender = g.code
WHERE phone RLIKE '^[0-9]+$'
"""
TITLES = {"FEMALE": "Ms", "MALE": "Mr"}
#: Row of a user; None if the newest event leaves it out.
Row = tuple[int, str] | None


@pytest.fixture
def pipeline(lean: Pipeline) -> Pipeline:
    """The tables of the views matter here, in both stores, and not the contract's own."""
    return lean


def events(pipeline: Pipeline, schema_id: int, key_id: int, seed: int) -> tuple[list[dict[str, Any]], dict[Any, Row]]:
    """Random events of 12 users in any order; and each event's time -> user -> the row that it makes."""
    chance = random.Random(seed)
    found: list[dict[str, Any]] = []
    rows: dict[Any, Row] = {}
    times = chance.sample(range(10_000), 60)
    for time in times:
        id_ = user(chance.randrange(12))["id"]
        gender, phone = chance.choice(["FEMALE", "MALE", "UNKNOWN"]), chance.choice(["17", "4", "none", None])
        deletes = chance.random() < 0.25
        fits = not deletes and gender in TITLES and phone not in ("none", None)
        rows[time, id_] = (int(phone), TITLES[gender]) if fits else None
        value = pipeline.encode(schema_id, user(1, id=id_, gender=gender, phone=phone))
        found.append(
            {
                "key": pipeline.encode(key_id, {"id": id_}),
                "value": None if deletes else value,
                "timestamp": 1_600_000_000_000 + time + 10_000 * seed * (seed % 2),
            }
        )
    return found, {(time + 10_000 * seed * (seed % 2), id_): row for (time, id_), row in rows.items()}


def found_in(pipeline: Pipeline, table: str) -> dict[str, dict[str, Row]]:
    return {
        store: {id_: (row["phone"], row["title"]) for id_, row in rows.items()}
        for store, rows in stored(pipeline, table).items()
    }


def test_newest_event_of_a_key_decides_its_row(pipeline: Pipeline) -> None:
    file = pipeline.folder / "contract.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "tombstones": "delete"}, sort_keys=False))
    write_csv(pipeline)
    table = add_view(pipeline, SQL, reference={"genders": GENDERS})
    schema_id = pipeline.register()
    known = pipeline.registry.version(pipeline.contract.key.name)
    assert known is not None
    all_rows: dict[Any, Row] = {}
    for seed in range(3):
        sent, rows = events(pipeline, schema_id, known.schema_id, seed)
        pipeline.send(*sent)
        pipeline.stream()
        all_rows |= rows
        newest = {id_: row for (_, id_), row in sorted(all_rows.items(), key=lambda one: one[0][0])}
        wanted = {id_: row for id_, row in newest.items() if row is not None}
        assert 0 < len(wanted) < len(newest)
        assert found_in(pipeline, table) == {"postgres": wanted, "cassandra": wanted}
    pipeline.settings = pipeline.settings.model_copy(update={"stream_max_per_batch": 60})
    pipeline.stream(afresh=True)
    assert found_in(pipeline, table) == {"postgres": wanted, "cassandra": wanted}
    assert pipeline.dead_letters() == []

    rebuild(pipeline.settings, pipeline.contract, "v", accept_loss=False)
    with postgres.connect(pipeline.settings) as connection:
        for one in (table, f"{table}__deleted"):
            assert connection.execute(f"SELECT count(*) FROM {one}").fetchone() == (0,)
    # Without the condition, users whom it left out have rows again.
    add_view(pipeline, SQL.partition("WHERE")[0].replace("CAST(phone AS INT)", "1"), reference={"genders": GENDERS})
    pipeline.stream()
    for rows_ in found_in(pipeline, table).values():
        assert rows_.keys() > wanted.keys()
