"""The `contracts` command: parse arguments, call the library, print through `report`, exit."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from avro_data_contracts import extras
from avro_data_contracts.contracts import edge, project, report
from avro_data_contracts.contracts.catalog.choices import Compatibility
from avro_data_contracts.contracts.catalog.findings import FailOn, Finding
from avro_data_contracts.contracts.cli_export import export
from avro_data_contracts.contracts.cli_registry import init_from_registry, registry
from avro_data_contracts.contracts.cli_site import site
from avro_data_contracts.contracts.errors import EXIT_FINDINGS, EXIT_OK, ConfigurationError
from avro_data_contracts.contracts.options import (
    Fail,
    FindingsFormat,
    Folder,
    FolderHere,
    Format,
    Here,
    Names,
    Output,
    Store,
    against_option,
    complete_name,
)

_SITE = "Where the pages of `contracts site` are: Markdown links to them. Default: that of contracts.toml."
# Commands load what they need themselves: all of it takes half a second.

app = typer.Typer(
    name="contracts",
    help="Avro data contracts: register them, and see what a change does to everything downstream.",
    epilog="`contracts docs PAGE` prints the pages that are named here, such as docs/reference/lint.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(registry)
app.add_typer(export, name="export")
app.command()(site)


@app.callback()
def _options(
    context: typer.Context,
    schemas: Folder = None,
    version: Annotated[
        bool, typer.Option("--version", callback=edge.version("contracts"), is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    context.obj = Here(schemas)


@app.command()
def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="The folder to search for schemas.")] = Path(),
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE|URL|odcs",
            help="Infer a schema instead: from FILE.jsonl, FILE.csv, or postgresql://USER@HOST/DATABASE?table=TABLE. "
            "Or from documents of the Open Data Contract Standard: FILE.yaml, or odcs, with the file as FOLDER.",
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
        init_from_registry(context.obj, source, folder, owner, output, dry_run)
        return
    keys = {"owner": owner, "compatibility": compatibility.value}
    if source == "odcs":
        source, folder = f"odcs:{folder}", Path()
    started = starts.over(folder, keys) if source is None else inferred.of(source, folder, keys)
    if not dry_run:
        starts.write(started)
    report.started(started, as_json=output is Format.json, dry_run=dry_run)


@app.command()
def docs(
    page: Annotated[
        str | None,
        typer.Argument(metavar="[PAGE]", help="A page, e.g. docs/reference/lint.md. Default: all titles."),
    ] = None,
) -> None:
    """Print a page of the documentation, as messages and help name it."""
    from avro_data_contracts.contracts import pages

    if page is not None:
        report.page(pages.text(page))
    else:
        known = pages.names()
        width = max(map(len, known), default=0) + 2
        report.lines(f"{name:{width}}{pages.title(name)}" for name in known)


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
    from avro_data_contracts.contracts.lint import current as linter

    named = tuple(dict.fromkeys(names or ()))
    current, texts = context.obj.current(named)
    if write_baseline:
        findings = linter.every(current, texts, named, context.obj.folder)
        _write_baseline(findings, linter.baseline_of(context.obj.folder, baseline), named)
        return
    linted = linter.lint(current, texts, named, context.obj.folder, baseline)
    found = Result("lint", named or current.names, linted.new, fail_on, known=linted.known)
    context.obj.show(found, output)
    raise typer.Exit(found.exit_code)


@app.command()
def check(
    context: typer.Context,
    names: Names = None,
    against: Annotated[
        str | None, against_option("the merge base with origin/main, or with the default branch of origin")
    ] = None,
    output: FindingsFormat = report.Format.text,
    fail_on: Fail = FailOn.error,
    site: Annotated[str | None, typer.Option(metavar="URL", help=_SITE)] = None,
    schemas: FolderHere = None,
) -> None:
    """Show what a change breaks, what it does downstream, and who deploys first (docs/reference/check.md)."""
    from avro_data_contracts.contracts.check.examine import examine
    from avro_data_contracts.contracts.formats import Result

    pages = project.site_of(context.obj.folder, site)
    today = datetime.now(UTC).date()
    examined, checked = examine(context.obj.folder, against, names or (), today, lambda: context.obj.settings)
    found = Result("check", examined, checked.findings, fail_on, checked, site=pages)
    context.obj.show(found, output)
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
def tables(
    context: typer.Context,
    against: Annotated[str | None, against_option("nothing, so that every table is new")] = None,
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
        str, typer.Argument(metavar="NAME", help="The contract (its folder).", autocompletion=complete_name)
    ],
    count: Annotated[
        int | None, typer.Option(min=0, help="How many. Default: 10 records or pairs, or 1 record for each reason.")
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(help="The same seed gives the same records. Default: a random one, which is printed."),
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
        typer.Option(
            "--evolution", help="Pairs: a record of the earlier version, and that record as the contract reads it."
        ),
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


def main() -> NoReturn:
    """Entry point of the `contracts` command."""
    # Schemas are trees of many small objects that live until the end.  Searching them for cycles over and over takes
    # a sixth of the time that a thousand contracts need.
    gc.set_threshold(200_000, 50, 50)
    edge.run(app)
