"""Sends records from a source to Kafka, under a contract."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avro_data_contracts.producers.asynchronous import AsyncPublisher as AsyncPublisher
    from avro_data_contracts.producers.delivery import Delivered as Delivered
    from avro_data_contracts.producers.delivery import NotDelivered as NotDelivered
    from avro_data_contracts.producers.publish import Publisher as Publisher
    from avro_data_contracts.producers.rejection import RejectedRecord as RejectedRecord

_HOMES = {
    "AsyncPublisher": "asynchronous",
    "Delivered": "delivery",
    "NotDelivered": "delivery",
    "Publisher": "publish",
    "RejectedRecord": "rejection",
}
__all__ = ["AsyncPublisher", "Delivered", "NotDelivered", "Publisher", "RejectedRecord"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not before: it loads Kafka's client library.
    return getattr(importlib.import_module(f"avro_data_contracts.producers.{_HOMES[name]}"), name)
