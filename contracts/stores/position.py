"""The columns that say which event wrote a row.

Every row has the position of the event that wrote it, so that you can find the event of a row, and an older event can
never overwrite a newer one.
"""

from __future__ import annotations

EVENT_TIMESTAMP = "kafka_timestamp"
EVENT_PARTITION = "kafka_partition"
EVENT_OFFSET = "kafka_offset"
#: The bookkeeping columns.
POSITION = (EVENT_TIMESTAMP, EVENT_PARTITION, EVENT_OFFSET)
#: Compared in this order, these decide which of two events is newer.
EVENT_ORDER = (EVENT_TIMESTAMP, EVENT_OFFSET, EVENT_PARTITION)
#: Only of a table with a row for each group of events: how many events the row is made of.  An update adds at least
#: one, so of two versions of a row, the one with more events is the newer one, whenever and from where it was read.
EVENTS = "kafka_events"
#: Only of a table with a row for each event.  The id, and not the name: a topic that is created again has the same
#: name, and its offsets begin again.
EVENT_TOPIC = "kafka_topic_id"
#: Where an event is, once and for all.
COORDINATES = (EVENT_TOPIC, EVENT_PARTITION, EVENT_OFFSET)
WRITE_TIME = "kafka_write_time"  # not a column of a table: Cassandra keeps it with each cell
TTL = "kafka_ttl"  # not a column either: seconds that the row has left
DELETED = "kafka_deleted"  # not a column either: the row is to be deleted


def bookkeeping(*, appends: bool, groups: bool = False) -> tuple[str, ...]:
    """Return the columns that say which event, or events, wrote a row, in their order.

    Args:
        appends: whether the table has a row for each event.
        groups: whether it has a row for each group of events; the timestamp is that of the newest one.
    """
    if groups:
        return EVENT_TIMESTAMP, EVENTS
    return (*POSITION, *((EVENT_TOPIC,) if appends else ()))


def reserved(*, appends: bool, lives: bool, groups: bool = False) -> tuple[str, ...]:
    """Return the names that no field may have, in lower case.

    Args:
        appends, groups: as in `bookkeeping`.
        lives: whether rows have a time to live.
    """
    return (*bookkeeping(appends=appends, groups=groups), WRITE_TIME, DELETED, *((TTL,) if lives else ()))
