"""How a source asks a server over HTTP: again after a passing failure, and no sooner than the server allows."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from avro_data_contracts.contracts.errors import ServiceError

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 60.0
#: The statuses after which it makes sense to ask again.
TEMPORARY: Final = (408, 425, 429, 500, 502, 503, 504)

_T = TypeVar("_T")


class Temporary(ServiceError):
    """A failure after which it makes sense to ask again.

    Args:
        wait_s: how long the server asked to wait, None if it did not say.
    """

    def __init__(self, what: str, *, where: str, fix: str, wait_s: float | None = None) -> None:
        super().__init__(what, where=where, fix=fix, server="source")
        self.wait_s = wait_s


class Attempts:
    """Calls again what fails with `Temporary`, and waits in between.

    Args:
        retries: calls after the first one.
        first_wait_s: the longest wait before the second call; it doubles for each further one.
        told: called before each wait with the number of the attempt that failed, the wait in seconds, and the error.
    """

    def __init__(self, retries: int, first_wait_s: float, told: Callable[[int, float, Temporary], None]) -> None:
        self._told = told
        self._retrying = Retrying(
            retry=retry_if_exception_type(Temporary),
            stop=stop_after_attempt(retries + 1),
            wait=_BackOff(first_wait_s),
            before_sleep=self._tell,
            reraise=True,
        )

    def __call__(self, ask: Callable[[], _T], about: str) -> _T:
        """Return what `ask` returns.

        Args:
            about: what is asked for, such as `page 3`, for the error.

        Raises:
            ServiceError: no attempt succeeded.
        """
        try:
            return self._retrying(ask)
        except Temporary as error:
            attempts = self._retrying.statistics["attempt_number"]
            what = f"{error.what} ({about}, {attempts} attempt{'s' if attempts > 1 else ''})"
            raise ServiceError(what, where=error.where, fix=error.fix, server=error.server) from None

    def _tell(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, Temporary)
        self._told(state.attempt_number, round(state.next_action.sleep, 2) if state.next_action else 0, error)


class _BackOff:
    """Waits as long as the server asks and a little longer, so that clients spread out; else exponentially."""

    def __init__(self, first_wait_s: float) -> None:
        self._jittered = wait_random_exponential(multiplier=first_wait_s, max=LONGEST_WAIT_S)

    def __call__(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait_s if isinstance(error, Temporary) else None
        return self._jittered(state) if asked is None else asked + self._jittered(state) / 10


def session(*, local: bool) -> requests.Session:
    """Return a session for JSON.

    Args:
        local: whether the server is on this machine, where no proxy can reach it.
    """
    made = requests.Session()
    made.headers.update({"Accept": "application/json", "User-Agent": "avro-data-contracts"})
    made.trust_env = not local
    # requests itself reads only REQUESTS_CA_BUNDLE, which takes precedence.
    if bundle := os.environ.get("SSL_CERT_FILE"):
        made.verify = bundle
    return made


def asked_to_wait(response: requests.Response, said: str, where: str) -> float | None:
    """Return how long an answer asks to wait, seconds, None if it does not say.

    Args:
        said: the words of the answer, for the error.

    Raises:
        ServiceError: it is longer than LONGEST_WAIT_S.
    """
    seconds = retry_after(response.headers.get("Retry-After"))
    if seconds is not None and seconds > LONGEST_WAIT_S:
        raise ServiceError(
            f"answered {response.status_code}{said}, and asks to wait {seconds:.0f} s",
            where=where,
            fix=f"try again in {seconds:.0f} s, or fetch less often (--rate)",
            server="source",
        )
    return seconds


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


def cause(error: BaseException) -> str:
    """Return the innermost reason in one line."""
    while error.__context__ is not None:
        error = error.__context__
    return str(getattr(error, "strerror", None) or error or type(error).__name__).splitlines()[0]
