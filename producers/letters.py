"""Sends refused records to the dead-letter topic."""

from __future__ import annotations

from typing import Any

from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.producers import dead_letter
from avro_data_contracts.producers.rejection import RejectedRecord, Rejection
from avro_data_contracts.producers.sender import Sender


def send(sender: Sender, given: Any, refusal: Rejection, *, producer: str, position: str = "") -> None:
    """As `Publisher.refuse`.

    Args:
        producer: name of the producer, for a header.
    """
    sender.ready()
    letter = dead_letter.of(given, refusal, topic=sender.topic, producer=producer, position=position)
    if sender.drops_payload:
        letter = letter.without_value()
    try:
        sender.send_letter(letter.value, letter.headers, letter.reason)
    except RejectedRecord as why:
        if not sender.drops_payload and isinstance(given, (bytes, dead_letter.Row)) and position:
            # The file still has it, and the letter says where.
            short = letter.without_value()
            sender.send_letter(short.value, short.headers, short.reason)
            return
        about = f"{position}, {letter.reason}" if position else letter.reason
        raise ServiceError(
            f"a refused record ({about}) cannot go to {sender.dead_letter_topic}: {why.what}",
            where=sender.outbox.where,
            fix=f"raise max.message.bytes of {sender.dead_letter_topic}, or correct the record at the source",
            server="kafka",
        ) from None
