"""Records that satisfy a contract's schema and its rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Record
from avro_data_contracts.contracts.avro.shapes import nullability
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality.rules import Rule
from avro_data_contracts.contracts.sample import asked as asks
from avro_data_contracts.contracts.sample.asked import Asked
from avro_data_contracts.contracts.sample.chance import Chance, NotFound
from avro_data_contracts.contracts.sample.keys import KeyFields
from avro_data_contracts.contracts.sample.solving import Goal, Solver
from avro_data_contracts.contracts.sample.values import Values

#: Records that are tried before a search is given up.
_MOST_TRIED: Final = 40

Make = Callable[[Chance], Any]


def records(contract: Contract, seed: int | str = 0) -> Iterator[Any]:
    """Yield records without end, ready for `Publisher.send`; the same seed gives the same ones.

    Raises:
        ConfigurationError: no record satisfies the schema and the rules, or none was found.
    """
    chance = Chance(seed)
    make = maker(contract)
    while True:
        yield make(chance)


def maker(contract: Contract) -> Make:
    """Return what makes a record.  It raises as `records`."""
    return made(contract, [(rule.holds, True) for rule in contract.rules])


def made(contract: Contract, goals: Sequence[Goal]) -> Make:
    """Return what makes a record that reaches every goal.  It raises as `records`.

    Args:
        goals: each is the requirement of a rule, and whether it holds.
    """
    if contract.envelope is not None:
        raise ConfigurationError(
            f"no samples are made of what is in a {contract.envelope} envelope, because only the connector knows "
            "what it would send",
            where=contract.file,
            path="envelope",
            fix="take records of the topic; in Python, `records(contract.rows)` makes rows",
        )
    found: list[Make] = []

    def make(chance: Chance) -> Any:
        try:
            if not found:
                found.append(_maker(contract, goals))
            return found[0](chance)
        except NotFound:
            raise _unsatisfiable(contract, goals) from None
        except RecursionError:
            raise ConfigurationError(
                "the schema is nested too deep for a sample",
                where=contract.value.file,
                fix="split the record, or nest it less deep",
            ) from None

    return make


def _maker(contract: Contract, goals: Sequence[Goal]) -> Make:
    schema = contract.value.schema
    asked = asks.of(goals)
    root, _ = nullability(schema, schema.root)
    if goals or contract.key:
        asked[()] = Asked(required=True)  # a rule is about the fields of a record
    keys = KeyFields(contract)
    if isinstance(root, Record):
        for name in keys.required & root.by_name.keys():
            asked[name,] = replace(asked.get((name,), Asked()), required=True)
    values = Values(schema, asked, keys.names)
    draw, solver = values.drawn(), Solver(values, goals)

    def make(chance: Chance) -> Any:
        for _ in range(_MOST_TRIED):
            chance.start()
            try:
                record = draw(chance)
                if goals:
                    solver.solve(record, chance)
            except NotFound:
                continue
            if keys.fit(record):
                return record
        raise NotFound

    return make


def _unsatisfiable(contract: Contract, goals: Sequence[Goal]) -> ConfigurationError:
    """Find the first rule that cannot be satisfied together with those before it."""
    for count in range(len(goals) + 1):
        try:
            _maker(contract, goals[:count])(Chance(0))
        except NotFound:
            return _error(contract, goals[count - 1] if count else None, _before(contract, goals[:count][:-1]))
    return _error(contract, goals[-1] if goals else None, _before(contract, goals[:-1]))


def _before(contract: Contract, goals: Sequence[Goal]) -> list[str]:
    return [_rule(contract, goal).name for goal in goals]


def _rule(contract: Contract, goal: Goal) -> Rule:
    return next(rule for rule in contract.rules if rule.holds is goal[0])


def _error(contract: Contract, goal: Goal | None, before: Sequence[str]) -> ConfigurationError:
    if goal is None:
        return ConfigurationError(
            "no value of this schema was found: a record contains itself without end, or the key and the value have "
            "no value in common",
            where=contract.value.file,
            fix="make the field that leads back nullable, or give the key's fields the types of the value's",
        )
    rule = _rule(contract, goal)
    with_others = f" and satisfies those before it ({', '.join(before)})" if before else ""
    verb = "satisfies" if goal[1] else "breaks"
    return ConfigurationError(
        f"no record was found that {verb} the rule {rule.name}{with_others}",
        where=contract.file,
        path="rules",
        fix="check that these rules can hold together for the values of the schema"
        if goal[1]
        else "leave this reason out: the schema, or an earlier rule, may leave nothing for the rule to refuse",
    )
