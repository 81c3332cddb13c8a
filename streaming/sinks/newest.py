"""The timestamp of the newest event that a table may hold: newer events need no look at the table."""

from __future__ import annotations

import json
from pathlib import Path

from avro_data_contracts.streaming import whole_file


class NewestWritten:
    """A Kafka timestamp, kept beside the checkpoints.

    A value that is too high only costs reads; one that is too low could let an event lose against an older one of the
    same millisecond.  So it is kept after the rows are on disk and before the checkpoint moves on.

    Args:
        file: where it is kept; its folder is created.
        table: the table that it belongs to; a value of another table is ignored.
    """

    def __init__(self, file: Path, table: str) -> None:
        self._file = file
        self._table = table

    def read(self) -> int | None:
        """Return milliseconds since 1970; None when nothing is known."""
        try:
            kept = json.loads(self._file.read_text())
        except FileNotFoundError:
            return None
        return int(kept["timestamp_ms"]) if kept["table"] == self._table else None

    def keep(self, timestamp_ms: int) -> None:
        """Write all of it or nothing.  Ignore a lower value, which an abandoned attempt may still bring."""
        kept = self.read()
        if kept is not None and kept >= timestamp_ms:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        whole_file.write(self._file, json.dumps({"table": self._table, "timestamp_ms": timestamp_ms}))
