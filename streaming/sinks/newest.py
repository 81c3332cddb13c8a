"""How new the newest event is that a table may hold: what is newer than it needs no look at the table."""

from __future__ import annotations

import json
import os
from pathlib import Path


class NewestWritten:
    """A Kafka timestamp, kept beside the checkpoints: without them nobody knows what the table holds.

    A value that is too high only costs reading; one that is too low could let an event lose against an older one of
    its millisecond.  So it is kept after the rows are on disk and before the checkpoint moves on.

    Args:
        file: where it is kept; its folder is made.
        table: whose it is; that of another table is not taken.
    """

    def __init__(self, file: Path, table: str) -> None:
        self._file = file
        self._table = table

    def read(self) -> int | None:
        """Milliseconds since 1970; None when nothing is known."""
        try:
            kept = json.loads(self._file.read_text())
        except FileNotFoundError:
            return None
        return int(kept["timestamp_ms"]) if kept["table"] == self._table else None

    def keep(self, timestamp_ms: int) -> None:
        """Writes it whole or not at all; not a lower one, as of an attempt that was given up and went on."""
        kept = self.read()
        if kept is not None and kept >= timestamp_ms:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps({"table": self._table, "timestamp_ms": timestamp_ms}))
        new.replace(self._file)
