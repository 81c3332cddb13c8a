"""Which topic a subject of a registry belongs to, by its name and its schema.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from avro_data_contracts.contracts.avro import outline
from avro_data_contracts.contracts.catalog.choices import SubjectStrategy
from avro_data_contracts.contracts.registry.registered import AVRO, RegisteredSchema

#: The names of `TopicName`: topic and role.
OF_A_TOPIC = re.compile(r"(?!\.{1,2}-)([a-zA-Z0-9._-]{1,249})-(key|value)")


def of(name: str, kept: RegisteredSchema, told: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the topics of a value whose subject is not `<topic>-value`; empty if nobody knows them.

    Args:
        kept: a version of the subject.
        told: the topics of subjects, as somebody says; they count first.
    """
    if name in told:
        return tuple(told[name])
    if OF_A_TOPIC.fullmatch(name):
        return ()
    record = fullname(kept)
    topic = name.removesuffix(f"-{record}") if record else name
    return (topic,) if topic != name and OF_A_TOPIC.fullmatch(f"{topic}-value") else ()


def of_role(name: str) -> tuple[str, ...]:
    """Return the topic of a subject `<topic>-key` or `<topic>-value`; empty for any other."""
    found = OF_A_TOPIC.fullmatch(name)
    return (found[1],) if found else ()


def fullname(kept: RegisteredSchema) -> str:
    """Return the full name of the type that the schema defines; empty if it has none."""
    names = outline.outline(kept.text) if kept.kind == AVRO else None
    return names.name if names is not None else ""


def strategy(subject: str, topic: str, record: str) -> SubjectStrategy | None:
    """Return the strategy by which a value's subject has its name; None if none gives it."""
    named = {
        f"{topic}-value": SubjectStrategy.TopicName,
        f"{topic}-{record}": SubjectStrategy.TopicRecordName,
        record: SubjectStrategy.RecordName,
    }
    return named.get(subject)
