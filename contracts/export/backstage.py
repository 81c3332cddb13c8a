"""Contracts as entities of Backstage's software catalog: an API for each, and a Resource for each topic and table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.export import asyncapi, yaml_out
from avro_data_contracts.contracts.export.asyncapi import Server
from avro_data_contracts.contracts.export.definition import Definition
from avro_data_contracts.contracts.export.plain_names import PlainNames
from avro_data_contracts.contracts.stores.spec import SinkSpec

VERSION: Final = "backstage.io/v1alpha1"
#: The prefix of our annotations.
OURS: Final = "contracts"
_LONGEST: Final = 63
_TAG: Final = re.compile(r"[^a-z0-9+#]+")
_REFERENCE: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9]*:)?([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
)


@dataclass(frozen=True)
class Told:
    """What no contract says.

    Attributes:
        lifecycle: of every API.
        source: a URL that the path of a file can be added to; empty for no links.
        servers: for AsyncAPI.
    """

    definition: Definition = Definition.asyncapi
    lifecycle: str = "production"
    source: str = ""
    servers: tuple[Server, ...] = ()


def of(contracts: Sequence[Contract], told: Told, from_top: Callable[[str], str] = str) -> list[dict[str, Any]]:
    """Return the entities, ready for YAML: all APIs, then all topics, then all tables.

    Args:
        from_top: from the path of a file to that below `told.source`.
    """
    return _Writer(told, from_top).entities(contracts)


class _Writer:
    def __init__(self, told: Told, from_top: Callable[[str], str]) -> None:
        self._told = told
        self._from_top = from_top
        self._apis = PlainNames(_LONGEST, around=False, case=False)
        self._resources = PlainNames(_LONGEST, around=False, case=False)

    def entities(self, contracts: Sequence[Contract]) -> list[dict[str, Any]]:
        apis = {one.name: self._apis.of(one.name) for one in contracts}
        topics: dict[str, dict[str, Any]] = {}
        tables: list[dict[str, Any]] = []
        for one in contracts:
            if one.topic not in topics:
                topics[one.topic] = self._resource(one, "kafka-topic", one.topic, one.topic)
            _depend(topics[one.topic], f"api:{apis[one.name]}")
        for one in contracts:
            letters = one.dead_letter_topic
            if letters not in topics:
                topics[letters] = self._resource(one, "kafka-topic", letters, letters)
                topics[letters]["metadata"]["description"] = "Records that were refused, with the reason."
            of_the_contract = f"resource:{topics[one.topic]['metadata']['name']}"
            if letters != one.topic:
                _depend(topics[letters], of_the_contract)
            for sink, description in _tables(one):
                table = self._resource(one, f"{sink.kind}-table", f"{sink.kind}.{sink.qualified}", sink.qualified)
                if description:
                    table["metadata"]["description"] = description
                _depend(table, of_the_contract)
                tables.append(table)
        return [*(self._api(one, apis[one.name]) for one in contracts), *topics.values(), *tables]

    def _api(self, contract: Contract, name: str) -> dict[str, Any]:
        found = self._entity("API", contract, name, contract.name)
        if contract.spec.description:
            found["metadata"]["description"] = contract.spec.description
        found["metadata"]["tags"] = _tags(contract)
        found["metadata"]["annotations"] |= {
            f"{OURS}/topic": contract.topic,
            f"{OURS}/compatibility": contract.compatibility.value,
            f"{OURS}/subjects": ",".join(one.name for one in contract.subjects),
        }
        kind = self._told.definition
        found["spec"] = {
            "type": kind.value,
            "lifecycle": self._told.lifecycle,
            "owner": owner(contract.spec.owner),
            "definition": self._definition(contract),
        }
        return found

    def _definition(self, contract: Contract) -> str:
        if self._told.definition is Definition.avro:
            return json.dumps(json.loads(to_json(contract.value.schema)), indent=2, ensure_ascii=False)
        return yaml_out.text(asyncapi.of([contract], self._told.servers))

    def _resource(self, contract: Contract, kind: str, name: str, title: str) -> dict[str, Any]:
        found = self._entity("Resource", contract, self._resources.of(name), title)
        return {**found, "spec": {"type": kind, "owner": owner(contract.spec.owner), "dependsOn": []}}

    def _entity(self, kind: str, contract: Contract, name: str, title: str) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name}
        if title != name:
            metadata["title"] = title
        metadata["annotations"] = {f"{OURS}/contract": contract.name}
        if owner(contract.spec.owner) != contract.spec.owner:
            metadata["annotations"][f"{OURS}/owner"] = contract.spec.owner
        if source := self._told.source.rstrip("/"):
            metadata["links"] = [
                {"url": f"{source}/{quote(self._from_top(file))}", "title": title}
                for title, file in [("Contract", contract.file), *((one.role, one.file) for one in contract.subjects)]
            ]
        return {"apiVersion": VERSION, "kind": kind, "metadata": metadata}


def _depend(entity: dict[str, Any], reference: str) -> None:
    if reference not in entity["spec"]["dependsOn"]:
        entity["spec"]["dependsOn"].append(reference)


def _tables(contract: Contract) -> Iterator[tuple[SinkSpec, str]]:
    """The tables of a contract and of its views, each with a description."""
    for sink in contract.sinks:
        yield sink, contract.spec.description
    for view in contract.views:
        for sink in view.sinks:
            yield sink, view.spec.description


def owner(name: str) -> str:
    """Return a reference to an owner: the name itself if it can be one; otherwise one like it."""
    if _REFERENCE.fullmatch(name) and len(name.rpartition("/")[2].rpartition(":")[2]) <= _LONGEST:
        return name
    return PlainNames(_LONGEST, around=False).plain(name)


def _tags(contract: Contract) -> list[str]:
    found = {"avro": None, "kafka": None}
    for node in contract.value.schema.walk():
        for one in node.tags:
            if plain := _TAG.sub("-", one.lower()).strip("-")[:_LONGEST].strip("-"):
                found[plain] = None
    return list(found)
