"""Quality rules of a contract: as contract.yaml declares them, and as the producer and the stream apply them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from avro_data_contracts.contracts.quality.expressions import Expression

#: The beginning of a dead letter's reason; the name of the rule follows.
REASON_PREFIX: Final = "RULE:"
RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]

#: What a rule may require: keys in one group can be combined.
KINDS: Final = (
    ("required",),
    ("pattern",),
    ("min", "max"),
    ("min_length", "max_length"),
    ("one_of",),
    ("expression",),
)
_KEYS: Final = tuple(key for kind in KINDS for key in kind)


class RuleSpec(BaseModel):
    """One item of `rules`.  `min`, `max` and `one_of` are in the field's own type (see `reading`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: RuleName
    description: str = ""
    field: str = ""
    required: bool | None = None
    pattern: str | None = None
    min: Any = None
    max: Any = None
    min_length: int | None = Field(None, ge=0)
    max_length: int | None = Field(None, ge=0)
    one_of: list[Any] | None = None
    expression: str | None = None

    @model_validator(mode="after")
    def _asks_for_one_thing(self) -> Self:
        given = self.given
        if not any(set(given) <= set(kind) for kind in KINDS) or not given:
            kinds = ", ".join(" and/or ".join(kind) for kind in KINDS)
            raise ValueError(f"a rule has one of {kinds}; this one has {', '.join(given) or 'none'}")
        if self.required is False:
            raise ValueError("required must be true; leave it out otherwise")
        if (self.expression is None) == (not self.field):
            raise ValueError("a rule needs a field; only an expression has none, because it names its fields itself")
        return self

    @property
    def given(self) -> tuple[str, ...]:
        """The keys that say what the rule requires."""
        return tuple(key for key in _KEYS if getattr(self, key) is not None)

    @property
    def asks(self) -> dict[str, Any]:
        """The field and its requirement, as JSON values; equal when two rules require the same."""
        found = {"field": self.field} if self.field else {}
        return {**found, **{key: _plain(getattr(self, key)) for key in self.given}}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, (date, datetime)) else value


@dataclass(frozen=True)
class Rule:
    """A parsed rule.  A record breaks it if `holds` is false for the record; null breaks no rule.

    Attributes:
        name: unique in its contract.
        message: the requirement in words, without any value of a record.
        holds: the requirement.
        field: path of the field that it is about; empty for an expression, whose text names its fields.
    """

    name: str
    message: str
    holds: Expression
    field: str = ""

    @property
    def reason(self) -> str:
        """The reason code of a dead letter that breaks the rule."""
        return f"{REASON_PREFIX}{self.name}"
