"""docs/types.md, as the tests read it."""

from __future__ import annotations

from contracts_tests.conftest import CLONE

PAGE = CLONE / "docs" / "types.md"


def table(heading: str) -> dict[str, list[str]]:
    """The table under `heading`: its other cells by the first one, without the marks of code."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    rows = [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines[1:]]
    assert len({row[0] for row in rows}) == len(rows), "a row stands twice"
    return {row[0]: row[1:] for row in rows}
