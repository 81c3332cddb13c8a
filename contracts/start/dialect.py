"""The dialect of a CSV file, which its header tells, and the words for what is not CSV."""

from __future__ import annotations

import csv

#: What may be between the cells of a CSV file; the first that splits the header into the most columns is.
_DELIMITERS = ",;\t|"


def delimiter(header: str) -> str:
    """What is between the cells of a file with this header."""
    return max(_DELIMITERS, key=lambda one: _columns(header, one))


def words(error: csv.Error) -> str:
    """Return what csv says, without its advice to Python programmers, which differs between versions of Python."""
    text = str(error)
    alone = text.startswith("new-line character seen in unquoted field")
    return "a carriage return without a line feed ends a line" if alone else text


def _columns(header: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([header], delimiter=delimiter), []))
    except csv.Error:  # a quoted name that goes on in the next line
        return 0
