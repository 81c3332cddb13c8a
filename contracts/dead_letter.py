"""Headers of a dead letter, the same whoever writes it: the producer or the stream.

Names as in org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter; the reason's code is our own.
"""

from __future__ import annotations

from collections.abc import Sequence

PREFIX = "__connect.errors."
TOPIC, PARTITION, OFFSET = PREFIX + "topic", PREFIX + "partition", PREFIX + "offset"
CONNECTOR, STAGE = PREFIX + "connector.name", PREFIX + "stage"
CLASS, MESSAGE = PREFIX + "exception.class.name", PREFIX + "exception.message"
REASON = "contracts.reason"
# Bytes of a value that is too large to be here.
LEFT_OUT = "contracts.value.left.out"
# What the stream puts after the record's own headers, in this order; LEFT_OUT comes last, where it is needed.
ADDED = (TOPIC, PARTITION, OFFSET, CONNECTOR, STAGE, CLASS, MESSAGE, REASON)

# A receipt: the letter (topic-partition-offset of its record, and a digest of it) was put back, and where it stands.
REPLAYED, REPLAYED_AS = "contracts.replayed", "contracts.replayed.as"
DIGEST = "contracts.replayed.digest"
RECEIPT = (REPLAYED, REPLAYED_AS, DIGEST)

Header = tuple[str, bytes | None]


def own(headers: Sequence[Header]) -> list[Header] | None:
    """The record's own headers, those of a dead letter of the stream without what it added; None for any other."""
    names = tuple(name for name, _ in headers)
    for added in ((*ADDED, LEFT_OUT), ADDED):
        if names[-len(added) :] == added:
            return list(headers[: -len(added)])
    return None
