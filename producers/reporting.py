"""The report of a run, as one object and as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.terminal import clean
from avro_data_contracts.producers.run import Order, Report
from avro_data_contracts.producers.sources.source import Source


def document(
    report: Report, contract: Contract, order: Order, source: Source, reject: str | None = None
) -> dict[str, Any]:
    """The report as `--json` prints it.

    Args:
        reject: the file of refused records, None for the dead-letter topic.
    """
    return {
        "version": 1,
        "fetched": report.fetched,
        "produced": report.produced,
        "refused": {"total": report.refused.total(), "reasons": dict(sorted(report.refused.items()))},
        "refusals": [asdict(kind) for kind in report.refusals.most()],
        "undelivered": report.undelivered,
        "ids_distinct": report.ids_distinct,
        "offsets": report.offsets,
        "ended": report.ended,
        "topic": contract.topic,
        "dead_letter_topic": contract.dead_letter_topic,
        "reject_file": reject,
        "seed": order.seed or None,
        "source": source.where,
        "seconds": round(report.seconds, 3),
    }


def look(contract: Contract, reject: str | None) -> str:
    """How to see the refused records one by one."""
    if reject is not None:
        return f"{reject} has them"
    return f"`python -m avro_data_contracts.streaming --contract {contract.name} dlq show` shows them"


_ENDED = {
    "count": "the count was reached",
    "duration": "the time was up",
    "source": "the source had no more",
    "SIGINT": "Ctrl-C",
    "SIGTERM": "SIGTERM",
    "error": "the error below",
}


def text(told: dict[str, Any], report: Report) -> str:
    """The report for a person."""
    ids = f", {told['ids_distinct']} different ids" if told["ids_distinct"] is not None else ""
    seed = f" seed {told['seed']}" if told["seed"] else ""
    refused = told["refused"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in refused["reasons"].items())
    letters = f"{told['reject_file'] or told['dead_letter_topic']}{f' ({reasons})' if reasons else ''}"
    rows = {
        "source": f"{told['source']}{seed}",
        "fetched": f"{told['fetched']}, until {_ENDED[told['ended']]}",
        "produced": f"{told['produced']} to {told['topic']}{ids}",
        "refused": f"{refused['total']} to {letters}",
        "seconds": f"{told['seconds']:.1f} ({report.per_second:,.0f} records/s)",
    }
    if told["undelivered"]:
        rows["undelivered"] = str(told["undelivered"])
    lines = [f"{name:<12}{value}" for name, value in rows.items()]
    at = list(rows).index("refused") + 1
    lines[at:at] = [f"{'':<12}{line}" for line in _refusals(told["refusals"], report.refusals.total)]
    return "\n".join(lines)


def _refusals(kinds: list[dict[str, Any]], total: int) -> list[str]:
    """A line for each kind of refusal.  The words have no values; a name in them may be of the file."""
    lines = [
        clean(f"{kind['count']} time{'s' if kind['count'] > 1 else ''} {kind['reason']}: {kind['what']}")
        + (f", first in {clean(kind['first'])}" if kind["first"] else "")
        for kind in kinds
    ]
    rest = total - sum(kind["count"] for kind in kinds)
    return [*lines, f"{rest} for other reasons"] if rest else lines
