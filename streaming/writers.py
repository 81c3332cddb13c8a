"""Schema ids -> the schemas that records were written with, or why they cannot be read.

An id that the registry does not know is the record's fault.  A registry that does not answer is an outage: it raises
`ServiceError`, the batch waits and tries again, and nothing is dead-lettered for it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from contracts import compatibility
from contracts.contract import Contract
from contracts.errors import InvalidSchema
from contracts.registry import Registry
from contracts.writing import to_json
from streaming.reasons import Reason


@dataclass(frozen=True)
class Writer:
    """What is known of one schema id.

    Attributes:
        schema_id: the id in the record's framing.
        text: self-contained Avro JSON of the writer schema; empty when records of this id are rejected.
        reason: why they are rejected, None when they can be read.
        detail: the same in words, without personal data.
    """

    schema_id: int
    text: str
    reason: Reason | None = None
    detail: str = ""


class Writers:
    """The writer schemas of one contract's value subject, each asked for once.  Safe for several threads.

    Args:
        registry: where ids are looked up.
        contract: its value schema is the reader.
    """

    def __init__(self, registry: Registry, contract: Contract) -> None:
        self._registry = registry
        self._subject = contract.value.name
        self._reader = contract.value.schema_text
        self._known: dict[int, Writer] = {}
        self._lock = threading.Lock()

    @property
    def known(self) -> dict[int, Writer]:
        """What is remembered, see `of`."""
        with self._lock:
            return dict(self._known)

    def of(self, schema_ids: Iterable[int]) -> dict[int, Writer]:
        """A `Writer` for each id.  Raises ServiceError when the registry does not answer.

        What can be read, and what never will be, is remembered; an id that the registry does not know, or knows under
        another subject only, is asked for again in the next batch, for it may be registered meanwhile.
        """
        with self._lock:
            answers = {schema_id: self._known.get(schema_id) or self._look_up(schema_id) for schema_id in schema_ids}
            self._known |= {
                schema_id: writer
                for schema_id, writer in answers.items()
                if writer.reason in (None, Reason.INCOMPATIBLE_SCHEMA)
            }
        return answers

    def _look_up(self, schema_id: int) -> Writer:
        found = self._registry.by_id(schema_id)
        if found is None:
            return Writer(schema_id, "", Reason.UNKNOWN_SCHEMA_ID, f"the registry has no schema id {schema_id}")
        subjects = self._registry.subjects_of(schema_id)
        if not self._registry.is_one_of(self._subject, subjects):
            told = ", ".join(subjects) or "no subject"
            detail = f"schema id {schema_id} belongs to {told}, not to {self._subject}"
            return Writer(schema_id, "", Reason.WRONG_SUBJECT, detail)
        try:
            text = to_json(self._registry.parse(found))
            violations = compatibility.check(self._reader, [text], "BACKWARD")
        except InvalidSchema as error:
            detail = f"schema id {schema_id} is not a valid Avro schema: {error.what}"
            return Writer(schema_id, "", Reason.INCOMPATIBLE_SCHEMA, detail)
        if violations:
            first = violations[0]
            detail = (
                f"schema id {schema_id} cannot be read with the contract: {first.rule} at {first.path or 'the root'}"
            )
            return Writer(schema_id, "", Reason.INCOMPATIBLE_SCHEMA, detail)
        return Writer(schema_id, text)
