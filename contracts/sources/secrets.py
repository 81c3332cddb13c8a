"""Secrets of a source: contract.yaml names environment variables, `${NAME}`, and holds no secret itself.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Headers and parameters that hold a secret, as far as their name says so.
_SECRET_NAME: Final = re.compile(
    r"(?i)(^|[-_.])(authorization|cookie|token|secret|password|passwd|pwd|api[-_]?key|apikey|access[-_]?key|sig|"
    r"signature|credentials?|session|jwt|bearer)($|[-_.])|^key$|(token|secret|password|apikey)$"
)
#: What only secrets look like, whatever they are called.
_SECRET_LOOK: Final = re.compile(
    r"(?i)^\s*(bearer|basic|token)\s+[^\s,]|(^|[^a-z0-9])(gh[pousr]_|github_pat_|glpat-|sk_live_|sk_test_|rk_live_|xox[abeprs]-|"
    r"AKIA[0-9A-Z]{12}|eyJ[a-z0-9_-]{10})"
)


def variables(text: str) -> tuple[str, ...]:
    """The names of the environment variables in a text, in its order.

    Raises:
        ValueError: a reference is not `${NAME}`.
    """
    names = tuple(_REFERENCE.findall(text))
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError("`${" + name + "}` names no environment variable; write one such as ${SHOP_TOKEN}")
    if "${" in _REFERENCE.sub("", text):
        raise ValueError("`${` has no `}`; write an environment variable as ${SHOP_TOKEN}")
    return names


def filled(text: str, value: Callable[[str], str]) -> str:
    """Return a text with the value of each variable in place of its reference."""
    return _REFERENCE.sub(lambda found: value(found[1]), text)


def without_references(text: str) -> str:
    """Return what a text says itself."""
    return _REFERENCE.sub("", text)


def written_out(name: str, text: str) -> bool:
    """Whether a header or parameter holds a secret that is written out.

    Args:
        name: of the header or parameter.
        text: its value, as in contract.yaml.
    """
    own = without_references(text).strip()
    if _SECRET_LOOK.search(own):
        return True
    # What stands beside a reference, as in `Bearer ${TOKEN}`, is the name of a scheme.
    return bool(own) and not variables(text) and bool(_SECRET_NAME.search(name))
