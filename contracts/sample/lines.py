"""`contracts sample`: the lines of JSON that it prints, and what it has to say besides."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.sample import evolution, invalid, plain, valid, versions
from avro_data_contracts.contracts.sample.chance import Chance
from avro_data_contracts.contracts.sample.versions import Version
from avro_data_contracts.contracts.settings import Settings

#: Records, and pairs across a change, if nobody says how many.
USUAL_COUNT: Final = 10


@dataclass(frozen=True)
class Wanted:
    """The options of the command.

    Attributes:
        count: how many of each; None: ten records, or one for each reason.
        seed: None: one is drawn.
        version: see `versions.of`.
        invalid: a reason, or `all`.
        evolution: pairs of records, before and after a change.
    """

    count: int | None = None
    seed: str | None = None
    version: str | None = None
    invalid: str | None = None
    evolution: bool = False


@dataclass(frozen=True)
class Lines:
    """Lines of JSON, made one by one, and notes for a person."""

    notes: tuple[str, ...]
    lines: Iterator[str]


def of(name: str, wanted: Wanted, current: Catalog, settings: Settings) -> Lines:
    """Return the lines for a contract.

    Raises:
        ConfigurationError: the options exclude each other, or what they ask for does not exist.
        ServiceError: the registry does not answer.
    """
    contract = current.get(name)
    if wanted.evolution and wanted.invalid:
        raise ConfigurationError(
            "--evolution and --invalid exclude each other", where="contracts sample", fix="leave one of them out"
        )
    if wanted.invalid and wanted.version == versions.ALL:
        raise ConfigurationError(
            "--invalid is about one version", where="contracts sample", fix="name a version other than all"
        )
    seed = wanted.seed if wanted.seed is not None else secrets.token_hex(4)
    notes = [f"seed: {seed}"] if wanted.seed is None else []
    asked = wanted.version is not None or wanted.evolution
    before = versions.of(wanted.version, contract, current, settings) if asked else [Version("", contract)]
    for one in before:
        if one.left_out:
            notes.append(f"version {one.label} has no fields for the rules {', '.join(one.left_out)}")
    if wanted.evolution:
        notes += [f"before: {one.label}" for one in before]
        return Lines(tuple(notes), _pairs(before, contract, wanted.count or USUAL_COUNT, seed))
    if wanted.invalid:
        makers = invalid.Invalid(before[0].contract)
        reasons, lacking = _reasons(makers, wanted.invalid)
        return Lines((*notes, *lacking), _refusals(makers, reasons, wanted.count or 1, seed))
    return Lines(tuple(notes), _records(before, wanted, seed))


def _records(of: Sequence[Version], wanted: Wanted, seed: str) -> Iterator[str]:
    for one in of:
        records, schema = valid.records(one.contract, seed), one.contract.value.schema
        for _ in range(USUAL_COUNT if wanted.count is None else wanted.count):
            shown = plain.of(schema, next(records))
            yield plain.dump({"version": int(one.label), "record": shown} if wanted.version == "all" else shown)


def _reasons(makers: invalid.Invalid, asked: str) -> tuple[list[str], list[str]]:
    """The reasons to show, and notes about those that this contract cannot show."""
    if asked != invalid.ALL:
        makers.of(asked, Chance(0))
        return [asked], []
    found, notes = [], []
    for reason in makers.reasons:
        try:
            makers.of(reason, Chance(0))
        except ConfigurationError as error:
            notes.append(f"left out {reason}: {error.what}")
        else:
            found.append(reason)
    return found, notes


def _refusals(makers: invalid.Invalid, reasons: Sequence[str], count: int, seed: str) -> Iterator[str]:
    chance = Chance(seed)
    for reason in reasons:
        for _ in range(count):
            yield plain.dump(makers.of(reason, chance).as_json())


def _pairs(before: Sequence[Version], after: Contract, count: int, seed: str) -> Iterator[str]:
    for one in before:
        label: dict[str, Any] = {"version": one.label}
        for pair in evolution.pairs(one.contract, after, count, seed):
            yield plain.dump({**label, **pair.as_json()})
