"""The embedded registry as Confluent's would answer: for what the two are known to do differently.

It invents nothing.  Each answer that it changes was seen on Confluent Schema Registry 8.3.1:

- `GET /config/S` without a level is 404/40408; `alias`, `normalize` and `compatibilityGroup` are kept there too
- an alias's paths below `/subjects` are those of its target, under the target's name
- a context (`/contexts/.staging`) has subjects and ids of its own; names come back qualified; `GET /config` is
  404/40408
- `normalize: true` keeps a whole-number default of a double or float as `1.0`
- metadata is kept, and a new version has that of the one before it; after a deletion it is gone
- tags that are added at the registry are a new version; the next one is without, but for `propagateSchemaTags`
- READONLY, READONLY_OVERRIDE and IMPORT refuse with 42205; a mode that does not exist is 42204
- an incompatible schema is 409/40901; the answer to a registration has version, guid and schema
- `/schemas/guids/GUID` and `/schemas/guids/GUID/ids`; an id of 2^31 and more is 404/404

Everything else is the embedded registry's own answer.  What the two do differently and nothing here asks for (the
`messages` of `verbose=true`) is not changed.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

from contracts_tests.conftest import RunningStack
from contracts_tests.integration.gateway import Answer, Gateway, Request, served

MODES = ("READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT")
TAGS = "confluent:tags"
_SETTINGS = ("alias", "normalize", "compatibilityGroup")


def answer(document: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(document).encode())


def failure(code: int, message: str) -> Answer:
    """An error as the registry writes it: the first three digits of its code are the HTTP status."""
    return answer({"error_code": code, "message": message}, int(str(code)[:3]))


@dataclass
class Confluent(Gateway):
    """A gateway that answers as Confluent's registry; `before` and `after` go on top.

    Args:
        configs: what was set, by qualified subject; `:.staging:` for a context, "" for all.
        modes: likewise.
        metadata: by qualified subject and version.
        guids: (context, id) of those that were seen, and the schema, by GUID.
    """

    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    metadata: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    guids: dict[str, tuple[str, int, dict[str, Any]]] = field(default_factory=dict)

    def context(self, name: str) -> str:
        """The URL of a context."""
        return f"{self.url}/contexts/{name}"

    def real(self, asked: Request) -> Answer:
        parts = urlsplit(asked.path)
        found = re.fullmatch(r"/contexts/([^/]+)(/.*)", parts.path)
        context, path = (unquote(found[1]), found[2]) if found else (".", parts.path)
        query = f"?{parts.query}" if parts.query else ""
        kind, *rest = path.strip("/").split("/")
        rest = [unquote(one) for one in rest]
        asked = replace(asked, path=path + query)
        match kind, rest:
            case "schemas", ["guids", guid, *what]:
                return self._by_guid(guid, what == ["ids"])
            case "schemas", ["ids", number, *what]:
                return self._by_id(asked, context, int(number), what == ["versions"])
            case "subjects", []:
                names = self._json(asked)
                return answer([one for one in names if context in (".", _context(one))])
            case "subjects", [subject, *what]:
                name = self._resolved(context, subject)
                path = "/".join(("/subjects", *(quote(one, safe="") for one in (name, *what))))
                return self._subject(replace(asked, path=path + query), context, name, what)
            case "config", _:
                return self._config(asked, _qualified(context, "".join(rest)))
            case "mode", _:
                return self._mode(asked, _qualified(context, "".join(rest)))
            case _:
                return super().real(asked)

    def _json(self, asked: Request) -> Any:
        return json.loads(super().real(asked).body)

    def _get(self, path: str) -> tuple[int, Any]:
        found = super().real(Request("GET", path, "", b""))
        return found.status, json.loads(found.body)

    def _resolved(self, context: str, subject: str) -> str:
        name = _qualified(context, subject)
        alias = self.configs.get(name, {}).get("alias")
        return _qualified(context, alias) if alias else name

    # -- ids

    def _holders(self, context: str, schema_id: int) -> list[dict[str, Any]]:
        status, held = self._get(f"/schemas/ids/{schema_id}/versions?deleted=true")
        return [one for one in held if _context(one["subject"]) == context] if status == 200 else []

    def _by_id(self, asked: Request, context: str, schema_id: int, versions: bool) -> Answer:
        if schema_id >= 2**31:
            return failure(404, "HTTP 404 Not Found")
        if not self._holders(context, schema_id):
            return failure(40403, f"Schema {schema_id} not found")
        if not versions:
            return super().real(asked)
        return answer([one for one in self._json(asked) if _context(one["subject"]) == context])

    def _by_guid(self, guid: str, ids: bool) -> Answer:
        if guid not in self.guids:
            return failure(40403, f"Schema {guid} not found")
        context, schema_id, schema = self.guids[guid]
        return answer([{"context": context, "id": schema_id}] if ids else schema)

    def guid_of(self, schema_id: int, context: str = ".") -> str:
        """The GUID of an id."""
        _, found = self._get(f"/schemas/ids/{schema_id}")
        return self._seen(context, schema_id, found)

    def _seen(self, context: str, schema_id: int, found: dict[str, Any]) -> str:
        schema = {"schemaType": "AVRO", **{key: found[key] for key in ("schema", "references") if key in found}}
        digest = hashlib.md5(json.dumps([context, schema], sort_keys=True).encode()).digest()
        guid = str(uuid.UUID(bytes=digest))
        self.guids[guid] = (context, schema_id, {**schema, "guid": guid})
        return guid

    # -- settings

    def _config(self, asked: Request, name: str) -> Answer:
        is_context = name.endswith(":")
        if asked.method == "PUT":
            wanted = json.loads(asked.body)
            if level := wanted.get("compatibility"):
                self.configs.setdefault(name, {})["compatibilityLevel"] = level
            if level and not is_context:
                body = json.dumps({"compatibility": level}).encode()
                path = f"/config/{quote(name, safe='')}" if name else "/config"
                there = super().real(replace(asked, path=path, body=body))
                if there.status != 200:
                    return there
            self.configs.setdefault(name, {}).update({key: wanted[key] for key in _SETTINGS if key in wanted})
            return answer(wanted)
        kept = dict(self.configs.get(name, {}))
        if not name:
            return answer({**self._json(asked), **kept})
        if not is_context and "compatibilityLevel" not in kept and (level := self._own_level(name)):
            kept["compatibilityLevel"] = level
        return answer(kept) if kept else failure(40408, f"{name} has no level configured")

    def _own_level(self, name: str) -> str | None:
        """The level that is set at the embedded registry: it answers NONE for none, its other API does not."""
        other = Gateway(self.registry.partition("/apis/")[0])
        path = f"/apis/registry/v3/groups/default/artifacts/{quote(name, safe='')}/rules"
        rules = json.loads(other.real(Request("GET", path, "", b"")).body)
        if "COMPATIBILITY" not in rules:
            return None
        return str(self._get(f"/config/{quote(name, safe='')}")[1]["compatibilityLevel"])

    def _mode(self, asked: Request, name: str) -> Answer:
        if asked.method == "PUT":
            mode = json.loads(asked.body)["mode"]
            if mode not in MODES:
                return failure(42204, f"Invalid mode. Valid values are {', '.join(MODES)}")
            self.modes[name] = mode
            return answer({"mode": mode})
        mode = self.mode_of(name)
        return answer({"mode": mode}) if mode else super().real(replace(asked, path="/mode"))

    def mode_of(self, name: str) -> str | None:
        everywhere = self.modes.get("")
        return everywhere if everywhere == "READONLY_OVERRIDE" else self.modes.get(name, everywhere)

    # -- subjects

    def _subject(self, asked: Request, context: str, name: str, what: list[str]) -> Answer:
        match asked.method, what:
            case ("POST", ["versions"]) | ("DELETE", _) if self.mode_of(name) not in (None, "READWRITE"):
                return failure(42205, f"Subject {name} is in {self.mode_of(name)} mode")
            case "POST", ["versions"]:
                return self._register(asked, context, name)
            case "POST", ["versions", version, "tags"]:
                return self._tag(asked, context, name, version)
            case "POST", _:
                body = self._sent(json.loads(asked.body), context, name, urlsplit(asked.path).query)
                asked = replace(asked, body=json.dumps(body).encode())
            case "DELETE", _:
                kept = self.metadata.items()
                gone = {key for key, _ in kept if key[0] == name and what in ([], ["versions", str(key[1])])}
                self.metadata = {key: value for key, value in kept if key not in gone}
        real = super().real(asked)
        document = json.loads(real.body)
        return answer(self._told(document, context), real.status) if isinstance(document, dict) else real

    def _register(self, asked: Request, context: str, name: str) -> Answer:
        body = json.loads(asked.body)
        _, before = self._get(f"/subjects/{quote(name, safe='')}/versions/latest")
        metadata = body.get("metadata") or self.metadata.get((name, before.get("version", 0)))
        sent = self._sent(body, context, name, urlsplit(asked.path).query)
        if body.get("propagateSchemaTags") and "schema" in before:
            sent["schema"] = _tagged(sent["schema"], _tags(before["schema"]))
        path = f"/subjects/{quote(name, safe='')}"
        done = super().real(replace(asked, path=f"{path}/versions", body=json.dumps(sent).encode()))
        if done.status != 200:
            code = json.loads(done.body).get("error_code")
            return failure(40901, json.loads(done.body)["message"]) if code == 409 else done
        found = self._json(replace(asked, path=path, body=json.dumps(sent).encode()))
        if metadata:
            self.metadata.setdefault((name, found["version"]), metadata)
        told = self._told(found, context)
        return answer({key: told[key] for key in ("id", "version", "guid", "schemaType", "schema")})

    def _tag(self, asked: Request, context: str, name: str, version: str) -> Answer:
        _, found = self._get(f"/subjects/{quote(name, safe='')}/versions/{version}")
        added: dict[str, set[str]] = {}
        for one in json.loads(asked.body)["tagsToAdd"]:
            added.setdefault(one["schemaEntity"]["entityPath"], set()).update(one["tags"])
        schema = _tagged(found["schema"], _tags(found["schema"]) | added)
        body = {**{key: found[key] for key in ("references",) if key in found}, "schema": schema}
        return self._register(replace(asked, body=json.dumps(body).encode()), context, name)

    def _sent(self, body: dict[str, Any], context: str, name: str, query: str) -> dict[str, Any]:
        """A schema as it is kept."""
        sent = {key: body[key] for key in ("schema", "schemaType") if key in body}
        if references := body.get("references"):
            sent["references"] = [{**one, "subject": _qualified(context, one["subject"])} for one in references]
        normalize = self.configs.get(name, {}).get("normalize", self.configs.get("", {}).get("normalize"))
        if normalize or parse_qs(query).get("normalize") == ["true"]:
            sent["schema"] = json.dumps(_with_floats(json.loads(sent["schema"])))
        return sent

    def _told(self, document: dict[str, Any], context: str) -> dict[str, Any]:
        """A version as it is answered: its references as they were sent."""
        if "schema" not in document or "id" not in document:
            return document
        told = {**document, "schemaType": document.get("schemaType") or "AVRO"}
        told["guid"] = self._seen(context, document["id"], document)
        if references := document.get("references"):
            prefix = _qualified(context, "")
            told["references"] = [{**one, "subject": one["subject"].removeprefix(prefix)} for one in references]
        if metadata := self.metadata.get((document["subject"], document["version"])):
            told["metadata"] = metadata
        return told


def _qualified(context: str, subject: str) -> str:
    """In the default context a name is not qualified."""
    plain = subject.removeprefix(":.:")
    return plain if context == "." or plain.startswith(":.") else f":{context}:{plain}"


def _context(subject: str) -> str:
    return subject.split(":")[1] if subject.startswith(":.") else "."


def _with_floats(node: Any) -> Any:
    """A schema's JSON whose whole-number defaults of double and float have `.0`; named types in their own place."""
    if isinstance(node, list):
        return [_with_floats(one) for one in node]
    if not isinstance(node, dict):
        return node
    new = {
        key: _with_floats(value) if key in ("type", "items", "values", "fields") else value
        for key, value in node.items()
    }
    if "default" in node and "type" in node and node["type"] != "enum":
        new["default"] = _float_default(node["type"], node["default"])
    return new


def _float_default(kind: Any, value: Any) -> Any:
    if isinstance(kind, list):
        return _float_default(kind[0], value)
    name = kind["type"] if isinstance(kind, dict) else kind
    if name in ("double", "float") and type(value) is int:
        return float(value)
    if name == "array" and isinstance(value, list):
        return [_float_default(kind["items"], one) for one in value]
    if name == "map":
        return {key: _float_default(kind["values"], one) for key, one in value.items()}
    if name == "record":
        kinds = {one["name"]: one["type"] for one in kind["fields"]}
        return {key: _float_default(kinds[key], one) for key, one in value.items()}
    return value


def _fields(text: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The fields of a record at a schema's root by full path, and the schema that they are in."""
    schema = json.loads(text)
    for one in schema.get("fields", []) if isinstance(schema, dict) else []:
        space = f"{schema['namespace']}." if "namespace" in schema else ""
        yield f"{space}{schema['name']}.{one['name']}", one, schema


def _tags(text: str) -> dict[str, set[str]]:
    return {path: set(one[TAGS]) for path, one, _ in _fields(text) if TAGS in one}


def _tagged(text: str, tags: dict[str, set[str]]) -> str:
    listed = list(_fields(text))
    for path, one, _ in listed:
        if path in tags:
            one[TAGS] = sorted(tags[path] | set(one.get(TAGS, [])))
    return json.dumps(listed[0][2]) if listed else text


@pytest.fixture
def confluent(stack: RunningStack) -> Iterator[Confluent]:
    with served(Confluent(stack.exports["SCHEMA_REGISTRY_URL"])) as made:
        assert isinstance(made, Confluent)
        yield made
