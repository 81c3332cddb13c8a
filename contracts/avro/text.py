"""The text of a schema while it is parsed: its JSON, and errors that point into it."""

from __future__ import annotations

from typing import Any

from avro_data_contracts.contracts.avro import protocols
from avro_data_contracts.contracts.avro.jsonpos import Document, JsonError, Pointer, load, load_once
from avro_data_contracts.contracts.avro.nodes import path_of
from avro_data_contracts.contracts.avro.slips import quoted
from avro_data_contracts.contracts.errors import InvalidSchema, Redefined, UnknownType


class SchemaText:
    """One schema's JSON.

    Args:
        where: what messages call the text, e.g. its file.
        part: only this item of the array, or of the types of the protocol, that the text is.

    Raises:
        InvalidSchema: the text is not JSON.
    """

    def __init__(self, text: str, where: str, part: int | None = None) -> None:
        self.where = where
        try:
            whole = load(text) if part is None else load_once(text)
        except JsonError as error:
            raise InvalidSchema(
                f"not valid JSON: {error.what}",
                where=self._place(error.line, error.column),
                fix="correct the text there",
                file=self.where,
                line=error.line,
                column=error.column,
            ) from None
        self.document: Document = whole
        self.space: str | None = None  # the namespace around it
        if part is not None and protocols.is_protocol(whole.value):
            self.document, self.space = whole.part(part, protocols.TYPES), protocols.namespace(whole.value)
        elif part is not None:
            self.document = whole.part(part)

    def invalid(self, what: str, at: Pointer, fix: str) -> InvalidSchema:
        """The error to raise for the place `at`."""
        return InvalidSchema(what, **self._facts(at), fix=fix)

    def redefined(self, name: str, at: Pointer, fix: str) -> Redefined:
        """The error to raise for a second definition of `name` at the place `at`."""
        return Redefined(name, **self._facts(at), fix=fix)

    def unknown(self, name: str, at: Pointer, fix: str) -> UnknownType:
        """The error to raise for a name at the place `at` that nothing defines."""
        return UnknownType(name, f"nothing defines the type {quoted(name)}", **self._facts(at), fix=fix)

    def _facts(self, at: Pointer) -> dict[str, Any]:
        line, column = self.document.position(at)
        path = path_of(self.document, at)
        return {"where": self._place(line, column), "file": self.where, "path": path, "line": line, "column": column}

    def _place(self, line: int, column: int) -> str:
        return f"{self.where}:{line}:{column}" if self.where else f"line {line}, column {column}"
