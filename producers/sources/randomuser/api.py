"""Client of the randomuser.me API: pages of users, with timeouts and retries that respect `Retry-After`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import requests
import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from avro_data_contracts.contracts.errors import ConfigurationError, Refused, ServiceError
from avro_data_contracts.contracts.registry.address import is_loopback
from avro_data_contracts.contracts.settings import Settings

log = structlog.get_logger()

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)


class _Temporary(ServiceError):
    """A failure after which it makes sense to retry.

    Args:
        wait_s: how long the server asked to wait, None if it did not say.
    """

    def __init__(self, what: str, *, where: str, fix: str, wait_s: float | None = None) -> None:
        super().__init__(what, where=where, fix=fix, server="source")
        self.wait_s = wait_s


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
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", "User-Agent": "avro-data-contracts"})
        # A proxy cannot reach this machine's loopback.
        self._session.trust_env = not self._local
        # requests itself reads only REQUESTS_CA_BUNDLE, which takes precedence.
        if bundle := os.environ.get("SSL_CERT_FILE"):
            self._session.verify = bundle
        self._retrying = Retrying(
            retry=retry_if_exception_type(_Temporary),
            stop=stop_after_attempt(retries + 1),
            wait=_BackOff(first_wait_s),
            before_sleep=self._log_retry,
            reraise=True,
        )

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
                fix="check that it serves users (docs/reference/source-api.md)",
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
        try:
            answer = self._retrying(self._ask, {"page": number, "results": size, "seed": seed})
        except _Temporary as error:
            attempts = self._retrying.statistics["attempt_number"]
            what = f"{error.what} (page {number}, {attempts} attempt{'s' if attempts > 1 else ''})"
            raise ServiceError(what, where=error.where, fix=error.fix, server=error.server) from None
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
                f"its certificate is not trusted: {_cause(error)}",
                where=self._where,
                fix="behind a TLS-inspecting proxy, set SSL_CERT_FILE to the file of its CA certificates",
                server="source",
            ) from None
        except requests.Timeout:
            raise self._temporary(f"did not answer within {self._timeout_s:g} s") from None
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            raise self._temporary(f"the answer broke off: {_cause(error)}") from None
        except requests.exceptions.ConnectionError as error:
            raise self._temporary(f"cannot be reached: {_cause(error)}") from None
        except requests.RequestException as error:
            raise ServiceError(
                f"the request failed: {_cause(error)}",
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
        if status in _TEMPORARY:
            raise self._temporary(f"answered {status}{said}", self._asked_to_wait(response, said))
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

    def _asked_to_wait(self, response: requests.Response, said: str) -> float | None:
        seconds = retry_after(response.headers.get("Retry-After"))
        if seconds is not None and seconds > LONGEST_WAIT_S:
            raise ServiceError(
                f"answered {response.status_code}{said}, and asks to wait {seconds:.0f} s",
                where=self._where,
                fix=f"try again in {seconds:.0f} s, or fetch less often (--rate)",
                server="source",
            )
        return seconds

    def _temporary(self, what: str, wait_s: float | None = None) -> _Temporary:
        fix = (
            "check `make status`, start it (`make up`), read its log (`stack logs source`), or set DATASOURCE_URL"
            if self._local
            else "check that the network reaches it, or use the local one (`make up`, without DATASOURCE_URL)"
        )
        return _Temporary(what, where=self._where, fix=fix, wait_s=wait_s)

    def _log_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning(
            "asking the source again",
            attempt=state.attempt_number,
            wait_s=round(state.next_action.sleep, 2) if state.next_action else 0,
            because=getattr(error, "what", error),
            page=state.args[0]["page"],
        )


def retry_after(header: str | None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, None if it is neither a number nor an HTTP date."""
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", header.strip()):
        return float(header)
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


class _BackOff:
    """Waits as long as the server asks and a little longer, so that clients spread out; else exponentially."""

    def __init__(self, first_wait_s: float) -> None:
        self._jittered = wait_random_exponential(multiplier=first_wait_s, max=LONGEST_WAIT_S)

    def __call__(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait_s if isinstance(error, _Temporary) else None
        return self._jittered(state) if asked is None else asked + self._jittered(state) / 10


def _cause(error: BaseException) -> str:
    """Return the innermost reason in one line."""
    while error.__context__ is not None:
        error = error.__context__
    return str(getattr(error, "strerror", None) or error or type(error).__name__).splitlines()[0]


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
