"""What `status` prints where there is no number: unknown, or none yet, and never 0."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.inspection import status_view
from avro_data_contracts.streaming.inspection.status import (
    ContractStatus,
    Server,
    SinkStatus,
    Status,
    SubjectStatus,
    TopicStatus,
    _Views,
)
from avro_data_contracts.streaming.views.freshness import Freshness, file_of, keep
from contracts_tests.fixtures.viewed import contract

SERVERS = ("kafka", "registry", "cassandra", "postgres")


@pytest.mark.parametrize(
    ("age_s", "facts", "words", "is_yellow"),
    [
        (None, {}, "unknown", False),
        (None, {"never": True}, "never", True),
        (150, {}, "2 min ago", False),
        (7_300, {"overdue": True}, "2 h ago", True),
    ],
)
def test_age_of_a_table_that_is_refreshed(
    age_s: int | None, facts: dict[str, bool], words: str, is_yellow: bool
) -> None:
    refreshed = None if age_s is None else time.time() - age_s
    sink = SinkStatus("v.postgres", "t.v", "", None, None, every_s=60, refreshed=refreshed, **facts)
    found = Text.from_markup(status_view._age(sink))
    assert found.plain == words
    assert [span.style for span in found.spans] == (["yellow"] if is_yellow else [])


@pytest.mark.parametrize("place", ["", "commits", "offsets"])
def test_view_is_never_refreshed_only_where_the_stream_has_written(tmp_path: Path, place: str) -> None:
    sql = "SELECT colour, count(*) AS n FROM orders.latest GROUP BY colour"
    sinks = {"postgres": {"table": "of_view", "primary_key": ["colour"]}}
    found = contract(sql, sinks=sinks, refresh="10 minutes")
    topic = tmp_path / found.name / "topic-a"
    if place:
        (topic / "postgres" / place).mkdir(parents=True)
        (topic / "postgres" / place / "0").write_text("")
    views = _Views(Settings(checkpoint_dir=tmp_path), found)
    assert dict(views.refreshed()) == {("orders", "v.postgres"): (None, place == "commits")}
    if place:
        fresh = Freshness(12.5, 3, 0.25, "abc", None)
        keep(file_of(topic, "v.postgres"), fresh)
        assert dict(views.refreshed()) == {("orders", "v.postgres"): (fresh, False)}


def printed(*silent: str) -> dict[str, list[str]]:
    """First cell -> the others, of a contract of which no number is known."""
    servers = tuple(Server(name, "127.0.0.1:1", "refused" if name in silent else "") for name in SERVERS)
    sinks = tuple(SinkStatus(name, f"t.{name}", "g", None, None) for name in ("cassandra", "v.postgres"))
    topics = (TopicStatus(name, None, None) for name in ("orders", "orders.dlq"))
    subjects = (SubjectStatus("orders-value", None if "registry" in silent else ()),)
    found = ContractStatus("orders", next(topics), subjects, sinks, next(topics))
    out = io.StringIO()
    status_view.show(Status(servers, (found,)), Console(file=out, width=200, highlight=False))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.getvalue().splitlines() if "│" in line]
    return {row[1] if row[0] in ("orders", "") else row[0]: row[2:] for row in rows}


@pytest.mark.parametrize(
    ("silent", "topic", "cassandra", "view"),
    [
        ((), "no topic", ["no table yet", "no stream yet"], ["no table yet", "no stream yet"]),
        (("kafka",), "unknown", ["no table yet", "unknown"], ["no table yet", "unknown"]),
        (("postgres",), "no topic", ["no table yet", "no stream yet"], ["unknown", "no stream yet"]),
        (SERVERS, "unknown", ["unknown", "unknown"], ["unknown", "unknown"]),
    ],
)
def test_cell_without_a_number_says_why(
    silent: tuple[str, ...], topic: str, cassandra: list[str], view: list[str]
) -> None:
    rows = printed(*silent)
    versions = "unknown" if "registry" in silent else "not registered"
    assert rows["orders"] == [topic, topic, topic, "orders-value", versions]
    assert (rows["cassandra"][1:3], rows["v.postgres"][1:3]) == (cassandra, view)
