"""Values of records as JSON over several lines, with every digit of their numbers.  Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from avro_data_contracts.contracts.sources.documents import written

_STEP: Final = "  "


def laid_out(value: Any, around: str = "") -> str:
    """Return a value as JSON, one field or item a line.  `around`: the indentation of the line that it begins in."""
    inner = around + _STEP
    if isinstance(value, dict) and value:
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {laid_out(one, inner)}" for key, one in value.items()]
        return "{\n" + ",\n".join(f"{inner}{part}" for part in parts) + f"\n{around}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"{inner}{laid_out(one, inner)}" for one in value) + f"\n{around}]"
    return written(value)
