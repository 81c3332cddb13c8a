"""Finds problems in contracts that the registry accepts and you will regret.  Pure.

The rules are data, in `contracts.lint.rules`; `contracts.lint.switches` decides what becomes of a hit.  A shared type
is examined by itself, whoever uses it: no name and no order of contracts changes what is found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from avro_data_contracts.contracts.catalog.choices import LintLevel
from avro_data_contracts.contracts.catalog.contract import Contract, Subject, types_of
from avro_data_contracts.contracts.catalog.findings import Finding, Severity, in_order, unreadable
from avro_data_contracts.contracts.catalog.loading import Catalog, Loaded, unknown_contract
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.lint.rules import RULES
from avro_data_contracts.contracts.lint.scope import ContractScope, Hit, Rule, Scope
from avro_data_contracts.contracts.lint.switches import Switches, unknown_rules
from avro_data_contracts.contracts.listing import few

#: The rules about rules that are switched off, and about shared types.
LINT_UNUSED, TYPE_UNUSED = "LINT_UNUSED", "TYPE_UNUSED"

NO_LEVELS: Mapping[str, LintLevel] = {}


def run(
    catalog: Catalog,
    texts: Texts = Texts(),  # noqa: B008
    names: Collection[str] = (),
    levels: Mapping[str, LintLevel] = NO_LEVELS,
    rules: Sequence[Rule] = RULES,
) -> tuple[Finding, ...]:
    """Return every finding in these contracts and in the shared types that they use.

    Args:
        texts: the contract files, for lines.
        names: of the contracts; empty: all.
        levels: of rules, for all contracts that say nothing else.

    Raises:
        ConfigurationError: no contract has one of the names.
    """
    chosen = catalog.only(names)
    ids = [rule.id for rule in rules]
    users: dict[str, list[Contract]] = {one.name: [] for one in chosen.types}
    for contract in catalog.contracts.values():
        for one in types_of(contract.subjects):
            if one.name in users:
                users[one.name].append(contract)
    switches = Switches(levels)
    found: list[Finding] = []
    for contract in chosen.contracts.values():
        found += _of_contract(contract, texts, rules, switches)
    for shared in chosen.types:
        found += _of_type(shared, users[shared.name], rules, switches)
    for contract in chosen.contracts.values():
        found += unknown_rules(contract, texts, ids)
        found += _unused(contract, texts, ids, switches)
    return in_order(found)


def everything(
    loaded: Loaded, texts: Texts, names: Collection[str] = (), levels: Mapping[str, LintLevel] = NO_LEVELS
) -> tuple[Finding, ...]:
    """Return every finding of `run`, every file that cannot be read, and every shared type that nothing uses.

    Raises:
        ConfigurationError: no contract has one of the names.
    """
    for name in names:
        if name not in loaded.names:
            raise unknown_contract(name, loaded.names, loaded.catalog.root)
    unread = [unreadable(one.error, one.contract) for one in loaded.faults_of(names)]
    readable = _readable(loaded, names)
    found = run(loaded.catalog, texts, readable, levels) if readable or not names else ()
    return in_order([*unread, *(() if names else _unused_types(loaded)), *found])


def examined(loaded: Loaded, names: Collection[str]) -> tuple[str, ...]:
    """The names of these contracts and of the shared types that they use; none if there are no names."""
    readable = _readable(loaded, names)
    types = loaded.catalog.only(readable).types if readable else ()
    return (*names, *(one.name for one in types))


def _readable(loaded: Loaded, names: Collection[str]) -> list[str]:
    return [name for name in names if name not in loaded.broken]


def _unused_types(loaded: Loaded) -> Iterator[Finding]:
    for file, names in loaded.unused.items():
        what = f"no contract uses {few(names)}" if names else "the file defines no type with a name"
        fix = "remove the file, or use the type in a schema by its full name; name a value or key in contract.yaml"
        yield Finding(TYPE_UNUSED, Severity.warning, what, fix, file, 1)


def _of_contract(contract: Contract, texts: Texts, rules: Sequence[Rule], switches: Switches) -> Iterator[Finding]:
    scope = ContractScope.of_contract(contract, texts)
    for rule in rules:
        yield from _findings(rule, rule.function(scope), [contract], contract.name, switches)


def _of_type(
    shared: Subject, users: Sequence[Contract], rules: Sequence[Rule], switches: Switches
) -> Iterator[Finding]:
    scope = Scope.of(shared)
    for rule in rules:
        if not rule.of_contract:
            yield from _findings(rule, rule.function(scope), users, "", switches)


def _findings(
    rule: Rule, hits: Iterable[Hit], users: Sequence[Contract], contract: str, switches: Switches
) -> Iterator[Finding]:
    for hit in hits:
        severity = switches.severity(rule, hit, users)
        if severity is not None:
            yield Finding(
                rule.id, severity, hit.message, rule.fix_of(hit), hit.file, hit.line, hit.column,
                hit.path, contract, hit.subject,
            )  # fmt: skip


def _unused(contract: Contract, texts: Texts, known: Sequence[str], switches: Switches) -> Iterator[Finding]:
    for rule, number, path in switches.unused(contract):
        if rule not in known:
            continue
        line, column = texts.position(contract.file, "lint", rule, number)
        at = f" at {path}" if path else ""
        yield Finding(
            LINT_UNUSED,
            Severity.warning,
            f"the rule {rule} is set for this contract, but would find nothing{at}",
            f"remove {path or rule} from `lint:`",
            contract.file,
            line,
            column,
            f"lint.{rule}",
            contract.name,
        )
