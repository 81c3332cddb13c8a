"""Show which records were rejected and why, and put them back into their topic once the cause is fixed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from avro_data_contracts.contracts import logs
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import EXIT_FINDINGS, EXIT_OK, ConfigurationError
from avro_data_contracts.streaming.decode.reasons import codes

if TYPE_CHECKING:
    from avro_data_contracts.contracts.catalog.contract import Contract
    from avro_data_contracts.streaming.dead_letters.letters import Letter

app = typer.Typer(help=__doc__, no_args_is_help=True)

Reasons = Annotated[list[str] | None, typer.Option("--reason", help="Only these codes; repeatable.")]
Since = Annotated[str | None, typer.Option("--from", help="Only records from this time on (ISO 8601, UTC).")]
Until = Annotated[str | None, typer.Option("--to", help="Only records before this time.")]
At = Annotated[str | None, typer.Option("--at", help="Only the record at TOPIC-PARTITION-OFFSET.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


@dataclass(frozen=True)
class Wanted:
    """Selects letters.

    Attributes:
        reasons: codes, empty for all.
        since, until: range of the record's timestamp, ms since the epoch, without `until` itself.
        at: place of the record, or of the letter; None for all.
    """

    reasons: frozenset[str]
    since: int | None
    until: int | None
    at: str | None

    @classmethod
    def of(cls, reasons: list[str] | None, since: str | None, until: str | None, at: str | None) -> Wanted:
        if at == "":
            raise ConfigurationError("it is empty", where="--at", fix="leave it out to select all letters")
        return cls(frozenset(reasons or ()), millis("--from", since), millis("--to", until), at)

    def choose(self, contract: Contract, letters: Iterable[Letter]) -> list[Letter]:
        """Return the selected letters.  Raises ConfigurationError when none is at `at`, or a code does not exist."""
        letters = list(letters)
        known = {*codes(contract), *(one.reason for one in letters)}
        if unknown := sorted(self.reasons - known):
            words = f"there is no code {', '.join(unknown)}"
            raise ConfigurationError(words, where="--reason", fix=f"use one of {', '.join(sorted(known))}")
        if self.at is not None and not any(self.at in (str(one.origin), str(one.at)) for one in letters):
            raise ConfigurationError(
                f"there is no dead letter of {self.at}", where="--at", fix="`dlq show` lists the places"
            )
        return [one for one in letters if self._takes(one)]

    def _takes(self, letter: Letter) -> bool:
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (self.since is None or letter.millis >= self.since)
            and (self.until is None or letter.millis < self.until)
            and (self.at is None or self.at in (str(letter.origin), str(letter.at)))
        )


@app.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the reasons, each with its number of letters, their times and offsets, and how many were put back."""
    from avro_data_contracts.streaming.dead_letters import letters as dead_letters
    from avro_data_contracts.streaming.dead_letters import report

    contract = loading.load(context.obj[0].contracts_dir).get(context.obj[1])
    report.reasons(contract, dead_letters.read(context.obj[0], contract), as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    reason: Reasons = None,
    since: Since = None,
    until: Until = None,
    at: At = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many, the oldest first.")] = 20,
    payload: Annotated[
        bool,
        typer.Option("--payload", help="Also show key, value and header values, in hex. They may be personal data."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show single letters: where the record is, why it was rejected, at which byte it breaks; no content."""
    from avro_data_contracts.contracts.registry.client import Registry
    from avro_data_contracts.streaming.dead_letters import broken, report
    from avro_data_contracts.streaming.dead_letters import letters as dead_letters

    configured, name = context.obj
    wanted = Wanted.of(reason, since, until, at)
    catalog = loading.load(configured.contracts_dir)
    contract = catalog.get(name)
    chosen = wanted.choose(contract, dead_letters.read(configured, contract).letters)
    shown = {letter.at: letter for letter in chosen[:limit]}
    needed = {at: letter for at, letter in shown.items() if payload or broken.may_be(letter)}
    read = list(dead_letters.messages(configured, needed))
    same = [one for one in catalog.contracts.values() if one.topic == contract.topic]
    places = broken.places(Registry.from_settings(configured), same, read, reveal=payload)
    contents = {letter.at: message for letter, message in read} if payload else {}
    report.letters(contract, list(shown.values()), contents, places, left=len(chosen) - len(shown), as_json=as_json)


@app.command()
def review(context: typer.Context, since: Since = None, until: Until = None, as_json: Json = False) -> None:
    """Print the share of records that were rejected and not put back; exit 1 if it is more than `max_rate`."""
    from avro_data_contracts.streaming.dead_letters import report
    from avro_data_contracts.streaming.dead_letters import review as reviewing

    configured, name = context.obj
    wanted = Wanted.of(None, since, until, None)
    contract = loading.load(configured.contracts_dir).get(name)
    found = reviewing.review(configured, contract, wanted.since, wanted.until)
    report.reviewed(found, as_json=as_json)
    found.check()


@app.command()
def replay(
    context: typer.Context,
    reason: Reasons = None,
    since: Since = None,
    until: Until = None,
    at: At = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be put back; change nothing.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also put back what was put back before.")] = False,
    count_twice: Annotated[
        bool, typer.Option("--count-twice", help="Also put back what an aggregation has counted: it counts it again.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put the records back into their topic, unaltered, for the stream to read; exit 1 if one cannot be put back.

    Records keep their timestamps: a newer event of the same row stays, and a record put back twice is one row.  A
    record is put back only once, unless you add `--again`.  What a producer could not send has no record to put back.
    Exit 2 if an aggregation would count a record twice, unless you add `--count-twice`.
    """
    from avro_data_contracts.streaming.dead_letters import letters as dead_letters
    from avro_data_contracts.streaming.dead_letters import replay as replaying
    from avro_data_contracts.streaming.dead_letters import report
    from avro_data_contracts.streaming.dead_letters.plan import Plan

    configured, name = context.obj
    logs.configure(configured.log_format)
    wanted = Wanted.of(reason, since, until, at)
    contract = loading.load(configured.contracts_dir).get(name)
    chosen = wanted.choose(contract, dead_letters.read(configured, contract).letters)
    plan = Plan.of(contract, chosen, again=again)
    if not count_twice:
        plan.check()
    if dry_run or not plan.waiting:
        report.planned(plan, dry_run=dry_run, as_json=as_json)
        raise typer.Exit(EXIT_OK)
    with report.Progress(len(plan.waiting)) as progress:
        done = replaying.replay(configured, contract, plan.waiting, progress.show)
    report.replayed(plan, done, as_json=as_json)
    raise typer.Exit(EXIT_FINDINGS if done.lost else EXIT_OK)


def millis(option: str, text: str | None) -> int | None:
    """Return a time in ISO 8601, of UTC if it names no zone, as ms since the epoch; None for None.

    Raises:
        ConfigurationError: it is not a time.  `option`: where somebody wrote it.
    """
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is not a time", where=option, fix="write 2026-01-31 or 2026-01-31T12:00:00, in UTC"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return round(moment.timestamp() * 1000)
