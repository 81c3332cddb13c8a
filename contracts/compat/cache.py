"""Comparisons of pairs of schemas, each made only once."""

from __future__ import annotations

from functools import cache

from avro_data_contracts.contracts.compat import meanings
from avro_data_contracts.contracts.compat.resolution import differences


class Compared:
    """Remembers what it found out about pairs of schemas.  Discard it after use: it keeps both schemas in memory.

    `differences(reader, writer)` and `meanings(old, new)` are those of `contracts.compat.resolution` and
    `contracts.compat.meanings`.
    """

    def __init__(self) -> None:
        self.differences = cache(differences)
        self.meanings = cache(meanings.between)
