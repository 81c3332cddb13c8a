"""The `contracts` command: parses, calls the library, prints through `report`, exits."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from contracts import catalog, edge, report, settings, tables
from contracts import plan as plans
from contracts.errors import EXIT_FINDINGS, EXIT_OK
from contracts.registry import Registry
from contracts.settings import Settings

if TYPE_CHECKING:
    from contracts.register import Servers

app = typer.Typer(
    name="contracts",
    help="Avro data contracts: what is registered, and what a change does to everything downstream.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"


Folder = Annotated[Path | None, typer.Option("--schemas", help="Folder of the contracts (CONTRACTS_DIR).")]
Output = Annotated[Format, typer.Option("--format", help="text for people, json for programs.")]


@app.callback()
def _options(context: typer.Context, schemas: Folder = None) -> None:
    context.obj = settings.load(contracts_dir=schemas)


@app.command()
def plan(context: typer.Context, output: Output = Format.text) -> None:
    """Say, step by step, what `register` would do."""
    _, wanted = _plan(context.obj)
    report.plan(wanted, as_json=output is Format.json)
    raise typer.Exit(EXIT_FINDINGS if wanted.conflicts else EXIT_OK)


@app.command()
def register(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    output: Output = Format.text,
) -> None:
    """Make registry and topics as the contracts say; what is so already stays untouched."""
    as_json = output is Format.json
    servers, wanted = _plan(context.obj)
    if not dry_run:
        servers.carry_out(wanted, (lambda step: None) if as_json else report.step)
    report.plan(wanted, as_json=as_json, carried_out=not dry_run)
    raise typer.Exit(EXIT_FINDINGS if wanted.conflicts else EXIT_OK)


@app.command(name="tables")
def tables_(context: typer.Context) -> None:
    """Print the CQL and SQL of the tables that the contracts ask for."""
    for contract in catalog.load(context.obj.contracts_dir).contracts.values():
        for sink in contract.sinks:
            table = tables.of(contract, sink)
            report.text(f"-- {contract.name}: {sink.kind} {sink.qualified}")
            report.text("".join(f"{statement};\n" for statement in tables.create(table)))


def _plan(configured: Settings) -> tuple[Servers, plans.Plan]:
    from contracts.register import Servers  # loads Kafka's client library: only where it is needed
    from contracts.topics import Topics

    desired = catalog.load(configured.contracts_dir)
    servers = Servers(Registry.from_settings(configured), Topics(configured))
    return servers, plans.make(desired, servers.read(desired))


def main() -> NoReturn:
    """Entry point of the `contracts` command."""
    edge.run(app)
