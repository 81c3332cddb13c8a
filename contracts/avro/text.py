"""The text of a schema while it is parsed: its JSON, and errors that point into it."""

from __future__ import annotations

from contracts.avro.jsonpos import Document, JsonError, Pointer, load
from contracts.avro.nodes import path_of
from contracts.errors import InvalidSchema


class SchemaText:
    """One schema's JSON.

    Args:
        where: what messages call the text, e.g. its file.

    Raises:
        InvalidSchema: the text is not JSON.
    """

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        try:
            self.document: Document = load(text)
        except JsonError as error:
            raise InvalidSchema(
                f"not valid JSON: {error.what}",
                where=self._place(error.line, error.column),
                fix="correct the text there",
                line=error.line,
                column=error.column,
            ) from None

    def invalid(self, what: str, at: Pointer, fix: str) -> InvalidSchema:
        """The error to raise for the place `at`."""
        line, column = self.document.position(at)
        path = path_of(self.document, at)
        return InvalidSchema(what, where=self._place(line, column), fix=fix, path=path, line=line, column=column)

    def _place(self, line: int, column: int) -> str:
        return f"{self.where}:{line}:{column}" if self.where else f"line {line}, column {column}"
