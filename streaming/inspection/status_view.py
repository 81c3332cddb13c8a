"""Shows the status: tables for people, live in a terminal, or one JSON document."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import asdict

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from avro_data_contracts.streaming.inspection.status import ContractStatus, SinkStatus, Status
from avro_data_contracts.streaming.stores.store import Rows

JSON_VERSION = 1
# What stands where no number is: its server does not answer, or it does, and there is none.
_UNKNOWN, _NO_TOPIC, _NO_STREAM, _NO_TABLE = "unknown", "no topic", "no stream yet", "no table yet"
_EVERY_S = 2.0
_LOG_WIDTH = 160
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def document(found: Status) -> str:
    """Return the status as one JSON object."""
    return json.dumps({"version": JSON_VERSION, "in_order": found.in_order, **asdict(found)}, indent=2)


def show(found: Status, console: Console | None = None) -> None:
    """Print the status once."""
    (console or _console()).print(_picture(found))


def watch(look: Callable[[], Status]) -> Status:
    """Show the status until Ctrl-C, refreshed every two seconds, or once if this is not a terminal.

    Returns the last status.
    """
    console, found = _console(), look()
    if not console.is_terminal:
        show(found, console)
        return found
    with Live(_picture(found), console=console, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(_EVERY_S)
                found = look()
                live.update(_picture(found), refresh=True)
        except KeyboardInterrupt:
            return found


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else _LOG_WIDTH)


def _picture(found: Status) -> Group:
    servers = Table("server", "address", "", title="Servers", title_justify="left")
    for server in found.servers:
        state = f"[red]does not answer[/]: {escape(server.why)}" if server.why else "[green]answers[/]"
        servers.add_row(server.name, escape(server.address), state)
    silent = frozenset(server.name for server in found.servers if server.why)
    return Group(servers, _topics(found.contracts, silent), _stores(found.contracts, silent))


def _topics(contracts: tuple[ContractStatus, ...], silent: Collection[str]) -> Table:
    table = Table("contract", "topic", title="Topics and versions", title_justify="left")
    for name in ("partitions", "records", "dead letters"):
        table.add_column(name, justify="right")
    table.add_column("subject")
    table.add_column("versions")
    none = _UNKNOWN if "kafka" in silent else _NO_TOPIC
    for one in contracts:
        dead = one.dead_letters.records
        cells = [one.name, one.topic.name, _number(one.topic.partitions, none), _number(one.topic.records, none)]
        cells.append(f"[yellow]{dead:,}[/]" if dead else _number(dead, none))
        for subject in one.subjects:
            table.add_row(*cells, subject.name, _versions(subject.versions))
            cells = [""] * len(cells)
    return table


def _stores(contracts: tuple[ContractStatus, ...], silent: Collection[str]) -> Table:
    table = Table("contract", "store", "table", title="Stores", title_justify="left")
    table.add_column("rows", justify="right")
    table.add_column("lag", justify="right")
    groups = any(sink.late is not None for one in contracts for sink in one.sinks)
    for title in ("late", "no time") if groups else ():
        table.add_column(title, justify="right")
    refreshed = any(sink.every_s is not None for one in contracts for sink in one.sinks)
    if refreshed:
        table.add_column("refreshed", justify="right")
    table.add_column("consumer group")
    for one in contracts:
        name = one.name
        for sink in one.sinks:
            none = _UNKNOWN if "kafka" in silent else _NO_STREAM
            lag = f"[yellow]{sink.lag:,}[/]" if sink.lag else _number(sink.lag, none)
            if sink.every_s is not None:  # no query writes it
                lag = ""
            left_out = [_left_out(one) for one in (sink.late, sink.timeless)] if groups else []
            age = [_age(sink)] if refreshed else []
            # The query of a view has the name of the view in front.
            rows = _rows(sink.rows, _UNKNOWN if sink.sink.rpartition(".")[2] in silent else _NO_TABLE)
            table.add_row(name, sink.sink, sink.table, rows, lag, *left_out, *age, sink.group)
            name = ""
    return table


def _left_out(events: int | None) -> str:
    """Events that an aggregation left out; nothing for other tables."""
    return "" if events is None else f"[yellow]{events:,}[/]" if events else "0"


def _age(sink: SinkStatus) -> str:
    """How old the rows of a table that is refreshed are; nothing for other tables."""
    if sink.every_s is None:
        return ""
    if sink.refreshed is None:
        return "[yellow]never[/]" if sink.never else _UNKNOWN
    seconds = max(0, round(time.time() - sink.refreshed))
    size, unit = next(one for one in _UNITS if seconds >= one[0] or one[0] == 1)
    words = f"{seconds // size} {unit} ago"
    return f"[yellow]{words}[/]" if sink.overdue else words


def _number(value: int | None, none: str) -> str:
    return none if value is None else f"{value:,}"


def _rows(rows: Rows | None, none: str) -> str:
    return none if rows is None else f"{'' if rows.exact else '~'}{rows.number:,}"


def _versions(versions: tuple[int, ...] | None) -> str:
    if versions is None:
        return _UNKNOWN
    if not versions:
        return "[yellow]not registered[/]"
    newest = str(versions[-1])
    return newest if len(versions) == 1 else f"{newest} (of {len(versions)})"
