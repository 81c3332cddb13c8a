"""Client of an HTTP API: one page at a time, with timeouts, retries and limits, and without showing a secret."""

from __future__ import annotations

import base64
import json
import time
from typing import Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests
import structlog

from avro_data_contracts.contracts.errors import ConfigurationError, Refused, ServiceError
from avro_data_contracts.contracts.registry.address import is_loopback
from avro_data_contracts.contracts.sources import secrets
from avro_data_contracts.contracts.sources.documents import ABSENT
from avro_data_contracts.contracts.sources.expressions import NotApplicable, compiled
from avro_data_contracts.contracts.sources.http.spec import HttpSpec
from avro_data_contracts.producers.plain.json_text import decode
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.attempts import (
    FIRST_WAIT_S,
    TEMPORARY,
    Attempts,
    Temporary,
    asked_to_wait,
    cause,
    session,
)
from avro_data_contracts.producers.sources.environment import Environment
from avro_data_contracts.producers.sources.http import words
from avro_data_contracts.producers.sources.http.pages import Ask, Page, same_origin

log = structlog.get_logger()

#: The largest answer, bytes, and the longest time for one, seconds.
MOST_BYTES: Final = 256 * 1024 * 1024
LONGEST_ANSWER_S: Final = 600.0
_MOST_REDIRECTS: Final = 5
_CHUNK_BYTES: Final = 64 * 1024


class Client:
    """An HTTP API, as a contract describes it.

    Args:
        spec: the source of the contract.
        environment: the values of the variables that it names.
        url: the address instead of that of the contract; empty: none.
        timeout_s: limit for the connection, and for each wait for bytes.
        retries: attempts after the first one.
        first_wait_s: the longest wait before the second attempt; it doubles for each further one.

    Attributes:
        address: where it is, without query and secrets, for messages.
    """

    def __init__(
        self,
        spec: HttpSpec,
        environment: Environment,
        *,
        url: str = "",
        timeout_s: float = 10.0,
        retries: int = 5,
        first_wait_s: float = FIRST_WAIT_S,
        most_bytes: int = MOST_BYTES,
        longest_s: float = LONGEST_ANSWER_S,
    ) -> None:
        self._spec = spec
        self._environment = environment
        self._setting = "DATASOURCE_URL" if url else "source.url"
        self._url = url or environment.fill(spec.url)
        self.address = _shown(url or spec.url)
        self.where = f"source API {self.address}"
        self._records = compiled(spec.records)
        self._timeout_s, self._retries, self._first_wait_s = timeout_s, retries, first_wait_s
        self._most_bytes, self._longest_s = most_bytes, longest_s
        self._params = {name: environment.fill(value) for name, value in spec.params.items()}
        self._session = session(local=_is_local(self._url))
        # Else requests would send what .netrc has for the host in place of our own header.
        self._session.auth = lambda request: request
        for name, value in self._headers():
            self._session.headers[name] = environment.header(name, value)

    def _headers(self) -> list[tuple[str, str]]:
        own = list(self._spec.headers.items())
        auth = self._spec.auth
        if auth is None:
            return own
        if auth.bearer is not None:
            return [*own, ("Authorization", f"Bearer {auth.bearer}")]
        assert auth.basic is not None
        pair = self._environment.fill(f"{auth.basic.username}:{auth.basic.password}")
        return [*own, ("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")]

    def page(self, ask: Ask, since: dict[str, str]) -> Page:
        """Fetch one page.

        Args:
            since: the parameter for what is new, unless the API's own link says it.

        Raises:
            ServiceError: no usable answer within the retries.
            ConfigurationError: the API denies access.
            Refused: the API refuses, and a retry would not help.
        """

        def told(attempt: int, wait_s: float, error: Temporary) -> None:
            log.warning("asking the source again", attempt=attempt, wait_s=wait_s, because=error.what, page=ask.page)

        return Attempts(self._retries, self._first_wait_s, told)(lambda: self._ask(ask, since), f"page {ask.page}")

    def _ask(self, ask: Ask, since: dict[str, str]) -> Page:
        params = self._of_link(ask.url) if ask.url else {**self._params, **since, **ask.params}
        url = ask.url or self._url
        began = time.monotonic()
        for _ in range(_MOST_REDIRECTS):
            try:
                with self._session.get(
                    url, params=params, timeout=self._timeout_s, allow_redirects=False, stream=True
                ) as response:
                    if not response.is_redirect:
                        return self._understood(ask, response, self._content(ask, response, began))
                    url, params = self._redirected(ask, response), {}
            except requests.exceptions.SSLError as error:
                raise self._failure(
                    f"its certificate is not trusted: {self._cause(error)} (page {ask.page})",
                    "behind a TLS-inspecting proxy, set SSL_CERT_FILE to the file of its CA certificates",
                ) from None
            except requests.Timeout:
                raise self._temporary(f"did not answer within {self._timeout_s:g} s") from None
            except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
                raise self._temporary(f"the answer broke off: {self._cause(error)}") from None
            except requests.exceptions.ConnectionError as error:
                raise self._temporary(f"cannot be reached: {self._cause(error)}") from None
            except (requests.RequestException, ValueError) as error:
                raise self._failure(
                    f"the request for page {ask.page} failed ({type(error).__name__})", f"correct {self._setting}"
                ) from None
        raise self._failure(f"page {ask.page} redirects without end", f"correct {self._setting}")

    def _of_link(self, url: str) -> dict[str, str]:
        """The parameters that a link of the API lacks: it may leave out a key that it was sent."""
        there = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
        secret = {name for name, value in self._spec.params.items() if secrets.variables(value)}
        return {name: value for name, value in self._params.items() if name in secret - there}

    def _redirected(self, ask: Ask, response: requests.Response) -> str:
        url = urljoin(response.url, response.headers["Location"])
        if not same_origin(url, response.url):
            raise Refused(
                f"answered {response.status_code} for page {ask.page}: it is on another server now "
                f"({self._environment.hide(_shown(url))}), which must not get this one's credentials",
                where=self.where,
                fix=f"write its new address into {self._setting}",
                server="source",
                code=response.status_code,
            )
        return url

    def _content(self, ask: Ask, response: requests.Response, began: float) -> bytes:
        """The body, if it comes to an end."""
        parts, size = [], 0
        for part in response.iter_content(_CHUNK_BYTES):
            parts.append(part)
            size += len(part)
            if size > self._most_bytes or time.monotonic() - began > self._longest_s:
                limit = f"{self._most_bytes} bytes" if size > self._most_bytes else f"{self._longest_s:g} s"
                raise self._failure(
                    f"the answer for page {ask.page} is longer than {limit}",
                    "ask for smaller pages (`pagination.size_param` and `size`)",
                )
        return b"".join(parts)

    def _understood(self, ask: Ask, response: requests.Response, content: bytes) -> Page:
        status = response.status_code
        document, refusal = _decoded(content)
        said = self._said(document)
        if status in TEMPORARY:
            raise self._temporary(f"answered {status}{said}", asked_to_wait(response, said, self.where))
        if status in (401, 403):
            names = sorted({name for text in self._texts() for name in secrets.variables(text)})
            known = f"set {' and '.join(names)} to what is valid" if names else "name a token (`auth` or `headers`)"
            what = f"answered {status}{said}: it denies access (page {ask.page})"
            raise ConfigurationError(what, where=self.where, fix=known)
        if not response.ok:
            kind = response.headers.get("Content-Type", "")
            said = said or words.of_answer(document, content, kind, self._hide)
            sent = words.of_request(response.url, self._spec.params, self._hide)
            raise Refused(
                f"answered {status}{said} (page {ask.page}{sent})",
                where=self.where,
                fix=f"correct {self._setting} or the parameters of the contract's source",
                server="source",
                code=status,
            )
        if refusal is not None and refusal.reason != "NOT_JSON":
            raise self._failure(f"page {ask.page} {refusal.what}", "have the API corrected")
        if refusal is not None:
            kind = response.headers.get("Content-Type", "no content type")
            raise self._temporary(f"the answer is not JSON ({kind}, {len(content)} bytes)")
        link = response.links.get("next", {}).get("url", "")
        return Page(ask, response.url, document, self._listed(ask, document), link)

    def _listed(self, ask: Ask, document: Any) -> list[Any]:
        try:
            found = self._records(document)
        except NotApplicable as error:
            raise self._failure(
                f"page {ask.page}: records: {error}", "correct source.records of the contract"
            ) from None
        if found is None and self._records.is_path:
            return []  # as some servers write an empty list
        if not isinstance(found, list):
            if said := self._said(document):
                raise self._temporary(f"answered with an error{said}")
            kind = "nothing" if found is ABSENT or found is None else _KINDS.get(type(found), "a number")
            raise self._failure(
                f"page {ask.page} has no list of records at `{self._spec.records}`: there is {kind}",
                "correct source.records of the contract, a JMESPath expression that gives the list",
            )
        return found

    def _texts(self) -> list[str]:
        auth = self._spec.auth
        own = [auth.bearer or "", *([auth.basic.username, auth.basic.password] if auth.basic else [])] if auth else []
        return [self._spec.url, *self._spec.params.values(), *self._spec.headers.values(), *own]

    def _said(self, document: Any) -> str:
        """The API's own words about an error, without secrets."""
        return words.of_error(document, self._hide)

    def _hide(self, text: str) -> str:
        """Return a text without secrets, also without the account as the header has it."""
        text = self._environment.hide(text)  # first, because it names the variable
        for name, _ in self._headers():
            if name.lower() == "authorization":
                sent = str(self._session.headers[name])
                text = text.replace(sent.partition(" ")[2] or sent, "…")
        return text

    def _cause(self, error: BaseException) -> str:
        return self._environment.hide(cause(error))

    def _temporary(self, what: str, wait_s: float | None = None) -> Temporary:
        fix = f"check that it is up, that the network reaches it, and that {self._setting} is its address"
        return Temporary(what, where=self.where, fix=fix, wait_s=wait_s)

    def _failure(self, what: str, fix: str) -> ServiceError:
        return ServiceError(what, where=self.where, fix=fix, server="source")


_KINDS: Final = {dict: "an object", str: "a text", bool: "a boolean"}


def _decoded(content: bytes) -> tuple[Any, Rejection | None]:
    """The JSON of an answer, or why it is none."""
    try:
        return decode(content.decode(json.detect_encoding(content))), None
    except UnicodeDecodeError:
        return ABSENT, Rejection("NOT_JSON", "is not text")
    except Rejection as rejection:
        return ABSENT, rejection


def _shown(url: str) -> str:
    """A URL without account and query, which may be secret."""
    bare = url.partition("?")[0].partition("#")[0]
    scheme, mark, rest = bare.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{mark}{place.rpartition('@')[2]}{slash}{path}"


def _is_local(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")
