"""Headers of a dead letter, the same for the producer and the stream.

The names are those of org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter; the reason codes are our own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PREFIX = "__connect.errors."
TOPIC, PARTITION, OFFSET = PREFIX + "topic", PREFIX + "partition", PREFIX + "offset"
CONNECTOR, STAGE = PREFIX + "connector.name", PREFIX + "stage"
CLASS, MESSAGE = PREFIX + "exception.class.name", PREFIX + "exception.message"
REASON = "contracts.reason"
# Of a producer's letter: the place in its source (`users.jsonl, line 17`), and the path of the field, if known.
SOURCE_POSITION, SOURCE_FIELD = "contracts.source.position", "contracts.source.field"
# The record's timestamp in ms: that of the letter is the time at which it was written, from which retention counts.
TIMESTAMP = "contracts.timestamp"
# The bytes of a value that is not in the letter, because it is too large or `dead_letter.payload` is `drop`; and of
# the key, if it and the record's headers are not in it either.
LEFT_OUT, KEY_LEFT_OUT = "contracts.value.left.out", "contracts.key.left.out"
# The stream adds these after the record's own headers, in this order; then the timestamp, and what is needed of the
# others.
ADDED = (TOPIC, PARTITION, OFFSET, CONNECTOR, STAGE, CLASS, MESSAGE, REASON)
NEEDED = (TIMESTAMP, LEFT_OUT, KEY_LEFT_OUT)

# A receipt: the letter (topic-partition-offset of its record, and a digest) was put back, and where it is now.
REPLAYED, REPLAYED_AS = "contracts.replayed", "contracts.replayed.as"
DIGEST = "contracts.replayed.digest"
RECEIPT = (REPLAYED, REPLAYED_AS, DIGEST)

Header = tuple[str, bytes | None]
_NUMBER = re.compile(rb"-?\d{1,19}")


def own(headers: Sequence[Header]) -> list[Header] | None:
    """The record's own headers: those of a dead letter of the stream, without its additions; None for any other."""
    added = len(needed(headers)) + len(ADDED)
    if tuple(name for name, _ in headers[-added : len(headers) - added + len(ADDED)]) != ADDED:
        return None
    return list(headers[:-added])


def needed(headers: Sequence[Header]) -> dict[str, int]:
    """The headers of `NEEDED` at the end, each a number."""
    found: dict[str, int] = {}
    for name in reversed(NEEDED):
        last, value = headers[-1 - len(found)] if len(headers) > len(found) else ("", None)
        if last == name and value is not None and _NUMBER.fullmatch(value) and -(2**63) <= int(value) < 2**63:
            found[name] = int(value)
    return found
