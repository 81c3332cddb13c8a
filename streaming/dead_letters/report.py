"""Prints what `python -m streaming dlq` finds: tables and lines for people, one JSON document for programs."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import structlog
from confluent_kafka import Message
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.streaming.dead_letters.letters import Letter, Letters, Place
from avro_data_contracts.streaming.dead_letters.plan import Plan
from avro_data_contracts.streaming.dead_letters.replay import Replayed
from avro_data_contracts.streaming.dead_letters.review import Review
from avro_data_contracts.streaming.decode.breaks import Break
from avro_data_contracts.streaming.topic import headers

JSON_VERSION = 1
_LOG_WIDTH = 160
_LINE_EVERY_S = 3.0
_LOST_SHOWN = 20

log = structlog.get_logger("streaming")


def reasons(contract: Contract, found: Letters, *, as_json: bool) -> None:
    """Print the letters by reason."""
    rows = by_reason(found)
    if as_json:
        _json(contract, {"letters": len(found.letters), "duplicates": found.duplicates, "reasons": rows})
        return
    out = _console()
    if not rows:
        out.print(f"no dead letters in {escape(contract.dead_letter_topic)}")
        return
    table = Table(title=f"Dead letters of {escape(contract.topic)}", title_justify="left")
    for name in ("reason", "from", "first record", "last record", "partition: offsets"):
        # A time that is cut says nothing.
        table.add_column(name, no_wrap=name.endswith("record"), overflow="fold")
    never_sent = sum(row["never_a_record"] for row in rows)
    counted = {"records": "records", "put_back": "put\nback", "again": "rejected\nagain", "open": "open"}
    if never_sent:
        counted["never_a_record"] = "never\nsent"
    for name in counted.values():
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        places = ", ".join(f"{partition}: {first}-{last}" for partition, (first, last) in row["offsets"].items())
        counts = (f"{row[name]:,}" for name in counted)
        first, last = (row[name].replace("+00:00", "Z") for name in ("first", "last"))
        words = (row["reason"], row["by"], first, last, places)
        table.add_row(*(escape(_printable(one)) for one in words), *counts)
    out.print(table)
    _tell_never_sent(out, never_sent)
    if found.duplicates:
        out.print(f"{found.duplicates:,} further letters belong to the same records: a batch was written again")


def by_reason(found: Letters) -> list[dict[str, Any]]:
    """Return a row for each reason and who wrote it: how many letters, their times and offsets, how many are open."""
    groups: dict[tuple[str, str], list[Letter]] = {}
    for letter in found.letters:
        groups.setdefault((letter.reason, letter.by), []).append(letter)
    return [_reason(reason, by, letters) for (reason, by), letters in sorted(groups.items())]


def letters(
    contract: Contract,
    shown: Sequence[Letter],
    contents: Mapping[Place, Message],
    broken: Mapping[Place, Break],
    *,
    left: int,
    as_json: bool,
) -> None:
    """Print the letters one by one.

    Args:
        contents: the messages of those to print with content.
        broken: where their records break.
    """
    if as_json:
        told = {at: one.document() for at, one in broken.items()}
        documents = [{**_letter(one), "broken": told.get(one.at), **_content(contents.get(one.at))} for one in shown]
        _json(contract, {"letters": documents, "not_shown": left})
        return
    out = _console()
    for one in shown:
        document = {**_letter(one), **_content(contents.get(one.at))}
        out.print(f"[bold]{escape(document['place'])}[/]  {escape(_printable(document['reason']))}")
        for name, value in document.items():
            if name not in ("place", "reason") and value not in (None, False, []):
                out.print(f"  {name.replace('_', ' ')}: {escape(_words(value))}", soft_wrap=True)
            if name == "message" and one.at in broken:
                _tell_broken(out, broken[one.at])
    if left:
        out.print(f"{left:,} more: raise --limit")
    if not shown:
        out.print("no such dead letters")


def reviewed(found: Review, *, as_json: bool) -> None:
    """Print the share of records that were rejected."""
    limit = found.contract.spec.dead_letter.max_rate
    if as_json:
        told = {"records": found.records, "rejected": dict(found.rejected), "rate": found.rate, "max_rate": limit}
        _json(found.contract, told)
        return
    out = _console()
    for reason, number in found.rejected.items():
        out.print(f"{escape(_printable(reason))}: {number:,}")
    out.print(f"{found.total:,} of {found.records:,} records rejected: {found.rate:.2%}, allowed {limit:.2%}")


def planned(plan: Plan, *, dry_run: bool, as_json: bool) -> None:
    """Print what `replay` would do, or that there is nothing to do."""
    if as_json:
        places = [str(one.origin) for one in plan.waiting]
        _json(plan.contract, {"dry_run": dry_run, "would_put_back": places, **_skipped(plan)})
        return
    out = _console()
    verb = "would be put back" if dry_run else "put back"
    out.print(f"{len(plan.waiting):,} records {verb} into {escape(plan.contract.topic)}")
    counted: dict[str, int] = {}
    for letter in plan.waiting:
        counted[letter.reason] = counted.get(letter.reason, 0) + 1
    for reason, number in sorted(counted.items()):
        out.print(f"  {escape(_printable(reason))} {number:,}")
    _tell_skipped(out, plan)


def replayed(plan: Plan, done: Replayed, *, as_json: bool) -> None:
    """Print what became of the letters."""
    lost = [{"place": str(letter.origin), "why": why} for letter, why in done.lost]
    if as_json:
        put_back = [{"place": str(letter.origin), "now": str(place)} for letter, place in done.put_back]
        _json(plan.contract, {"dry_run": False, "put_back": put_back, "lost": lost, **_skipped(plan)})
        return
    out = _console()
    told = f"{len(done.put_back):,} records put back into {escape(plan.contract.topic)}"
    out.print(f"{told}: the stream reads them next")
    for one in lost[:_LOST_SHOWN]:
        out.print(f"[red]not put back[/] {escape(one['place'])}: {one['why']}")
    if len(lost) > _LOST_SHOWN:
        out.print(f"[red]not put back[/] {len(lost) - _LOST_SHOWN:,} more")
    _tell_skipped(out, plan)


class Progress:
    """Shows the progress of a replay on stderr: a bar in a terminal, else a line every few seconds."""

    def __init__(self, total: int) -> None:
        console = Console(stderr=True)
        self._total = total
        self._next = time.monotonic() + _LINE_EVERY_S
        self._bar: Bar | None = None
        if console.is_terminal:
            self._bar = Bar(TextColumn("put back"), BarColumn(), MofNCompleteColumn(), console=console)
            self._task = self._bar.add_task("put back", total=total)

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, done: Replayed) -> None:
        """Show the progress, if it is time for that."""
        number = len(done.put_back)
        if self._bar:
            self._bar.update(self._task, completed=number)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_EVERY_S
            log.info("put back", records=number, of=self._total)


def _reason(reason: str, by: str, group: Sequence[Letter]) -> dict[str, Any]:
    offsets: dict[str, tuple[int, int]] = {}
    for place in sorted(one.origin for one in group if one.origin is not None):
        first, _ = offsets.get(str(place.partition), (place.offset, 0))
        offsets[str(place.partition)] = (first, place.offset)
    put_back = sum(one.replayed_as is not None for one in group)
    never_sent = sum(one.origin is None for one in group)
    return {
        "reason": reason,
        "by": by,
        "records": len(group),
        "first": _moment(min(one.millis for one in group)),
        "last": _moment(max(one.millis for one in group)),
        "offsets": offsets,
        "put_back": put_back,
        "again": sum(one.again for one in group),
        "open": len(group) - never_sent - put_back,
        "never_a_record": never_sent,
    }


def _letter(one: Letter) -> dict[str, Any]:
    return {
        "place": str(one.origin or one.at),
        "reason": one.reason,
        "message": one.message,
        "source": one.source or None,
        "field": one.field or None,
        "by": one.by,
        "time": _moment(one.millis),
        "letter": str(one.at),
        "never_a_record": one.origin is None,
        "key_bytes": one.key_bytes,
        "value_bytes": one.value_bytes,
        "value_left_out": one.left_out,
        "key_left_out": one.key_left_out,
        "schema_id": one.schema_id,
        "headers": list(one.headers),
        "put_back_as": None if one.replayed_as is None else str(one.replayed_as),
        "rejected_again": one.again,
    }


def _tell_broken(out: Console, found: Break) -> None:
    """Print where a record breaks, and the bytes around the byte, which is in brackets."""
    out.print(f"  breaks: {escape(_printable(found.told))}", soft_wrap=True)
    for row in found.rows:
        marked = (f"[{each}]" if row.begin + n == found.at else f" {each} " for n, each in enumerate(row.bytes))
        hexes = "".join(marked)
        out.print(f"    {row.begin:06}  {escape(f'{hexes:64}  {row.text}')}", soft_wrap=True)


def _content(message: Message | None) -> dict[str, Any]:
    if message is None:
        return {}
    return {
        "key_hex": _hex(message.key()),
        "value_hex": _hex(message.value()),
        "header_hex": [[name, _hex(value)] for name, value in headers(message)],
    }


def _skipped(plan: Plan) -> dict[str, int]:
    return {"put_back_before": plan.before, "never_a_record": plan.never_sent}


def _tell_skipped(out: Console, plan: Plan) -> None:
    if plan.before:
        out.print(f"{plan.before:,} were put back before: add --again to put them back again")
    _tell_never_sent(out, plan.never_sent)


def _tell_never_sent(out: Console, number: int) -> None:
    if number:
        out.print(f"{number:,} were never records of the topic: fix them at the source, and produce them again")


def _json(contract: Contract, content: Mapping[str, Any]) -> None:
    names = {"topic": contract.topic, "dead_letter_topic": contract.dead_letter_topic}
    sys.stdout.write(json.dumps({"version": JSON_VERSION, **names, **content}, indent=2) + "\n")


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else _LOG_WIDTH)


def _moment(millis: int) -> str:
    """Format as ISO 8601, UTC; the number itself if Python has no such year."""
    try:
        return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=millis)).isoformat(
            timespec="milliseconds"
        )
    except OverflowError:
        return str(millis)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_words(one) for one in value)
    return "yes" if value is True else f"{value:,}" if isinstance(value, int) else _printable(str(value))


def _printable(text: str) -> str:
    """Escape what is not printable: names of headers come from producers."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
