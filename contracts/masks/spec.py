"""`masks` of a contract.yaml, as written."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from avro_data_contracts.contracts.stores.rooms import ROOMS

_KINDS: Final = "drop, null, redact, hash, year, or {truncate: 3} for the first 3 characters"


class Kind(StrEnum):
    """What becomes of a value."""

    drop = "drop"
    null = "null"
    redact = "redact"
    hash = "hash"
    truncate = "truncate"
    year = "year"


#: Of these, a value of any type may be masked.
ANY_TYPE: Final = frozenset({Kind.drop, Kind.null, Kind.redact})


class How(BaseModel):
    """A mask.  `length`: of `truncate`, the characters that stay; 0 for every other mask."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    length: int = Field(0, ge=0)

    def __str__(self) -> str:
        return f"{self.kind.value} {self.length}" if self.kind is Kind.truncate else self.kind.value


def _how(value: object) -> object:
    """`hash`, or `{truncate: 3}`; YAML's null is a word here."""
    if isinstance(value, How):
        return value
    if value is None:
        return How(kind=Kind.null)
    if isinstance(value, Mapping) and set(value) == {Kind.truncate.value}:
        length = value[Kind.truncate.value]
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise ValueError(f"truncate: {length!r} is not a number of characters that stay: write 1 or more")
        return How(kind=Kind.truncate, length=length)
    if value == Kind.truncate.value:
        raise ValueError("truncate needs the number of characters that stay: write {truncate: 3}")
    if isinstance(value, str) and value in Kind.__members__:
        return How(kind=Kind(value))
    raise ValueError(f"{value!r} is not a mask: write {_KINDS}")


class MaskSpec(BaseModel):
    """One item of `masks`: the fields with a tag, or one field, and what stores have in place of their values.

    `stores`: only in these; none means in all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: Annotated[str, StringConstraints(min_length=1)] | None = None
    field: Annotated[str, StringConstraints(min_length=1)] | None = None
    stores: list[str] = Field(default_factory=list)
    mask: Annotated[How, BeforeValidator(_how)]

    @field_validator("stores")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for one in value:
            if one not in ROOMS:
                raise ValueError(f"{one!r} is not a store: write {' or '.join(ROOMS)}")
        return value

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> Self:
        if (self.tag is None) == (self.field is None):
            raise ValueError("a mask has a tag (of fields or types) or a field (a path inside the value): write one")
        return self

    def __str__(self) -> str:
        return f"field {self.field}" if self.field is not None else f"tag {self.tag}"

    def applies_to(self, store: str) -> bool:
        """Whether it holds in a store, by its kind."""
        return not self.stores or store in self.stores

    def shares_a_store_with(self, other: MaskSpec) -> bool:
        """Whether both hold in some store."""
        return not self.stores or not other.stores or not set(self.stores).isdisjoint(other.stores)
