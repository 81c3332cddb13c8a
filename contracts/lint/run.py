"""Finds problems in a contract that the registry accepts and you will regret.  Pure.

The rules are data, in `contracts.lint.rules`.  A contract switches one off in its contract.yaml, with a reason:

    lint:
      FIELD_DOC: the fields are described in the API's own documentation
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.catalog.contract import types_of
from contracts.catalog.findings import Finding, Severity, in_order
from contracts.catalog.loading import Catalog
from contracts.catalog.places import Texts
from contracts.errors import ConfigurationError
from contracts.lint.rules import RULES
from contracts.lint.scope import Rule, Scope

#: The rule about rules that are switched off.
LINT_UNUSED = "LINT_UNUSED"


def run(catalog: Catalog, texts: Texts = Texts(), rules: Sequence[Rule] = RULES) -> tuple[Finding, ...]:  # noqa: B008
    """Return every finding in every contract.

    A shared type is checked once, with the first contract that uses it.

    Args:
        texts: the contract files, for lines.

    Raises:
        ConfigurationError: a contract switches off a rule that does not exist.
    """
    found: list[Finding] = []
    seen: set[str] = set()
    for contract in catalog.contracts.values():
        subjects = [*contract.subjects]
        for subject in types_of(contract.subjects):
            if subject.name not in seen:
                seen.add(subject.name)
                subjects.append(subject)
        found += _contract(Scope.of(contract, subjects, texts), rules)
    return in_order(found)


def _contract(scope: Scope, rules: Sequence[Rule]) -> list[Finding]:
    contract = scope.contract
    known = {rule.id for rule in rules}
    for name in contract.spec.lint:
        if name not in known:
            line, _ = scope.texts.position(contract.file, "lint", name)
            raise ConfigurationError(
                f"lint: there is no rule {name!r}",
                where=f"{contract.file}:{line}" if line else contract.file,
                fix=f"rules: {', '.join(sorted(known))} (docs/reference/lint.md)",
            )
    found: list[Finding] = []
    for rule in rules:
        hits = list(rule.function(scope))
        if rule.id not in contract.spec.lint:
            found += [
                Finding(
                    rule.id, hit.severity or rule.severity, hit.message, hit.fix or rule.fix,
                    hit.file, hit.line, hit.column,
                    hit.path, contract.name, hit.subject,
                )
                for hit in hits
            ]  # fmt: skip
        elif not hits:
            line, column = scope.texts.position(contract.file, "lint", rule.id)
            found.append(
                Finding(
                    LINT_UNUSED,
                    Severity.warning,
                    f"the rule {rule.id} is switched off, but would find nothing",
                    f"remove {rule.id} from `lint:`",
                    contract.file,
                    line,
                    column,
                    f"lint.{rule.id}",
                    contract.name,
                )
            )
    return found
