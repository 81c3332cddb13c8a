"""What is wrong with the SQL of a view."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """The lint rule that a problem belongs to."""

    sql = "VIEW_SQL"
    star = "VIEW_STAR"
    column = "VIEW_COLUMN"
    type = "VIEW_TYPE"
    key = "VIEW_KEY"
    watermark = "VIEW_WATERMARK"
    kind = "VIEW_KIND"
    mask = "VIEW_MASK"
    reference = "VIEW_REFERENCE"


@dataclass(frozen=True)
class Problem:
    """One problem, with its 1-based place in the file of the view.

    Attributes:
        column_name: of the result that it is about; empty for the whole view.
        file: another file that the place is in; empty for that of the view.
    """

    rule: Rule
    what: str
    fix: str
    line: int
    column: int
    column_name: str = ""
    file: str = ""
