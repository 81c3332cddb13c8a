"""`contracts export`: the contracts in other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avro_data_contracts.contracts import report
from avro_data_contracts.contracts.export.python_types import Style
from avro_data_contracts.contracts.options import FolderHere, complete_name

export = typer.Typer(help="Print the contracts in other formats.", no_args_is_help=True)


@export.command(name="odcs")
def export_odcs(
    context: typer.Context,
    contract: Annotated[
        str | None,
        typer.Option(
            help="Export only this contract. Default: all, one document each.", autocompletion=complete_name
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
        str, typer.Argument(metavar="NAME", help="The contract (its folder).", autocompletion=complete_name)
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
