"""An earlier version of a subject, wherever it was found."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.avro.nodes import Schema
from contracts.stores.spec import SinkSpec


@dataclass(frozen=True)
class Earlier:
    """An earlier version of a subject.

    Args:
        label: what messages call it, e.g. `origin/main` or `version 3`.
        sinks: the tables that it was stored in; None where that is not known: in those of the baseline.
        compared: levels of compatibility are about it; a registry may compare some versions only.
    """

    label: str
    schema: Schema
    sinks: tuple[SinkSpec, ...] | None = None
    compared: bool = True
