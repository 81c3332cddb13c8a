"""Contracts as a document of AsyncAPI 3.0: servers, channels, messages and operations.  Pure.

What AsyncAPI has no words for (level, consumers) is in its extensions, which begin with `x-`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog import dead_letter
from avro_data_contracts.contracts.catalog.choices import SchemaIdPlace
from avro_data_contracts.contracts.catalog.contract import Contract, DeadLetterSpec, Subject, TopicSpec
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.export import json_schema
from avro_data_contracts.contracts.export.plain_names import PlainNames

VERSION: Final = "3.0.0"
#: The version of the document, which never changes by itself: only the schemas in the registry have versions.
DOCUMENT_VERSION: Final = "1.0.0"
AVRO: Final = "application/vnd.apache.avro"
AVRO_SCHEMA: Final = f"{AVRO};version=1.9.0"
_BINDING: Final = {"bindingVersion": "0.5.0"}
_SERVER: Final = re.compile(r"(?:([A-Za-z0-9_-]+)=)?(?:(kafka|kafka-secure)://)?([^\s/=,]+:[0-9]{1,5})")
#: Settings of a topic that the binding has as numbers.
_NUMBERS: Final = ("retention.ms", "retention.bytes", "delete.retention.ms", "max.message.bytes")
#: Headers of a dead letter -> what each says, and whether every one has it.
_LETTER: Final = {
    dead_letter.TOPIC: ("The topic that the record was in, or was meant for.", True),
    dead_letter.PARTITION: ("Its partition; not in those of a producer.", False),
    dead_letter.OFFSET: ("Its offset; not in those of a producer.", False),
    dead_letter.CONNECTOR: ("Who refused it.", True),
    dead_letter.STAGE: ("Where it was refused.", True),
    dead_letter.CLASS: ("The kind of the refusal.", True),
    dead_letter.MESSAGE: ("What is wrong, in words.", True),
    dead_letter.REASON: ("What is wrong, as a code.", True),
}


@dataclass(frozen=True)
class Server:
    """A Kafka cluster.

    Attributes:
        protocol: `kafka` or `kafka-secure`.
        host: with the port.
        registry: the URL of its schema registry; empty if nobody named it.
    """

    name: str
    protocol: str
    host: str
    registry: str = ""


def servers(named: Sequence[str], registry: str) -> list[Server]:
    """Read servers as they are named on the command line: `[NAME=][kafka-secure://]HOST:PORT`.

    Raises:
        ConfigurationError: one is not written so, or two have the same name.
    """
    found: dict[str, Server] = {}
    for text in named:
        read = _SERVER.fullmatch(text)
        if read is None:
            what = f"{text!r} is not a server"
            raise ConfigurationError(what, where="--server", fix="write [NAME=][kafka-secure://]HOST:PORT")
        one = Server(read[1] or "kafka", read[2] or "kafka", read[3], registry)
        if one.name in found:
            fix = "name each: --server test=HOST:PORT --server production=HOST:PORT"
            raise ConfigurationError(f"two servers are called {one.name}", where="--server", fix=fix)
        found[one.name] = one
    return list(found.values())


def of(
    contracts: Sequence[Contract], servers: Sequence[Server] = (), title: str = "", version: str = DOCUMENT_VERSION
) -> dict[str, Any]:
    """Return the document of some contracts, ready for YAML or JSON.

    Args:
        title: by default, the name of the contract, or `Data contracts`.
    """
    names = PlainNames()
    refused = names.of("dead_letter")
    document: dict[str, Any] = {
        "asyncapi": VERSION,
        "info": _info(contracts, title, version),
        "defaultContentType": AVRO,
    }
    if servers:
        document["servers"] = {one.name: _server(one) for one in servers}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for contract in contracts:
        name = names.of(contract.name)
        letters = contract.dead_letter_topic
        channels.setdefault(contract.topic, _channel(contract.topic, contract.spec.kafka))
        channels[contract.topic]["messages"][name] = _message(contract)
        operations |= _operations(contract, name, refused)
        # A contract may have the dead-letter topic of another one, or even its topic.
        channels.setdefault(letters, _letters(letters, contract))
        channels[letters]["messages"].setdefault(refused, _letter())
    return document | {"channels": channels, "operations": operations}


def _info(contracts: Sequence[Contract], title: str, version: str) -> dict[str, Any]:
    alone = contracts[0] if len(contracts) == 1 else None
    found: dict[str, Any] = {"title": title or (alone.name if alone else "Data contracts"), "version": version}
    if alone and alone.spec.description:
        found["description"] = alone.spec.description
    owners = {one.spec.owner for one in contracts}
    if len(owners) == 1:
        found["contact"] = _contact(*owners)
    if tags := _tags(*(one.value.schema for one in contracts)):
        found["tags"] = tags
    return found


def _contact(owner: str) -> dict[str, str]:
    if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", owner):
        return {"name": owner, "email": owner}
    return {"name": owner, "url": owner} if re.fullmatch(r"https?://[\x21-\x7e]+", owner) else {"name": owner}


def _server(one: Server) -> dict[str, Any]:
    found: dict[str, Any] = {"host": one.host, "protocol": one.protocol}
    if one.registry:
        registry = {"schemaRegistryUrl": one.registry, "schemaRegistryVendor": "confluent"}
        found["bindings"] = {"kafka": {**registry, **_BINDING}}
    return found


def _channel(topic: str, spec: TopicSpec | DeadLetterSpec, external: bool = False) -> dict[str, Any]:
    kafka: dict[str, Any] = {"topic": topic}
    if not external and not (isinstance(spec, TopicSpec) and spec.external):  # else its owner decides its settings
        kafka["partitions"] = spec.partitions
        if spec.replication_factor > 0:
            kafka["replicas"] = spec.replication_factor
        if settings := _settings(spec.config):
            kafka["topicConfiguration"] = settings
    return {"address": topic, "messages": {}, "bindings": {"kafka": {**kafka, **_BINDING}}}


def _settings(config: dict[str, str]) -> dict[str, Any]:
    """The settings of a topic, in the types of the binding; one that has no such type is not one that Kafka takes."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        if name in _NUMBERS:
            if re.fullmatch(r"-1|[0-9]{1,19}", value):
                found[name] = int(value)
        elif name == "cleanup.policy":
            found[name] = [one.strip() for one in value.split(",")]
        elif name in ("confluent.key.schema.validation", "confluent.value.schema.validation"):
            found[name] = value == "true"
        else:
            found[name] = value
    return found


def _letters(topic: str, contract: Contract) -> dict[str, Any]:
    found = _channel(topic, contract.spec.dead_letter, contract.spec.kafka.external)
    return {**found, "description": "Records that were refused, with the reason in their headers."}


def _message(contract: Contract) -> dict[str, Any]:
    value, spec = contract.value, contract.spec
    found: dict[str, Any] = {"name": value.fullname or contract.name, "title": _title(value) or contract.name}
    if spec.description:
        found["summary"] = spec.description
    if value.schema.type and value.schema.type.doc:
        found["description"] = value.schema.type.doc
    found["contentType"] = AVRO
    if tags := _tags(value.schema):
        found["tags"] = tags
    in_header = spec.producer.schema_id is SchemaIdPlace.header
    if in_header:
        names = [f"__{one.role}_schema_id" for one in contract.subjects]
        ids = {name: {"type": "string", "format": "binary"} for name in names}
        found["headers"] = {"type": "object", "properties": ids, "required": names}
    found["payload"] = {"schemaFormat": AVRO_SCHEMA, "schema": avro(value.schema)}
    kafka: dict[str, Any] = {"key": _key(contract.key)} if contract.key else {}
    kafka["schemaIdLocation"] = "header" if in_header else "payload"
    if not in_header:
        kafka["schemaIdPayloadEncoding"] = "confluent"
    kafka["schemaLookupStrategy"] = f"{spec.subject_strategy.value}Strategy"
    found["bindings"] = {"kafka": {**kafka, **_BINDING}}
    found["x-owner"] = spec.owner
    found["x-compatibility"] = spec.compatibility.value
    found["x-subjects"] = [one.name for one in contract.subjects]
    if spec.consumers:
        found["x-consumers"] = [
            {"name": one.name, **({"owner": one.owner} if one.owner else {}), "fields": list(one.fields)}
            for one in spec.consumers
        ]
    return found


def _title(subject: Subject) -> str:
    return subject.schema.type.name if subject.schema.type else ""


def _key(subject: Subject) -> dict[str, Any]:
    """The key as JSON Schema, which alone the binding takes, with its Avro schema."""
    schema = subject.schema
    return {**json_schema.of(schema, schema.root), "x-avro-schema": avro(schema)}


def _letter() -> dict[str, Any]:
    headers = {name: {"type": "string", "description": words} for name, (words, _) in _LETTER.items()}
    needed = [name for name, (_, always) in _LETTER.items() if always]
    return {
        "name": "dead_letter",
        "title": "Dead letter",
        "description": "The bytes of the refused record; of a record that was never Avro, its JSON.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": headers, "required": needed},
    }


def _operations(contract: Contract, name: str, refused: str) -> dict[str, Any]:
    def one(action: str, channel: str, message: str, summary: str) -> dict[str, Any]:
        at = {"$ref": f"#/channels/{channel}"}
        messages = [{"$ref": f"#/channels/{channel}/messages/{message}"}]
        return {"action": action, "channel": at, "summary": summary, "messages": messages}

    found = {f"{name}.send": one("send", contract.topic, name, "Send records that satisfy the contract.")}
    if contract.sinks:
        tables = " and ".join(f"{sink.qualified} in {sink.kind}" for sink in contract.sinks)
        found[f"{name}.receive"] = one("receive", contract.topic, name, f"Write the records to {tables}.")
    summary = "Send the records that were refused."
    found[f"{name}.send_dead_letter"] = one("send", contract.dead_letter_topic, refused, summary)
    return found


def _tags(*schemas: Schema) -> list[dict[str, str]]:
    """The tags that parts of the schemas have, each once."""
    found: dict[str, None] = {}
    for schema in schemas:
        for node in schema.walk():
            found |= dict.fromkeys(node.tags)
    return [{"name": name} for name in sorted(found)]


def avro(schema: Schema) -> Any:
    """Return a schema as AsyncAPI's own schema of Avro takes it: that has no `error`, and no alias elsewhere.

    `x-aliases` has all aliases of a type of which one is in another namespace.
    """
    document = json.loads(to_json(schema))
    waiting = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
            continue
        if not isinstance(one, dict):
            continue
        if one["type"] == "error":
            one["type"] = "record"
        if any("." in alias for alias in one.get("aliases", ())):
            one["x-aliases"] = one["aliases"]
            one["aliases"] = [alias for alias in one["aliases"] if "." not in alias]
        waiting += [field["type"] for field in one.get("fields", ())] if one["type"] == "record" else ()
        waiting += [
            one[inside] for inside in ("items", "values") if one["type"] in ("array", "map") and inside in one
        ]
    return document
