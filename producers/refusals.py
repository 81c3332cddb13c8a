"""What a run refused, by reason, field and words: how often, and where first.  Its size is bounded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from avro_data_contracts.producers.rejection import Rejection

#: As many kinds are kept apart; a refusal of a further kind only counts in the total.
KINDS: Final = 1_000
#: As many are shown.
SHOWN: Final = 10

#: `column 17`: the same mistake in another place.
_NUMBER: Final = re.compile(r"\d+")


@dataclass
class Kind:
    """One kind of refusal.

    Attributes:
        reason, field, what: as in the first `Rejection` of the kind; none has any data of a record.
        first: the place of the first one in the source; empty if the source has no places.
        count: number of refusals.
    """

    reason: str
    field: str
    what: str
    first: str
    count: int = 0


class Refusals:
    """Counts the refusals of a run.

    Attributes:
        total: number of all of them.
    """

    def __init__(self) -> None:
        self.total = 0
        self._kinds: dict[tuple[str, str, str], Kind] = {}

    def add(self, refusal: Rejection, position: str) -> None:
        """Count one."""
        self.total += 1
        key = (refusal.reason, refusal.field, _NUMBER.sub("0", refusal.what))
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) == KINDS:
                return
            kind = self._kinds[key] = Kind(refusal.reason, refusal.field, refusal.what, position)
        kind.count += 1

    def most(self) -> list[Kind]:
        """Return the most frequent kinds, at most `SHOWN`; of equally frequent ones, those that came first."""
        return sorted(self._kinds.values(), key=lambda kind: -kind.count)[:SHOWN]
