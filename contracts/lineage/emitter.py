"""Sends events with OpenLineage's own client, in a thread of its own, so that whoever emits never waits.

An event that does not arrive is told in the log and counted; it stops nothing.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from avro_data_contracts.contracts.lineage.receipts import Receipts

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

log = structlog.get_logger("lineage")

#: How long the end of a run waits for its last event.
WAIT_AT_THE_END_S: Final = 3.0
#: How long its thread waits for answers, while the run goes on.
PATIENCE_S: Final = 30.0
_FILE: Final = "openlineage.yml"
_PREFIX: Final = "OPENLINEAGE__TRANSPORT"
#: An account in a URL.
_ACCOUNT: Final = re.compile(r"//[^/@\s]*@")


def is_configured(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether OpenLineage's client would find a place for events, where it looks for one."""
    if environment.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OPENLINEAGE_URL") or any(name.startswith(_PREFIX) for name in environment):
        return True
    home = Path(environment.get("HOME") or Path.home())
    files = (environment.get("OPENLINEAGE_CONFIG"), _FILE, home / ".openlineage" / _FILE)
    return any(Path(one).is_file() for one in files if one)


class Emitter:
    """Sends the events of one run, in their order.

    Attributes:
        sent: events that arrived.
        lost: events that did not, or of which nobody said so in time.
    """

    def __init__(self, **told: str) -> None:
        self.sent = 0
        self.lost = 0
        self._log = log.bind(**told)
        self._waiting: deque[dict[str, Any]] = deque()
        self._open = 0  # events that the thread has taken, and of which it does not know more
        self._given_up = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def emit(self, event: dict[str, Any]) -> None:
        """Send an event some time soon.  Never raises, and never waits for the receiver."""
        with self._lock:
            self._waiting.append(event)
            if self._thread is None:  # it ends when nothing waits, so that a long run costs nothing
                self._thread = threading.Thread(target=self._work, name="lineage", daemon=True)
                self._thread.start()

    def finish(self, wait_s: float = WAIT_AT_THE_END_S) -> None:
        """Wait for the events on their way, but not for long; tell those that are left."""
        thread = self._thread
        if thread is None:
            return
        thread.join(wait_s)
        with self._lock:
            if self._thread is None:
                return
            self._given_up = True  # what the thread still hears is too late to be told
            left = self._open + len(self._waiting)
            self._waiting.clear()
            self.lost += left
        self._tell(left, f"no answer in {wait_s:g} s at the end of the run")

    def could_not_make(self, error: Exception) -> None:
        """Tell that there is no event, because of a bug."""
        with self._lock:
            self.lost += 1
        self._tell(1, f"{type(error).__name__}: {error}")

    def _work(self) -> None:
        while events := self._take():
            self._send(events)

    def _take(self) -> list[dict[str, Any]]:
        """All events that wait; the thread ends if there is none."""
        with self._lock:
            found = list(self._waiting)
            self._waiting.clear()
            self._open = len(found)
            if not found:
                self._thread = None
        return found

    def _send(self, events: Iterable[dict[str, Any]]) -> None:
        client: OpenLineageClient | None = None
        receipts: Receipts | None = None
        for event in events:
            try:
                if client is None or receipts is None:
                    client = _client()
                    receipts = Receipts(client.transport)
                client.emit(_as_the_client_has_it(event))
            except Exception as error:  # whatever a transport raises
                self._settle(lost=1, why=_words(error))
        if client is None or receipts is None:
            return
        try:
            why = "" if client.close(PATIENCE_S) else f"no answer in {PATIENCE_S:g} s"
        except Exception as error:
            why = _words(error)
        handed = self._open
        missing, said = receipts.missing()
        if why and not missing:  # a transport that counts nothing
            missing = handed
        # One that raised may be among those that are missing.
        self._settle(lost=min(missing, handed), sent=handed - min(missing, handed), why=said or why)

    def _settle(self, *, lost: int, sent: int = 0, why: str) -> None:
        """Count what is known now of events that the thread took."""
        with self._lock:
            if self._given_up:  # they are counted
                return
            self._open -= lost + sent
            self.lost += lost
            self.sent += sent
        self._tell(lost, why or "the receiver did not answer")

    def _tell(self, number: int, why: str) -> None:
        if number:
            self._log.warning("lineage not delivered", events=number, why=why[:500], lost=self.lost, sent=self.sent)


def _words(error: Exception) -> str:
    return _ACCOUNT.sub("//", f"{type(error).__name__}: {error}")


def _client() -> OpenLineageClient:
    if find_spec("openlineage") is None:
        raise ModuleNotFoundError("not installed: openlineage; fix: pip install 'avro-data-contracts[openlineage]'")
    from openlineage.client import OpenLineageClient

    return OpenLineageClient()


def _as_the_client_has_it(event: Mapping[str, Any]) -> Any:
    """The event in the client's own classes, so that its filters and tags work; facets stay as they are."""
    from openlineage.client import event_v2

    run, job = event["run"], event["job"]
    return event_v2.RunEvent(
        eventType=event_v2.RunState[event["eventType"]],
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=event_v2.Run(run["runId"], dict(run["facets"])),
        job=event_v2.Job(job["namespace"], job["name"], dict(job["facets"])),
        inputs=[event_v2.InputDataset(**one) for one in event["inputs"]],
        outputs=[event_v2.OutputDataset(**one) for one in event["outputs"]],
    )
