"""`source` of a contract.yaml, as far as it is the same for every source; each has a model of its own on top."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SourceSpec(BaseModel):
    """Where `python -m producers` gets a contract's records.  `api`: the source's name.  `count`: records per day.

    The name is that of the source's room, `contracts/sources/<api>/`, whose `spec.SPEC` adds keys of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    api: str
    count: int = Field(1_000, ge=1, le=1_000_000)
