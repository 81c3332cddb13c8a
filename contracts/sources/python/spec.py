"""`source` of a contract whose records a function of your own yields."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from pydantic import field_validator

from avro_data_contracts.contracts.sources.spec import Count, SourceSpec

_FORM: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


class PythonSpec(SourceSpec):
    """A function.  `python`: `module:function`; it yields mappings, field name to value."""

    told_by: ClassVar[str] = "python"

    api: str = "python"
    count: Count = None
    python: str

    @field_validator("python")
    @classmethod
    def _names_a_function(cls, value: str) -> str:
        if not _FORM.fullmatch(value):
            raise ValueError(f"{value!r} is not a function: write module:function, such as shop.orders:read")
        return value


SPEC: Final = PythonSpec
