"""`source` of a contract.yaml, as far as it is the same for every source; each has a model of its own on top."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, ClassVar, Final, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

#: `source.count` of a source whose every run reads all that there is.
ALL: Final = "all"


class Fault(NamedTuple):
    """What is wrong with a source that is readable by itself.

    Attributes:
        keys: where in `source`.
        what: one sentence.
        fix: what to write instead.
    """

    keys: tuple[str, ...]
    what: str
    fix: str


def _number_or_all(value: object) -> object:
    if value == ALL:
        return None
    if value is None or isinstance(value, (bool, str, float)):
        raise ValueError(f"{value!r} is neither a number nor `{ALL}`")
    return value


#: None: all that the source has.
Count = Annotated[int | None, Field(ge=1, le=1_000_000), BeforeValidator(_number_or_all)]


class SourceSpec(BaseModel):
    """Where `python -m producers` gets a contract's records.  `api`: the source's name.  `count`: records per run.

    The name is that of the source's room, `contracts/sources/<api>/`, whose `spec.SPEC` adds keys of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: The key that says which source this is where `api` is left out; empty: `api` has to be written.
    told_by: ClassVar[str] = ""

    api: str
    count: Count = 1_000

    def faults(self, fields: Collection[str]) -> Iterator[Fault]:
        """What does not fit a value with these fields.  Needs no server."""
        yield from ()
