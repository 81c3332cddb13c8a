"""Client of the randomuser.me API: pages of users, with timeouts and retries that respect `Retry-After`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import requests
import structlog

from avro_data_contracts.contracts.errors import ConfigurationError, Refused, ServiceError
from avro_data_contracts.contracts.registry.address import is_loopback
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.sources.attempts import (
    FIRST_WAIT_S,
    TEMPORARY,
    Attempts,
    Temporary,
    asked_to_wait,
    cause,
    session,
)

log = structlog.get_logger()


class RandomuserApi:
    """A randomuser.me API.

    Args:
        url: its address, e.g. `http://127.0.0.1:18000/api/`.
        timeout_s: limit for the connection, and for each wait for bytes.
        retries: attempts after the first one.
        first_wait_s: the longest wait before the second attempt; it doubles for each further one.

    Attributes:
        address: the same without password and query, for messages.
    """

    def __init__(
        self, url: str, *, timeout_s: float = 10.0, retries: int = 5, first_wait_s: float = FIRST_WAIT_S
    ) -> None:
        parts = _parts(url)
        self.url = url
        self.address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        self._where = f"source API {self.address}"
        self._local = is_loopback(parts.hostname or "")
        self._timeout_s = timeout_s
        self._session = session(local=self._local)
        self._retries, self._first_wait_s = retries, first_wait_s

    @classmethod
    def from_settings(cls, settings: Settings) -> RandomuserApi:
        return cls(
            settings.datasource_url, timeout_s=settings.datasource_timeout_s, retries=settings.datasource_retries
        )

    def pages(self, seed: str, size: int) -> Iterator[list[Any]]:
        """Yield pages of `size` users of that seed until the API has no more; the last one may be shorter.

        An empty page is the end only if it is empty a second time.

        Raises:
            ServiceError: as `page`, or the first page is empty.
        """
        number = 1
        while users := self.page(number, size, seed) or self.page(number, size, seed):
            yield users
            number += 1
        if number == 1:
            raise ServiceError(
                "answered without any user",
                where=self._where,
                fix="check that it serves users (docs/reference/local-source.md)",
                server="source",
            )
        log.info("the source has no more users", pages=number - 1)

    def page(self, number: int, size: int, seed: str) -> list[Any]:
        """Fetch one page: `results` of the answer, possibly empty.

        Raises:
            ServiceError: no usable answer within the retries.
            ConfigurationError: the API denies access.
            Refused: the API refuses, and a retry would not help.
        """
        asked = {"page": number, "results": size, "seed": seed}

        def told(attempt: int, wait_s: float, error: Temporary) -> None:
            log.warning("asking the source again", attempt=attempt, wait_s=wait_s, because=error.what, page=number)

        attempts = Attempts(self._retries, self._first_wait_s, told)
        answer = attempts(lambda: self._ask(asked), f"page {number}")
        info = answer.get("info")
        answered = info.get("page", number) if isinstance(info, dict) else number
        if answered != number:
            raise ServiceError(
                f"was asked for page {number} and answered with page {answered}",
                where=self._where,
                fix="fetch larger pages (--page-size), or another --seed",
                server="source",
            )
        found: list[Any] = answer["results"]
        return found

    def _ask(self, params: dict[str, Any]) -> dict[str, Any]:
        try:
            response = self._session.get(self.url, params=params, timeout=self._timeout_s)
        except requests.exceptions.SSLError as error:
            raise ServiceError(
                f"its certificate is not trusted: {cause(error)}",
                where=self._where,
                fix="behind a TLS-inspecting proxy, set SSL_CERT_FILE to the file of its CA certificates",
                server="source",
            ) from None
        except requests.Timeout:
            raise self._temporary(f"did not answer within {self._timeout_s:g} s") from None
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            raise self._temporary(f"the answer broke off: {cause(error)}") from None
        except requests.exceptions.ConnectionError as error:
            raise self._temporary(f"cannot be reached: {cause(error)}") from None
        except requests.RequestException as error:
            raise ServiceError(
                f"the request failed: {cause(error)}",
                where=self._where,
                fix="correct DATASOURCE_URL",
                server="source",
            ) from None
        return self._understood(response)

    def _understood(self, response: requests.Response) -> dict[str, Any]:
        """Return the answer's document, whose `results` is a list."""
        status = response.status_code
        try:
            document = json.loads(response.content)
        except (ValueError, RecursionError):
            document = None
        words = document.get("error") if isinstance(document, dict) else None
        said = f": {str(words)[:200]}" if words is not None else ""
        if status in TEMPORARY:
            raise self._temporary(f"answered {status}{said}", asked_to_wait(response, said, self._where))
        if status in (401, 403):
            words = f"answered {status}{said}: it denies access"
            fix = "the key or account in DATASOURCE_URL is wrong or has expired: set a valid one"
            raise ConfigurationError(words, where=self._where, fix=fix)
        if not response.ok:
            fix = "check that DATASOURCE_URL is the address of a randomuser.me API"
            raise Refused(f"answered {status}{said}", where=self._where, fix=fix, server="source", code=status)
        if document is None:
            kind = response.headers.get("Content-Type", "no content type")
            raise self._temporary(f"the answer is not JSON ({kind}, {len(response.content)} bytes)")
        if words is not None:
            raise self._temporary(f"answered with an error{said}")
        if not isinstance(document, dict) or not isinstance(document.get("results"), list):
            raise ServiceError(
                "the answer has no list of results",
                where=self._where,
                fix="check that DATASOURCE_URL is the address of a randomuser.me API",
                server="source",
            )
        return document

    def _temporary(self, what: str, wait_s: float | None = None) -> Temporary:
        fix = (
            "check `make status`, start it (`make up`), read its log (`stack logs source`), or set DATASOURCE_URL"
            if self._local
            else "check that the network reaches it, or use the local one (`make up`, without DATASOURCE_URL)"
        )
        return Temporary(what, where=self._where, fix=fix, wait_s=wait_s)


def _parts(url: str) -> SplitResult:
    """Return the parts of DATASOURCE_URL.

    Raises:
        ConfigurationError: it is not an HTTP address.  The message does not repeat it: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a host in brackets that do not close, a port that is not a number
        usable = False
    if not usable:
        fix = "set it to an address such as https://randomuser.me/api/"
        raise ConfigurationError("is not an http or https address", where="DATASOURCE_URL", fix=fix)
    return parts
