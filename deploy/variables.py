"""The names in `.env`: those that the compose files use, and those that another version of this project wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from avro_data_contracts.stack.errors import UsageError

# Only our own variables begin so.  Others in `.env` may be for the embedded stack, for Compose or for a source.
_PASSWORDS, _PORTS = "DEPLOY_", "PORT_"
_ALIKE = 0.85


def unused(
    written: Mapping[str, str], known: Sequence[str], required: Sequence[str], environment: Mapping[str, str]
) -> list[str]:
    """Return our variables that nothing uses, and that certainly stand for nothing else.

    Args:
        written: the variables of `.env`.
        known: names of all variables that the compose files use.
        required: those of them that must have a value.
        environment: all values that Compose sees.

    Raises:
        UsageError: a name that nothing uses can be another name, or a misspelled one, of a variable without a value.
            A new password in its place would not be the one that the servers have.
    """
    strange = [name for name in written if name.startswith((_PASSWORDS, _PORTS)) and name not in known]
    free = [name for name in known if not environment.get(name)]
    meant = {name: near[0] for name in strange if (near := get_close_matches(name, free, 1, _ALIKE))}
    if meant:
        pairs = ", ".join(f"{name} (is it {near}?)" for name, near in meant.items())
        raise UsageError(
            f"this version knows no variable of this name: {pairs}",
            where=".env",
            fix="rename it if it is the same; otherwise put a # in front of its line",
        )
    missing = [name for name in required if not environment.get(name)]
    passwords = [name for name in strange if name.startswith(_PASSWORDS)]
    if missing and passwords:
        raise UsageError(
            f"not set: {', '.join(missing)}; and this version does not know {', '.join(passwords)}, which may be "
            "the name of one of them in another version",
            where=".env",
            fix="rename what is the same, put a # in front of the other lines that this version does not know, "
            "and run `make compose-env`, which adds what is still missing",
        )
    return strange
