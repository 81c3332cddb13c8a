"""The addresses of the pages that `contracts site` writes."""

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


def versions(site: str, contract: str) -> str:
    """Return the address of the page with the versions of a contract.  `site`: with a slash at its end."""
    return f"{site}versions/{slug(contract)}.html"
