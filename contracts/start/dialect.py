"""The dialect of a CSV file, which its header tells."""

from __future__ import annotations

import csv

#: What may be between the cells of a CSV file; the first that splits the header into the most columns is.
_DELIMITERS = ",;\t|"


def delimiter(header: str) -> str:
    """What is between the cells of a file with this header."""
    return max(_DELIMITERS, key=lambda one: _columns(header, one))


def _columns(header: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([header], delimiter=delimiter), []))
    except csv.Error:  # a quoted name that goes on in the next line
        return 0
