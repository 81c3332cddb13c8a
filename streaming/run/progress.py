"""Commits each store's progress to Kafka as the offsets of a consumer group, for display only.

The checkpoint decides where a query continues; its position is committed after each written batch.  A commit that
fails is logged and counted, and stops nothing: the next one contains everything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.run import groups
from avro_data_contracts.streaming.run.checkpoints import position
from avro_data_contracts.streaming.run.groups import Groups, Offsets

log = structlog.get_logger("streaming")

_TIMEOUT_S = 5.0
# A group gets its first or another coordinator within seconds.  For a broker that is away the queries wait.
_RETRY_FOR_S, _RETRY_EVERY_S = 10.0, 0.2


class Progress:
    """The consumer groups of one contract's stores.

    Args:
        settings: where Kafka is.
        contract: whose topic is read.
        checkpoints: sink -> folder of its query's checkpoint.
        failed: called with the sink's name when a commit failed.
    """

    def __init__(
        self, settings: Settings, contract: Contract, checkpoints: dict[str, Path], failed: Callable[[str], None]
    ) -> None:
        self._contract = contract
        self._checkpoints = checkpoints
        self._failed = failed
        self._groups = Groups(settings, timeout_s=_TIMEOUT_S)
        self._latest: dict[str, int | None] = {}
        self._committed: dict[str, int | None] = {}
        self._positions: dict[str, Offsets] = {}
        self._lock = threading.Lock()
        # A single thread keeps the commits in order; no batch waits for it.
        self._committing = ThreadPoolExecutor(1, thread_name_prefix="progress")

    def begin(self) -> None:
        """Commit each store's position before the first batch, so that its group shows the lag from the start."""
        for sink in self._checkpoints:
            self._committing.submit(self._commit, sink)

    def written(self, sink: str, batch: int) -> None:
        """Commit that the store holds this batch and all before it."""
        self._latest[sink] = batch
        self._committing.submit(self._commit, sink)

    def close(self) -> None:
        """Wait until every commit has succeeded or failed, and leave Kafka; `lag` connects again."""
        self._committing.shutdown(wait=True)
        threading.Thread(target=self._groups.close, name="progress-end", daemon=True).start()

    def lag(self) -> dict[str, int]:
        """Ask Kafka, and return sink -> records that it does not hold yet.  Raises ServiceError."""
        with self._lock:
            positions = dict(self._positions)
        first, last = self._groups.ends(self._contract.topic)
        return {sink: groups.lag(offsets, first, last) for sink, offsets in positions.items()}

    def _commit(self, sink: str) -> None:
        batch = self._latest.get(sink)
        if sink in self._committed and self._committed[sink] == batch:
            return  # several batches were written while Kafka was away, and one commit has covered them all
        try:
            Retrying(
                retry=retry_if_exception_type(ServiceError),
                wait=wait_fixed(_RETRY_EVERY_S),
                stop=stop_after_delay(_RETRY_FOR_S),
                reraise=True,
            )(self._commit_once, sink, batch)
            self._committed[sink] = batch
        except (ServiceError, OSError, ValueError, KeyError) as error:
            self._failed(sink)
            log.warning("progress not committed", contract=self._contract.name, sink=sink, why=str(error))

    def _commit_once(self, sink: str, batch: int | None) -> None:
        offsets = position(self._checkpoints[sink], self._contract.topic, batch)
        if offsets is None:
            offsets, _ = self._groups.ends(self._contract.topic)
        with self._lock:
            self._positions[sink] = offsets
        self._groups.commit(groups.name(self._contract, sink), self._contract.topic, offsets)
