"""`python -m producers`: records from a contract's source, or from files, to Kafka."""

from __future__ import annotations

import json
import os
import secrets
from typing import Annotated

import structlog
import typer

from avro_data_contracts.contracts import edge, interrupts, logs, settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import EXIT_INTERRUPTED, EXIT_OK, ConfigurationError
from avro_data_contracts.contracts.lineage import outputs, runs
from avro_data_contracts.contracts.registry.address import Address
from avro_data_contracts.contracts.sources.known import ways_to_tell
from avro_data_contracts.producers import reporting
from avro_data_contracts.producers.from_files import FileOptions, FromFiles
from avro_data_contracts.producers.identity import identity_of
from avro_data_contracts.producers.interruption import Interruption, Stopped
from avro_data_contracts.producers.keeping import Keeper
from avro_data_contracts.producers.progress import RunProgress
from avro_data_contracts.producers.publish import Publisher
from avro_data_contracts.producers.run import Order, Run
from avro_data_contracts.producers.sources.known import SAMPLE, opener
from avro_data_contracts.producers.sources.source import Noticing, Resumable, Source

log = structlog.get_logger()

#: Samples, if nobody says how many.
SAMPLES = 1_000

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def produce(
    contract_name: Annotated[
        str, typer.Option("--contract", metavar="NAME", help="Folder of the contract.")
    ] = "users_created",
    given: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE|DIR|-|sample:",
            help="Send records of a file or folder (JSON lines, CSV, Parquet), not of the contract's source; - is "
            "standard input; sample: generates records that satisfy the contract.",
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="jsonl|csv|parquet",
            help="With --from: the format of files whose names do not show it.",
        ),
    ] = None,
    coerce: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="With --from, repeatable: numbers, booleans, epoch, epoch=UNIT, extra-fields, first-type or "
            "zone=NAME (docs/reference/conversions.md).",
        ),
    ] = None,
    reject: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="With --from: write refused records to this file, not to the dead-letter topic."
        ),
    ] = None,
    invalid: Annotated[
        str | None,
        typer.Option(
            metavar="REASON|all",
            help="With --from sample:, send what the producer or the stream refuses for this reason, or for each "
            "(docs/reference/sample.md).",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --from: continue where an earlier run of the same files stopped.")
    ] = False,
    count: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            help="Records to send. Default: the `count` of the source, 1000 samples, all records of files; no "
            "limit with --duration.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Records per second. Default: as fast as possible.")] = None,
    duration: Annotated[float | None, typer.Option(help="Stop after this many seconds.")] = None,
    seed: Annotated[str | None, typer.Option(help="Seed of generated records. Default: a random one.")] = None,
    page_size: Annotated[int, typer.Option(help="Records per request to the source, 1 to 5000.")] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=edge.version("producers"), is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Publish records to a contract's topic: from its source, or with --from from files or a pipe.

    Ctrl-C and SIGTERM end the run in order: it delivers what it has fetched, and prints the report.
    """
    sampled = given == SAMPLE
    options = FileOptions(None if sampled else given, format_, coerce or [], reject, resume)
    options.check(seed=seed)
    if invalid is not None and not sampled:
        raise ConfigurationError("--invalid is for samples", fix=f"give --from {SAMPLE} too")
    configured = settings.load()
    logs.configure(configured.log_format)
    contract = loading.load_one(configured.contracts_dir, contract_name)
    files = FromFiles(options, contract, configured, os.environ) if options.given else None
    api, usual = ("file", None) if files else ("sample", SAMPLES) if sampled else _source_of(contract)
    source: Source
    if invalid is not None:
        from avro_data_contracts.producers.sources.sample.refused import RefusedSource

        source, usual = RefusedSource(contract, configured, invalid), None
    else:
        source = files.source if files else opener(api)(contract, configured)
    order = Order(
        "" if files else seed or secrets.token_hex(8),
        _count(count, None if duration is not None else usual),
        rate,
        duration,
        page_size,
    )
    publisher = Publisher(contract, configured, name=f"producers.{api}")
    log.info(
        "start",
        source=source.where,
        kafka=configured.kafka_bootstrap_servers,
        registry=Address.of(configured.schema_registry_url, "SCHEMA_REGISTRY_URL").url,
        topic=contract.topic,
        **({"resumed": files.resumed} if files else {"seed": order.seed}),
    )
    interrupts.waits_for("Kafka to acknowledge what was sent")
    with (
        Interruption() as interruption,
        RunProgress(order, log_format=configured.log_format, source=source) as progress,
    ):
        try:
            with interruption.waiting:
                publisher.open()
        except Stopped:
            raise typer.Exit(_exit_code(interruption)) from None
        resumable = files or source
        if files:
            files.begin()
        run = Run(
            source,
            publisher,
            order,
            interruption,
            identity_of(contract),
            progress.show,
            refuses=files.rejects if files else None,
            keeper=Keeper(resumable, publisher) if isinstance(resumable, Resumable) else None,
            counts_rows=files is None,
        )
        with runs.of_producer(contract, configured, source.where) as lineage:
            report = run.to_the_end()
            lineage.rows[outputs.TOPIC] = report.produced
            if reject is None:
                lineage.rows[outputs.DEAD_LETTERS] = report.refused.total()
            lineage.error = str(report.error or "")
        progress.finish(report)
    for notice in source.notices() if isinstance(source, Noticing) else ():
        log.warning(notice)
    told = reporting.document(report, contract, order, source, reject)
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else reporting.text(told, report))
    if report.error is not None:
        raise report.error
    report.check(tolerant=files is None, meant=invalid is not None, look=reporting.look(contract, reject))
    raise typer.Exit(_exit_code(interruption))


def _source_of(contract: Contract) -> tuple[str, int | None]:
    """The name of the contract's source, and how many records a run fetches from it; None: all.

    Raises:
        ConfigurationError: nothing says where the topic's records come from.
    """
    if contract.spec.source is None:
        raise ConfigurationError(
            f"contract {contract.name} has no source",
            where=contract.file,
            fix=f"send the records of a file: `python -m avro_data_contracts.producers --contract {contract.name} "
            f"--from FILE` (.jsonl, .csv, .parquet, or - for a pipe; {SAMPLE} makes records up); or add `source:` "
            f"to contract.yaml: {ways_to_tell()} (docs/reference/sources.md); or send records from a program of your "
            "own (docs/how-to/publisher.md)",
        )
    return contract.spec.source.api, contract.spec.source.count


def _count(text: str | None, usual: int | None) -> int | None:
    if text is None:
        return usual
    if text == "all":
        return None
    if not text.isdecimal() or not text.isascii() or len(text) > 12:
        raise ConfigurationError(f"--count {text!r} is neither a number nor `all`", fix="e.g. --count 1000")
    return int(text)


def _exit_code(interruption: Interruption) -> int:
    """Return 130 after Ctrl-C, as shells do.  After SIGTERM 0: that is how a supervisor ends a run."""
    stopped_by = interruption.requested
    return EXIT_INTERRUPTED if stopped_by is not None and stopped_by.name == "SIGINT" else EXIT_OK


def main() -> None:
    """Entry point."""
    edge.run(app)


if __name__ == "__main__":
    main()
