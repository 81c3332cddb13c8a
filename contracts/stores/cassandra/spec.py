"""`sinks.cassandra` of a contract.yaml."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from avro_data_contracts.contracts.stores.position import COORDINATES
from avro_data_contracts.contracts.stores.spec import Fixed, Identifier, Mode, ModedSpec

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PARTS: Final = ("partition_key", "clustering")
#: Cassandra's limit: 20 years.
MOST_TTL_S: Final = 630_720_000


def _clustering(text: object) -> object:
    if isinstance(text, dict) and len(text) == 1:
        raise ValueError(f"write it as text: {' '.join(map(str, *text.items()))}")
    if not isinstance(text, str):
        return text
    found = re.fullmatch(r"(\S+)(?: +(asc|desc))?", text.strip(), re.IGNORECASE)
    if found is None:
        raise ValueError(f"{text!r} is not a column with its order: write placed_at, or placed_at desc")
    return found[1] + (" desc" if (found[2] or "").lower() == "desc" else "")


def _seconds(value: object) -> object:
    """Convert `90d` to seconds; a number is in seconds."""
    found = re.fullmatch(r"([0-9]{1,12})([smhdw])", value) if isinstance(value, str) else None
    seconds = int(found[1]) * _UNITS[found[2]] if found else value
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        raise ValueError(f"{value!r} is not a time: write one like 90d (or s, m, h, w), or a number of seconds")
    if seconds > MOST_TTL_S:
        raise ValueError(f"{value} is more than 20 years, the most that Cassandra has; 0 is for ever")
    return seconds


class CassandraSpec(ModedSpec):
    """A Cassandra table.

    `primary_key`: field names, the first one is the partition key.  For a partition key of several fields, or another
    order of the rows in a partition, there are `partition_key` and `clustering` in its place.
    `ttl`: how long a row stays after its event, in seconds; 0: for ever; None: as the table that exists has it.
    `replication`: without a factor, Cassandra uses the cluster's `default_keyspace_rf`.
    """

    kind: ClassVar[str] = "cassandra"
    position_types: ClassVar[tuple[str, str, str]] = ("timestamp", "int", "bigint")
    _instead_of_primary_key: ClassVar[str] = ", or write partition_key and clustering, which come before these"

    keyspace: Identifier
    replication: dict[str, str | int] = Field({"class": "SimpleStrategy"})
    partition_key: list[str] = Field(default_factory=list)
    clustering: list[Annotated[str, BeforeValidator(_clustering)]] = Field(default_factory=list)
    ttl: Annotated[int, BeforeValidator(_seconds)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _key_of_two_parts(cls, value: Any) -> Any:
        """An upsert's primary key consists of `partition_key` and `clustering`, if these are there."""
        if not isinstance(value, dict) or not any(value.get(key) for key in _PARTS):
            return value
        if "primary_key" in value:
            raise ValueError("the key is there twice: write primary_key, or partition_key and clustering")
        parts = [value.get(key, []) for key in _PARTS]
        if not all(isinstance(part, list) and all(isinstance(one, str) for one in part) for part in parts):
            return value
        if not parts[0]:
            raise ValueError("clustering sorts the rows of a partition: name its fields in partition_key")
        names = [*parts[0], *(one.strip().partition(" ")[0] for one in parts[1])]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"the key names {twice[0]!r} twice: name it once, in partition_key or in clustering")
        if value.get("mode") == Mode.append.value:
            return value
        return {**value, "primary_key": names}

    @property
    def qualified(self) -> str:
        return f"{self.keyspace}.{self.table}"

    @property
    def quoted(self) -> str:
        return f'"{self.keyspace}"."{self.table}"'

    @property
    def stays_s(self) -> int | None:
        return self.ttl or None

    @property
    def partition(self) -> tuple[str, ...]:
        """The columns of the key that decide in which partition a row is."""
        if self.partition_key:
            return tuple(self.partition_key)
        return COORDINATES if self.appends else tuple(self.primary_key[:1])

    @property
    def ordering(self) -> tuple[tuple[str, bool], ...]:
        """The clustering columns, and whether the greatest value comes first."""
        said = tuple((one.partition(" ")[0], one.endswith(" desc")) for one in self.clustering)
        if self.appends:
            return said + tuple((name, False) for name in COORDINATES if name not in self.partition)
        return said or tuple((name, False) for name in self.primary_key if name not in self.partition)

    @property
    def key(self) -> tuple[str, ...]:
        return (*self.partition, *(name for name, _ in self.ordering))

    @property
    def fixed(self) -> tuple[Fixed, ...]:
        key = self.said("partition_key", "primary_key")
        parts = [f"({', '.join(self.partition)})" if len(self.partition) > 1 else self.partition[0]]
        words = f"({', '.join([*parts, *(name for name, _ in self.ordering)])})"
        said = [one for one in self.ordering if not self.appends or one[0] not in COORDINATES]
        order = ", ".join(f"{name} {'DESC' if down else 'ASC'}" for name, down in said)
        return (
            *(one for one in super().fixed if one.name == "mode"),
            Fixed("primary key", words, key, decides=True),
            Fixed("clustering order", order or "none", self.said("clustering") or key),
        )

    def of_deletions(self) -> Self:
        return super().of_deletions().model_copy(update={"ttl": None})

    def path_of(self, column: str) -> tuple[str | int, ...]:
        if column in self.partition_key:
            return "partition_key", self.partition_key.index(column)
        names = [one.partition(" ")[0] for one in self.clustering]
        return ("clustering", names.index(column)) if column in names else super().path_of(column)


def span(seconds: int) -> str:
    """A time to live in words, without loss: `90 days`, `36:00:00`."""
    days, rest = divmod(seconds, 86_400)
    return f"{days} day{'s' * (days > 1)}" if days and not rest else str(timedelta(seconds=seconds))
