"""What an API of a portal is described by.  Apart, so that the command line need not load the export."""

from __future__ import annotations

from enum import StrEnum


class Definition(StrEnum):
    """What an API is described by."""

    asyncapi = "asyncapi"
    avro = "avro"
