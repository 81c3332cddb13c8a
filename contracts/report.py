"""Print results: as text for people, or in a format of `contracts.formats`.  No other module prints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from avro_data_contracts.contracts import formats
from avro_data_contracts.contracts.catalog.findings import Finding, Severity
from avro_data_contracts.contracts.terminal import clean

if TYPE_CHECKING:
    from avro_data_contracts.contracts.check.effects import SparkEffect
    from avro_data_contracts.contracts.check.verdict import Verdict
    from avro_data_contracts.contracts.compat.changes import Change
    from avro_data_contracts.contracts.formats import Result
    from avro_data_contracts.contracts.registry.plan import Plan
    from avro_data_contracts.contracts.registry.pull import Pulled
    from avro_data_contracts.contracts.registry.steps import Step
    from avro_data_contracts.contracts.start.files import Started

JSON_VERSION = 1
_SIGNS = {"new": "[green]+[/]", "changed": "[yellow]~[/]", "deleted": "[red]-[/]"}
#: Lines that a terminal shows of one effect.
MOST_LINES = 20


class Format(StrEnum):
    """The format of findings."""

    text = "text"
    json = "json"
    junit = "junit"
    github = "github"
    gitlab = "gitlab"
    markdown = "markdown"


def console() -> Console:
    """Standard output: colours only on a terminal, no wrapped lines in a log."""
    return Console(highlight=False, soft_wrap=True)


def plan(wanted: Plan, *, as_json: bool, carried_out: bool = False) -> None:
    """Print a plan.  `carried_out`: its steps are done."""
    if as_json:
        document(
            {
                "steps": [
                    {"action": type(step).__name__, "change": step.change.value, "what": str(step)}
                    for step in wanted.steps
                ],
                "unchanged": list(wanted.unchanged),
                "notes": list(wanted.notes),
                "conflicts": [str(conflict) for conflict in wanted.conflicts],
                "held": [str(step) for step in wanted.held],
                "carried_out": carried_out,
            }
        )
        return
    out = console()
    if not carried_out:
        for step in wanted.steps:
            out.print(f"  {_SIGNS[step.change]} {_plain(str(step))}")
    for note in wanted.notes:
        out.print(f"  note: {_plain(note)}")
    for conflict in wanted.conflicts:
        out.print(f"  [red]conflict[/]: {_plain(str(conflict))}")
    for held in wanted.held:
        out.print(f"  [red]blocked[/] {_plain(str(held))}")
    unchanged = f"{len(wanted.unchanged)} unchanged: {', '.join(wanted.unchanged)}" if wanted.unchanged else ""
    if not wanted.steps and not wanted.conflicts:
        out.print(f"no changes ({escape(unchanged)})")
    else:
        done = "done" if carried_out else "to do"
        out.print(escape(f"{len(wanted.steps)} {done}" + (f", {unchanged}" if unchanged else "")))


def step(done: Step) -> None:
    """Print a step that has just been done."""
    console().print(f"  [green]done[/] {_plain(str(done))}")


def pulled(found: Pulled, folder: Path, *, as_json: bool) -> None:
    """Print what `pull` wrote, and what it left out."""
    if as_json:
        files = [(folder / path).as_posix() for path in found.files]
        document({"files": files, "topics": found.topics, "left_out": found.left_out, "notes": found.notes})
        return
    out = console()
    for path in found.files:
        out.print(f"  [green]wrote[/] {_plain((folder / path).as_posix())}")
    for name, why in found.left_out.items():
        out.print(f"  [yellow]left out[/] {_plain(name)}: {_plain(why)}")
    for note in found.notes:
        out.print(f"  note: {_plain(note)}")
    many = f"{len(found.topics)} contract{'' if len(found.topics) == 1 else 's'}"
    out.print(escape(f"{many} in {folder}: fill in their owners, then run `contracts drift`"))


def started(found: Started, *, as_json: bool, dry_run: bool) -> None:
    """Print what `init` wrote, or would write, and why."""
    files = [(found.top / path).as_posix() for path in found.files]
    if as_json:
        made = [
            {"contract": (found.top / one.path).as_posix(), "type": one.type, "topic": one.topic}
            for one in found.made
        ]
        document(
            {
                "files": files,
                "contracts": made,
                "shared_types": list(found.shared),
                "ignored": dict(found.ignored),
                "recorded_findings": len(found.findings),
                "notes": list(found.notes),
                "written": not dry_run,
            }
        )
        return
    out = console()
    types = {(found.top / one.path).as_posix(): one.type for one in found.made}
    for path in files:
        why = f" (no other schema uses {types[path]})" if path in types else ""
        out.print(f"  [green]{'would write' if dry_run else 'wrote'}[/] {_plain(path + why)}")
    for path, reason in found.ignored.items():
        out.print(f"  [yellow]ignored[/] {_plain(path)}: {_plain(reason)}")
    for note in found.notes:
        out.print(f"  note: {_plain(note)}")
    parts = [
        _count(len(found.made), "new contract"),
        _count(len(found.shared), "shared type"),
        f"{_count(len(found.findings), 'finding')} recorded in the baseline",
    ]
    out.print(escape("; ".join(parts)))
    if found.made and not dry_run:
        out.print("next: correct the topics, commit, and run `contracts check --against main` on each pull request")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def page(markdown: str) -> None:
    """Print a page: laid out in a terminal, as it is in a pipe."""
    out = console()
    if not out.is_terminal:
        text(markdown)
        return
    from rich.markdown import Markdown  # loads a parser: only where a page is shown

    out.print(Markdown(markdown))


def text(lines: str) -> None:
    """Print text unchanged: DDL, a file."""
    sys.stdout.write(lines if lines.endswith("\n") else lines + "\n")


def lines(made: Iterable[str], notes: Iterable[str] = ()) -> None:
    """Print lines one by one, and notes about them on stderr; stop when nobody reads on (`… | head`)."""
    for note in notes:
        sys.stderr.write(f"{note}\n")
    try:
        for one in made:
            sys.stdout.write(f"{one}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end of Python


def document(content: dict[str, Any]) -> None:
    """Print one JSON document with the version of its format, and nothing else."""
    sys.stdout.write(json.dumps({"version": JSON_VERSION, **content}, indent=2, ensure_ascii=False) + "\n")


def result(found: Result, output: Format, from_top: Callable[[str], str] = str) -> None:
    """Print the findings of `lint`, `check` or `drift`.

    Args:
        from_top: the path of a file from the top of the repository, where all but people expect it to begin.
    """
    if output is not Format.text:
        found = found.with_files(from_top)
    match output:
        case Format.json:
            document(formats.as_document(found))
        case Format.junit:
            text(formats.as_junit(found))
        case Format.gitlab:
            text(json.dumps(formats.as_gitlab(found), indent=2, ensure_ascii=False))
        case Format.github:
            sys.stdout.write(formats.as_github(found))
        case Format.markdown:
            text(formats.as_markdown(found))
        case Format.text:
            _result(found)


def changes(found: Iterable[Change], *, old: str, new: str, as_json: bool) -> None:
    """Print the differences between two schemas.  `old`, `new`: their names, as the user wrote them."""
    listed = list(found)
    if as_json:
        fields = [{"path": c.path, "kind": c.kind.value, "old": c.old, "new": c.new} for c in listed]
        document({"old": old, "new": new, "changes": fields})
        return
    out = console()
    signs = {"added": "[green]+[/]", "removed": "[red]-[/]"}
    for change in listed:
        sign = signs.get(change.kind.value, "[yellow]~[/]")
        out.print(f"  {sign} [bold]{_plain(change.path or '(root)')}[/]  {_plain(str(change))}")
    if not listed:
        out.print("no differences")


def _result(found: Result) -> None:
    out = console()
    impacts = {one.contract: one for one in found.checked.verdicts} if found.checked is not None else {}
    names = dict.fromkeys([*(one.contract or one.subject for one in found.findings), *impacts])
    for name in names:
        verdict = impacts.get(name)
        mine = [one for one in found.findings if (one.contract or one.subject) == name]
        state = f"  [dim]{verdict.status}[/]" if verdict is not None else ""
        out.print(f"[bold]{_plain(name or 'contracts')}[/]{state}")
        for one in mine:
            _finding(out, one)
        if verdict is not None:
            _impact(out, verdict)
        out.print()
    colour = "red" if found.failed else "green"
    out.print(f"[{colour}]{found.verdict}[/]: {_plain(found.summary)}")


def _finding(out: Console, one: Finding) -> None:
    colour = "red" if one.severity is Severity.error else "yellow"
    word = "approved" if one.approved else one.severity.value
    colour = "cyan" if one.approved else colour
    path = f"  [bold]{_plain(one.path)}[/]" if one.path else ""
    out.print(f"  [{colour}]{word}[/] {one.rule}{path}  [dim]{_plain(one.place)}[/]")
    out.print(f"    {_plain(one.message)}")
    if one.approved:
        out.print(f"    [dim]approved until {_plain(one.until)}:[/] {_plain(one.approved)}")
    else:
        out.print(f"    [dim]fix:[/] {_plain(one.fix)}")


_FIRST = {"consumers first": "green", "producers first": "yellow", "any order": "green", "together": "red"}
_READS = {"reads on": "green", "loses data": "yellow", "breaks": "red"}


def _impact(out: Console, verdict: Verdict) -> None:
    from avro_data_contracts.contracts.impact_wording import ImpactWording
    from avro_data_contracts.contracts.stores.known import STORES

    effect = verdict.impact
    if effect is None:
        return
    words = ImpactWording(effect, verdict.findings)
    rows: list[tuple[str, str]] = []
    if effect.spark is not None:
        rows.append(("Spark", _spark(effect.spark)))
        if blocked := words.blocked(effect.spark):
            rows.append(("", f"[red]{_plain(blocked)}[/]"))
        rows += [("", line) for line in _some([_plain(line) for line in words.spark(effect.spark)])]
    changed = {table.view for table in effect.tables if table.changes}
    same = {table.view: None for table in effect.tables if table.view and table.view not in changed}
    for table in effect.tables:
        if table.view in same:
            continue
        lines = [f"{_plain(' '.join(statement.split()))};" for statement in table.migration.statements]
        lines += [f"[red]{_plain(refusal)}[/]" for refusal in words.refusals(table)]
        lines += [f"[dim]{_plain(note)}[/]" for note in words.notes(table)]
        lines = lines or [f"{_plain(table.table)} does not change"]
        lines = _some(lines)
        rows += [(STORES[table.kind].title, lines[0])]
        rows += [("", line) for line in lines[1:]]
    if same:
        rows.append(("views", _plain(f"{_listed(list(same))} {'do' if len(same) > 1 else 'does'} not change")))
    for who in effect.consumers:
        owner = f" ({_plain(who.owner)})" if who.owner else ""
        rows.append((_plain(who.name) + owner, f"[{_READS[who.reads]}]{who.reads}[/]: {_plain(words.consumer(who))}"))
    why = words.deployment(effect.deployment)
    rows.append(("deploy", f"[{_FIRST[effect.first]}]{effect.first}[/]: {_plain(why)}"))
    width = min(max(len(label) for label, _ in rows), 24)
    # In one call: a call of `rich` costs as much as ten lines.
    out.print("\n".join(f"  [bold]{label}[/]{' ' * (width - len(label))}  {line}" for label, line in rows))


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _spark(effect: SparkEffect) -> str:
    old, new = (
        "[green]reads[/]" if reads else "[red]cannot read[/]" for reads in (effect.reads_old, effect.reads_new)
    )
    return f"the new contract {old} old records; the running stream {new} new ones"


def _some(lines: list[str]) -> list[str]:
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[:MOST_LINES], f"[dim]and {len(lines) - MOST_LINES} more: use --format json to see all[/]"]


def _plain(value: str) -> str:
    """Text from a file or a person, made safe for a line of `rich`."""
    return escape(clean(" ".join(value.splitlines())))
