"""`python -m streaming`: the stream of a contract, from Kafka into its stores."""

from __future__ import annotations

import os
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from avro_data_contracts import extras

if __name__ == "__main__":
    extras.require("stream")

import typer

from avro_data_contracts.contracts import edge, logs, settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import EXIT_FINDINGS, EXIT_OK, EXIT_SERVICE, ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.dead_letters import command
from avro_data_contracts.streaming.run.stopping import Stopping

if TYPE_CHECKING:
    from avro_data_contracts.contracts.catalog.contract import Contract
    from avro_data_contracts.streaming.inspection.reconcile import Outcome
    from avro_data_contracts.streaming.topic import Ranges

#: The contract of a command that names none.
_USUAL = ["users_created"]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(command.app, name="dlq")
views = typer.Typer(help="Let a view begin again.", no_args_is_help=True)
app.add_typer(views, name="views")


@app.callback(invoke_without_command=True)
def stream(
    context: typer.Context,
    contract: Annotated[
        list[str], typer.Option(help="Folder of the contract in schemas/; repeat it for several in one process.")
    ] = _USUAL,
    every: Annotated[
        bool, typer.Option("--all", help="Stream every contract that has sinks, and those that come.")
    ] = False,
    available_now: Annotated[
        bool, typer.Option(help="Write everything that is in the topic now, then stop.")
    ] = False,
    master: Annotated[str | None, typer.Option(help="Spark master (SPARK_MASTER); this machine by default.")] = None,
    max_per_batch: Annotated[int | None, typer.Option(help="Largest number of records in one micro-batch.")] = None,
    accept_loss: Annotated[
        bool, typer.Option(help="Continue after a gap: records that Kafka deleted before they were read.")
    ] = False,
    retry_for: Annotated[float | None, typer.Option(help="How long to wait for a failing server, seconds.")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=edge.version("streaming"), is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Decode each record with the schema it was written with, and write it to every store of the contract."""
    configured = settings.load(spark_master=master, stream_max_per_batch=max_per_batch, stream_retry_for_s=retry_for)
    several = every or len(contract) > 1
    if context.invoked_subcommand is not None and several:
        raise ConfigurationError("this command is about one contract", where="--contract", fix="name one")
    if every and _is_given(context.get_parameter_source("contract")):
        raise ConfigurationError("--all and --contract exclude each other", fix="leave one of them out")
    context.obj = (configured, contract[0])
    if context.invoked_subcommand is not None:
        return
    logs.configure(configured.log_format)
    if several:
        _stream_several(configured, [] if every else contract, available_now=available_now, accept_loss=accept_loss)
    else:
        _stream_one(configured, contract[0], available_now=available_now, accept_loss=accept_loss)


def _is_given(source: Enum | None) -> bool:
    """Whether somebody gave a parameter, perhaps with the value that it has anyway."""
    # By name: Typer has its own copy of click, whose sources differ from those of the package click.
    return source is not None and source.name != "DEFAULT"


def _stream_one(configured: Settings, name: str, *, available_now: bool, accept_loss: bool) -> None:
    stopping = Stopping.on_signals()
    from avro_data_contracts.streaming.run.checkpoints import Checkpoints
    from avro_data_contracts.streaming.run.families import Families
    from avro_data_contracts.streaming.run.job import Job, prepare
    from avro_data_contracts.streaming.run.metrics import Metrics
    from avro_data_contracts.streaming.spark import session  # loads Spark, so only when there is something to stream

    wanted = loading.load(configured.contracts_dir).get(name)
    families = Families()
    metrics = Metrics(wanted, families)
    families.serve(configured)
    sinks = prepare(configured, wanted, accept_loss=accept_loss)
    stopping.waits_for = lambda: "Spark to start"
    with Checkpoints(configured, wanted).alone(), session.running(configured) as spark:
        job = Job(spark, configured, wanted, sinks, stopping, metrics)
        stopping.waits_for = job.at_work
        job.run(available_now=available_now)


def _stream_several(configured: Settings, names: list[str], *, available_now: bool, accept_loss: bool) -> None:
    stopping = Stopping.on_signals(looks=True)
    from avro_data_contracts.streaming.run.families import Families
    from avro_data_contracts.streaming.run.streams import Streams
    from avro_data_contracts.streaming.run.watched import wanted_of
    from avro_data_contracts.streaming.spark import session

    loaded, files = loading.load_folder(configured.contracts_dir)
    catalog = loaded.whole().only(names)
    families = Families()
    families.serve(configured)
    stopping.waits_for = lambda: "Spark to start"
    with session.running(configured) as spark:
        streams = Streams(spark, configured, names, families, available_now=available_now, accept_loss=accept_loss)
        stopping.waits_for = streams.at_work
        streams.run(wanted_of(catalog, names), files, stopping)


@app.command()
def reconcile(
    context: typer.Context,
    run: Annotated[
        Path | None,
        typer.Option(metavar="FILE|-", help="Report of `python -m producers --json`; default: the whole topic."),
    ] = None,
    sample: Annotated[int, typer.Option(help="Also show this many of the newest rows of each store.")] = 0,
    views: Annotated[
        bool, typer.Option("--views/--no-views", help="Also compare the tables of views, with Spark.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Compare a topic with what the stores hold, event by event; exit 1 when one is missing.

    The rows of views are computed again from the topic, and compared value by value.
    """
    from avro_data_contracts.streaming.inspection import reconcile, report, stored

    configured, name = context.obj
    wanted = loading.load(configured.contracts_dir).get(name)
    produced = reconcile.Produced.read(run) if run else None
    ranges = produced.ranges if produced else None
    outcome = reconcile.reconcile(configured, wanted, ranges)
    if views and wanted.views:
        outcome = _with_views(configured, wanted, ranges, outcome)
    report.outcome(wanted.name, outcome, produced, as_json=as_json)
    for of, sink in stored.tables(wanted) if sample and not as_json else ():
        report.rows(sink, *stored.newest(configured, of, sink, sample))
    raise typer.Exit(EXIT_OK if outcome.in_order(produced) else EXIT_FINDINGS)


def _with_views(configured: Settings, contract: Contract, ranges: Ranges | None, outcome: Outcome) -> Outcome:
    from avro_data_contracts.streaming.inspection.view_tables import ViewTables, left_out
    from avro_data_contracts.streaming.spark import session

    without = left_out(contract)
    if len(without) == len(contract.views):
        return replace(outcome, left_out=without)
    # On this machine: a cluster may have no cores left beside the stream.
    here = configured.model_copy(update={"spark_master": f"local[{os.cpu_count() or 1}]"})
    with session.running(here) as spark:
        tables = ViewTables(spark, here, contract, ranges)
        compared = tuple(tables.compare())
    return replace(outcome, views=compared, left_out={**without, **tables.left_out})


@app.command()
def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh in the terminal until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the status as one JSON object.")] = False,
) -> None:
    """Show servers, topics, versions, lag, rows and dead letters of every contract; exit 3 when a server is down.

    `--contract` limits it to one contract.
    """
    from avro_data_contracts.streaming.inspection import status_view
    from avro_data_contracts.streaming.inspection.status import Observer

    configured, name = context.obj
    given = context.parent is not None and _is_given(context.parent.get_parameter_source("contract"))
    observer = Observer(configured, loading.load(configured.contracts_dir), name if given else None)
    if watch and not as_json:
        found = status_view.watch(observer.look)
    else:
        found = observer.look()
        typer.echo(status_view.document(found)) if as_json else status_view.show(found)
    raise typer.Exit(EXIT_OK if found.in_order else EXIT_SERVICE)


@views.command()
def rebuild(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The view: its file in views/, without .sql.")],
    accept_loss: Annotated[
        bool, typer.Option(help="Also if Kafka has deleted records, which the rows will not have.")
    ] = False,
) -> None:
    """Empty the tables of a view, so that the stream fills them from the beginning of the topic.

    Stop the stream of the contract first.  Until it has caught up, the tables lack rows.
    """
    from avro_data_contracts.streaming.rebuild import rebuild

    configured, contract = context.obj
    wanted = loading.load(configured.contracts_dir).get(contract)
    done = rebuild(configured, wanted, name, accept_loss=accept_loss)
    typer.echo(f"emptied: {', '.join(done.tables)}")
    if done.refreshed:
        typer.echo(f"the next start of the stream computes its rows from the tables of {wanted.name}")
        return
    more = f"; up to {done.deleted:,} deleted ones are not in the rows" if done.deleted else ""
    typer.echo(
        f"the next start of the stream reads {done.records:,} records of {wanted.topic} from their beginning, for "
        f"each of these tables{more}"
    )


@app.command()
def rewrite(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The contract: its folder in schemas/.")],
    accept_loss: Annotated[
        bool, typer.Option(help="Also delete rows whose events have left the topic; they are counted.")
    ] = False,
) -> None:
    """Write all rows of a contract and of its views again, with the masks and the MASK_KEY of now; exit 1 if rows
    cannot be.

    It empties the tables, and the next start of the stream fills them from the beginning of the topic.  Stop the
    stream of the contract first.  Until it has caught up, the tables lack rows.
    """
    from avro_data_contracts.streaming.rewrite import rewrite

    configured, _ = context.obj
    wanted = loading.load(configured.contracts_dir).get(name)
    done = rewrite(configured, wanted, accept_loss=accept_loss)
    for table in done.tables:
        again = " (dropped and made again, because a column has another type)" if table in done.made_again else ""
        if table in done.computed:
            again += "; its rows are computed again from the table of the contract"
        lost = (
            f"; {done.lost[table]:,} rows of events that have left the topic are gone" if table in done.lost else ""
        )
        typer.echo(f"emptied: {table}{again}{lost}")
    more = f"; Kafka has deleted up to {done.deleted:,} earlier ones" if done.deleted else ""
    typer.echo(
        f"the next start of the stream reads {done.records:,} records of {wanted.topic} from their beginning, for "
        f"each {'other table' if done.computed else 'of these tables'}{more}"
    )


@app.command()
def tail(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A contract, a topic, or a dead-letter topic.")],
    follow: Annotated[bool, typer.Option("--follow", help="Wait for further records until Ctrl-C.")] = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME|OFFSET|begin",
            help="Where to begin; without it, the newest 10 offsets of each partition.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="K", help="Only records with this key, text or JSON.")] = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="EXPR", help="Only records that satisfy this condition, written like the expression of a rule."
        ),
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data, which is masked otherwise.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each record as one JSON object.")] = False,
) -> None:
    """Show the records of a topic, decoded, with schema version, partition, offset and time.

    Dead letters are decoded as far as they go, with their reason.  It commits nothing.
    """
    from avro_data_contracts.streaming.inspection import tail

    configured, _ = context.obj
    tailed = tail.Tailed.of(loading.load(configured.contracts_dir), name)
    uncompared = tail.show(
        configured, tailed, follow=follow, start=start, key=key, where=where, as_json=as_json, reveal=reveal
    )
    if uncompared:
        typer.echo(tail.not_compared(uncompared), err=True)


if __name__ == "__main__":
    edge.run(app)
