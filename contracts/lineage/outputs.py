"""The names of outputs that no store has: a producer's topic, and the dead letters of any run (`runs.Told.rows`)."""

from __future__ import annotations

from typing import Final

TOPIC: Final = "topic"
DEAD_LETTERS: Final = "dead letters"
