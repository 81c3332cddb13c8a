"""Sends records from a source to Kafka, under a contract."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avro_data_contracts.producers.publish import NotDelivered as NotDelivered
    from avro_data_contracts.producers.publish import Publisher as Publisher
    from avro_data_contracts.producers.publish import RejectedRecord as RejectedRecord

__all__ = ["NotDelivered", "Publisher", "RejectedRecord"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not before: it loads Kafka's client library.
    from avro_data_contracts.producers import publish

    return getattr(publish, name)
