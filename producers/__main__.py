"""`python -m producers`: records from a contract's source to Kafka."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any

import structlog
import typer

from avro_data_contracts.contracts import edge, interrupts, logs, settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import EXIT_INTERRUPTED, EXIT_OK, ConfigurationError
from avro_data_contracts.contracts.registry.address import Address
from avro_data_contracts.contracts.sources.known import ways_to_tell
from avro_data_contracts.contracts.sources.spec import SourceSpec
from avro_data_contracts.producers.identity import identity_of
from avro_data_contracts.producers.interruption import Interruption, Stopped
from avro_data_contracts.producers.progress import RunProgress
from avro_data_contracts.producers.publish import Publisher
from avro_data_contracts.producers.run import Order, Report, Run
from avro_data_contracts.producers.sources.known import opener
from avro_data_contracts.producers.sources.source import Source

log = structlog.get_logger()

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def produce(
    contract_name: Annotated[
        str, typer.Option("--contract", metavar="NAME", help="Folder of the contract.")
    ] = "users_created",
    count: Annotated[
        str | None,
        typer.Option(
            metavar="N|all", help="Records to fetch; without --duration `count` of the source.", show_default=False
        ),
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Records per second; without it, as fast as possible.")] = None,
    duration: Annotated[float | None, typer.Option(help="Stop after this many seconds.")] = None,
    seed: Annotated[str | None, typer.Option(help="Seed of made-up records; without it, a random one.")] = None,
    page_size: Annotated[int, typer.Option(help="Records per request to the source, 1 to 5000.")] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=edge.version("producers"), is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Fetch records from a contract's source and publish them to its topic.

    Ctrl-C and SIGTERM end the run in order: it delivers what it has fetched, and prints the report.
    """
    configured = settings.load()
    logs.configure(configured.log_format)
    contract = loading.load_one(configured.contracts_dir, contract_name)
    spec = _source_of(contract)
    order = Order(seed or secrets.token_hex(8), _count(count, duration, spec), rate, duration, page_size)
    source = opener(spec.api)(contract, configured)
    publisher = Publisher(contract, configured, name=f"producers.{spec.api}")
    log.info(
        "start",
        source=source.where,
        kafka=configured.kafka_bootstrap_servers,
        registry=Address.of(configured.schema_registry_url, "SCHEMA_REGISTRY_URL").url,
        topic=contract.topic,
        seed=order.seed,
    )
    interrupts.waits_for("Kafka to acknowledge what was sent")
    with Interruption() as interruption, RunProgress(order, log_format=configured.log_format) as progress:
        try:
            with interruption.waiting:
                publisher.open()
        except Stopped:
            raise typer.Exit(_exit_code(interruption)) from None
        report = Run(source, publisher, order, interruption, identity_of(contract), progress.show).to_the_end()
        progress.finish(report)
    told = _document(report, contract, order, source)
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else _text(told, report))
    if report.error is not None:
        raise report.error
    report.check()
    raise typer.Exit(_exit_code(interruption))


def _source_of(contract: Contract) -> SourceSpec:
    """Raise ConfigurationError if nothing says where the topic's records come from."""
    if contract.spec.source is None:
        raise ConfigurationError(
            f"contract {contract.name} has no source",
            where=contract.file,
            fix=f"add `source:` to contract.yaml: {ways_to_tell()} (docs/reference/sources.md); or send its records "
            "from a program of your own (docs/reference/producer.md, Records of your own)",
        )
    return contract.spec.source


def _count(text: str | None, duration: float | None, spec: SourceSpec) -> int | None:
    if text is None:
        return spec.count if duration is None else None
    if text == "all":
        return None
    if not text.isdecimal() or not text.isascii() or len(text) > 12:
        raise ConfigurationError(f"--count {text!r} is neither a number nor `all`", fix="e.g. --count 1000")
    return int(text)


def _exit_code(interruption: Interruption) -> int:
    """Return 130 after Ctrl-C, as shells do.  After SIGTERM 0: that is how a supervisor ends a run."""
    stopped_by = interruption.requested
    return EXIT_INTERRUPTED if stopped_by is not None and stopped_by.name == "SIGINT" else EXIT_OK


def _document(report: Report, contract: Contract, order: Order, source: Source) -> dict[str, Any]:
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
        "source": source.where,
        "seconds": round(report.seconds, 3),
    }


_ENDED = {
    "count": "the count was reached",
    "duration": "the time was up",
    "source": "the source had no more",
    "SIGINT": "Ctrl-C",
    "SIGTERM": "SIGTERM",
    "error": "the error below",
}


def _text(told: dict[str, Any], report: Report) -> str:
    refused = told["refused"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in refused["reasons"].items())
    rows = {
        "source": f"{told['source']} seed {told['seed']}",
        "fetched": f"{told['fetched']}, until {_ENDED[told['ended']]}",
        "produced": f"{told['produced']} to {told['topic']}, {told['ids_distinct']} different ids",
        "refused": f"{refused['total']} to {told['dead_letter_topic']}{f' ({reasons})' if reasons else ''}",
        "seconds": f"{told['seconds']:.1f} ({report.per_second:,.0f} records/s)",
    }
    if told["undelivered"]:
        rows["undelivered"] = str(told["undelivered"])
    return "\n".join(f"{name:<12}{value}" for name, value in rows.items())


def main() -> None:
    """Entry point."""
    edge.run(app)


if __name__ == "__main__":
    main()
