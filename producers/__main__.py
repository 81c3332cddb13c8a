"""`python -m producers`: users from the source API to Kafka."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any

import structlog
import typer

from contracts import edge, interrupts, logs, settings
from contracts.catalog import loading
from contracts.catalog.contract import Contract
from contracts.errors import EXIT_INTERRUPTED, EXIT_OK, ConfigurationError
from contracts.registry.address import Address
from producers.interruption import Interruption, Stopped
from producers.progress import RunProgress
from producers.publish import Publisher
from producers.run import Order, Report, Run
from producers.source_api import SourceApi

log = structlog.get_logger()

DEFAULT_COUNT = 1_000
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def produce(
    contract_name: Annotated[
        str, typer.Option("--contract", metavar="NAME", help="Folder of the contract.")
    ] = "users_created",
    count: Annotated[
        str | None,
        typer.Option(
            metavar="N|all", help=f"Users to fetch; without --duration {DEFAULT_COUNT}.", show_default=False
        ),
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Users per second; without it as fast as it goes.")] = None,
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds.")] = None,
    seed: Annotated[str | None, typer.Option(help="Seed of the users; without it a random one.")] = None,
    page_size: Annotated[int, typer.Option(help="Users per request, 1 to 5000.")] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON object.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=edge.version("producers"), is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Fetch users from the source API and publish them under a contract.

    Ctrl-C and SIGTERM end the run in order: what was fetched is delivered, and the report is printed.
    """
    configured = settings.load()
    logs.configure(configured.log_format)
    contract = loading.load_one(configured.contracts_dir, contract_name)
    _refuse_without_source(contract)
    order = Order(seed or secrets.token_hex(8), _count(count, duration), rate, duration, page_size)
    api = SourceApi.from_settings(configured)
    publisher = Publisher(contract, configured)
    log.info(
        "start",
        source=api.address,
        kafka=configured.kafka_bootstrap_servers,
        registry=Address.of(configured.schema_registry_url, "SCHEMA_REGISTRY_URL").url,
        topic=contract.topic,
        seed=order.seed,
    )
    interrupts.waits_for("Kafka to acknowledge what was sent")
    with Interruption() as interruption, RunProgress(order, log_format=configured.log_format) as progress:
        try:
            with interruption.waiting():
                publisher.open()
        except Stopped:
            raise typer.Exit(_exit_code(interruption)) from None
        report = Run(api, publisher, order, interruption, progress.show).to_the_end()
        progress.finish(report)
    told = _document(report, contract, order, api)
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else _text(told, report))
    if report.error is not None:
        raise report.error
    report.check()
    raise typer.Exit(_exit_code(interruption))


def _refuse_without_source(contract: Contract) -> None:
    """Raises ConfigurationError when nothing says that users are what this topic holds."""
    if contract.spec.source is None:
        raise ConfigurationError(
            f"contract {contract.name} has no source",
            where=contract.file,
            fix="if its events are users of a randomuser.me API, add `source: {api: randomuser}` to it "
            "(docs/reference/contract.md); else send records from your own program "
            "(docs/reference/producer.md, Records of your own)",
        )


def _count(text: str | None, duration: float | None) -> int | None:
    if text is None:
        return DEFAULT_COUNT if duration is None else None
    if text == "all":
        return None
    if not text.isdecimal() or not text.isascii() or len(text) > 12:
        raise ConfigurationError(f"--count {text!r} is neither a number nor `all`", fix="e.g. --count 1000")
    return int(text)


def _exit_code(interruption: Interruption) -> int:
    """130 after Ctrl-C, as shells have it; SIGTERM is how a supervisor ends a run, and ends it well."""
    stopped_by = interruption.requested
    return EXIT_INTERRUPTED if stopped_by is not None and stopped_by.name == "SIGINT" else EXIT_OK


def _document(report: Report, contract: Contract, order: Order, api: SourceApi) -> dict[str, Any]:
    return {
        "version": 1,
        "fetched": report.fetched,
        "produced": report.produced,
        "refused": {"total": report.refused.total(), "reasons": dict(sorted(report.refused.items()))},
        "undelivered": report.undelivered,
        "ids_distinct": report.ids_distinct,
        "offsets": report.offsets,
        "ended": report.ended,
        "topic": contract.topic,
        "dead_letter_topic": contract.dead_letter_topic,
        "seed": order.seed,
        "source": api.address,
        "seconds": round(report.seconds, 3),
    }


_ENDED = {
    "count": "all that were asked for",
    "duration": "the time was up",
    "source": "the source has no more",
    "SIGINT": "Ctrl-C",
    "SIGTERM": "SIGTERM",
    "error": "an error, below",
}


def _text(told: dict[str, Any], report: Report) -> str:
    refused = told["refused"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in refused["reasons"].items())
    rows = {
        "source": f"{told['source']} seed {told['seed']}",
        "fetched": f"{told['fetched']}, then {_ENDED[told['ended']]}",
        "produced": f"{told['produced']} to {told['topic']}, {told['ids_distinct']} different ids",
        "refused": f"{refused['total']} to {told['dead_letter_topic']}{f' ({reasons})' if reasons else ''}",
        "seconds": f"{told['seconds']:.1f} ({report.per_second:,.0f} users/s)",
    }
    if told["undelivered"]:
        rows["undelivered"] = str(told["undelivered"])
    return "\n".join(f"{name:<12}{value}" for name, value in rows.items())


def main() -> None:
    """Entry point."""
    edge.run(app)


if __name__ == "__main__":
    main()
