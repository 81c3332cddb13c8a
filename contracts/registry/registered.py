"""What a schema registry holds, frozen: schemas, their references, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

AVRO = "AVRO"  # the registry's own word for the kind of a schema


@dataclass(frozen=True)
class RegisteredReference:
    """A reference as the registry holds it: the named type `name` is version `version` of `subject`."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True)
class RegisteredSchema:
    """One schema of the registry.

    Attributes:
        schema_id: 0 where it was asked for by GUID.
        subject, version: "" and 0 where it was asked for by id or GUID; an alias has the name of its target.
        kind: AVRO, JSON or PROTOBUF.
        guid: of the schema, where the registry has GUIDs and told it.
        metadata: properties, tags and sensitive names that were registered with it.
    """

    schema_id: int
    text: str
    references: tuple[RegisteredReference, ...] = ()
    subject: str = ""
    version: int = 0
    kind: str = AVRO
    guid: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def property(self, name: str) -> str | None:
        """A property of the metadata; None for none."""
        properties = self.metadata.get("properties")
        value = properties.get(name) if isinstance(properties, Mapping) else None
        return None if value is None else str(value)


@dataclass(frozen=True)
class Config:
    """What a registry keeps for a subject, or for all that have nothing of their own; empty for what is not set.

    Attributes:
        level: of compatibility.
        alias: the subject whose versions this one has.
        group: the property of the metadata whose value versions share that are compared.
        normalizes: whether a schema's text is brought into one form first.
    """

    level: str | None = None
    alias: str = ""
    group: str = ""
    normalizes: bool = False


def comparable(versions: Sequence[RegisteredSchema], group: str) -> list[RegisteredSchema]:
    """Those that a registry compares the next version with, of all that there are, oldest first.

    Args:
        group: a property of the metadata (`compatibilityGroup`); the next version has that of the newest.
    """
    if not group or not versions:
        return list(versions)
    value = versions[-1].property(group)
    return [one for one in versions if one.property(group) == value]


def metadata_in_words(metadata: Mapping[str, Any]) -> str:
    """What there is beside the schema, in words, without the values: they may be anything."""
    parts = []
    for kind, values in sorted(metadata.items()):
        if values and isinstance(values, (Mapping, list)):
            parts.append(f"{kind} {', '.join(sorted(map(str, values)))}")
    return "; ".join(parts)
