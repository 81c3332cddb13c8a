"""The only code that talks to the schema registry (Confluent's REST API, v1 media type).

Plain REST rather than a client library, because the answers are the product here: the registry's own words for a
refusal, `messages` of a compatibility check, error codes that differ between versions (docs/adr/0003).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from contracts import avro
from contracts.contract import Subject
from contracts.errors import Refused, ServiceError
from contracts.nodes import NamedType, Schema
from contracts.settings import Settings
from contracts.writing import described_alike, normalised

AVRO = "AVRO"  # the registry's own word for the kind of a schema
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
SUBJECT_IS_REFERENCED = 42206
SUBJECT_NOT_FOUND, VERSION_NOT_FOUND, SCHEMA_NOT_FOUND, LEVEL_NOT_FOUND = 40401, 40402, 40403, 40408
MISSING = (SUBJECT_NOT_FOUND, VERSION_NOT_FOUND, SCHEMA_NOT_FOUND, LEVEL_NOT_FOUND)

_NO_REGISTRY = "see whether SCHEMA_REGISTRY_URL is the address of a schema registry"
_LOG_IN = "set SCHEMA_REGISTRY_USER and SCHEMA_REGISTRY_PASSWORD to an account that may do this"
_MENDS = {
    401: _LOG_IN,
    403: _LOG_IN,
    404: _NO_REGISTRY,
    409: "make the change compatible, or agree on the break: `contracts check` says what and how",
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


class Registry:
    """A schema registry over HTTP.

    Every method raises `ServiceError` when the registry cannot be reached or fails (time-out, 5xx, an answer that is
    not JSON) and `Refused` when it says no (4xx), its own words included.

    Args:
        url: base URL, e.g. `http://127.0.0.1:18081/apis/ccompat/v7` or `http://schema-registry:8081`.
        user, password: basic authentication; an empty user is none.
        timeout_s: per request, seconds.
    """

    def __init__(self, url: str, *, user: str = "", password: str = "", timeout_s: float = 10.0) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._session = requests.Session()
        # A proxy of the environment is for other machines.
        self._session.trust_env = urlsplit(self.url).hostname not in ("127.0.0.1", "localhost", "::1")
        self._session.headers["Accept"] = f"{MEDIA_TYPE}, application/json"
        if user:
            self._session.auth = (user, password)

    @classmethod
    def from_settings(cls, settings: Settings) -> Registry:
        return cls(
            settings.schema_registry_url,
            user=settings.schema_registry_user,
            password=settings.schema_registry_password,
            timeout_s=settings.schema_registry_timeout_s,
        )

    def subjects(self) -> list[str]:
        """Names of all subjects that are not deleted."""
        return self._call("GET", "/subjects", shape=list)

    def versions(self, subject: str) -> list[int]:
        """Versions of the subject, ascending; empty when it does not exist."""
        return sorted(self._or_missing("GET", f"/subjects/{quote(subject, safe='')}/versions", shape=list) or [])

    def version(self, subject: str, version: int | str = "latest") -> RegisteredSchema | None:
        """One version of a subject, None when there is none."""
        found = self._or_missing("GET", f"/subjects/{quote(subject, safe='')}/versions/{version}")
        return _schema(found) if found else None

    def by_id(self, schema_id: int) -> RegisteredSchema | None:
        """The schema of a global id, None when the registry has no such id."""
        found = self._or_missing("GET", f"/schemas/ids/{schema_id}")
        return _schema(found, schema_id=schema_id) if found else None

    def subjects_of(self, schema_id: int) -> list[str]:
        """Subjects that hold the schema of this id, deleted versions included; empty when there is no such id."""
        found = self._or_missing("GET", f"/schemas/ids/{schema_id}/versions", params={"deleted": "true"}, shape=list)
        return sorted({item["subject"] for item in found or []})

    def lookup(
        self, subject: str, text: str, references: Sequence[RegisteredReference] = ()
    ) -> RegisteredSchema | None:
        """The version of the subject that holds this schema, None when none does."""
        body = _body(text, references)
        found = self._or_missing("POST", f"/subjects/{quote(subject, safe='')}", body=body)
        return _schema(found) if found else None

    def find(self, subject: Subject) -> RegisteredSchema | None:
        """The version that holds the repository's schema; None when none does.

        A registry may take schemas that differ in docs and aliases only for the same one (Apicurio does); then that
        version is the answer, for it can hold no other.
        """
        references = self.references_of(subject)
        if references is None:
            return None
        wanted = normalised(subject.schema)
        found = self.lookup(subject.name, subject.registered_text, references)
        if found is None or normalised(self.parse(found)) == wanted:
            return found
        for version in reversed(self.versions(subject.name)):
            kept = self.version(subject.name, version)
            if kept is not None and normalised(self.parse(kept)) == wanted:
                return kept
        alike = described_alike(self.parse(found)) == described_alike(subject.schema)
        return found if alike else None

    def references_of(self, subject: Subject) -> list[RegisteredReference] | None:
        """The versions that hold the shared types of `subject`; None when one is not registered as it is."""
        found = [self.find(one) for one in subject.types]
        if None in found:
            return None
        return [RegisteredReference(one.subject, one.subject, one.version) for one in found if one is not None]

    def register(self, subject: str, text: str, references: Sequence[RegisteredReference] = ()) -> int:
        """Registers a version; the global id of the schema (that of the existing version when nothing is new)."""
        answer = self._call("POST", f"/subjects/{quote(subject, safe='')}/versions", body=_body(text, references))
        return int(answer["id"])

    def level(self, subject: str) -> str | None:
        """The subject's own compatibility level; None when the subject has none and the global one applies."""
        found = self._or_missing("GET", f"/config/{quote(subject, safe='')}")
        return found["compatibilityLevel"] if found else None

    def global_level(self) -> str:
        """The level of every subject that has none of its own."""
        return self._call("GET", "/config")["compatibilityLevel"]

    def set_level(self, subject: str, level: str) -> None:
        self._call("PUT", f"/config/{quote(subject, safe='')}", body={"compatibility": level})

    def delete(self, subject: str) -> None:
        """Deletes all versions of a subject softly: ids that records carry stay readable.  Missing is fine."""
        self._or_missing("DELETE", f"/subjects/{quote(subject, safe='')}", shape=list)

    def parse(self, schema: RegisteredSchema) -> Schema:
        """The schema with its references fetched and resolved.

        Raises:
            InvalidSchema: it is none, by the rules for schemas that the registry took before.
        """
        named: dict[str, NamedType] = {}
        for reference in schema.references:
            found = self.version(reference.subject, reference.version)
            if found is None:
                raise ServiceError(
                    f"version {reference.version} of {reference.subject} is not there, and schema id "
                    f"{schema.schema_id} refers to it",
                    where=self._where(),
                    mend="restore it, or register it again",
                )
            named.update(self.parse(found).named)
        return avro.parse_stored(schema.text, where=f"schema id {schema.schema_id}", named=named)

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
    ) -> Any:
        """The answer, which is a list or an object with one of `_KEYS`, as `shape` says."""
        where = self._where()
        try:
            answer = self._session.request(
                method,
                self.url + path,
                params=params,
                data=None if body is None else json.dumps(body),
                headers=None if body is None else {"Content-Type": MEDIA_TYPE},
                timeout=self.timeout_s,
                allow_redirects=False,
            )
        except requests.Timeout:
            raise ServiceError(
                f"no answer within {self.timeout_s:g} s to {method} {path}",
                where=where,
                mend="see whether it is up (`make status`), or raise SCHEMA_REGISTRY_TIMEOUT_S",
            ) from None
        except requests.RequestException as error:
            raise ServiceError(
                f"not reachable: {_cause(error)}",
                where=where,
                mend="start it (`make up`), or set SCHEMA_REGISTRY_URL",
            ) from None
        mend = _MENDS.get(answer.status_code, "correct the request")
        try:
            document = answer.json()
        except requests.exceptions.JSONDecodeError:
            raise ServiceError(
                f"answered {answer.status_code} to {method} {path}, and not in JSON: {answer.text[:120]!r}",
                where=where,
                mend=_MENDS.get(answer.status_code, _NO_REGISTRY),
            ) from None
        if answer.ok:
            if not isinstance(document, shape) or (shape is dict and not document.keys() & _KEYS):
                raise ServiceError(
                    f"answered {answer.status_code} to {method} {path} as no registry does: {answer.text[:120]!r}",
                    where=where,
                    mend=_NO_REGISTRY,
                )
            return document
        words = document.get("message", document) if isinstance(document, dict) else document
        code = document.get("error_code", answer.status_code) if isinstance(document, dict) else answer.status_code
        if answer.status_code >= 500:
            # Apicurio says 0 when it has no code of its own; what it says then is mostly that its database is down.
            told = f"failed with {code or answer.status_code} on {method} {path}: {words}"
            mend = "see the registry's log, and whether its database, PostgreSQL, is up (`make status`, `make up`)"
            raise ServiceError(told, where=where, mend=mend)
        if code == SUBJECT_IS_REFERENCED:
            mend = "delete what refers to it first"
        raise Refused(f"refused {method} {path} with {code}: {words}", where=where, mend=mend, code=int(code))


def _schema(document: dict[str, Any], schema_id: int = 0) -> RegisteredSchema:
    references = tuple(
        RegisteredReference(item["name"], item["subject"], int(item["version"]))
        for item in document.get("references") or ()
    )
    return RegisteredSchema(
        schema_id=int(document.get("id", schema_id)),
        text=document["schema"],
        references=references,
        subject=document.get("subject", ""),
        version=int(document.get("version", 0)),
        kind=document.get("schemaType") or AVRO,
    )


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
