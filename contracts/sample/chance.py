"""Where every choice of a sample comes from: one seed gives the same records, whenever and wherever."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

_Choice = TypeVar("_Choice")

#: One in so many values is an edge: the least, the most, the empty one.
_EDGES: Final = 20
#: The most values in one record, except those that its schema insists on.
_MOST_VALUES: Final = 2_000
#: Text in scripts that differ in direction, width and case.
LOCALES: Final = ("en_US", "de_DE", "ja_JP", "uk_UA", "hi_IN", "ar_EG")


class NotFound(Exception):
    """A bounded search found no value.  It never leaves this room: `records` says which rule was the last straw."""


class Chance:
    """A seeded source of choices.

    Attributes:
        random: for everything that this class has no method for.
    """

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(str(seed))  # noqa: S311  # a seed must give the same records
        self._seed = self.random.getrandbits(64)
        self._fakers: dict[str, Any] = {}
        self._left = _MOST_VALUES

    def start(self) -> None:
        """Begin a record."""
        self._left = _MOST_VALUES

    def spend(self) -> bool:
        """Count a value; false once the record has so many that it should end."""
        self._left -= 1
        return self._left > 0

    def edge(self) -> bool:
        return self.random.random() * _EDGES < 1

    def choice(self, values: Sequence[_Choice]) -> _Choice:
        return values[int(self.random.random() * len(values))]

    def fake(self, made: Callable[[Any], str], locale: str = "") -> str:
        """A text of Faker, in any of `LOCALES`, or in English if that one lacks such texts."""
        try:
            return str(made(self._faker(locale or self.choice(LOCALES))))
        except AttributeError:
            return str(made(self._faker(LOCALES[0])))

    def _faker(self, locale: str) -> Any:
        if locale not in self._fakers:
            from faker.factory import Factory  # takes a while: only where a field's name asks for it

            faker = Factory.create(locale)
            faker.seed_instance(f"{self._seed} {locale}")
            self._fakers[locale] = faker
        return self._fakers[locale]


def weighted(chance: Chance, weights: Mapping[int, float]) -> int:
    """A number, by its weight."""
    return chance.random.choices(list(weights), list(weights.values()))[0]
