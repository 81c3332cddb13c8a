"""A view: SQL on the records of a contract, and the tables that hold its rows (docs/reference/views.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, field_validator

from avro_data_contracts.contracts.catalog.contract import SinksSpec, Spec
from avro_data_contracts.contracts.catalog.header import body_of
from avro_data_contracts.contracts.stores.known import STORES
from avro_data_contracts.contracts.stores.spec import SinkSpec

_UNITS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def _seconds(value: object) -> object:
    found = re.fullmatch(r"([0-9]{1,9}) (second|minute|hour|day)s?", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is not a time: write one like 10 minutes (or seconds, hours, days)")
    return int(found[1]) * _UNITS[found[2]]


class ViewSpec(Spec):
    """The header of a view, as written.

    `time`: the column that says when an event happened; `lateness`: how much later than a newer event it may arrive,
    in seconds.  Only aggregations need these two.
    `releases`: columns that are not masked, although they are, or are computed from, masked fields.
    """

    sinks: SinksSpec
    description: str = ""
    time: str | None = None
    lateness: Annotated[int, BeforeValidator(_seconds)] | None = Field(None)
    releases: list[str] = Field(default_factory=list)

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
    """

    name: str
    file: str
    text: str
    spec: ViewSpec

    @property
    def sql(self) -> str:
        """The SQL, in the same lines as in the file."""
        return body_of(self.text)

    @property
    def sinks(self) -> tuple[SinkSpec, ...]:
        return self.spec.sinks.tables


def name_of(path: str) -> str:
    """Return the name of the view in a file."""
    return PurePosixPath(path).stem
