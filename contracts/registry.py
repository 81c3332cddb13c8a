"""The only code that talks to the schema registry (Confluent's REST API, v1 media type).

Plain REST rather than a client library, because the answers are the product here: the registry's own words for a
refusal, `messages` of a compatibility check, error codes that differ between versions (docs/adr/0003).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import requests

from contracts import avro
from contracts.address import Address
from contracts.contract import Subject
from contracts.errors import InvalidSchema, Refused, ServiceError
from contracts.nodes import NamedType, Schema
from contracts.settings import Settings
from contracts.terminal import clean
from contracts.writing import described_alike, normalised

AVRO = "AVRO"  # the registry's own word for the kind of a schema
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
NOT_PERMITTED, SUBJECT_IS_REFERENCED = 42205, 42206
SUBJECT_NOT_FOUND, VERSION_NOT_FOUND, SCHEMA_NOT_FOUND, LEVEL_NOT_FOUND = 40401, 40402, 40403, 40408
SUBJECT_DELETED = 40404  # softly, and so it is deleted already
MISSING = (SUBJECT_NOT_FOUND, VERSION_NOT_FOUND, SCHEMA_NOT_FOUND, LEVEL_NOT_FOUND, SUBJECT_DELETED)
TOO_MANY_REQUESTS = 429

_T = TypeVar("_T")
_NO_REGISTRY = "see whether SCHEMA_REGISTRY_URL is the address of a schema registry"
_LOG_IN = "set SCHEMA_REGISTRY_USER and SCHEMA_REGISTRY_PASSWORD to an account that may do this"
#: By the registry's own code, else by the HTTP status.
_MENDS = {
    401: _LOG_IN,
    403: _LOG_IN,
    404: _NO_REGISTRY,
    409: "make the change compatible, or agree on the break: `contracts check` says what and how",
    422: "correct the schema, or a shared type that it refers to",
    TOO_MANY_REQUESTS: "wait a minute, then run it again",
    NOT_PERMITTED: "the registry or the subject is READONLY or in IMPORT mode: have its owner set it to READWRITE "
    "(`PUT /mode`), or set SCHEMA_REGISTRY_URL to one that may be written",
    SUBJECT_IS_REFERENCED: "delete what refers to it first",
}
#: One of them is in every object that the registry answers with.
_KEYS = frozenset({"id", "schema", "compatibilityLevel", "compatibility"})


@dataclass(frozen=True)
class RegisteredReference:
    """A reference as the registry holds it: the named type `name` is version `version` of `subject`."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True)
class RegisteredSchema:
    """One schema of the registry.

    `subject` and `version` are "" and 0 where it was asked for by id alone.  `kind`: AVRO, JSON or PROTOBUF.
    """

    schema_id: int
    text: str
    references: tuple[RegisteredReference, ...] = ()
    subject: str = ""
    version: int = 0
    kind: str = AVRO


@dataclass(frozen=True)
class Known:
    """What was read before, so that a shared type that many refer to is asked for once.

    Args:
        found: what `Registry.find` said, by subject.
        referred: schemas that others refer to, by subject and version.
    """

    found: dict[str, RegisteredSchema | None] = field(default_factory=dict)
    referred: dict[tuple[str, int], Schema] = field(default_factory=dict)


class Registry:
    """A schema registry over HTTP.

    Every method raises `ServiceError` when the registry cannot be reached or fails (time-out, 5xx, an answer that is
    not JSON) and `Refused` when it says no (4xx), its own words included.

    Args:
        url: base URL, e.g. `http://127.0.0.1:18081/apis/ccompat/v7` or `http://schema-registry:8081`.  An account in
            it is used and never shown: the attribute `url` is without.
        user, password: basic authentication; an empty user is none, or that of the URL.
        timeout_s: per request, seconds.
        ca_file: PEM file of the authority that an https server is believed by; empty for those of the system.

    Raises:
        ConfigurationError: `url` is none.
    """

    def __init__(
        self, url: str, *, user: str = "", password: str = "", timeout_s: float = 10.0, ca_file: str = ""
    ) -> None:
        address = Address.of(url, "SCHEMA_REGISTRY_URL")
        self.url = address.url
        self.timeout_s = timeout_s
        # With each request: REQUESTS_CA_BUNDLE goes before what a session has.
        self._verify = ca_file or True
        self._session = requests.Session()
        # A proxy of the environment is for other machines.
        self._session.trust_env = address.host not in ("127.0.0.1", "localhost", "::1")
        self._session.headers["Accept"] = f"{MEDIA_TYPE}, application/json"
        if user or address.user:
            name, word = (user, password) if user else (address.user, address.password)
            # As bytes: requests would write letters beyond Latin-1 in a way of its own.
            self._session.auth = (name.encode(), word.encode())

    @classmethod
    def from_settings(cls, settings: Settings) -> Registry:
        return cls(
            settings.schema_registry_url,
            user=settings.schema_registry_user,
            password=settings.schema_registry_password,
            timeout_s=settings.schema_registry_timeout_s,
            ca_file=settings.schema_registry_ca_file,
        )

    def subjects(self) -> list[str]:
        """Names of all subjects that are not deleted."""
        return self._call("GET", "/subjects", shape=list)

    def versions(self, subject: str, *, deleted: bool = False) -> list[int]:
        """Versions of the subject, ascending, with those that are `deleted` softly or without; empty for none."""
        path = f"/subjects/{quote(subject, safe='')}/versions"
        found = self._or_missing("GET", path, params={"deleted": "true"} if deleted else None, shape=list)
        return self._made(lambda: sorted(int(number) for number in found or []), f"GET {path}", found)

    def version(self, subject: str, version: int | str = "latest") -> RegisteredSchema | None:
        """One version of a subject, None when there is none."""
        path = f"/subjects/{quote(subject, safe='')}/versions/{version}"
        found = self._or_missing("GET", path)
        return self._made(lambda: _schema(found), f"GET {path}", found) if found else None

    def by_id(self, schema_id: int) -> RegisteredSchema | None:
        """The schema of a global id, None when the registry has no such id."""
        path = f"/schemas/ids/{schema_id}"
        found = self._or_missing("GET", path)
        return self._made(lambda: _schema(found, schema_id), f"GET {path}", found) if found else None

    def subjects_of(self, schema_id: int) -> list[str]:
        """Subjects that hold the schema of this id, deleted versions included; empty when there is no such id."""
        path = f"/schemas/ids/{schema_id}/versions"
        found = self._or_missing("GET", path, params={"deleted": "true"}, shape=list)
        return self._made(lambda: sorted({item["subject"] for item in found or []}), f"GET {path}", found)

    def lookup(
        self, subject: str, text: str, references: Sequence[RegisteredReference] = ()
    ) -> RegisteredSchema | None:
        """The version of the subject that holds this schema, None when none does."""
        body = _body(text, references)
        path = f"/subjects/{quote(subject, safe='')}"
        found = self._or_missing("POST", path, body=body)
        return self._made(lambda: _schema(found), f"POST {path}", found) if found else None

    def find(self, subject: Subject, known: Known | None = None) -> RegisteredSchema | None:
        """The version that holds the repository's schema; None when none does.

        A registry may take schemas that differ in docs and aliases only for the same one (Apicurio does); then that
        version is the answer, for it can hold no other.

        Args:
            known: what was read before; what is read now is added.
        """
        known = known or Known()
        if subject.name not in known.found:
            known.found[subject.name] = self._find(subject, known)
        return known.found[subject.name]

    def _find(self, subject: Subject, known: Known) -> RegisteredSchema | None:
        references = self.references_of(subject, known)
        if references is None:
            return None
        wanted = normalised(subject.schema)
        found = self.lookup(subject.name, subject.registered_text, references)
        if found is None:
            newest = self.version(subject.name)
            return newest if newest and self._means(newest, wanted, references, known) else None
        if normalised(self.parse(found, known)) == wanted:
            return found
        for version in reversed(self.versions(subject.name)):
            kept = self.version(subject.name, version)
            if kept is not None and normalised(self.parse(kept, known)) == wanted:
                return kept
        alike = described_alike(self.parse(found, known)) == described_alike(subject.schema)
        return found if alike else None

    def _means(
        self, kept: RegisteredSchema, wanted: str, references: Sequence[RegisteredReference], known: Known
    ) -> bool:
        """Whether a schema is the wanted one in another order of attributes: Confluent's registry takes the two for
        different texts, and whoever registered it by hand or with another client need not have ours."""
        try:
            return set(kept.references) == set(references) and normalised(self.parse(kept, known)) == wanted
        except InvalidSchema:
            return False  # e.g. it is no Avro schema

    def references_of(self, subject: Subject, known: Known | None = None) -> list[RegisteredReference] | None:
        """The versions that hold the shared types of `subject`; None when one is not registered as it is.

        `known` as in `find`.
        """
        known = known or Known()
        found = [self.find(one, known) for one in subject.types]
        if None in found:
            return None
        return [RegisteredReference(one.subject, one.subject, one.version) for one in found if one is not None]

    def register(self, subject: str, text: str, references: Sequence[RegisteredReference] = ()) -> int:
        """Registers a version; the global id of the schema (that of the existing version when nothing is new)."""
        path = f"/subjects/{quote(subject, safe='')}/versions"
        answer = self._call("POST", path, body=_body(text, references))
        return self._made(lambda: int(answer["id"]), f"POST {path}", answer)

    def level(self, subject: str) -> str | None:
        """The subject's own compatibility level; None when the subject has none and the global one applies.

        Confluent's registry keeps other settings of a subject (`normalize`, an alias …) in the same place, with a
        level or without.
        """
        found = self._or_missing("GET", f"/config/{quote(subject, safe='')}", keys=frozenset())
        return found.get("compatibilityLevel") if found else None

    def global_level(self) -> str:
        """The level of every subject that has none of its own."""
        return self._call("GET", "/config", keys=frozenset({"compatibilityLevel"}))["compatibilityLevel"]

    def set_level(self, subject: str, level: str) -> None:
        self._call("PUT", f"/config/{quote(subject, safe='')}", body={"compatibility": level})

    def delete(self, subject: str) -> None:
        """Deletes all versions of a subject softly: ids that records carry stay readable.  Missing is fine."""
        self._or_missing("DELETE", f"/subjects/{quote(subject, safe='')}", shape=list)

    def parse(self, schema: RegisteredSchema, known: Known | None = None) -> Schema:
        """The schema with its references fetched and resolved.

        Args:
            known: what was read before; what is read now is added.

        Raises:
            InvalidSchema: it is none, by the rules for schemas that the registry took before; or no Avro schema.
        """
        known = known or Known()
        told = f"{schema.subject} version {schema.version}" if schema.subject else f"schema id {schema.schema_id}"
        if schema.kind != AVRO:
            raise InvalidSchema(
                f"it is a {schema.kind} schema, and contracts are Avro",
                where=f"{told} of {self._where()}",
                mend="delete the subject, if nobody reads it; or use another topic",
            )
        named: dict[str, NamedType] = {}
        for reference in schema.references:
            key = (reference.subject, reference.version)
            if key not in known.referred:
                found = self.version(*key)
                if found is None:
                    raise ServiceError(
                        f"version {reference.version} of {reference.subject} is not there, and {told} refers to it",
                        where=self._where(),
                        mend="restore it, or register it again",
                        server="registry",
                    )
                known.referred[key] = self.parse(found, known)
            named.update(known.referred[key].named)
        return avro.parse_stored(schema.text, where=told, named=named)

    def _where(self) -> str:
        return f"schema registry {self.url}"

    def _or_missing(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            return self._call(method, path, **arguments)
        except Refused as error:
            if error.code in MISSING:
                return None
            raise

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: dict[str, str] | None = None,
        shape: type = dict,
        keys: frozenset[str] = _KEYS,
    ) -> Any:
        """The answer, which is a list or an object, as `shape` says; an object with one of `keys`, if there are."""
        where = self._where()
        try:
            answer = self._session.request(
                method,
                self.url + path,
                params=params,
                data=None if body is None else json.dumps(body),
                headers=None if body is None else {"Content-Type": MEDIA_TYPE},
                timeout=self.timeout_s,
                verify=self._verify,
                allow_redirects=False,
            )
        except requests.Timeout:
            raise ServiceError(
                f"no answer within {self.timeout_s:g} s to {method} {path}",
                where=where,
                mend="see whether it is up (`make status`), or raise SCHEMA_REGISTRY_TIMEOUT_S",
                server="registry",
            ) from None
        except requests.RequestException as error:
            raise ServiceError(
                f"not reachable: {_cause(error)}",
                where=where,
                mend="start it (`make up`), or set SCHEMA_REGISTRY_URL",
                server="registry",
            ) from None
        try:
            document = answer.json()
        except requests.exceptions.JSONDecodeError:
            raise ServiceError(
                f"answered {answer.status_code} to {method} {path}, and not in JSON: {answer.text[:120]!r}",
                where=where,
                mend=_MENDS.get(answer.status_code, _NO_REGISTRY),
                server="registry",
            ) from None
        if answer.ok:
            if not isinstance(document, shape) or (keys and shape is dict and not document.keys() & keys):
                raise self._odd(f"{method} {path}", document)
            return document
        raise self._failure(f"{method} {path}", answer.status_code, document)

    def _failure(self, request: str, status: int, document: Any) -> ServiceError:
        """What the registry says, as the error that it is."""
        answered = document if isinstance(document, dict) else {}
        words = clean(str(answered.get("message") or document))
        code = answered.get("error_code")
        # Apicurio says 0 when it has no code of its own; what stands in front of a registry says anything.
        code = code if isinstance(code, int) and code else status
        if status == TOO_MANY_REQUESTS:
            told = f"takes no more requests for now ({code}) on {request}: {words}"
            return ServiceError(told, where=self._where(), mend=_MENDS[status], server="registry")
        if status >= 500:
            mend = "see the registry's log, and whether what it keeps its schemas in is up (`make status`, `make up`)"
            return ServiceError(
                f"failed with {code} on {request}: {words}", where=self._where(), mend=mend, server="registry"
            )
        mend = _MENDS.get(code) or _MENDS.get(status, "see what it says, and docs/drift.md")
        return Refused(
            f"refused {request} with {code}: {words}", where=self._where(), mend=mend, server="registry", code=code
        )

    def _made(self, make: Callable[[], _T], request: str, document: Any) -> _T:
        """What `make` reads from the document; an answer that it cannot be read from is none of a registry's."""
        try:
            return make()
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._odd(request, document) from None

    def _odd(self, request: str, document: Any) -> ServiceError:
        told = f"answered {request} as no registry does: {json.dumps(document)[:120]}"
        return ServiceError(told, where=self._where(), mend=_NO_REGISTRY, server="registry")


def _schema(document: dict[str, Any], schema_id: int = 0) -> RegisteredSchema:
    references = tuple(
        RegisteredReference(item["name"], item["subject"], int(item["version"]))
        for item in document.get("references") or ()
    )
    return RegisteredSchema(
        schema_id=int(document.get("id", schema_id)),
        text=_text(document["schema"]),
        references=references,
        subject=document.get("subject", ""),
        version=int(document.get("version", 0)),
        kind=document.get("schemaType") or AVRO,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _body(text: str, references: Sequence[RegisteredReference]) -> dict[str, Any]:
    body: dict[str, Any] = {"schema": text, "schemaType": AVRO}
    if references:
        body["references"] = [{"name": r.name, "subject": r.subject, "version": r.version} for r in references]
    return body


def _cause(error: BaseException) -> str:
    """The innermost reason, in one line: requests wraps the operating system's words three times."""
    while error.__context__ is not None:
        error = error.__context__
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(reason).splitlines()[0]
