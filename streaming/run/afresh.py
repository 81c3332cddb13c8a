"""Lets a query begin again: its table is emptied, and its checkpoint removed.

What is broken off leaves a folder beside the checkpoint.  While it is there, the stream does not start.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from avro_data_contracts.streaming.run.checkpoints import rebuilding


def begin(checkpoint: Path, empty: Callable[[], None]) -> None:
    """Empty the table of a query, and remove its checkpoint.

    Args:
        empty: empties the table; a second call changes nothing.
    """
    aside = rebuilding(checkpoint)
    if checkpoint.exists() and aside.exists():  # broken off before, and then somebody streamed nevertheless
        shutil.rmtree(aside)
    if checkpoint.exists():
        checkpoint.rename(aside)
    else:
        aside.mkdir(parents=True, exist_ok=True)
    empty()
    shutil.rmtree(aside)


def forget(checkpoint: Path) -> None:
    """Remove the checkpoint of a query that is no more, because the view is refreshed now, and what began to."""
    for one in (checkpoint, rebuilding(checkpoint)):
        if one.exists():
            shutil.rmtree(one)
