"""What `status` prints where there is no number: unknown, or none yet, and never 0."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from avro_data_contracts.streaming.inspection import status_view
from avro_data_contracts.streaming.inspection.status import (
    ContractStatus,
    Server,
    SinkStatus,
    Status,
    SubjectStatus,
    TopicStatus,
)

SERVERS = ("kafka", "registry", "cassandra", "postgres")


def printed(*silent: str) -> dict[str, list[str]]:
    """First cell -> the others, of a contract of which no number is known."""
    servers = tuple(Server(name, "127.0.0.1:1", "refused" if name in silent else "") for name in SERVERS)
    sinks = tuple(SinkStatus(name, f"t.{name}", "g", None, None) for name in ("cassandra", "v.postgres"))
    topics = (TopicStatus(name, None, None) for name in ("orders", "orders.dlq"))
    subjects = (SubjectStatus("orders-value", None if "registry" in silent else ()),)
    contract = ContractStatus("orders", next(topics), subjects, sinks, next(topics))
    out = io.StringIO()
    status_view.show(Status(servers, (contract,)), Console(file=out, width=200, highlight=False))
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
