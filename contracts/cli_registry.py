"""The commands that compare the contracts with the registry and the topics: `plan`, `register`, `drift`, `pull`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avro_data_contracts.contracts import project, report
from avro_data_contracts.contracts.catalog.choices import SubjectStrategy
from avro_data_contracts.contracts.catalog.findings import FailOn
from avro_data_contracts.contracts.errors import EXIT_FINDINGS, EXIT_OK, ConfigurationError
from avro_data_contracts.contracts.options import FindingsFormat, FolderHere, Format, Here, Names, Output

if TYPE_CHECKING:
    from avro_data_contracts.contracts.catalog.findings import Finding
    from avro_data_contracts.contracts.registry.plan import Plan
    from avro_data_contracts.contracts.registry.register import Servers
    from avro_data_contracts.contracts.settings import Settings

registry = typer.Typer()


@registry.command()
def plan(
    context: typer.Context, names: Names = None, output: Output = Format.text, schemas: FolderHere = None
) -> None:
    """Show each step that `register` would take."""
    _, wanted = _plan(context.obj, names or (), verdicts=True)
    report.plan(wanted, as_json=output is Format.json)
    raise typer.Exit(EXIT_FINDINGS if wanted.conflicts else EXIT_OK)


@registry.command()
def register(
    context: typer.Context,
    names: Names = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, and change nothing.")] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Also soft-delete subjects of a contract's topic that the contract does not declare."
        ),
    ] = False,
    no_lint: Annotated[
        bool, typer.Option("--no-lint", help="Also register new schemas in which `contracts lint` reports an error.")
    ] = False,
    output: Output = Format.text,
    schemas: FolderHere = None,
) -> None:
    """Apply the contracts to the registry and the topics; what already matches stays untouched."""
    as_json = output is Format.json
    servers, wanted = _plan(context.obj, names or (), prune=prune, verdicts=dry_run, no_lint=no_lint)
    if not dry_run:
        servers.carry_out(wanted, (lambda step: None) if as_json else report.step)
    report.plan(wanted, as_json=as_json, carried_out=not dry_run)
    raise typer.Exit(EXIT_FINDINGS if wanted.conflicts else EXIT_OK)


@registry.command()
def drift(
    context: typer.Context,
    output: FindingsFormat = report.Format.text,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="The lowest severity that makes the exit code 1.")
    ] = FailOn.error,
    schemas: FolderHere = None,
) -> None:
    """Show where the registry and the topics differ from the contracts, and how to fix it; change nothing."""
    from avro_data_contracts.contracts.formats import Result
    from avro_data_contracts.contracts.registry import drift as drifts

    loaded, texts = context.obj.current()
    current = loaded.whole()
    servers = _servers(context.obj.settings)
    findings = drifts.find(current, servers.read(current), texts)
    against = drifts.compared_with(current, servers.registry.url, servers.topics.bootstrap)
    found = Result("drift", tuple(current.contracts), findings, fail_on, against=against)
    context.obj.show(found, output)
    raise typer.Exit(found.exit_code)


@registry.command()
def pull(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Where to write. Default: the folder of the contracts.")
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOPIC|SUBJECT=TOPIC",
            help="Pull only this topic, or say which topic a subject belongs to. May be repeated.",
        ),
    ] = None,
    owner: Annotated[
        str, typer.Option(help="The owner of the contracts, which a registry does not know.")
    ] = "unknown",
    output: Output = Format.text,
    schemas: FolderHere = None,
) -> None:
    """Start a repository from an existing registry and its topics; overwrite nothing (docs/how-to/pull.md)."""
    _pull(context.obj.settings, folder or context.obj.folder, topic or (), owner, output)


def init_from_registry(here: Here, url: str, folder: Path, owner: str, output: Format, dry_run: bool) -> None:
    if dry_run:
        raise ConfigurationError(
            "init from a registry is contracts pull, which has no dry run", where="--dry-run", fix="leave it out"
        )
    configured = here.settings
    if output is Format.text:
        report.text(
            f"init from a registry is contracts pull; topics are read from {configured.kafka_bootstrap_servers}"
        )
    registry = configured.model_copy(update={"schema_registry_url": url})
    _pull(registry, folder if folder != Path() else here.folder, (), owner, output)


def _pull(configured: Settings, into: Path, topics: Sequence[str], owner: str, output: Format) -> None:
    from avro_data_contracts.contracts.registry import (
        pull as pulls,  # loads Kafka's client library: only where it is needed
    )

    strategy = project.find(into.absolute().parent).defaults.get("subject_strategy", SubjectStrategy.TopicName.value)
    pulled = pulls.files_of(pulls.read(_servers(configured), topics), owner, strategy)
    pulls.write(into, pulled)
    report.pulled(pulled, into, as_json=output is Format.json)


def _plan(
    here: Here, names: Sequence[str], *, prune: bool = False, verdicts: bool, no_lint: bool = False
) -> tuple[Servers, Plan]:
    from avro_data_contracts.contracts.lint import current as linter
    from avro_data_contracts.contracts.registry import plan as plans

    loaded, texts = here.current()
    everything = loaded.whole()
    desired = everything.only(names)

    def errors() -> Sequence[Finding]:
        return [] if no_lint else linter.errors(loaded, texts, tuple(dict.fromkeys(names)), here.folder)

    servers = _servers(here.settings)
    today = datetime.now(UTC).date()
    return servers, plans.make(
        desired,
        servers.read(desired, verdicts=verdicts),
        prune=prune,
        today=today,
        among=everything,
        errors=errors,
    )


def _servers(configured: Settings) -> Servers:
    from avro_data_contracts.contracts.registry.client import Registry
    from avro_data_contracts.contracts.registry.register import (
        Servers,  # loads Kafka's client library: only where it is needed
    )
    from avro_data_contracts.contracts.registry.topics import Topics

    return Servers(Registry.from_settings(configured), Topics(configured))
