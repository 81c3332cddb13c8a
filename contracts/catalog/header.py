"""The header of a view: the comment lines at the top of its SQL, which are YAML.  Pure."""

from __future__ import annotations

_MARK = "--"


def header_of(text: str) -> str:
    """Return the YAML of the header; each line is in the same line as in the text, three characters further left."""
    lines = []
    for line in text.splitlines():
        if not line.startswith(_MARK):
            break
        lines.append(line[len(_MARK) :].removeprefix(" "))
    return "".join(f"{line}\n" for line in lines)


def body_of(text: str) -> str:
    """Return the text with an empty line in place of each line of the header: every line keeps its number."""
    count = header_of(text).count("\n")
    return "\n" * count + "".join(text.splitlines(keepends=True)[count:])
