"""The functions of the lint rules about names, docs and tags.  The table of rules is `contracts.lint.rules`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from avro_data_contracts.contracts.avro.nodes import TAGS, AnyType, Enum, Field, Primitive, Record
from avro_data_contracts.contracts.avro.shapes import nullability
from avro_data_contracts.contracts.catalog.contract import Subject
from avro_data_contracts.contracts.catalog.findings import Severity
from avro_data_contracts.contracts.lint.scope import ContractScope, Hit, Scope

_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*").fullmatch
_PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*").fullmatch
_UPPER = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*").fullmatch
_SPACE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*").fullmatch
_TOPIC = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*").fullmatch

#: Words, and pairs of words, in a field name that suggest personal data.
PERSONAL = frozenset(
    {
        "email", "mail", "phone", "telephone", "mobile", "fax", "surname", "firstname", "lastname",
        "fullname", "username", "nickname", "birthday", "birthdate", "birth", "dob", "gender", "sex", "ssn",
        "passport", "iban", "address", "street", "postcode", "zip", "zipcode", "salary", "religion",
        "ethnicity", "nationality", "password", "latitude", "longitude", "portrait", "selfie",
    }
)  # fmt: skip
PERSONAL_PAIRS = frozenset(
    {
        ("first", "name"), ("last", "name"), ("family", "name"), ("given", "name"), ("full", "name"),
        ("middle", "name"), ("maiden", "name"), ("user", "name"), ("post", "code"), ("postal", "code"),
        ("date", "birth"), ("tax", "id"), ("national", "id"), ("credit", "card"), ("card", "number"),
        ("bank", "account"), ("ip", "address"), ("social", "security"),
    }
)  # fmt: skip


def field_names(scope: Scope) -> Iterator[Hit]:
    for subject, field in scope.fields:
        if not _SNAKE(field.name):
            yield scope.at(subject, field, "name", f"the field name {field.name!r} is not lower_snake_case")


def field_case(scope: Scope) -> Iterator[Hit]:
    for subject, node in scope.nodes:
        if isinstance(node, Record):
            seen: dict[str, str] = {}
            for field in node.fields:
                other = seen.setdefault(field.name.lower(), field.name)
                if other != field.name:
                    yield scope.at(subject, field, "name", f"{field.name!r} differs from {other!r} only in case")


def type_names(scope: Scope) -> Iterator[Hit]:
    for subject, node in scope.named:
        if not _PASCAL(node.name):
            yield scope.at(subject, node, "name", f"the name of the {node.type} {node.name!r} is not PascalCase")


def symbol_names(scope: Scope) -> Iterator[Hit]:
    for subject, node in scope.named:
        if isinstance(node, Enum):
            bad = [symbol for symbol in node.symbols if not _UPPER(symbol)]
            if bad:
                listed = ", ".join(bad[:5]) + (" …" if len(bad) > 5 else "")
                yield scope.at(subject, node, "symbols", f"these symbols are not UPPER_SNAKE_CASE: {listed}")


def namespaces(scope: Scope) -> Iterator[Hit]:
    for subject, node in scope.named:
        if node.namespace is None:
            yield scope.at(subject, node, "name", f"the {node.type} {node.name} has no namespace")
        elif not _SPACE(node.namespace):
            what = f"the namespace {node.namespace!r} is not lower case"
            yield replace(scope.at(subject, node, "namespace", what), severity=Severity.warning)


def type_docs(scope: Scope) -> Iterator[Hit]:
    for subject, node in scope.named:
        if not (node.doc or "").strip():
            yield scope.at(subject, node, "name", f"the {node.type} {node.fullname} has no doc")


def field_docs(scope: Scope) -> Iterator[Hit]:
    for subject, field in scope.fields:
        if not (field.doc or "").strip():
            yield scope.at(subject, field, "name", f"the field {field.name!r} has no doc")


def personal_words(name: str) -> str:
    """The part of a field name that suggests personal data; empty for none."""
    words: list[str] = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]
    for word in words:
        if word in PERSONAL:
            return word
    for first, second in zip(words, [word for word in words[1:] if word != "of"], strict=False):
        if (first, second) in PERSONAL_PAIRS:
            return f"{first} {second}"
    return ""


def personal_untagged(scope: Scope) -> Iterator[Hit]:
    for subject, field in scope.fields:
        if not field.props.get(TAGS) and _holds_text_or_number(subject, field.type):
            word = personal_words(field.name)
            if word:
                yield scope.at(
                    subject, field, "name", f"{field.name!r} looks like personal data ({word}), but has no {TAGS}"
                )


def _holds_text_or_number(subject: Subject, node: AnyType) -> bool:
    """Whether the rule skips the field: a record's fields are checked themselves, and a flag such as `email_verified`
    tells nothing."""
    node, _ = nullability(subject.schema, node)
    return not isinstance(node, Record) and not (isinstance(node, Primitive) and node.type == "boolean")


def tags_form(scope: Scope) -> Iterator[Hit]:
    for subject, node in scope.nodes:
        if TAGS in node.props:
            tags = node.props[TAGS]
            if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
                yield scope.at(subject, node, TAGS, f"{TAGS} is not a list of names")
            elif not isinstance(node, (Field, Record)):
                yield scope.at(subject, node, TAGS, f"nobody reads {TAGS} of a type inside a field")


def topic_names(scope: ContractScope) -> Iterator[Hit]:
    topic = scope.contract.topic
    if not _TOPIC(topic):
        yield scope.in_contract(["topic"], f"the topic name {topic!r} is not lower case words joined by . _ or -")
    elif "." in topic and "_" in topic:
        yield scope.in_contract(
            ["topic"], f"the topic name {topic!r} has both . and _, which Kafka's metrics do not tell apart"
        )


def subject_names(scope: ContractScope) -> Iterator[Hit]:
    topic = scope.contract.topic
    for ending in ("-key", "-value"):
        if topic.endswith(ending):
            yield scope.in_contract(["topic"], f"the topic name ends with {ending}, like a subject")


def dead_letter_names(scope: ContractScope) -> Iterator[Hit]:
    if scope.contract.dead_letter_topic == scope.contract.topic:
        yield scope.in_contract(["dead_letter", "topic"], "dead letters would go into the topic itself")


def aliases(scope: Scope) -> Iterator[Hit]:
    for subject, node in scope.nodes:
        if isinstance(node, Record):
            for field in node.fields:
                for alias in field.aliases:
                    if alias == field.name:
                        yield scope.at(subject, field, "aliases", f"the alias {alias!r} is the field's own name")
                    elif alias in node.by_name:
                        yield scope.at(
                            subject, field, "aliases", f"the alias {alias!r} is the name of an existing field"
                        )
