"""The only module that prints: results -> text or JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape

from contracts.plan import Plan, Step

JSON_VERSION = 1


def console() -> Console:
    """Standard output; colours on a terminal only, lines never wrapped in a log."""
    return Console(highlight=False, soft_wrap=True)


def plan(wanted: Plan, *, as_json: bool, carried_out: bool = False) -> None:
    """Prints a plan; `carried_out` says that its steps have been done."""
    if as_json:
        document(
            {
                "steps": [{"action": type(step).__name__, "what": str(step)} for step in wanted.steps],
                "unchanged": list(wanted.unchanged),
                "notes": list(wanted.notes),
                "conflicts": list(wanted.conflicts),
                "carried_out": carried_out,
            }
        )
        return
    out = console()
    if not carried_out:
        for step in wanted.steps:
            out.print(f"  [yellow]+[/] {escape(str(step))}")
    for note in wanted.notes:
        out.print(f"  note: {escape(note)}")
    for conflict in wanted.conflicts:
        out.print(f"  [red]conflict[/]: {escape(conflict)}")
    unchanged = f"{len(wanted.unchanged)} unchanged: {', '.join(wanted.unchanged)}" if wanted.unchanged else ""
    if not wanted.steps and not wanted.conflicts:
        out.print(f"no changes ({escape(unchanged)})")
    else:
        done = "done" if carried_out else "to do"
        out.print(escape(f"{len(wanted.steps)} {done}" + (f", {unchanged}" if unchanged else "")))


def step(done: Step) -> None:
    """Prints a step that has just been carried out."""
    console().print(f"  [green]done[/] {escape(str(done))}")


def text(lines: str) -> None:
    """Prints text as it is: DDL, a file."""
    sys.stdout.write(lines if lines.endswith("\n") else lines + "\n")


def document(content: dict[str, Any]) -> None:
    """Prints one JSON document, with the version of its shape, and nothing else."""
    sys.stdout.write(json.dumps({"version": JSON_VERSION, **content}, indent=2, ensure_ascii=False) + "\n")
