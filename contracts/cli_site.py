"""`contracts site`: the contracts as pages for people who read no schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avro_data_contracts import extras
from avro_data_contracts.contracts import report
from avro_data_contracts.contracts.options import FolderHere


def site(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder for the pages; those of an earlier run are replaced.")
    ],
    title: Annotated[str, typer.Option(help="The title of the pages.")] = "Data contracts",
    schemas: FolderHere = None,
) -> None:
    """Write a catalogue of the contracts and their versions as web pages (docs/how-to/console.md)."""
    extras.require("console")
    from avro_data_contracts.console import site as pages

    written = pages.write(context.obj.folder, out, title)
    for note in written.notes:
        report.text(f"note: {note}")
    report.text(f"wrote {written.pages} pages of {written.contracts} contracts: {out / 'index.html'}")
