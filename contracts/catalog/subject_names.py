"""The names of a contract's subjects: explicit ones, or by a strategy of Confluent's serializers.  Pure."""

from __future__ import annotations

from avro_data_contracts.contracts.catalog.choices import SubjectStrategy
from avro_data_contracts.contracts.catalog.contract import ContractSpec, Role


def subject_name(spec: ContractSpec, role: Role, fullname: str) -> str:
    """Return the name of the subject; empty if the strategy needs a full name and the type has none.

    The strategy is that of the value.  A key is `<topic>-key`, as with Confluent's clients, which have a strategy of
    its own for it.

    Args:
        fullname: of the type.
    """
    explicit = spec.key_subject if role == "key" else spec.subject
    if explicit is not None:
        return explicit
    if role == "key" or spec.subject_strategy is SubjectStrategy.TopicName:
        return f"{spec.topic}-{role}"
    if spec.subject_strategy is SubjectStrategy.RecordName or not fullname:
        return fullname
    return f"{spec.topic}-{fullname}"


def said_in(spec: ContractSpec, role: Role) -> str:
    """Return the key of contract.yaml that decides the name."""
    if role == "key":
        return "key_subject" if spec.key_subject is not None else "key"
    if spec.subject is not None:
        return "subject"
    return "topic" if spec.subject_strategy is SubjectStrategy.TopicName else "subject_strategy"
