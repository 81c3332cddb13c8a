"""JSON documents of a source: their whole numbers are `int`, the others `Decimal`, so that no digit is lost."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

#: The value of a key that is not there.
ABSENT: Final = object()


def written(value: Any, *, ascii_only: bool = False) -> str:
    """Return a document as compact JSON, with every digit of its numbers.

    Args:
        ascii_only: escape every other character; UTF-8 cannot express half of a surrogate pair.
    """
    if isinstance(value, dict):
        items = (
            f"{json.dumps(key, ensure_ascii=ascii_only)}:{written(v, ascii_only=ascii_only)}"
            for key, v in value.items()
        )
        return "{" + ",".join(items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(one, ascii_only=ascii_only) for one in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=ascii_only)
