"""The reason codes of the dead-letter topic: why a record is not stored."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from avro_data_contracts.contracts.catalog.contract import Contract


class Reason(StrEnum):
    """One stable code for each thing that can be wrong with a record; docs/how-to/dead-letters.md explains them.

    Each rule of the contract has its own code, `RULE:` and its name (`contracts.quality.rules.Rule.reason`).
    """

    NULL_VALUE = "NULL_VALUE"
    TOO_SHORT = "TOO_SHORT"
    BAD_MAGIC = "BAD_MAGIC"
    BAD_SCHEMA_ID_HEADER = "BAD_SCHEMA_ID_HEADER"
    NO_GUID_ENDPOINT = "NO_GUID_ENDPOINT"
    UNKNOWN_SCHEMA_ID = "UNKNOWN_SCHEMA_ID"
    WRONG_SUBJECT = "WRONG_SUBJECT"
    INCOMPATIBLE_SCHEMA = "INCOMPATIBLE_SCHEMA"
    DECODE_ERROR = "DECODE_ERROR"
    TIMESTAMP_OUT_OF_RANGE = "TIMESTAMP_OUT_OF_RANGE"


class ChangeReason(StrEnum):
    """Of a topic with envelopes, besides: why the record of a change is no row and deletes none."""

    CHANGE_UNKNOWN = "CHANGE_UNKNOWN"
    CHANGE_TRUNCATE = "CHANGE_TRUNCATE"
    CHANGE_MESSAGE = "CHANGE_MESSAGE"
    CHANGE_WITHOUT_ROW = "CHANGE_WITHOUT_ROW"
    CHANGE_WITHOUT_KEY = "CHANGE_WITHOUT_KEY"
    CHANGE_INCOMPLETE = "CHANGE_INCOMPLETE"


#: Why a record is skipped, and no dead letter: it belongs to another contract of the topic, or is nobody's, and then
#: the stream of the topic's first contract sends the letter.
OF_ANOTHER: Final = "OF_ANOTHER_CONTRACT"

#: Why a record is not a row, and no dead letter: it deletes the row of its key.
DELETES: Final = "DELETES_ITS_ROW"

#: The reasons of records whose type nobody knows.
OF_NOBODY: Final = (
    Reason.NULL_VALUE,
    Reason.TOO_SHORT,
    Reason.BAD_MAGIC,
    Reason.BAD_SCHEMA_ID_HEADER,
    Reason.NO_GUID_ENDPOINT,
    Reason.UNKNOWN_SCHEMA_ID,
)


def codes(contract: Contract) -> tuple[str, ...]:
    """Return every code for which the stream of a contract rejects records, those of its rules last."""
    of_changes = () if contract.envelope is None else tuple(ChangeReason)
    return (*map(str, (*Reason, *of_changes)), *(rule.reason for rule in contract.rules))
