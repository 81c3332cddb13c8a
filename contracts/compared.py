"""Pairs of schemas, each pair compared once, however many ask."""

from __future__ import annotations

from functools import cache

from contracts import meanings
from contracts.reading import differences


class Compared:
    """What was found out about pairs of schemas.  To be dropped with them: it keeps both alive.

    `differences(reader, writer)` and `meanings(old, new)` are those of `contracts.reading` and `contracts.meanings`.
    """

    def __init__(self) -> None:
        self.differences = cache(differences)
        self.meanings = cache(meanings.between)
