"""Names of what a run writes, for the number of its records."""

from __future__ import annotations

from typing import Final

#: The topic of a producer, and the dead letters of any run.
TOPIC: Final = "topic"
DEAD_LETTERS: Final = "dead letters"
