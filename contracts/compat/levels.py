"""Whether a schema may follow the ones before it: the verdict of Confluent Schema Registry, at each of its levels.

    violations = check(new, history, "BACKWARD")

Pure: no server, no file.  `contracts.compat.resolution` has the algorithm, docs/reference/compatibility.md has the
rules in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from avro_data_contracts.contracts.avro.nodes import NamedType, Node, Schema
from avro_data_contracts.contracts.avro.parsing import parse, parse_stored
from avro_data_contracts.contracts.compat.resolution import Difference, differences
from avro_data_contracts.contracts.compat.wording import describe
from avro_data_contracts.contracts.errors import ConfigurationError

#: `contracts.compat.resolution.differences`: reader, writer.
Compare = Callable[[Schema, Schema], Sequence[Difference]]

BACKWARD: Final = "BACKWARD"
FORWARD: Final = "FORWARD"


class _Level(NamedTuple):
    directions: tuple[str, ...]
    transitive: bool


#: What each level requires.  FULL checks forward first, as the registry does.
LEVELS: Final[Mapping[str, _Level]] = {
    "NONE": _Level((), False),
    "BACKWARD": _Level((BACKWARD,), False),
    "BACKWARD_TRANSITIVE": _Level((BACKWARD,), True),
    "FORWARD": _Level((FORWARD,), False),
    "FORWARD_TRANSITIVE": _Level((FORWARD,), True),
    "FULL": _Level((FORWARD, BACKWARD), False),
    "FULL_TRANSITIVE": _Level((FORWARD, BACKWARD), True),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One reason why the new schema may not follow one of the earlier ones.

    Args:
        rule: the name of Avro's SchemaIncompatibilityType, or READER_FIELD_MATCHES_SEVERAL.
        path: where, in the names of the new schema: `user.address.street`, `items[].price`; empty for the root.
        message: what is wrong, in one sentence.
        fix: what makes it compatible.
        direction: BACKWARD, the new schema cannot read records of the earlier one; FORWARD, the other way round.
        version: index of the earlier schema in the history; 0 is the oldest.
        line, column: 1-based, in the new text; 0 when the place is in another text.
        node, attribute: the place itself, which may be in the text of a shared type.
    """

    rule: str
    path: str
    message: str
    fix: str
    direction: str
    version: int
    line: int
    column: int
    node: Node | None = field(default=None, compare=False, repr=False)
    attribute: str = field(default="", compare=False, repr=False)


def check(
    new: str, history: Sequence[str], level: str, *, where: str = "", named: Mapping[str, NamedType] | None = None
) -> list[Violation]:
    """List every reason why `new` may not follow `history` at `level`; empty when it may.

    Args:
        new: Avro JSON, checked as strictly as the registry checks a new schema.
        history: the earlier schemas, oldest first, read as leniently as the registry reads what it stores.
        level: one of `LEVELS`; without TRANSITIVE only the newest of the history counts.
        where: the name of `new` in messages.
        named: types of other schemas that any of them may use, by full name.

    Raises:
        InvalidSchema: `new` is not a valid schema (at every level, NONE too), or a schema that it is compared with
            cannot be parsed.
        ConfigurationError: `level` is not a level.
    """
    wanted = _level(level)
    schema = parse(new, where=where, named=named)
    versions = range(len(history)) if wanted.transitive else range(len(history))[-1:]
    earlier = {
        version: parse_stored(history[version], where=f"earlier schema {version}", named=named)
        for version in (versions if wanted.directions else ())
    }
    return _violations(schema, earlier, wanted)


def check_schemas(
    new: Schema, history: Sequence[Schema], level: str, compare: Compare = differences
) -> list[Violation]:
    """Like `check`, for schemas that are already parsed.

    Args:
        compare: a `differences` that remembers its results, where several callers compare the same pairs.
    """
    wanted = _level(level)
    versions = range(len(history)) if wanted.transitive else range(len(history))[-1:]
    return _violations(new, {version: history[version] for version in versions}, wanted, compare)


def _level(level: str) -> _Level:
    try:
        return LEVELS[level]
    except KeyError:
        raise ConfigurationError(
            f"{level!r} is not a compatibility level", fix=f"use one of {', '.join(LEVELS)}"
        ) from None


def _violations(
    new: Schema, earlier: Mapping[int, Schema], level: _Level, compare: Compare = differences
) -> list[Violation]:
    """The newest version first, because most consumers have that one."""
    found: list[Violation] = []
    for version in sorted(earlier, reverse=True):
        old = earlier[version]
        for direction in level.directions:
            pair = (new, old) if direction == BACKWARD else (old, new)
            found += [_violation(one, new, direction, version) for one in compare(*pair)]
    return list(dict.fromkeys(found))


def _violation(one: Difference, new: Schema, direction: str, version: int) -> Violation:
    told = describe(one, new, new_reads=direction == BACKWARD)
    return Violation(
        one.rule, told.path, told.message, told.fix, direction, version,
        told.line, told.column, told.node, told.attribute,
    )  # fmt: skip
