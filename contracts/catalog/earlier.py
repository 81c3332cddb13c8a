"""Earlier versions of a subject, wherever they were found."""

from __future__ import annotations

from dataclasses import dataclass

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.stores.spec import SinkSpec


@dataclass(frozen=True)
class Earlier:
    """An earlier version of a subject.

    Args:
        label: its name in messages, e.g. `origin/main` or `version 3`.
        sinks: the tables that it was stored in; None where that is unknown, which means those of the baseline.
        compared: whether compatibility levels apply to it; a registry may compare only some versions.
    """

    label: str
    schema: Schema
    sinks: tuple[SinkSpec, ...] | None = None
    compared: bool = True
