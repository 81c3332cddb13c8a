"""The folders of examples/, run as their READMEs say: every record is a row in both stores, or a dead letter."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures import example_data, pages
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.walkthrough import Walkthrough
from contracts_tests.fixtures.wheel import Environment

COLUMNS = ("date", "precipitation", "temp_max", "temp_min", "wind", "weather")
DAYS = [
    (
        dt.date.fromisoformat(row["date"]),
        *(float(row[name]) for name in ("precipitation", "temp_max", "temp_min", "wind")),
        row["weather"],
    )
    for row in csv.DictReader((CLONE / "examples/weather/weather.csv").read_text().splitlines())
]


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CLONE / "examples" / path).read_text().splitlines()]


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


class Stores:
    """The rows of a table, from both stores."""

    def __init__(self, connection: Any, session: Any) -> None:
        self._postgres, self._cassandra = connection, session

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """The rows, the same in both; sorted."""
        listed = ", ".join(f'"{name}"' for name in columns)
        ours = [tuple(map(_plain, row)) for row in self._postgres.execute(f'SELECT {listed} FROM "{table}"')]
        theirs = [
            tuple(map(_plain, row)) for row in self._cassandra.execute(f"SELECT {listed} FROM spark_streams.{table}")
        ]
        assert sorted(ours, key=str) == sorted(theirs, key=str)
        return sorted(ours, key=str)


def _plain(value: Any) -> Any:
    if type(value).__name__ == "Date":  # the driver's own
        return value.date()
    if isinstance(value, str) and value.startswith("["):
        return json.loads(value)
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    return value


@pytest.fixture
def stores(settings_of_stack: Settings) -> Iterator[Stores]:
    with postgres.connect(settings_of_stack) as connection, cassandra.connect(settings_of_stack) as session:
        yield Stores(connection, session)


def test_weather(stack: RunningStack, spark: SparkSession, stores: Stores, tmp_path: Path) -> None:
    walk = Walkthrough.of_example("weather", tmp_path, stack.environment)
    said = walk.run_all()
    assert len(DAYS) == 1000
    assert stores.rows(walk.own, *COLUMNS) == sorted(DAYS, key=str)
    assert f"produced    1000 to {walk.own}\n" in said
    assert "1,000 events; rows: 1,000 in Cassandra, 1,000 in PostgreSQL; 0 dead-lettered" in said
    hot = [day for day in DAYS if day[2] >= 35]
    assert hot
    assert all(f'key {{"date":"{day[0]}"}}' in said for day in hot)
    assert "exit code 1\n" in said
    refused = "RULE:warmest_is_not_colder of wrong.csv, line 2: breaks the rule warmest_is_not_colder: "
    assert f"{refused}temp_max >= temp_min;" in said
    assert "2015-01-01" in said.rpartition(refused)[2]


def test_parcels(stack: RunningStack, spark: SparkSession, stores: Stores, tmp_path: Path) -> None:
    walk = Walkthrough.of_example("parcels", tmp_path, stack.environment)
    said = walk.run_all()
    for name, columns in {
        "registered": ("parcel", "registered_at", "grams", "country"),
        "scanned": ("parcel", "scanned_at", "depot"),
        "delivered": ("parcel", "delivered_at", "signed"),
    }.items():
        wanted = [
            tuple(moment(one[column]) if column.endswith("_at") else one[column] for column in columns)
            for one in lines(f"parcels/{name}.jsonl")
        ]
        assert stores.rows(f"{walk.own}_{name}", *columns) == sorted(wanted, key=str)
    events = [one for name in ("registered", "scanned", "delivered") for one in lines(f"parcels/{name}.jsonl")]
    shown = [line for line in said.splitlines() if 'key {"parcel":"P00001"}' in line]
    assert len(shown) == sum(one["parcel"] == "P00001" for one in events) == 5
    assert "exit code 1\n" in said
    assert "RULE:depot_is_a_locode" in said


def test_orders(stack: RunningStack, spark: SparkSession, stores: Stores, tmp_path: Path) -> None:
    walk = Walkthrough.of_example("orders", tmp_path, stack.environment)
    said = walk.run_all()
    *good, bad = lines("orders/orders.jsonl")
    wanted = [(one["id"], moment(one["ordered_at"]), one["status"], Decimal(one["total"])) for one in good]
    assert stores.rows(walk.own, "id", "ordered_at", "status", "total") == sorted(wanted, key=str)
    items = {row[0]: row[1] for row in stores.rows(walk.own, "id", "items")}
    assert {key: [one["article"] for one in found] for key, found in items.items()} == {
        one["id"]: [item["article"] for item in one["items"]] for one in good
    }
    large = [
        (one["id"], moment(one["ordered_at"]).date(), Decimal(one["total"]), len(one["items"]), one["status"].lower())
        for one in good
        if Decimal(one["total"]) >= 100
    ]
    assert 0 < len(large) < len(good)
    columns = ("id", "ordered_on", "total", "item_count", "status")
    assert stores.rows(f"{walk.own}_large", *columns) == sorted(large, key=str)
    days: dict[tuple[dt.datetime, str], list[Decimal]] = defaultdict(list)
    for one in good:
        midnight = moment(one["ordered_at"]).replace(hour=0, minute=0, second=0)
        days[midnight, one["status"]].append(Decimal(one["total"]))
    cents = Decimal("0.01")
    by_day = [
        (*key, len(totals), sum(totals), max(totals), (sum(totals) / len(totals)).quantize(cents, ROUND_HALF_UP))
        for key, totals in days.items()
    ]
    assert len(by_day) > 10
    columns_by_day = ("day", "status", "orders", "total", "largest", "mean")
    assert stores.rows(f"{walk.own}_by_day", *columns_by_day) == sorted(by_day, key=str)
    assert "line 101: breaks the rule total_is_not_negative" in said
    assert "100 orders produced, 1 refused\n" in said
    assert bad["total"].startswith("-")
    assert bad["total"] in said.rpartition("RULE:total_is_not_negative")[2]


def test_made_up_records_are_those_of_the_seed() -> None:
    for path, text in example_data.files().items():
        assert (CLONE / "examples" / path).read_text() == text, "python -m contracts_tests.fixtures.example_data"


def test_every_example_is_listed_and_has_a_test() -> None:
    found = sorted(path.parent.name for path in CLONE.glob("examples/*/README.md"))
    listed = pages.Page("examples/README.md", (CLONE / "examples/README.md").read_text())
    assert sorted({link.partition("/")[0] for _, link in listed.links() if not link.startswith("..")}) == found
    assert [f"test_{name}" for name in found] == sorted(name for name in globals() if name[5:] in found)


# -- the tutorial --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("installed", ["clone", "wheel"])
def test_tutorial_with_own_data(
    stack: RunningStack, request: pytest.FixtureRequest, stores: Stores, tmp_path: Path, installed: str
) -> None:
    programs = None
    if installed == "wheel":
        environment = Environment(tmp_path / "environment", request.getfixturevalue("wheel"), "stream", "stack")
        environment.write_script()
        programs = environment.folder / "bin"
    else:
        request.getfixturevalue("spark")
    folder = tmp_path / "my-data"
    folder.mkdir()
    (folder / "weather.csv").write_bytes((CLONE / "examples/weather/weather.csv").read_bytes())
    page = pages.read("docs/tutorial/own-data.md")
    walk = Walkthrough(page, "weather", folder, stack.environment, programs)
    start, *steps = walk.blocks()
    assert start.startswith("make up\n")
    said = walk.run_all(steps)
    # What the page shows is what came.
    texts = [block.text for block in page.blocks() if block.language == "text"]
    shown = [text for text in texts if not text.startswith(("python3 ", "awk "))]
    assert len(shown) == 3
    for text in shown:
        assert walk.renamed(text) in said
    assert "wrote weather.avsc" in said
    assert stores.rows(walk.own, "date", "precipitation", "temp_max", "temp_min", "wind", "weather") == sorted(
        DAYS, key=str
    )
    assert "exit code 1\n" in said
    assert "RULE:warmest_is_not_colder" in said
