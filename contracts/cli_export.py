"""`contracts export`: the contracts in other formats."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avro_data_contracts.contracts import report
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.export.definition import Definition
from avro_data_contracts.contracts.export.python_types import Style
from avro_data_contracts.contracts.options import FolderHere, complete_name

if TYPE_CHECKING:
    from avro_data_contracts.contracts.catalog.contract import Contract
    from avro_data_contracts.contracts.catalog.loading import Catalog

_Named = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="Names of contracts (their folders).", autocompletion=complete_name),
]
_Servers = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]HOST:PORT", help="Kafka's address, for the key `servers`; kafka-secure://HOST:PORT for TLS."
    ),
]
_Registry = Annotated[str, typer.Option(metavar="URL", help="The schema registry of these servers.")]

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
    from avro_data_contracts.contracts.export import odcs, yaml_out

    loaded, texts = context.obj.current()
    current = loaded.whole()
    chosen = [current.get(contract)] if contract else current.contracts.values()
    report.text(yaml_out.texts(odcs.of(one, server, texts.by_path[one.file]) for one in chosen))


@export.command(name="asyncapi")
def export_asyncapi(
    context: typer.Context,
    names: _Named = None,
    everything: Annotated[bool, typer.Option("--all", help="All contracts, in one document.")] = False,
    server: _Servers = None,
    registry: _Registry = "",
    title: Annotated[str, typer.Option(help="The title. Default: the name of the contract.")] = "",
    document_version: Annotated[str, typer.Option(metavar="VERSION", help="The version of the document.")] = "1.0.0",
    schemas: FolderHere = None,
) -> None:
    """Print contracts as one document of AsyncAPI 3.0, in YAML (docs/how-to/export.md)."""
    from avro_data_contracts.contracts.catalog import loading
    from avro_data_contracts.contracts.export import asyncapi, yaml_out

    servers = asyncapi.servers(server or (), registry)
    chosen = _chosen(loading.load(context.obj.folder), names, everything)
    report.text(yaml_out.text(asyncapi.of(chosen, servers, title, document_version)))


@export.command(name="backstage")
def export_backstage(
    context: typer.Context,
    names: _Named = None,
    everything: Annotated[bool, typer.Option("--all", help="All contracts.")] = False,
    definition: Annotated[Definition, typer.Option(help="What describes an API.")] = Definition.asyncapi,
    lifecycle: Annotated[str, typer.Option(help="The lifecycle of the APIs.")] = "production",
    source: Annotated[
        str,
        typer.Option(
            metavar="URL", help="Where the files of the repository are, for links: https://HOST/…/blob/main"
        ),
    ] = "",
    server: _Servers = None,
    registry: _Registry = "",
    schemas: FolderHere = None,
) -> None:
    """Print entities for Backstage's software catalog, as catalog-info.yaml (docs/how-to/export.md)."""
    from avro_data_contracts.contracts.catalog import loading
    from avro_data_contracts.contracts.export import asyncapi, backstage, yaml_out
    from avro_data_contracts.contracts.history import git

    servers = tuple(asyncapi.servers(server or (), registry))
    told = backstage.Told(definition, lifecycle, source, servers)
    chosen = _chosen(loading.load(context.obj.folder), names, everything)
    from_top = git.from_top(context.obj.folder) if source else str
    report.text(yaml_out.texts(backstage.of(chosen, told, from_top)))


@export.command(name="openlineage")
def export_openlineage(
    context: typer.Context,
    names: _Named = None,
    everything: Annotated[bool, typer.Option("--all", help="All contracts.")] = False,
    schemas: FolderHere = None,
) -> None:
    """Print what producer and stream read and write as events of OpenLineage, in lines (docs/how-to/lineage.md)."""
    from avro_data_contracts.contracts.catalog import loading
    from avro_data_contracts.contracts.lineage import events, runs

    chosen = _chosen(loading.load(context.obj.folder), names, everything)
    found = events.static(chosen, context.obj.settings, runs.namespace(), datetime.now(UTC))
    report.lines([json.dumps(one, ensure_ascii=False) for one in found], ())


def _chosen(current: Catalog, names: Sequence[str] | None, everything: bool) -> list[Contract]:
    """The contracts that the command line names."""
    if everything == bool(names):
        raise ConfigurationError("which contracts?", where="NAME", fix="name some, or give --all alone")
    return [current.get(name) for name in dict.fromkeys(names)] if names else list(current.contracts.values())


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
