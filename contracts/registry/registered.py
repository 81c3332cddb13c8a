"""The content of a schema registry, frozen: schemas, their references, settings."""

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
        schema_id: 0 if it was read by GUID.
        subject, version: "" and 0 if it was read by id or GUID; an alias has the name of its target.
        kind: AVRO, JSON or PROTOBUF.
        guid: the GUID of the schema, if the registry returned one.
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
        """Return a property of the metadata; None for none."""
        properties = self.metadata.get("properties")
        value = properties.get(name) if isinstance(properties, Mapping) else None
        return None if value is None else str(value)


@dataclass(frozen=True)
class Config:
    """The settings of a subject, or of all subjects without their own; a setting may be empty.

    Attributes:
        level: the compatibility level.
        alias: the subject whose versions this one has.
        group: the metadata property that decides which versions are compared: those with the same value.
        normalizes: whether the registry normalizes a schema's text first.
    """

    level: str | None = None
    alias: str = ""
    group: str = ""
    normalizes: bool = False


def comparable(versions: Sequence[RegisteredSchema], group: str) -> list[RegisteredSchema]:
    """Return those of all versions, oldest first, with which a registry compares the next version.

    Args:
        group: a metadata property (`compatibilityGroup`); the next version has the value of the newest.
    """
    if not group or not versions:
        return list(versions)
    value = versions[-1].property(group)
    return [one for one in versions if one.property(group) == value]


def metadata_in_words(metadata: Mapping[str, Any]) -> str:
    """Describe the metadata in words, without the values, which may be anything."""
    parts = []
    for kind, values in sorted(metadata.items()):
        if values and isinstance(values, (Mapping, list)):
            parts.append(f"{kind} {', '.join(sorted(map(str, values)))}")
    return "; ".join(parts)
