"""The schema registry: its subjects, versions, ids and settings (Confluent's REST API, v1 media type).

Plain REST rather than a client library, because the answers matter here: the registry's own words for a refusal, the
`messages` of a compatibility check, error codes that differ between versions (docs/adr/0003).
`contracts.registry.http` makes the requests; `contracts.registry.snapshot` parses the schemas and compares them with
the repository's.

Here subjects have the names that contracts give them, whichever context the URL means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from urllib.parse import quote

from avro_data_contracts.contracts.errors import Refused
from avro_data_contracts.contracts.registry.contexts import Context
from avro_data_contracts.contracts.registry.http import (
    NOT_FOUND,
    SCHEMA_NOT_FOUND,
    NoAnswer,
    NotJson,
    RegistryHttp,
    concerns_all,
    is_forbidden,
)
from avro_data_contracts.contracts.registry.parallel import each
from avro_data_contracts.contracts.registry.registered import AVRO, Config, RegisteredReference, RegisteredSchema
from avro_data_contracts.contracts.settings import Settings

#: The most subjects that Apicurio lists, unless it is configured otherwise.
MOST_LISTED = 1000


class NoGuidEndpoint(Refused):
    """The registry answers, but cannot look up GUIDs: it is older than Confluent's 8.0, or another product."""


class Registry:
    """A schema registry over HTTP.  Safe for several threads.

    Every method raises `ServiceError` when the registry cannot be reached or fails (time-out, 5xx, an answer that is
    not JSON) and `Refused`, with the registry's own words, when it refuses (4xx).

    Args:
        url: base URL, e.g. `http://127.0.0.1:18081/apis/ccompat/v7` or `http://schema-registry:8081`; with
            `/contexts/.staging` at its end it means that context.  An account in it is used but never shown; the
            attribute `url` has none.
        user, password: basic authentication; an empty user means none, or the one in the URL.
        timeout_s: per request, seconds.
        ca_file: PEM file of the authority to trust for https; empty for the authorities of the system.
        retry_for_s: how long to retry while the registry is busy, seconds.
        parallel: the most requests at the same time.
        keep_tags: register schemas so that tags which were added at the registry stay.

    Raises:
        ConfigurationError: `url` is not a URL.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str = "",
        password: str = "",
        timeout_s: float = 10.0,
        ca_file: str = "",
        retry_for_s: float = 30.0,
        parallel: int = 16,
        keep_tags: bool = False,
    ) -> None:
        self._http = RegistryHttp(
            url, user=user, password=password, timeout_s=timeout_s, ca_file=ca_file, retry_for_s=retry_for_s
        )
        self.url = self._http.url
        self.parallel = parallel
        self.keeps_tags = keep_tags
        #: The name of the registry in messages.
        self.shown = self._http.where
        self._context = Context.of(self.url)
        # By subject and version, which never change.
        self._versions: dict[str, dict[int, RegisteredSchema]] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Registry:
        """Return a client of the registry that the settings name."""
        return cls(
            settings.schema_registry_url,
            user=settings.schema_registry_user,
            password=settings.schema_registry_password,
            timeout_s=settings.schema_registry_timeout_s,
            ca_file=settings.schema_registry_ca_file,
            retry_for_s=settings.schema_registry_retry_for_s,
            parallel=settings.schema_registry_parallel,
            keep_tags=settings.schema_registry_keep_tags,
        )

    def subjects(self) -> list[str]:
        """Return the names of all subjects that are not deleted; qualified if they belong to another context."""
        found = self._http.call("GET", "/subjects", shape=list)
        return self._http.made(lambda: [self._context.own(name) for name in found], "GET /subjects", found)

    def versions(self, subject: str, *, deleted: bool = False) -> list[int]:
        """Return the versions of the subject, ascending; `deleted` includes softly deleted ones; empty for none."""
        path = f"{_of(subject)}/versions"
        found = self._http.or_missing("GET", path, params=_deleted(deleted), shape=list)
        return self._http.made(lambda: sorted(int(number) for number in found or []), f"GET {path}", found)

    def version(
        self, subject: str, version: int | str = "latest", *, deleted: bool = False
    ) -> RegisteredSchema | None:
        """Return one version of a subject, None for none; `deleted` also finds softly deleted ones."""
        path = f"{_of(subject)}/versions/{version}"
        return self._schema(f"GET {path}", self._http.or_missing("GET", path, params=_deleted(deleted)))

    def all_of(self, subject: str) -> list[RegisteredSchema]:
        """Return every version of the subject, including deleted ones.

        Makes one request, and one more for each version that was not read before.
        """
        seen = self._versions.setdefault(subject, {})
        numbers = self.versions(subject, deleted=True)
        new = [number for number in numbers if number not in seen]
        found = each(lambda number: self.version(subject, number, deleted=True), new, self.parallel)
        seen.update({number: one for number, one in zip(new, found, strict=True) if one is not None})
        return [seen[number] for number in numbers if number in seen]

    def by_id(self, schema_id: int) -> RegisteredSchema | None:
        """Return the schema of an id, None when the registry has no such id.

        Only the registry's own code for that (40403) counts: any other 404 means a wrong URL, and raises `Refused`.
        """
        path = f"/schemas/ids/{schema_id}"
        return self._schema(f"GET {path}", self._http.or_missing("GET", path, missing=(SCHEMA_NOT_FOUND,)), schema_id)

    def by_guid(self, guid: str) -> RegisteredSchema | None:
        """Return the schema of a GUID (`01234567-89ab-…`), None when the registry has no such GUID.

        Raises:
            NoGuidEndpoint: the registry answers, but cannot look up GUIDs at all.
        """
        path = f"/schemas/guids/{quote(guid, safe='')}"
        return self._schema(f"GET {path}", self._of_guid(path, dict))

    def ids_of_guid(self, guid: str) -> list[int]:
        """Return the ids of a GUID in the context of the URL, ascending; empty for none.  Raises as `by_guid`."""
        path = f"/schemas/guids/{quote(guid, safe='')}/ids"
        found = self._of_guid(path, list) or []

        def ids() -> list[int]:
            return sorted(int(one["id"]) for one in found if one.get("context", ".") == self._context.name)

        return self._http.made(ids, f"GET {path}", found)

    def _asked_twice(self, path: str, shape: type) -> Any:
        """Apicurio 3.3 has no such path, and loses about one in fifty of its answers about those: it logs a 404 that
        no client ever gets."""
        try:
            return self._http.or_missing("GET", path, missing=(SCHEMA_NOT_FOUND,), shape=shape)
        except NoAnswer:
            return self._http.or_missing("GET", path, missing=(SCHEMA_NOT_FOUND,), shape=shape)

    def _of_guid(self, path: str, shape: type) -> Any:
        try:
            return self._asked_twice(path, shape)
        except (Refused, NotJson) as error:
            if (error.code if isinstance(error, Refused) else error.status) != NOT_FOUND:
                raise
            # With a wrong URL everything is 404, even this: then the wrong URL is the error.
            self._http.call("GET", "/schemas/types", shape=list)
            raise NoGuidEndpoint(
                "the registry has no schemas by GUID",
                where=self._http.where,
                server="registry",
                fix="use a registry that has (Confluent's from 8.0 on), or send schema ids as a prefix of the value",
                code=NOT_FOUND,
            ) from None

    def subjects_of(self, schema_id: int) -> list[str]:
        """Return the subjects with the schema of this id, even in deleted versions; empty when there is no such id.

        A subject that is an alias is not among them, but its target is: see `is_one_of`.
        """
        path = f"/schemas/ids/{schema_id}/versions"
        found = self._http.or_missing("GET", path, params=_deleted(True), shape=list)
        return self._http.made(
            lambda: sorted({self._context.own(item["subject"]) for item in found or []}), f"GET {path}", found
        )

    def is_one_of(self, subject: str, subjects: Collection[str]) -> bool:
        """Whether the subject, or the target of its alias, is among `subjects` (from `subjects_of`)."""
        if subject in subjects or not subjects:
            return subject in subjects
        alias = self.config(subject).alias
        return alias != "" and alias in subjects

    def holds(self, subject: str, schema_id: int) -> bool:
        """Whether a version of the subject, or of the target of its alias, has this id."""
        return self.is_one_of(subject, self.subjects_of(schema_id))

    def lookup(
        self, subject: str, text: str, references: Sequence[RegisteredReference] = ()
    ) -> RegisteredSchema | None:
        """Return the version of the subject with this schema, None when none has it."""
        body = _body(text, references)
        return self._schema(f"POST {_of(subject)}", self._http.or_missing("POST", _of(subject), body=body))

    def refusals(
        self, subject: str, text: str, references: Sequence[RegisteredReference] = ()
    ) -> tuple[str, ...] | None:
        """Return why the registry would refuse this schema as the next version, in its own words; empty if it would
        not.  Some registries refuse with empty words.  None if the account may not ask."""
        path = f"/compatibility{_of(subject)}/versions"
        body, params = _body(text, references), {"verbose": "true"}
        try:
            answer = self._http.or_missing("POST", path, body=body, params=params, keys=frozenset({"is_compatible"}))
        except Refused as error:
            if is_forbidden(error):
                return None
            if concerns_all(error):
                raise
            return (error.what,)  # for example because the schema is not valid
        if answer is None:  # a subject without versions
            return ()

        def told() -> tuple[str, ...]:
            if bool(answer["is_compatible"]):
                return ()
            words = [str(one) for one in answer.get("messages") or () if not str(one).startswith("{oldSchema:")]
            return tuple(words) or ("",)

        return self._http.made(told, f"POST {path}", answer)

    def register(self, subject: str, text: str, references: Sequence[RegisteredReference] = ()) -> int:
        """Register a version, and return the id of the schema (of the existing version if nothing is new)."""
        path = f"{_of(subject)}/versions"
        body = _body(text, references)
        if self.keeps_tags:
            body["propagateSchemaTags"] = True
        answer = self._http.call("POST", path, body=body)
        return self._http.made(lambda: int(answer["id"]), f"POST {path}", answer)

    def config(self, subject: str) -> Config:
        """Return the settings of the subject itself."""
        return self._config(self._http.or_missing("GET", f"/config{_named(subject)}", keys=frozenset()))

    def global_config(self) -> Config:
        """Return the settings for every subject that has none of its own: the context's, or else the registry's."""
        found = self._config(self._http.or_missing("GET", "/config", keys=frozenset()))
        if found.level is not None:
            return found
        above = self._http.call("GET", "/config", keys=frozenset({"compatibilityLevel"}), base=self._context.root)
        return Config(self._config(above).level, found.alias, found.group, found.normalizes)

    def _config(self, document: Any) -> Config:
        found = document or {}

        def config() -> Config:
            return Config(
                found.get("compatibilityLevel"),
                self._context.own(found.get("alias") or ""),
                found.get("compatibilityGroup") or "",
                bool(found.get("normalize")),
            )

        return self._http.made(config, "GET /config", document)

    def level(self, subject: str) -> str | None:
        """Return the subject's own compatibility level; None when it has none and the global one applies.

        Confluent's registry keeps other settings of a subject (`normalize`, an alias …) in the same place, with or
        without a level.
        """
        return self.config(subject).level

    def set_level(self, subject: str, level: str) -> None:
        self._http.call("PUT", f"/config{_named(subject)}", body={"compatibility": level})

    def mode(self, subject: str = "") -> str:
        """Return the mode (READWRITE, READONLY, IMPORT …) of the subject, or the global one if the subject is empty.

        Empty if it is unknown: some registries return only the subject's own mode, which may be missing, and some
        accounts may write schemas but not read modes.
        """
        path = f"/mode{_named(subject) if subject else ''}"
        keys, params = frozenset({"mode"}), {"defaultToGlobal": "true"} if subject else None
        try:
            found = self._http.or_missing("GET", path, keys=keys, params=params)
            if found is None and not subject:
                found = self._http.call("GET", path, keys=keys, base=self._context.root)
        except Refused as error:
            if not is_forbidden(error):
                raise
            found = None
        return self._http.made(lambda: str(found["mode"]) if found else "", f"GET {path}", found)

    def delete(self, subject: str) -> None:
        """Delete all versions of a subject softly, so that ids in records stay readable.  Missing is fine."""
        self._http.or_missing("DELETE", _of(subject), shape=list)

    def _schema(self, request: str, document: Any, schema_id: int = 0) -> RegisteredSchema | None:
        """The schema in a document, None for none."""
        if document is None:
            return None

        def schema() -> RegisteredSchema:
            references = tuple(
                RegisteredReference(item["name"], self._context.own(item["subject"]), int(item["version"]))
                for item in document.get("references") or ()
            )
            return RegisteredSchema(
                schema_id=int(document.get("id", schema_id)),
                text=_text(document["schema"]),
                references=references,
                subject=self._context.own(document.get("subject", "")) if not schema_id else "",
                version=int(document.get("version", 0)) if not schema_id else 0,
                kind=document.get("schemaType") or AVRO,
                guid=document.get("guid") or "",
                metadata=dict(document.get("metadata") or {}),
            )

        return self._http.made(schema, request, document)


def _of(subject: str) -> str:
    return f"/subjects{_named(subject)}"


def _named(subject: str) -> str:
    return f"/{quote(subject, safe='')}"


def _deleted(included: bool) -> dict[str, str] | None:
    return {"deleted": "true"} if included else None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _body(text: str, references: Iterable[RegisteredReference]) -> dict[str, Any]:
    body: dict[str, Any] = {"schema": text, "schemaType": AVRO}
    if listed := [{"name": r.name, "subject": r.subject, "version": r.version} for r in references]:
        body["references"] = listed
    return body
