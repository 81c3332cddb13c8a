"""The `contracts` command: parse arguments, call the library, print through `report`, exit."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from avro_data_contracts import extras
from avro_data_contracts.contracts import edge, project, report
from avro_data_contracts.contracts.catalog.choices import Compatibility, SubjectStrategy
from avro_data_contracts.contracts.catalog.findings import FailOn, Finding
from avro_data_contracts.contracts.errors import EXIT_FINDINGS, EXIT_OK, ConfigurationError
from avro_data_contracts.contracts.export.python_types import Style
from avro_data_contracts.contracts.stores.rooms import ROOMS

# What only some commands need, they load themselves: all of it takes half a second.
if TYPE_CHECKING:
    from avro_data_contracts.contracts.catalog.loading import Loaded
    from avro_data_contracts.contracts.catalog.places import Texts
    from avro_data_contracts.contracts.formats import Result
    from avro_data_contracts.contracts.registry.plan import Plan
    from avro_data_contracts.contracts.registry.register import Servers
    from avro_data_contracts.contracts.settings import Settings

app = typer.Typer(
    name="contracts",
    help="Avro data contracts: register them, and see what a change does to everything downstream.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


export = typer.Typer(help="Print the contracts in other formats.", no_args_is_help=True)
app.add_typer(export, name="export")


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"


#: The stores that can hold tables.
Store = StrEnum("Store", {room: room for room in ROOMS})  # type: ignore[misc]  # not literal: found by their rooms


_FOLDER = "The folder of the contracts. Default: that of CONTRACTS_DIR, or of contracts.toml, or schemas."
Folder = Annotated[Path | None, typer.Option("--schemas", help=_FOLDER)]


@dataclass(frozen=True)
class _Here:
    """Where a command runs.  `flag`: the folder of the contracts, if an option names it."""

    flag: Path | None = None

    @cached_property
    def folder(self) -> Path:
        return project.contracts_dir(self.flag)

    @cached_property
    def settings(self) -> Settings:
        """For the commands that talk to servers."""
        from avro_data_contracts.contracts import settings

        return settings.load(contracts_dir=self.folder)


def _schemas(context: typer.Context, folder: Path | None) -> None:
    """`--schemas` after the command, where the arguments of a pre-commit hook are."""
    if folder is not None:
        context.obj = _Here(folder)


FolderHere = Annotated[
    Path | None,
    typer.Option("--schemas", callback=_schemas, expose_value=False, help=_FOLDER),
]


def _complete_name(context: typer.Context, incomplete: str) -> list[str]:
    """The contracts that a shell offers; none where the settings are wrong: the command itself says so."""
    from avro_data_contracts.contracts.catalog import folder

    try:
        here = context.obj or _Here(context.find_root().params.get("schemas"))
        return [name for name in folder.contracts_below(here.folder) if name.startswith(incomplete)]
    except ConfigurationError:
        return []


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Names of contracts (their folders). Default: all.",
        autocompletion=_complete_name,
    ),
]
Output = Annotated[Format, typer.Option("--format", help="text for people, json for programs.")]


def _against(default: str) -> Any:
    """The option `--against` of a command: the earlier state to compare the contracts with."""
    words = f"What to compare with: a git ref, a folder, or the registry. Default: {default}."
    return typer.Option(metavar="REF|REF:DIR|DIR|registry", help=words)


FindingsFormat = Annotated[
    report.Format, typer.Option("--format", help="text for people; the others for programs, CI and pull requests.")
]
Fail = Annotated[
    FailOn,
    typer.Option(
        "--fail-on",
        help="The lowest severity that makes the exit code 1. An unreadable file makes it 2, except with never.",
    ),
]


@app.callback()
def _options(
    context: typer.Context,
    schemas: Folder = None,
    version: Annotated[
        bool, typer.Option("--version", callback=edge.version("contracts"), is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    context.obj = _Here(schemas)


@app.command()
def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="The folder to search for schemas.")] = Path(),
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE|URL",
            help="Infer a schema instead: from FILE.jsonl, FILE.csv, or postgresql://USER@HOST/DATABASE?table=TABLE.",
        ),
    ] = None,
    owner: Annotated[str, typer.Option(help="The owner of the contracts.")] = "unknown",
    compatibility: Annotated[
        Compatibility, typer.Option(help="The level of the contracts.")
    ] = Compatibility.BACKWARD,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    output: Output = Format.text,
) -> None:
    """Write contracts beside existing schemas, and overwrite nothing (docs/tutorial/own-schemas.md)."""
    from avro_data_contracts.contracts.start import files as starts
    from avro_data_contracts.contracts.start import inferred

    if source is not None and source.startswith(("http://", "https://")):
        _init_from_registry(context.obj, source, folder, owner, output, dry_run)
        return
    keys = {"owner": owner, "compatibility": compatibility.value}
    started = starts.over(folder, keys) if source is None else inferred.of(source, folder, keys)
    if not dry_run:
        starts.write(started)
    report.started(started, as_json=output is Format.json, dry_run=dry_run)


@app.command()
def lint(
    context: typer.Context,
    names: Names = None,
    output: FindingsFormat = report.Format.text,
    fail_on: Fail = FailOn.error,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A file of known findings: only new ones make the exit code 1. Default: that of contracts.toml.",
        ),
    ] = None,
    write_baseline: Annotated[
        bool, typer.Option("--write-baseline", help="Record all findings in the file that --baseline names.")
    ] = False,
    schemas: FolderHere = None,
) -> None:
    """Find problems that the registry accepts and you will regret (docs/reference/lint.md)."""
    from avro_data_contracts.contracts.formats import Result
    from avro_data_contracts.contracts.lint import recorded, switches
    from avro_data_contracts.contracts.lint import run as linter
    from avro_data_contracts.contracts.lint.rules import RULES

    named = tuple(dict.fromkeys(names or ()))
    current, texts = _current(context.obj, named)
    said = project.find(context.obj.folder)
    baseline = baseline or said.baseline
    levels = switches.levels_of(said, (rule.id for rule in RULES))
    findings, known = linter.everything(current, texts, named, levels), 0
    if write_baseline:
        _write_baseline(findings, baseline, named)
        return
    if baseline is not None:
        compared = recorded.compare(findings, baseline, linter.examined(current, named))
        findings, known = compared.findings, compared.known
    found = Result("lint", named or current.names, findings, fail_on, known=known)
    _print(found, output, context.obj)
    raise typer.Exit(found.exit_code)


@app.command()
def check(
    context: typer.Context,
    names: Names = None,
    against: Annotated[
        str | None, _against("the merge base with origin/main, or with the default branch of origin")
    ] = None,
    output: FindingsFormat = report.Format.text,
    fail_on: Fail = FailOn.error,
    schemas: FolderHere = None,
) -> None:
    """Show what a change breaks, what it does downstream, and who deploys first (docs/reference/check.md)."""
    from avro_data_contracts.contracts.check.examine import examine
    from avro_data_contracts.contracts.formats import Result

    today = datetime.now(UTC).date()
    examined, checked = examine(context.obj.folder, against, names or (), today, lambda: context.obj.settings)
    found = Result("check", examined, checked.findings, fail_on, checked)
    _print(found, output, context.obj)
    raise typer.Exit(found.exit_code)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="A", help="The older one: a file, a folder, or REF:PATH in git.")],
    new: Annotated[str, typer.Argument(metavar="B", help="The newer one, of the same kind.")],
    output: Output = Format.text,
) -> None:
    """Show what changed in meaning between two schemas, or between two folders of contracts."""
    from avro_data_contracts.contracts.check import diffs

    report.changes(diffs.compare(old, new), old=old, new=new, as_json=output is Format.json)


@app.command()
def plan(
    context: typer.Context, names: Names = None, output: Output = Format.text, schemas: FolderHere = None
) -> None:
    """Show each step that `register` would take."""
    _, wanted = _plan(context.obj.settings, names or (), verdicts=True)
    report.plan(wanted, as_json=output is Format.json)
    raise typer.Exit(EXIT_FINDINGS if wanted.conflicts else EXIT_OK)


@app.command()
def register(
    context: typer.Context,
    names: Names = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, and change nothing.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Also soft-delete subjects of a contract's topic that the contract lacks.")
    ] = False,
    output: Output = Format.text,
    schemas: FolderHere = None,
) -> None:
    """Apply the contracts to the registry and the topics; what already matches stays untouched."""
    as_json = output is Format.json
    servers, wanted = _plan(context.obj.settings, names or (), prune=prune, verdicts=dry_run)
    if not dry_run:
        servers.carry_out(wanted, (lambda step: None) if as_json else report.step)
    report.plan(wanted, as_json=as_json, carried_out=not dry_run)
    raise typer.Exit(EXIT_FINDINGS if wanted.conflicts else EXIT_OK)


@app.command()
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

    loaded, texts = _current(context.obj)
    current = loaded.whole()
    servers = _servers(context.obj.settings)
    findings = drifts.find(current, servers.read(current), texts)
    against = drifts.compared_with(current, servers.registry.url, servers.topics.bootstrap)
    found = Result("drift", tuple(current.contracts), findings, fail_on, against=against)
    _print(found, output, context.obj)
    raise typer.Exit(found.exit_code)


@app.command()
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


@app.command()
def tables(
    context: typer.Context,
    against: Annotated[str | None, _against("nothing, so that every table is new")] = None,
    store: Annotated[Store | None, typer.Option(help="Print only the tables of this store.")] = None,
    output: Output = Format.text,
    schemas: FolderHere = None,
) -> None:
    """Print the CQL and SQL that create the tables or migrate them (docs/reference/types.md)."""
    from avro_data_contracts.contracts.catalog import loading
    from avro_data_contracts.contracts.tables import migrations

    current, label = loading.load(context.obj.folder), ""
    if against is None:
        needed = migrations.create(current.contracts.values())
    else:
        from avro_data_contracts.contracts.check import baselines

        source, base = baselines.whole(against, context.obj.folder, current, lambda: context.obj.settings)
        wanted = list(current.contracts.values())
        histories = source.histories(migrations.stored(base.contracts, wanted), current)
        label, needed = base.label, migrations.between(base.contracts, wanted, histories)
    chosen = [one for one in needed if store is None or one.kind == store]
    if output is Format.json:
        report.document(migrations.as_document(chosen, label))
    else:
        report.text(migrations.as_script(chosen, label))
    raise typer.Exit(EXIT_FINDINGS if migrations.failed(chosen) else EXIT_OK)


@app.command()
def sample(
    context: typer.Context,
    contract: Annotated[
        str, typer.Argument(metavar="NAME", help="The contract (its folder).", autocompletion=_complete_name)
    ],
    count: Annotated[
        int | None, typer.Option(min=0, help="How many of each. Default: 10 records or pairs, 1 for each reason.")
    ] = None,
    seed: Annotated[
        str | None, typer.Option(help="The same seed gives the same records. Default: one is drawn and printed.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|latest|all|REF|REF:DIR|DIR",
            help="Records of an earlier version: in the registry (a number), or in git.",
        ),
    ] = None,
    invalid: Annotated[
        str | None, typer.Option(metavar="REASON|all", help="Records that are refused for this reason.")
    ] = None,
    evolution: Annotated[
        bool,
        typer.Option("--evolution", help="Pairs: a record of the earlier version, and as the contract reads it."),
    ] = False,
    schemas: FolderHere = None,
) -> None:
    """Print records that satisfy the schema and the rules, as JSON lines (docs/reference/sample.md)."""
    extras.require("sample")
    from avro_data_contracts.contracts.catalog import loading
    from avro_data_contracts.contracts.sample import lines as samples

    wanted = samples.Wanted(count, seed, version, invalid, evolution)
    made = samples.of(contract, wanted, loading.load(context.obj.folder), context.obj.settings)
    report.lines(made.lines, made.notes)


@export.command(name="odcs")
def export_odcs(
    context: typer.Context,
    contract: Annotated[
        str | None,
        typer.Option(
            help="Export only this contract. Default: all, one document each.", autocompletion=_complete_name
        ),
    ] = None,
    server: Annotated[str, typer.Option(metavar="HOST:PORT", help="Kafka's address, for the key `servers`.")] = "",
    schemas: FolderHere = None,
) -> None:
    """Print contracts as YAML of the Open Data Contract Standard 3.1 (docs/how-to/export.md)."""
    from avro_data_contracts.contracts.catalog import loading
    from avro_data_contracts.contracts.export import odcs

    current = loading.load(context.obj.folder)
    chosen = [current.get(contract)] if contract else current.contracts.values()
    report.text("---\n".join(odcs.as_yaml(odcs.of(one, server)) for one in chosen))


@export.command(name="python")
def export_python(
    context: typer.Context,
    contract: Annotated[
        str, typer.Argument(metavar="NAME", help="The contract (its folder).", autocompletion=_complete_name)
    ],
    style: Annotated[Style, typer.Option(help="What a record becomes.")] = Style.dataclass,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Print nothing; exit with code 1 if the file differs from the module."),
    ] = None,
    schemas: FolderHere = None,
) -> None:
    """Print the classes of a contract's records as a Python module (docs/how-to/python-classes.md)."""
    from avro_data_contracts.contracts.catalog import loading
    from avro_data_contracts.contracts.export import python

    text = python.of(loading.load(context.obj.folder).get(contract), style)
    if check is None:
        report.text(text)
    else:
        python.compare(text, check, f"contracts export python {contract} --style {style.value} > {check}")


def _current(here: _Here, names: Sequence[str] = ()) -> tuple[Loaded, Texts]:
    """The contracts of the working tree, as far as they can be read, and the texts of their files."""
    from avro_data_contracts.contracts.catalog import loading
    from avro_data_contracts.contracts.catalog.places import Texts

    loaded, files = loading.load_some(here.folder, names)
    return loaded, Texts.of(files.texts, str(here.folder))


def _init_from_registry(here: _Here, url: str, folder: Path, owner: str, output: Format, dry_run: bool) -> None:
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


def _write_baseline(findings: Sequence[Finding], file: Path | None, names: Sequence[str]) -> None:
    if file is None or names:
        raise ConfigurationError(
            "a baseline records the findings of all contracts in one file",
            where="--write-baseline",
            fix="run: contracts lint --baseline FILE --write-baseline",
        )
    from avro_data_contracts.contracts.lint import recorded

    recorded.write(findings, file)
    report.text(f"wrote {file}: {len(findings)} finding{'' if len(findings) == 1 else 's'}")


def _print(found: Result, output: report.Format, here: _Here) -> None:
    from avro_data_contracts.contracts.history import git

    from_top = git.from_top(here.folder) if output is not report.Format.text else str
    report.result(found, output, from_top)


def _plan(configured: Settings, names: Sequence[str], *, prune: bool = False, verdicts: bool) -> tuple[Servers, Plan]:
    from avro_data_contracts.contracts.catalog import loading
    from avro_data_contracts.contracts.registry import plan as plans

    everything = loading.load(configured.contracts_dir)
    desired = everything.only(names)
    servers = _servers(configured)
    today = datetime.now(UTC).date()
    return servers, plans.make(
        desired, servers.read(desired, verdicts=verdicts), prune=prune, today=today, among=everything
    )


def _servers(configured: Settings) -> Servers:
    from avro_data_contracts.contracts.registry.client import Registry
    from avro_data_contracts.contracts.registry.register import (
        Servers,  # loads Kafka's client library: only where it is needed
    )
    from avro_data_contracts.contracts.registry.topics import Topics

    return Servers(Registry.from_settings(configured), Topics(configured))


def main() -> NoReturn:
    """Entry point of the `contracts` command."""
    # Schemas are trees of many small objects that live until the end.  Searching them for cycles over and over takes
    # a sixth of the time that a thousand contracts need.
    gc.set_threshold(200_000, 50, 50)
    edge.run(app)
