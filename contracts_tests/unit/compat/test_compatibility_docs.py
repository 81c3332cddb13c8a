"""docs/reference/compatibility.md, which names every level, rule and promotion of the engine."""

from __future__ import annotations

import re

from avro_data_contracts.contracts.compat import resolution
from avro_data_contracts.contracts.compat.levels import LEVELS
from contracts_tests.fixtures.clone import CLONE

PAGE = (CLONE / "docs" / "reference" / "compatibility.md").read_text(encoding="utf-8")


def table(heading: str) -> dict[str, str]:
    """First and second column of the table under `heading`."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")][2:]
    return {row[0].strip("`"): row[1] for row in rows}


def test_page_lists_every_level() -> None:
    assert set(table("Levels")) == set(LEVELS)


def test_page_lists_every_rule() -> None:
    rules = {name for name, value in vars(resolution).items() if name.isupper() and name == value}
    assert set(table("Rules")) == rules


def test_page_lists_every_promotion() -> None:
    told = {written: set(re.findall(r"`(\w+)`", readers)) for written, readers in table("Widening").items()}
    for written in {one for narrow in resolution.PROMOTIONS.values() for one in narrow}:
        assert told[written] == {wide for wide, narrow in resolution.PROMOTIONS.items() if written in narrow}
    assert {written for written in told if told[written]} == {
        one for few in resolution.PROMOTIONS.values() for one in few
    }
