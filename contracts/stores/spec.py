"""The part of `contract.yaml` about a table: each store has its own model with these parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

#: The name of a table, a keyspace or a schema.
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=48)]


class SinkSpec(BaseModel, ABC):
    """A table of one store.  `primary_key`: field names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Key of the store under `sinks`, and its name in metrics, checkpoints and consumer groups.
    kind: ClassVar[str]
    #: Column types of the event's position: Kafka timestamp (ms), partition, offset.
    position_types: ClassVar[tuple[str, str, str]]

    table: Identifier
    primary_key: list[str] = Field(min_length=1)

    @property
    @abstractmethod
    def qualified(self) -> str:
        """The name of the table for people."""

    @property
    @abstractmethod
    def quoted(self) -> str:
        """The table in the store's statements; in quotes, even a reserved word can be a name."""
