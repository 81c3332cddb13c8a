"""Finds problems in a contract that the registry accepts and you will regret.  Pure.

The rules are data, in `contracts.lint.rules`.  A contract switches one off in its contract.yaml, with a reason:

    lint:
      FIELD_DOC: the fields are described in the API's own documentation
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from contracts.catalog.contract import types_of
from contracts.catalog.findings import Finding, Severity, in_order, unreadable
from contracts.catalog.loading import Catalog, Loaded
from contracts.catalog.places import Texts
from contracts.errors import ConfigurationError
from contracts.lint.rules import RULES
from contracts.lint.scope import Rule, Scope
from contracts.listing import few

#: The rules about rules that are switched off, and about shared types.
LINT_UNUSED, TYPE_UNUSED = "LINT_UNUSED", "TYPE_UNUSED"


def run(catalog: Catalog, texts: Texts = Texts(), rules: Sequence[Rule] = RULES) -> tuple[Finding, ...]:  # noqa: B008
    """Return every finding in every contract.

    A shared type is checked once, with the first contract that uses it.

    Args:
        texts: the contract files, for lines.
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


def everything(loaded: Loaded, texts: Texts) -> tuple[Finding, ...]:
    """Return every finding of `run`, every file that cannot be read, and every shared type that nothing uses."""
    unread = [unreadable(one.error, one.contract) for one in loaded.faults]
    return in_order([*unread, *_unused(loaded), *run(loaded.catalog, texts)])


def _unused(loaded: Loaded) -> Iterator[Finding]:
    for file, names in loaded.unused.items():
        what = f"no contract uses {few(names)}" if names else "the file defines no type with a name"
        fix = "remove the file, or use the type in a schema by its full name; name a value or key in contract.yaml"
        yield Finding(TYPE_UNUSED, Severity.warning, what, fix, file, 1)


def _contract(scope: Scope, rules: Sequence[Rule]) -> list[Finding]:
    contract = scope.contract
    known = {rule.id for rule in rules}
    found: list[Finding] = []
    for name in contract.spec.lint:
        if name not in known:
            line, column = scope.texts.position(contract.file, "lint", name)
            error = ConfigurationError(
                f"lint: there is no rule {name!r}",
                file=contract.file,
                line=line,
                column=column,
                path=f"lint.{name}",
                fix=f"rules: {', '.join(sorted(known))} (docs/reference/lint.md)",
            )
            found.append(unreadable(error, contract.name))
    for rule in rules:
        hits = list(rule.function(scope))
        if rule.id not in contract.spec.lint:
            found += [
                Finding(
                    rule.id, rule.severity, hit.message, hit.fix or rule.fix, hit.file, hit.line, hit.column,
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
