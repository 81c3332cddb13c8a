"""Headers of a dead letter, the same whoever writes it: the producer or the stream.

Names as in org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter; the reason's code is our own.
"""

from __future__ import annotations

PREFIX = "__connect.errors."
TOPIC, PARTITION, OFFSET = PREFIX + "topic", PREFIX + "partition", PREFIX + "offset"
CONNECTOR, STAGE = PREFIX + "connector.name", PREFIX + "stage"
CLASS, MESSAGE = PREFIX + "exception.class.name", PREFIX + "exception.message"
REASON = "contracts.reason"
# Bytes of a value that is too large to be here.
LEFT_OUT = "contracts.value.left.out"
ALL = frozenset({TOPIC, PARTITION, OFFSET, CONNECTOR, STAGE, CLASS, MESSAGE, REASON, LEFT_OUT})
