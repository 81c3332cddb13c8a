"""The page of a contract's versions: each with the verdict of `check` since the one before.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from avro_data_contracts.contracts.catalog.findings import FailOn, Finding
from avro_data_contracts.contracts.check.commits import UNREADABLE, Step, Version
from avro_data_contracts.contracts.check.effects import Impact
from avro_data_contracts.contracts.check.verdict import Verdict
from avro_data_contracts.contracts.compat.changes import Change
from avro_data_contracts.contracts.impact_wording import ImpactWording
from avro_data_contracts.contracts.stores.known import STORES

#: The id of what is not committed.
WORKING_TREE = "working-tree"


@dataclass(frozen=True)
class FindingRow:
    """A finding of `check` or `lint`.  `word`: `error`, `warning` or `approved`."""

    word: str
    rule: str
    path: str
    place: str
    message: str
    fix: str
    approved: str = ""


@dataclass(frozen=True)
class TableChange:
    """What happens to a table.  `refusals`: why no statement brings it there."""

    store: str
    table: str
    statements: tuple[str, ...]
    refusals: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ConsumerChange:
    """What happens to a consumer.  `effect`: `reads on`, `loses data` or `breaks`."""

    name: str
    owner: str
    fields: tuple[str, ...]
    effect: str
    why: str


@dataclass(frozen=True)
class ChangeRow:
    """One change: of a field, or of a setting of contract.yaml."""

    path: str
    kind: str
    old: str
    new: str


@dataclass(frozen=True)
class VersionRow:
    """A version.

    Attributes:
        id: of its place on the page: nine digits of the commit, or `working-tree`.
        title: the first line of the commit's message.
        status: `new`, `changed`, `edited`, `removed`, `back` or `unreadable`.
        outcome: `fine` or `refused`, or empty where nothing was compared.
        first: who deploys first; empty where nothing was compared.  `why`: the reason.
        settings: what changed in contract.yaml.
        was: the contract's name before, if that was another one.
    """

    id: str
    sha: str
    day: str
    title: str
    status: str
    outcome: str
    findings: tuple[FindingRow, ...] = ()
    first: str = ""
    why: str = ""
    spark: tuple[str, ...] = ()
    tables: tuple[TableChange, ...] = ()
    consumers: tuple[ConsumerChange, ...] = ()
    changes: tuple[ChangeRow, ...] = ()
    settings: tuple[ChangeRow, ...] = ()
    was: str = ""
    fault: str = ""

    @property
    def told(self) -> str:
        """Whether the change is safe, in a sentence; empty where nothing was compared."""
        if self.outcome == "refused":
            return f"Not safe: contracts check refuses it ({self.counts})."
        if self.outcome != "fine":
            return ""
        if not self.findings:
            return "Safe: contracts check finds nothing against it."
        return f"Allowed: contracts check lets it pass, with {self.counts}."

    @property
    def counts(self) -> str:
        """`2 errors, 1 warning`, or `no findings`."""
        found = []
        for word, plural in (("error", "errors"), ("warning", "warnings"), ("approved", "approved")):
            if number := sum(one.word == word for one in self.findings):
                found.append(f"{number} {word if number == 1 else plural}")
        return ", ".join(found) or "no findings"


Versions = dict[str, tuple[VersionRow, ...]]


def timelines(steps: Iterable[Step], titles: dict[str, str], known: Versions | None = None) -> Versions:
    """Return the versions of each contract that is there, or was, the newest first.

    Args:
        steps: oldest first.
        titles: sha of a commit -> the first line of its message.
        known: what came before the first step.
    """
    found: dict[str, list[VersionRow]] = {name: list(rows) for name, rows in (known or {}).items()}
    for step in steps:
        before = {one.was: found.get(one.was, []) for one in step.versions if one.was}
        moved = {one.was for one in step.versions if one.was and one.was != one.contract}
        taken = {one.contract for one in step.versions}
        for name in moved - taken:
            found.pop(name, None)
        for one in step.versions:
            earlier = before.get(one.was, []) if one.was else found.get(one.contract, [])
            found[one.contract] = [_version(step, one, titles), *earlier]
    return {name: tuple(rows) for name, rows in found.items()}


def name_at(versions: Sequence[VersionRow], name: str, sha: str) -> str:
    """Return what a contract was called at a commit.

    Args:
        versions: of the contract, the newest first.
        name: what it is called now.
        sha: of the commit; empty: now.

    Returns:
        Its name; empty if the commit is not one of its versions.
    """
    if not sha:
        return name
    for row in versions:
        if row.sha == sha:
            return name
        name = row.was or name
    return ""


def _version(step: Step, one: Version, titles: dict[str, str]) -> VersionRow:
    commit = step.commit
    row = row_of(one)
    if commit is None:
        return replace(row, id=WORKING_TREE, title="not committed yet")
    return replace(row, id=commit.short, sha=commit.sha, day=commit.day, title=titles.get(commit.sha, ""))


def row_of(one: Version) -> VersionRow:
    """Return what became of a contract, without the commit that did it."""
    row = of_verdict(one.verdict)
    settings = tuple(map(_change, one.settings))
    was = one.was if one.was != one.contract else ""
    return replace(row, settings=settings, was=was, fault=one.fault)


def of_verdict(verdict: Verdict) -> VersionRow:
    """Return a verdict of `check`, in words."""
    failed = any(one.fails(FailOn.error) for one in verdict.findings)
    outcome = "" if verdict.status in ("new", UNREADABLE) else "refused" if failed else "fine"
    row = VersionRow("", "", "", "", verdict.status, outcome, tuple(map(finding, verdict.findings)))
    return row if verdict.impact is None else _with_impact(row, verdict.impact, verdict.findings)


def _with_impact(row: VersionRow, one: Impact, findings: Sequence[Finding]) -> VersionRow:
    words = ImpactWording(one, findings)
    why = words.deployment(one.deployment)
    spark: list[str] = []
    if one.spark is not None:
        spark = [*filter(None, [words.blocked(one.spark)]), *words.spark(one.spark)]
        old, new = ("reads" if yes else "cannot read" for yes in (one.spark.reads_old, one.spark.reads_new))
        spark.insert(0, f"the new contract {old} old records; the running stream {new} new ones")
    tables = tuple(
        TableChange(
            STORES[each.kind].title,
            f"{each.table} (view {each.view})" if each.view else each.table,
            tuple(f"{' '.join(statement.split())};" for statement in each.migration.statements),
            tuple(words.refusals(each)),
            tuple(words.notes(each)),
        )
        for each in one.tables
    )
    consumers = tuple(
        ConsumerChange(each.name, each.owner, each.touched, each.reads.value, words.consumer(each))
        for each in one.consumers
    )
    return replace(
        row,
        first=one.first.value,
        why=why[:1].upper() + why[1:],
        spark=tuple(spark),
        tables=tables,
        consumers=consumers,
        changes=tuple(map(_change, one.changes)),
    )


def finding(one: Finding) -> FindingRow:
    """Return a finding, in words."""
    word = "approved" if one.approved else one.severity.value
    approved = f"approved until {one.until}: {one.approved}" if one.approved else ""
    return FindingRow(word, one.rule, one.path, one.place, one.message, one.fix, approved)


def _change(one: Change) -> ChangeRow:
    return ChangeRow(one.path or "(root)", one.kind.value, one.old, one.new)
