"""`source` of a contract whose records are users of a randomuser.me API.  Its address is a setting."""

from __future__ import annotations

from typing import Final

from avro_data_contracts.contracts.sources.spec import SourceSpec


class RandomuserSpec(SourceSpec):
    """It has no keys of its own."""


SPEC: Final = RandomuserSpec
