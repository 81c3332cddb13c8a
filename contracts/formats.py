"""Findings and impacts as JSON values, JUnit XML, annotations of GitHub and GitLab, and Markdown.  Pure.

`contracts.report` prints them.

Text that comes from files is escaped for each format.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from avro_data_contracts.contracts.catalog import addresses
from avro_data_contracts.contracts.catalog.findings import UNREADABLE, FailOn, Finding, Severity
from avro_data_contracts.contracts.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE
from avro_data_contracts.contracts.terminal import clean

if TYPE_CHECKING:
    from avro_data_contracts.contracts.check.effects import Impact, SparkEffect
    from avro_data_contracts.contracts.check.verdict import Checked, Verdict
    from avro_data_contracts.contracts.impact_wording import ImpactWording


@dataclass(frozen=True)
class Result:
    """The result of `lint`, `check` or `drift`.

    Args:
        command: its name.
        contracts: names of the contracts that it examined.
        checked: the verdicts of `check`.
        against: what `drift` compared the contracts with.
        known: how many more findings the baseline of `lint` records.
        site: where the pages of `contracts site` are; empty: nowhere.
    """

    command: str
    contracts: tuple[str, ...]
    findings: tuple[Finding, ...]
    fail_on: FailOn
    checked: Checked | None = None
    against: str = ""
    known: int = 0
    site: str = ""

    def with_files(self, shown: Callable[[str], str]) -> Result:
        """The result with other paths of files."""
        return replace(self, findings=tuple(replace(one, file=one.file and shown(one.file)) for one in self.findings))

    @property
    def failed(self) -> bool:
        return any(one.fails(self.fail_on) for one in self.findings)

    @property
    def exit_code(self) -> int:
        """2 if a file cannot be read, because then the findings are not all; 0 at any rate for `never`."""
        if self.fail_on is FailOn.never:
            return EXIT_OK
        if any(one.rule == UNREADABLE for one in self.findings):
            return EXIT_USAGE
        return EXIT_FINDINGS if self.failed else EXIT_OK

    @property
    def verdict(self) -> str:
        """The word in front of the summary."""
        good, bad = ("same", "differs") if self.command == "drift" else ("fine", "refused")
        return bad if self.failed else good

    @property
    def summary(self) -> str:
        """`2 errors, 1 warning, 1 approved in 3 contracts, compared with origin/main`."""
        severities = [one.severity for one in self.findings if not one.approved]
        counts = [
            (severities.count(Severity.error), "error", "errors"),
            (severities.count(Severity.warning), "warning", "warnings"),
            (len(self.findings) - len(severities), "approved", "approved"),
        ]
        told = ", ".join(_count(*one) for one in counts if one[0]) or "no findings"
        told += f" in {_count(len(self.contracts), 'contract', 'contracts')}"
        told += f", {self.known} more in the baseline" if self.known else ""
        against = self.checked.against if self.checked else self.against
        return f"{told}, compared with {against}" if against else told


def _count(number: int, word: str, plural: str) -> str:
    return f"{number} {word if number == 1 else plural}"


# -- JSON ------------------------------------------------------------------------------------------------------


def as_document(result: Result) -> dict[str, Any]:
    """The content of the JSON document."""
    document: dict[str, Any] = {
        "command": result.command,
        "failed": result.failed,
        "fail_on": result.fail_on.value,
        "contracts": list(result.contracts),
        "findings": [_finding(one) for one in result.findings],
    }
    if result.known:
        document["known"] = result.known
    if result.against:
        document["against"] = result.against
    if result.checked is not None:
        document["against"] = result.checked.against
        document["unchanged"] = result.checked.unchanged
        document["changes"] = [_verdict(one) for one in result.checked.verdicts]
    return document


def _finding(one: Finding) -> dict[str, Any]:
    names = ("rule", "message", "fix", "file", "line", "column", "path", "contract", "subject")
    approved = {"reason": one.approved, "until": one.until} if one.approved else None
    told = {name: getattr(one, name) for name in names}
    # `mend` is the old name of `fix`, kept for one release.
    return {**told, "mend": one.fix, "severity": one.severity.value, "approved": approved}


def _verdict(one: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = {"contract": one.contract, "topic": one.topic, "status": one.status}
    if one.impact is not None:
        found["impact"] = _impact(one.impact)
    return found


def _impact(one: Impact) -> dict[str, Any]:
    from avro_data_contracts.contracts.impact_wording import ImpactWording
    from avro_data_contracts.contracts.tables.migrations import migration_document

    spark = one.spark
    words = ImpactWording(one, once=False)  # each text is read by itself
    return {
        "deploy": {
            "first": one.first.value,
            "reason": one.deployment.reason.value,
            "why": words.deployment(one.deployment),
        },
        "spark": spark
        and {
            "starts": spark.starts,
            "reads_old": spark.reads_old,
            "reads_new": spark.reads_new,
            "notes": _of_spark(words, spark),
        },
        "tables": [
            {
                "kind": table.kind,
                "table": table.table,
                **({"view": table.view} if table.view else {}),
                **migration_document(table.migration),
            }
            for table in one.tables
        ],
        "consumers": [
            {
                "name": who.name,
                "owner": who.owner,
                "touched": list(who.touched),
                "effect": who.reads.value,
                "cause": who.cause.value,
                "why": words.consumer(who),
            }
            for who in one.consumers
        ],
        "topic": [
            {"setting": ".".join(change.keys), "before": change.before, "after": change.after} for change in one.topic
        ],
        "fields": [{"path": c.path, "kind": c.kind.value, "old": c.old, "new": c.new} for c in one.changes],
    }


def _of_spark(words: ImpactWording, one: SparkEffect) -> list[str]:
    return [*filter(None, [words.blocked(one)]), *words.spark(one)]


# -- JUnit -----------------------------------------------------------------------------------------------------

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(result: Result) -> str:
    """One suite with a case for each finding, and a case for each contract without findings."""
    from xml.etree import ElementTree as Xml

    suite = Xml.Element("testsuite", name=f"contracts {result.command}")
    failures = skipped = 0
    for one in result.findings:
        name = _xml(f"{one.rule} {one.path}".strip())
        case = Xml.SubElement(
            suite, "testcase", classname=_xml(one.contract or one.subject or "contracts"), name=name
        )
        if one.file:
            case.set("file", _xml(one.file))
            case.set("line", str(one.line))
        text = _xml(f"{one.place}: {one.message}\nfix: {one.fix}")
        if one.approved:
            skipped += 1
            Xml.SubElement(case, "skipped", message=_xml(f"approved until {one.until}: {one.approved}")).text = text
        elif one.fails(result.fail_on):
            failures += 1
            failure = Xml.SubElement(case, "failure", type=one.severity.value, message=_xml(one.message))
            failure.text = text
        else:
            Xml.SubElement(case, "system-out").text = text
    clean = [name for name in result.contracts if name not in {one.contract for one in result.findings}]
    for name in clean:
        Xml.SubElement(suite, "testcase", classname=_xml(name), name=result.command)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failures))
    suite.set("skipped", str(skipped))
    suite.set("errors", "0")
    root = Xml.Element("testsuites")
    root.append(suite)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _xml(text: str) -> str:
    return _NOT_XML.sub("?", text)


# -- GitHub ----------------------------------------------------------------------------------------------------


def as_github(result: Result) -> str:
    """Workflow commands: an annotation for each finding; approved findings are notices."""
    lines = []
    for one in result.findings:
        word = "notice" if one.approved else one.severity.value
        known = {"file": one.file, "line": str(one.line or ""), "col": str(one.column or ""), "title": one.rule}
        properties = ",".join(f"{key}={_property(value)}" for key, value in known.items() if value)
        at = f"{one.path}: " if one.path else ""
        approved = f"\napproved until {one.until}: {one.approved}" if one.approved else ""
        lines.append(f"::{word} {properties}::{_data(f'{at}{one.message}{chr(10)}fix: {one.fix}{approved}')}\n")
    return "".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# -- GitLab ----------------------------------------------------------------------------------------------------

_SEVERITIES = {Severity.error: "major", Severity.warning: "minor"}


def as_gitlab(result: Result) -> list[dict[str, Any]]:
    """A Code Quality report.  A fingerprint stays the same when lines move."""
    report = []
    seen: Counter[tuple[str, ...]] = Counter()
    for one in result.findings:
        seen[one.identity] += 1
        words = (result.command, *one.identity, str(seen[one.identity]))
        at = f"{one.path}: " if one.path else ""
        report.append(
            {
                "description": f"{at}{one.message}; fix: {one.fix}",
                "check_name": one.rule,
                "fingerprint": hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest(),
                "severity": "info" if one.approved else _SEVERITIES[one.severity],
                "location": {"path": one.file or ".", "lines": {"begin": max(one.line, 1)}},
            }
        )
    return report


# -- Markdown --------------------------------------------------------------------------------------------------

_ICONS = {"consumers first": "⬇️", "producers first": "⬆️", "any order": "↔️", "together": "⏸️"}


#: Characters of a page; GitHub's limit is 65,536.
MOST_MARKDOWN = 60_000


def as_markdown(result: Result) -> str:
    """The comment on a pull request: what breaks, what does not, and what follows from it."""
    lines = [f"## {'❌' if result.failed else '✅'} contracts {result.command}: {_md(result.summary)}", ""]
    breaking = [one for one in result.findings if one.fails(result.fail_on)]
    approved = [one for one in result.findings if one.approved]
    rest = [one for one in result.findings if not one.approved and not one.fails(result.fail_on)]
    first = "Different" if result.command == "drift" else "Breaking"
    for title, some in ((first, breaking), ("Approved", approved), ("Good to know", rest)):
        if some:
            lines += [f"### {title}", "", "| rule | where | what | fix |", "|---|---|---|---|"]
            lines += [_row(one) for one in some]
            lines.append("")
    for verdict in result.checked.verdicts if result.checked else ():
        lines += _section(verdict, result.site)
    return _short_enough("\n".join(lines).rstrip() + "\n")


def _short_enough(page: str) -> str:
    """Cut the page to the length that GitHub accepts for a comment."""
    if len(page) <= MOST_MARKDOWN:
        return page
    cut = page[:MOST_MARKDOWN].rpartition("\n")[0]
    open_ = "\n\n</details>" * (cut.count("<details>") - cut.count("</details>"))
    return f"{cut}{open_}\n\n… and more than fits here: run `contracts check` to see all of it.\n"


def _row(one: Finding) -> str:
    place = _code(one.place) + (f" {_code(one.path)}" if one.path else "")
    fix = f"approved until {_md(one.until)}: {_md(one.approved)}" if one.approved else _md(one.fix)
    return f"| {_code(one.rule)} | {place} | {_md(one.message)} | {fix} |"


def _section(verdict: Verdict, site: str) -> list[str]:
    if verdict.status == "new":
        return [f"### {_code(verdict.contract)}", "", "A new contract.", ""]
    effect = verdict.impact
    if effect is None:
        return []
    from avro_data_contracts.contracts.impact_wording import ImpactWording

    words = ImpactWording(effect, verdict.findings)
    icon = _ICONS[effect.first.value]
    why = words.deployment(effect.deployment)
    # A new contract has no page before the change is merged.
    page = f" [All its versions]({addresses.versions(site, verdict.contract)})" if site else ""
    lines = [f"### {_code(verdict.contract)}: {icon} {effect.first.value}", "", f"{_md(_capital(why))}.{page}", ""]
    if spark := effect.spark:
        notes = [f"- {_md(note)}" for note in _of_spark(words, spark)]
        lines += [
            f"**Spark** starts with the new contract: {_yes(spark.starts)}; the new contract reads old records: "
            f"{_yes(spark.reads_old)}; the running stream reads new records: {_yes(spark.reads_new)}",
            "",
            *notes,
            *([""] if notes else []),
        ]
    if effect.tables:
        lines += ["| table | `ALTER` | |", "|---|---|---|"]
        for table in effect.tables:
            statements = "<br>".join(f"{_code(' '.join(one.split()))}" for one in table.migration.statements)
            notes = [f"**{_md(refusal)}**" for refusal in words.refusals(table)]
            notes += [_md(note) for note in words.notes(table)]
            nothing = "" if table.migration.refusals else "none needed"
            lines.append(f"| {table.kind} {_code(table.table)} | {statements or nothing} | {'<br>'.join(notes)} |")
        lines.append("")
    if effect.consumers:
        lines += ["| consumer | effect | fields | |", "|---|---|---|---|"]
        for who in effect.consumers:
            owner = f" ({_code(who.owner)})" if who.owner else ""
            fields = " ".join(_code(path) for path in who.touched)
            why = _md(words.consumer(who))
            lines.append(f"| {_code(who.name)}{owner} | **{who.reads.value}** | {fields} | {why} |")
        lines.append("")
    if effect.changes:
        lines += ["<details><summary>All changes</summary>", "", "| field | change | before | after |"]
        lines += ["|---|---|---|---|"]
        lines += [
            f"| {_code(one.path or '(root)')} | {one.kind} | {_md(one.old)} | {_md(one.new)} |"
            for one in effect.changes
        ]
        lines += ["", "</details>", ""]
    return lines


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _yes(value: bool) -> str:
    return "yes" if value else "**no**"


_MD_SPECIAL = re.compile(r"([\\`*_\[\]|~#@])")


def _md(text: str) -> str:
    """Text for a table cell: one line, without markup, links and mentions."""
    flat = clean(" ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A backslash does not stop a mention.
    return _MD_SPECIAL.sub(r"\\\1", flat).replace("\\@", "@&#8203;")


def _code(text: str) -> str:
    """Code for a table cell."""
    flat = clean(" ".join(text.split())).replace("`", "'").replace("|", "\\|")
    return f"`{flat}`" if flat else ""
