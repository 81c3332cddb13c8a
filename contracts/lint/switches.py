"""What becomes of a hit: the severity of its rule, unless the repository or a contract sets another one.  Pure.

In contract.yaml, for the whole contract or for some fields:

    lint:
      FIELD_DOC: the fields are described in the API's own documentation
      FIELD_NAME: {severity: warning, fields: [orderTotal], reason: the shop's API has this name}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from avro_data_contracts.contracts.avro.paths import is_within
from avro_data_contracts.contracts.catalog.choices import LintLevel
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.findings import Finding, Severity, unreadable
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.lint.scope import Hit, Rule
from avro_data_contracts.contracts.project import Project

_ORDER = [LintLevel.off, LintLevel.warning, LintLevel.error]


class Switches:
    """Decides severities, and remembers which settings of contracts were needed.

    Args:
        levels: of rules, for the whole repository.
    """

    def __init__(self, levels: Mapping[str, LintLevel]) -> None:
        self._levels = levels
        self._used: set[tuple[str, str, int, str]] = set()

    def severity(self, rule: Rule, hit: Hit, users: Sequence[Contract]) -> Severity | None:
        """The severity of a hit; None if the rule is off there.

        Args:
            users: the contract, or all that use the shared type.  The setting of any of them applies to the type; of
                several, the mildest.
        """
        settings = [level for contract in users for level in self._settings(contract, rule.id, hit)]
        level = min(settings, key=_ORDER.index, default=self._levels.get(rule.id))
        if level is None:
            if rule.asked:
                return None
            if rule.style and users and all(contract.spec.envelope is not None for contract in users):
                return None  # the database and its connector have given the names and docs, and nobody here can
            soft = rule.style and not any(contract.sinks for contract in users)
            return Severity.warning if soft else hit.severity or rule.severity
        return None if level is LintLevel.off else Severity(level.value)

    def _settings(self, contract: Contract, rule: str, hit: Hit) -> Iterator[LintLevel]:
        for number, one in enumerate(contract.spec.lint.get(rule, ())):
            fitting = [path for path in one.fields if is_within(hit.path, path)] if one.fields else [""]
            self._used |= {(contract.name, rule, number, path) for path in fitting}
            if fitting:
                yield one.severity

    def unused(self, contract: Contract) -> Iterator[tuple[str, int, str]]:
        """Rule, number and field of each setting that no hit needed."""
        for rule, settings in contract.spec.lint.items():
            for number, one in enumerate(settings):
                for path in one.fields or [""]:
                    if (contract.name, rule, number, path) not in self._used:
                        yield rule, number, path


def unknown_rules(contract: Contract, texts: Texts, rules: Iterable[str]) -> Iterator[Finding]:
    """A finding for each rule in `lint:` that does not exist."""
    known = sorted(rules)
    for name in contract.spec.lint:
        if name not in known:
            line, column = texts.position(contract.file, "lint", name)
            error = ConfigurationError(
                f"lint: there is no rule {name!r}",
                file=contract.file,
                line=line,
                column=column,
                path=f"lint.{name}",
                fix=unknown_rule(name, known),
            )
            yield unreadable(error, contract.name)


def levels_of(project: Project, rules: Iterable[str]) -> dict[str, LintLevel]:
    """The severities that contracts.toml sets.  Raises ConfigurationError for a rule that does not exist."""
    known = sorted(rules)
    for name in project.lint:
        if name not in known:
            raise ConfigurationError(
                f"lint: there is no rule {name!r}", where=project.file, fix=unknown_rule(name, known)
            )
    return {name: LintLevel(level) for name, level in project.lint.items()}


def unknown_rule(name: str, known: Sequence[str]) -> str:
    """How to fix the name of a rule."""
    near = get_close_matches(name, known, 1)
    return f"{f'write {near[0]}; ' if near else ''}rules: {', '.join(known)} (docs/reference/lint.md)"
