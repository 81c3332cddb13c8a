"""Pairs of schemas, each pair compared once, however many ask."""

from __future__ import annotations

from functools import cache

from contracts.compat import meanings
from contracts.compat.resolution import differences


class Compared:
    """What was found out about pairs of schemas.  To be dropped with them: it keeps both alive.

    `differences(reader, writer)` and `meanings(old, new)` are those of `contracts.compat.resolution` and
    `contracts.compat.meanings`.
    """

    def __init__(self) -> None:
        self.differences = cache(differences)
        self.meanings = cache(meanings.between)
