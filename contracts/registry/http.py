"""HTTP requests to the schema registry, with retries, and with errors for every bad answer."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.contracts.registry.address import Address
from avro_data_contracts.contracts.terminal import clean

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
SCHEMA_TOO_LARGE, NOT_PERMITTED, SUBJECT_IS_REFERENCED = 42209, 42205, 42206
SUBJECT_NOT_FOUND, VERSION_NOT_FOUND, SCHEMA_NOT_FOUND, LEVEL_NOT_FOUND = 40401, 40402, 40403, 40408
SUBJECT_DELETED = 40404  # softly, so it is already deleted
MODE_NOT_FOUND = 40409
MISSING = frozenset(
    {SUBJECT_NOT_FOUND, VERSION_NOT_FOUND, SCHEMA_NOT_FOUND, LEVEL_NOT_FOUND, SUBJECT_DELETED, MODE_NOT_FOUND}
)
NOT_FOUND = 404
INCOMPATIBLE = (409, 40901)
TOO_MANY_REQUESTS = 429
NOT_FORWARDED, UNKNOWN_LEADER = 50003, 50004
#: These pass by themselves: the request is retried for SCHEMA_REGISTRY_RETRY_FOR_S.
PASSING = (TOO_MANY_REQUESTS, NOT_FORWARDED, UNKNOWN_LEADER)

_T = TypeVar("_T")
_NO_REGISTRY = "check that SCHEMA_REGISTRY_URL is the address of a schema registry"
_LOG_IN = "set SCHEMA_REGISTRY_USER and SCHEMA_REGISTRY_PASSWORD to an account that may do this"
_BREAK = "make the change compatible, or approve the break: `contracts check` says what and how"
#: By the registry's own code, or else by the HTTP status.
_FIXES = {
    401: _LOG_IN,
    403: _LOG_IN,
    NOT_FOUND: _NO_REGISTRY,
    **dict.fromkeys(INCOMPATIBLE, _BREAK),
    422: "correct the schema, or a shared type that it refers to",
    TOO_MANY_REQUESTS: "wait a minute, then run it again; or set a lower SCHEMA_REGISTRY_PARALLEL",
    NOT_PERMITTED: "the registry or the subject is READONLY or in IMPORT mode: have its owner set it to READWRITE "
    "(`PUT /mode`), or set SCHEMA_REGISTRY_URL to a registry that you may write to",
    SUBJECT_IS_REFERENCED: "first delete the subjects that refer to it",
    SCHEMA_TOO_LARGE: "the schema is larger than this registry allows: shorten its docs, move types into shared "
    "types, or have the registry's owner raise the limit",
}
#: Every object that the registry returns has one of these.
KEYS = frozenset({"id", "schema", "compatibilityLevel", "compatibility"})
#: Confluent's registry adds this to a 409: the whole existing schema.
_OLD_SCHEMA = re.compile(r",? ?\{oldSchema: '.*?'\}(?=,? ?[{\]]|$)", re.DOTALL)
_MOST_WORDS = 1000


class NotJson(ServiceError):
    """An answer that is not JSON.

    Args:
        status: the HTTP status.
    """

    def __init__(self, what: str, *, where: str, fix: str, status: int) -> None:
        super().__init__(what, where=where, fix=fix, server="registry")
        self.status = status


class Busy(ServiceError):
    """The registry accepts no requests now: there are too many, or its nodes have no leader."""

    def __init__(self, what: str, *, where: str, fix: str, after_s: float) -> None:
        super().__init__(what, where=where, fix=fix, server="registry")
        self.after_s = after_s


class NoAnswer(ServiceError):
    """The registry took the request, and did not answer in time."""


class RegistryHttp:
    """Requests to one base URL, from any number of threads.

    Args:
        url: base URL.  An account in it is used but never shown; the attribute `url` has none.
        user, password: basic authentication; an empty user means none, or the one in the URL.
        timeout_s: per request, seconds.
        ca_file: PEM file of the authority to trust for https; empty for the authorities of the system.
        retry_for_s: how long to retry errors that pass by themselves (`PASSING`), seconds.

    Raises:
        ConfigurationError: `url` is not a URL.
    """

    def __init__(
        self, url: str, *, user: str, password: str, timeout_s: float, ca_file: str, retry_for_s: float
    ) -> None:
        self._address = Address.of(url, "SCHEMA_REGISTRY_URL")
        self.url = self._address.url
        self.where = f"schema registry {self.url}"
        self._timeout_s = timeout_s
        # Passed with each request, because REQUESTS_CA_BUNDLE overrides that of a session.
        self._verify = ca_file or True
        account = (user, password) if user else (self._address.user, self._address.password)
        # As bytes, because requests encodes letters beyond Latin-1 in its own way.
        self._auth = (account[0].encode(), account[1].encode()) if account[0] else None
        self._retry_for_s = retry_for_s
        self._local = threading.local()

    @property
    def _session(self) -> requests.Session:
        """The session of this thread, because requests does not promise that threads may share one."""
        if not hasattr(self._local, "session"):
            session = requests.Session()
            # A proxy of the environment is for other machines.
            session.trust_env = not self._address.is_loopback
            session.headers["Accept"] = f"{MEDIA_TYPE}, application/json"
            session.auth = self._auth  # type: ignore[assignment]  # bytes work, too
            self._local.session = session
        found: requests.Session = self._local.session
        return found

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: dict[str, str] | None = None,
        shape: type[dict[str, Any]] | type[list[Any]] = dict,
        keys: frozenset[str] = KEYS,
        base: str = "",
    ) -> Any:
        """Return the answer: a list or an object, as `shape` says; an object has one of `keys`, if there are any.

        Retries while the registry is busy, because every request here may be repeated.

        Args:
            base: another base URL of the same registry.

        Raises:
            ServiceError: the registry cannot be reached, or fails (time-out, 5xx, `NotJson`).
            Refused: the registry refuses (4xx); with its own words.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(Busy),
            stop=stop_before_delay(self._retry_for_s),
            wait=_wait,
            reraise=True,
        )
        return retrying(self._once, method, path, body, params, shape, keys, base or self.url)

    def or_missing(self, method: str, path: str, *, missing: Collection[int] = MISSING, **arguments: Any) -> Any:
        """Like `call`, but None if the registry answers with a code of `missing`."""
        try:
            return self.call(method, path, **arguments)
        except Refused as error:
            if error.code in missing:
                return None
            raise

    def made(self, make: Callable[[], _T], request: str, document: Any) -> _T:
        """Return what `make` reads from the document; if it cannot, the answer is not from a registry."""
        try:
            return make()
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
            raise self._odd(request, document) from None

    def _once(
        self,
        method: str,
        path: str,
        body: Any,
        params: dict[str, str] | None,
        shape: type,
        keys: frozenset[str],
        base: str,
    ) -> Any:
        try:
            answer = self._session.request(
                method,
                base + path,
                params=params,
                data=None if body is None else json.dumps(body),
                headers=None if body is None else {"Content-Type": MEDIA_TYPE},
                timeout=self._timeout_s,
                verify=self._verify,
                allow_redirects=False,
            )
        except requests.Timeout:
            raise NoAnswer(
                f"no answer within {self._timeout_s:g} s to {method} {path}",
                where=self.where,
                server="registry",
                fix="check that it is up (`make status`), or raise SCHEMA_REGISTRY_TIMEOUT_S",
            ) from None
        except requests.RequestException as error:
            raise ServiceError(
                f"not reachable: {_cause(error)}",
                where=self.where,
                server="registry",
                fix="start it (`make up`), or set SCHEMA_REGISTRY_URL; in a new terminal, "
                '`eval "$(python -m avro_data_contracts.stack env)"` sets it for a stack that is up',
            ) from None
        try:
            document: Any = answer.json()
        except (ValueError, RecursionError):  # not JSON, or a number of 5,000 digits, or too deeply nested lists
            told = f"answered {answer.status_code} to {method} {path}, and not in JSON: {answer.text[:120]!r}"
            fix = _FIXES.get(answer.status_code, _NO_REGISTRY)
            if answer.status_code == TOO_MANY_REQUESTS:
                raise Busy(told, where=self.where, fix=fix, after_s=_retry_after(answer)) from None
            raise NotJson(told, where=self.where, fix=fix, status=answer.status_code) from None
        if answer.ok:
            is_other = isinstance(document, dict) and keys and not document.keys() & keys
            if not isinstance(document, shape) or is_other:
                raise self._odd(f"{method} {path}", document)
            return document
        raise self._failure(f"{method} {path}", answer, document)

    def _failure(self, request: str, answer: requests.Response, document: Any) -> ServiceError:
        """Turn a failed answer into an error."""
        status = answer.status_code
        answered = document if isinstance(document, dict) else {}
        code = answered.get("error_code")
        # Apicurio sends 0 when it has no code of its own; a proxy in front of a registry may send anything.
        code = code if isinstance(code, int) and code else status
        words = _what_matters(clean(str(answered.get("message") or document)))
        if status == TOO_MANY_REQUESTS:
            told = f"takes no more requests for now ({code}) on {request}: {words}"
            return Busy(told, where=self.where, fix=_FIXES[status], after_s=_retry_after(answer))
        if status >= 500:
            told = f"failed with {code} on {request}: {words}"
            if code in PASSING:
                fix = "its nodes have no leader, and electing one takes about 10 s: run it again, or see its log"
                return Busy(told, where=self.where, fix=fix, after_s=_retry_after(answer))
            fix = "see the registry's log, and check that its storage is up (`make status`, `make up`)"
            return ServiceError(told, where=self.where, server="registry", fix=fix)
        fix = _FIXES.get(code) or _FIXES.get(status, "see the registry's message, and docs/reference/drift.md")
        return Refused(
            f"refused {request} with {code}: {words}", where=self.where, server="registry", fix=fix, code=code
        )

    def _odd(self, request: str, document: Any) -> ServiceError:
        told = f"answered {request} unlike a schema registry: {json.dumps(document)[:120]}"
        return ServiceError(told, where=self.where, server="registry", fix=_NO_REGISTRY)


def concerns_all(error: Refused) -> bool:
    """Whether the refusal would hit every request: a wrong account, or a server that is not a registry."""
    return error.code in (401, NOT_FOUND) or 40100 <= error.code < 40200 or is_forbidden(error)


def is_forbidden(error: Refused) -> bool:
    """Whether the account is known, but may not do this (403)."""
    return error.code == 403 or 40300 <= error.code < 40400


def _what_matters(words: str) -> str:
    """The registry's words, shortened, and without the schemas that it repeats."""
    words = _OLD_SCHEMA.sub("", words)
    return words if len(words) <= _MOST_WORDS else f"{words[:_MOST_WORDS]} … ({len(words)} characters)"


_EXPONENTIAL = wait_random_exponential(multiplier=0.25, max=5)


def _wait(state: RetryCallState) -> float:
    """Seconds until the next attempt: as the registry asks, or else longer each time."""
    error = state.outcome.exception() if state.outcome else None
    return max(error.after_s if isinstance(error, Busy) else 0.0, _EXPONENTIAL(state))


def _retry_after(answer: requests.Response) -> float:
    """The seconds of a `Retry-After`, 0 for none; ignores the form with a date."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _cause(error: BaseException) -> str:
    """The innermost reason in one line, because requests wraps the operating system's words three times."""
    while error.__context__ is not None:
        error = error.__context__
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(reason).splitlines()[0]
