"""Prints the results of `reconcile`: a table for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from avro_data_contracts.contracts.stores.known import STORES
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.streaming.inspection.reconcile import Outcome, Produced, Stored
from avro_data_contracts.streaming.topic import Ranges

JSON_VERSION = 1
_SHOWN = 5
_COLUMNS = 5
_LOG_WIDTH = 160
_WIDEST = 36


def outcome(contract: str, found: Outcome, produced: Produced | None, *, as_json: bool) -> None:
    """Print the reconciliation, the positions of the first missing events, and what the stream has still to write.

    Args:
        contract: its name.
    """
    in_order = found.in_order(produced)
    if as_json:
        document = {"version": JSON_VERSION, "in_order": in_order, **asdict(found)}
        if produced is not None:
            document["produced"] = asdict(produced)
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    out = _console()
    table = Table(title="Reconciliation", title_justify="left")
    table.add_column("")
    table.add_column("records", justify="right")
    table.add_column("")
    for name, number, note in _lines(found, produced):
        table.add_row(escape(name), f"{number:,}", escape(note))
    out.print(table)
    for name, store in found.stores.items():
        for position in store.lost[:_SHOWN]:
            words = f"partition {position.partition}, offset {position.offset}"
            out.print(f"[red]missing[/] in {STORES[name].title}: the event at {words}")
        if store.unwritten:
            words = f"the stream has not written {_offsets(store.unwritten)} to {STORES[name].title} yet"
            out.print(f"[red]waiting[/]: {words}", soft_wrap=True)
        if store.otherwise:
            words = f"{store.otherwise:,} rows in {STORES[name].title} have other values in masked columns"
            out.print(f"[red]masked otherwise[/]: {words} than the masks of the contract give")
            out.print(f"  fix: write them again: python -m streaming rewrite {escape(contract)}", soft_wrap=True)
    for view in found.views:
        where = f"{view.view} in {STORES[view.store].title}"
        for words in view.named:
            out.print(f"[red]differs[/]: {where}: {escape(words)}", soft_wrap=True)
        if view.unwritten:
            words = f"the stream has not written {_offsets(view.unwritten)} to {where} yet"
            out.print(f"[red]waiting[/]: {words}", soft_wrap=True)
    for name, why in found.left_out.items():
        out.print(f"[yellow]not compared[/]: the view {escape(name)}: {why}", soft_wrap=True)
    if wrong := sorted({view.view for view in found.views if view.findings}):
        command = f"python -m streaming --contract {contract} views rebuild {wrong[0]}"
        words = "rows of a view stay as they were when its SQL changes; to make them again:"
        out.print(f"  fix: {words} {escape(command)}", soft_wrap=True)
    waiting = (*(store.unwritten for store in found.stores.values()), *(view.unwritten for view in found.views))
    if any(waiting):
        command = f"python -m streaming --contract {contract} --available-now"
        out.print(f"  fix: wait for the stream that runs, or start it: {escape(command)}", soft_wrap=True)
    rows = ", ".join(f"{store.rows:,} in {STORES[name].title}" for name, store in found.stores.items())
    dead = f"{sum(found.dead_lettered.values()):,} dead-lettered"
    if in_order:
        out.print(f"[green]reconciled[/]: {found.events:,} events; rows: {rows}; {dead}")
        return
    verdict = "not reconciled yet" if found.lags and found.agrees(produced) else "the numbers do not agree"
    out.print(f"[red]{verdict}[/]: {found.events:,} events; rows with their newest event: {rows}; {dead}")


def _offsets(ranges: Ranges) -> str:
    """Name the ranges of a few partitions."""
    shown = []
    for partition, (first, last) in sorted(ranges.items()):
        offsets = f"offset {first}" if first == last else f"offsets {first} to {last}"
        shown.append(f"{offsets} of partition {partition}")
    more = [f"those of {len(shown) - _SHOWN} more partitions"] if len(shown) > _SHOWN else []
    return ", ".join([*shown[:_SHOWN], *more])


def rows(sink: SinkSpec, names: list[str], found: list[tuple[Any, ...]]) -> None:
    """Print the first columns of some rows of a store."""
    names, found = names[:_COLUMNS], [row[:_COLUMNS] for row in found]
    table = Table(title=f"{STORES[sink.kind].title} {sink.qualified}", title_justify="left")
    for name in names:
        table.add_column(name, no_wrap=True, max_width=_WIDEST)
    for row in found:
        table.add_row(*(escape("" if value is None else str(value)) for value in row))
    _console().print(table)


def _console() -> Console:
    """Return a console as wide as the terminal, or wide enough for a row in a log."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _LOG_WIDTH)


def _lines(found: Outcome, produced: Produced | None) -> list[tuple[str, int, str]]:
    lines = []
    if produced is not None:
        refused = sum(produced.refused.values())
        lines += [
            ("fetched from the source", produced.fetched, "= produced + refused"),
            ("  produced", produced.produced, "acknowledged by Kafka"),
            ("  refused at the source", refused, _reasons(produced.refused)),
        ]
    dead = sum(found.dead_lettered.values())
    put_back = " + put back" if found.put_back else ""
    lines.append(("in the topic", found.events, "" if produced is None else f"= produced{put_back}"))
    if found.put_back:
        lines.append(("  put back from the dead letters", found.put_back, "events once more"))
    if found.skipped:
        lines.append(("  skipped", found.skipped, "records of other contracts of the topic; not among the others"))
    for name, store in found.stores.items():
        title = STORES[name].title
        if store.missing:
            lines.append((f"  rows in {title} with their newest event", store.rows, _short(store)))
        else:
            lines.append((f"  rows in {title}", store.rows, _note(found, name, store)))
    for view in found.views:
        note = ", ".join(["= as its SQL makes them" if not view.findings else "of its SQL", *view.notes()])
        lines.append((f"  rows of {view.view} in {STORES[view.store].title}", view.rows, note))
    lines.append(("  dead-lettered by the stream", dead, _reasons(found.dead_lettered)))
    for name, number in found.lost.items():
        lines.append((f"lost to {_title(name)}", number, "deleted by Kafka before they were read; --accept-loss"))
    return lines


def _title(query: str) -> str:
    """Name what a query writes: a store, or a view in a store."""
    view, _, store = query.rpartition(".")
    return f"{view} in {STORES[store].title}" if view else STORES[store].title


def _note(found: Outcome, name: str, store: Stored) -> str:
    older = found.events - found.dead_for(name) - store.keys
    note = "= in the topic - dead-lettered"
    if older > 0:
        note += f" - {older:,} earlier events of the same rows"
    if store.expired:
        note += f" - {store.expired:,} rows that stay no longer (ttl)"
    return f"{note} - {store.deleted:,} rows that a tombstone deleted" if store.deleted else note


def _short(store: Stored) -> str:
    """How many rows there should be, and what those are that are not in order."""
    note = f"of {store.keys - store.deleted - store.expired:,}"
    return f"{note}; {store.older:,} more have an older event" if store.older else note


def _reasons(counted: Any) -> str:
    return ", ".join(f"{reason} {number:,}" for reason, number in sorted(counted.items()))
