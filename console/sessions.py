"""Who is signed in: sessions in the memory of the process, each with an end, named by a signed cookie."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from itsdangerous import BadSignature, Signer

from avro_data_contracts.console.accounts import Account

#: Attempts to sign in with a wrong password, and the seconds in which there may be so many.
MOST_FAILURES, FAILURES_S = 10, 60.0
#: So many sessions; the oldest one ends for the next.
MOST_SESSIONS: Final = 1_000


@dataclass(frozen=True)
class Session:
    """Somebody's session.

    Attributes:
        csrf: what a form of the session sends back.
        ends: on the clock of `Sessions`.
    """

    id: str
    account: Account
    csrf: str = field(repr=False)
    ends: float


class Sessions:
    """Begins, finds and ends sessions.  Safe for several threads.

    Args:
        lasts_s: how long a session lasts, seconds.
        now: a clock that never goes back.
    """

    def __init__(self, lasts_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self.lasts_s = lasts_s
        self._now = now
        self._signer = Signer(secrets.token_bytes(32), salt="console-session", digest_method=hashlib.sha256)
        self._open: dict[str, Session] = {}
        self._failed: deque[float] = deque(maxlen=MOST_FAILURES)
        self._lock = threading.Lock()

    def begin(self, account: Account) -> tuple[Session, str]:
        """Return a new session, and the value of its cookie."""
        session = Session(secrets.token_urlsafe(24), account, secrets.token_urlsafe(24), self._now() + self.lasts_s)
        with self._lock:
            ended = [one.id for one in self._open.values() if one.ends <= self._now()]
            ended += list(self._open)[: max(0, len(self._open) - len(ended) - MOST_SESSIONS + 1)]
            for one in dict.fromkeys(ended):
                self._open.pop(one, None)
            self._open[session.id] = session
        return session, self._signer.sign(session.id).decode()

    def of(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None if it has ended, or never was one."""
        try:
            found = self._open.get(self._signer.unsign(cookie).decode())
        except (BadSignature, UnicodeError):
            return None
        return found if found is not None and found.ends > self._now() else None

    def end(self, session: Session) -> None:
        """End a session at once."""
        with self._lock:
            self._open.pop(session.id, None)

    def failed(self) -> None:
        """Count a wrong password."""
        self._failed.append(self._now())

    @property
    def wait_s(self) -> float:
        """How long nobody can sign in, after too many wrong passwords, seconds; 0: now."""
        if len(self._failed) < MOST_FAILURES:
            return 0.0
        return max(0.0, self._failed[0] + FAILURES_S - self._now())
