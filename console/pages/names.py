"""The names of contracts in addresses and file names."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_PLAIN: Final = re.compile(rb"[^A-Za-z0-9._-]")
#: Bytes of a file name that leave room for an ending.
_LONGEST: Final = 150
_KEPT: Final = 100


def slug(name: str) -> str:
    """Return a name for an address and a file: of letters, digits, `.`, `_`, `-` and `~`, and different for
    different names.

    Everything else is written `~` and two hexadecimal digits for each byte.
    """
    data = name.encode("utf-8", "surrogatepass")
    made = _PLAIN.sub(lambda found: b"~%02x" % found[0][0], data).decode("ascii")
    if made.startswith("."):  # a hidden file, or a folder around this one
        made = f"~2e{made[1:]}"
    if len(made) <= _LONGEST:
        return made
    return f"{made[:_KEPT]}~~{hashlib.sha256(data).hexdigest()[:24]}"


def anchor(path: str, of: str = "field") -> str:
    """Return the id of a field's row.  `of`: what tells the fields of the value and of the key apart."""
    return f"{of}-{slug(path)}"
