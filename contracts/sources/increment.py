"""`source.incremental`: a run reads what is new since the run before it, whose position is kept."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from avro_data_contracts.contracts.sources.expressions import ExpressionText


class Order(StrEnum):
    """In which order the source gives the records of a run, by their `cursor`."""

    ascending = "ascending"
    any = "any"


def _as_sent(value: object) -> object:
    """A number or a date of YAML, as it is sent."""
    if isinstance(value, bool) or value is None or isinstance(value, (list, dict)):
        raise ValueError(f"{value!r} is neither a text nor a number")
    return value if isinstance(value, str) else str(value)


class IncrementSpec(BaseModel):
    """What is new since the last run.

    Attributes:
        param: the parameter that the position is sent in.
        cursor: an expression on a record: its place in the order of changes, such as `updated_at`.
        start: sent by the first run; None: the first run sends no position.
        order: whether records come in the order of their cursor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    param: Annotated[str, StringConstraints(min_length=1)] = "since"
    cursor: ExpressionText
    start: Annotated[str, BeforeValidator(_as_sent)] | None = None
    order: Order = Order.any
