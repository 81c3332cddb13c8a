"""What the stream has not written into a store yet, by its checkpoint on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from avro_data_contracts.streaming.inspection.stored import Position
from avro_data_contracts.streaming.run import checkpoints
from avro_data_contracts.streaming.run.checkpoints import newest
from avro_data_contracts.streaming.topic import Ranges


def written(checkpoint: Path, topic: str) -> dict[int, int] | None:
    """Return partition -> the offset after the last one that is written.

    Args:
        checkpoint: the folder of the store's query.

    Returns:
        None: nothing here says it.  The stream has not begun, or runs on another machine.
    """
    try:
        return checkpoints.next_offsets(checkpoint, topic)
    except (OSError, ValueError, KeyError):
        # A stream that runs may be writing it.  Its next start refuses a checkpoint that stays like that.
        return None


def unwritten(missing: Iterable[Position], written: Mapping[int, int] | None, ranges: Ranges) -> Ranges:
    """Return the offsets of the ranges that the stream has still to write, of partitions where an event is missing.

    Args:
        written: partition -> the offset after the last one that is written; None: unknown.
    """
    if written is None:
        return {}
    waiting = {one.partition for one in missing if one.offset >= written.get(one.partition, 0)}
    found = {}
    for partition in sorted(waiting):
        first, last = ranges[partition]
        found[partition] = (max(first, written.get(partition, 0)), last)
    return found


def at_work(checkpoint: Path) -> bool:
    """Return whether a batch of the query has begun, and is not finished: rows of it may be there already."""
    begun, ended = newest(checkpoint, "offsets"), newest(checkpoint)
    return begun is not None and (ended is None or begun > ended)
