"""The reason codes of the dead-letter topic: why a record is not stored."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


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


#: Why a record is skipped, and no dead letter: it belongs to another contract of the topic, or is nobody's, and then
#: the stream of the topic's first contract sends the letter.
OF_ANOTHER: Final = "OF_ANOTHER_CONTRACT"

#: The reasons of records whose type nobody knows.
OF_NOBODY: Final = (
    Reason.NULL_VALUE,
    Reason.TOO_SHORT,
    Reason.BAD_MAGIC,
    Reason.BAD_SCHEMA_ID_HEADER,
    Reason.NO_GUID_ENDPOINT,
    Reason.UNKNOWN_SCHEMA_ID,
)
