"""A view: SQL on the records of a contract, and the tables that hold its rows (docs/reference/views.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import Field, field_validator

from avro_data_contracts.contracts.catalog.contract import SinksSpec, Spec
from avro_data_contracts.contracts.catalog.header import body_of
from avro_data_contracts.contracts.catalog.lengths import Seconds
from avro_data_contracts.contracts.catalog.reference import Reference, ReferenceName, ReferenceSpec
from avro_data_contracts.contracts.masks.spec import MaskSpec
from avro_data_contracts.contracts.stores.known import STORES
from avro_data_contracts.contracts.stores.spec import SinkSpec


class ViewSpec(Spec):
    """The header of a view, as written.

    `time`: the column that says when an event happened; `lateness`: how much later than a newer event it may arrive,
    in seconds.  Only aggregations over windows need these two.  `refresh`: how often one over `.latest` is computed
    again, in seconds.  `reference`: the data that the SQL joins.
    `releases`: columns that are not masked, although they are, or are computed from, masked fields.
    `masks`: what the tables have in place of the values of other columns.
    """

    sinks: SinksSpec
    description: str = ""
    time: str | None = None
    lateness: Seconds | None = None
    refresh: Seconds | None = None
    reference: dict[ReferenceName, ReferenceSpec] = Field({})
    releases: list[str] = Field(default_factory=list)
    masks: list[MaskSpec] = Field(default_factory=list)

    @field_validator("masks")
    @classmethod
    def _of_columns(cls, value: list[MaskSpec]) -> list[MaskSpec]:
        if any(one.field is None for one in value):
            raise ValueError("a column of a view has no tags: write field, the name of the column")
        return value

    @field_validator("sinks")
    @classmethod
    def _has_a_store(cls, value: SinksSpec) -> SinksSpec:
        if not value.tables:
            raise ValueError(f"name the table of a store: {' or '.join(STORES)}")
        return value


@dataclass(frozen=True)
class View:
    """A view of a contract.

    Attributes:
        name: of its file, without the ending.
        file: its path, for messages.
        text: all of it.
        spec: its header.
        references: what `spec.reference` names.
    """

    name: str
    file: str
    text: str
    spec: ViewSpec
    references: tuple[Reference, ...] = ()

    @property
    def sql(self) -> str:
        """The SQL, in the same lines as in the file."""
        return body_of(self.text)

    @property
    def sinks(self) -> tuple[SinkSpec, ...]:
        return self.spec.sinks.tables

    @property
    def is_refreshed(self) -> bool:
        """Whether its tables are computed again and again from those of the contract, and no query writes them."""
        return self.spec.refresh is not None


def name_of(path: str) -> str:
    """Return the name of the view in a file."""
    return PurePosixPath(path).stem
