"""`python -m console`: the contracts in a browser, as they are now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from avro_data_contracts import extras

if __name__ == "__main__":
    extras.require("console")

import typer

from avro_data_contracts.contracts import edge, logs, settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)

_PUBLISHED = (
    "In a container only: listen on all of its addresses, and answer to this port of the machine, at whose loopback "
    "address the container's port is published."
)
_DIR = "The folder for the passwords. Default: console in STACK_DIR, or in .stack."


@app.command()
def console(
    host: Annotated[str, typer.Option(help="The address to listen on, of this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0: any free one.")] = 18088,
    published: Annotated[int | None, typer.Option(min=1, max=65535, metavar="PORT", help=_PUBLISHED)] = None,
    schemas: Annotated[
        Path | None, typer.Option(help="The folder of the contracts (CONTRACTS_DIR); by default, schemas.")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--dir", metavar="DIR", help=_DIR)] = None,
    session_minutes: Annotated[float, typer.Option(min=0.01, help="How long a session lasts, minutes.")] = 480,
    version: Annotated[
        bool, typer.Option("--version", callback=edge.version("console"), is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Show the contracts, their versions and what a change would do, until Ctrl-C (docs/how-to/console.md)."""
    from avro_data_contracts.console import serving
    from avro_data_contracts.console.accounts import Accounts
    from avro_data_contracts.console.kept import Kept
    from avro_data_contracts.console.live import Live
    from avro_data_contracts.console.records import Reader
    from avro_data_contracts.console.sessions import Sessions
    from avro_data_contracts.console.web import app as web

    configured = settings.load(contracts_dir=schemas)
    logs.configure(configured.log_format)
    accounts = Accounts.of_environment(os.environ)
    if accounts is None:
        accounts = Accounts.at(folder or Path(os.environ.get("STACK_DIR") or ".stack") / "console")
    kept = Kept(configured.contracts_dir)
    with serving.listen(host, port, contained=published is not None) as listening:
        kept.start()
        live = Live(configured, kept)
        live.start()
        try:
            hosts = serving.addresses(listening, published)
            sessions = Sessions(session_minutes * 60)
            cookie = f"console-{hosts[-1].rpartition(':')[2]}"
            made = web.app(kept, live, Reader(configured), accounts, sessions, hosts, cookie)
            told = f"http://{hosts[-1]}\n  sign in as viewer or operator: {accounts.source}"
            serving.Server(made, lambda: typer.echo(f"console: {told}")).run([listening])
        finally:
            live.close()
            kept.close()


if __name__ == "__main__":
    edge.run(app)
