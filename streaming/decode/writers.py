"""Schema ids -> the schemas that records were written with, or why they cannot be read.

An id that the registry does not know is the record's fault.  A registry that does not answer is an outage: it raises
`ServiceError`, the batch waits and tries again, and nothing is dead-lettered for it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.avro.nodes import Logical
from contracts.avro.writing import to_json
from contracts.catalog.contract import Contract
from contracts.compat import levels, meanings
from contracts.compat.changes import Change, Kind
from contracts.errors import InvalidSchema
from contracts.registry.client import NoGuidEndpoint, Registry
from contracts.registry.parallel import each
from contracts.registry.registered import RegisteredSchema
from contracts.registry.snapshot import Snapshot
from streaming.decode.framing import SchemaKey
from streaming.decode.reasons import Reason
from streaming.decode.strict import nesting

#: Ids of a batch that are asked for one by one, besides those of the subject itself.
MOST_ASKED = 100
#: Levels of a writer schema; StrictReader.java goes as deep into a body.
MOST_NESTED = 200
# Subjects that a dead letter names.
_TOLD = 5


@dataclass(frozen=True)
class Writer:
    """What is known of one schema id or GUID.

    Attributes:
        key: the id, or GUID, that records name.
        text: self-contained Avro JSON of the writer schema; empty when records of it are rejected.
        reason: why they are rejected, None when they can be read.
        detail: the same in words, without personal data.
    """

    key: SchemaKey
    text: str
    reason: Reason | None = None
    detail: str = ""


class LookedUp(dict[SchemaKey, Writer]):
    """Writers by their key.

    Attributes:
        unknown: why every other schema id is rejected, with `{}` in the place of the id; None: it was not looked up.
    """

    def __init__(self, writers: dict[SchemaKey, Writer], unknown: str | None) -> None:
        super().__init__(writers)
        self.unknown = unknown


class Writers:
    """The writer schemas of one contract's value subject, each asked for once.  Safe for several threads.

    Args:
        registry: where ids are looked up.
        contract: its value schema is the reader.
    """

    def __init__(self, registry: Registry, contract: Contract) -> None:
        self._registry = registry
        self._subject = contract.value.name
        self._contract = contract
        self._reader = contract.value.schema_text
        self._known: dict[SchemaKey, Writer] = {}
        self._lock = threading.Lock()

    @property
    def known(self) -> dict[SchemaKey, Writer]:
        """What is remembered, see `of`."""
        with self._lock:
            return dict(self._known)

    def of(self, keys: Iterable[SchemaKey], asked: dict[SchemaKey, Writer] | None = None) -> LookedUp:
        """What is known, and what the registry says of `keys`.

        What can be read, and what never will be, is remembered; an id that the registry does not know, or knows under
        another subject only, is asked for again in the next batch, for it may be registered meanwhile.

        A batch may name thousands of ids that do not exist.  Beyond `MOST_ASKED` of them the subject's own list of
        versions decides: the number of requests stays bounded, and no record of the subject is rejected.

        Args:
            keys: the most frequent first.
            asked: answers of an earlier attempt at the batch; what is answered now is added.

        Raises:
            ServiceError: the registry does not answer.
        """
        asked = {} if asked is None else asked
        with self._lock:
            new = [key for key in keys if key not in self._known and key not in asked]
            asked |= self._without_guid_endpoint([key for key in new if isinstance(key, str)])
            new = [key for key in new if key not in asked]
            unknown = "the registry has no schema {}"
            if len(new) > MOST_ASKED:
                ours = self._ours()
                new = [*(key for key in new if key in ours), *[key for key in new if key not in ours][:MOST_ASKED]]
                unknown = (
                    f"schema {{}} is none of {self._subject}'s; a batch holds more than {MOST_ASKED} unknown ids, "
                    "and the registry was not asked for each"
                )

            def look_up(key: SchemaKey) -> None:
                asked[key] = self._look_up(key)

            each(look_up, new, self._registry.parallel)
            self._known |= {
                key: one for key, one in asked.items() if one.reason in (None, Reason.INCOMPATIBLE_SCHEMA)
            }
            return LookedUp(self._known | asked, unknown)

    def _ours(self) -> set[SchemaKey]:
        """Every id and GUID of the subject's own versions."""
        return {key for one in self._registry.all_of(self._subject) for key in (one.schema_id, one.guid) if key}

    def _without_guid_endpoint(self, guids: list[str]) -> dict[SchemaKey, Writer]:
        """The answer for the first GUID; where the registry has none to give, it is the same for all of them."""
        if not guids:
            return {}
        first = self._look_up(guids[0])
        if first.reason is not Reason.NO_GUID_ENDPOINT:
            return {guids[0]: first}
        return {guid: _no_guid_endpoint(guid) for guid in guids}

    def _look_up(self, key: SchemaKey) -> Writer:
        try:
            found, ids, name = self._find(key)
        except NoGuidEndpoint:
            return _no_guid_endpoint(str(key))
        if found is None:
            return Writer(key, "", Reason.UNKNOWN_SCHEMA_ID, f"the registry has no {name}")
        subjects = {subject for schema_id in ids for subject in self._registry.subjects_of(schema_id)}
        if not self._registry.is_one_of(self._subject, subjects):
            more = f" and {len(subjects) - _TOLD} more" if len(subjects) > _TOLD else ""
            # Those of the same topic come first: most often a value was written with its key's schema.
            topic = self._subject.removesuffix("-value").removesuffix("-key")
            ordered = sorted(subjects, key=lambda subject: (not subject.startswith(topic), subject))
            told = ", ".join(ordered[:_TOLD]) + more or "no subject"
            return Writer(key, "", Reason.WRONG_SUBJECT, f"{name} belongs to {told}, not to {self._subject}")
        try:
            parsed = Snapshot(self._registry).parse(found)
            text = to_json(parsed)
            if nesting(parsed) > MOST_NESTED:
                detail = f"{name} is nested more than {MOST_NESTED} levels deep, and Spark can read no such schema"
                return Writer(key, "", Reason.INCOMPATIBLE_SCHEMA, detail)
            violations = levels.check(self._reader, [text], "BACKWARD")
        except InvalidSchema as error:
            detail = f"{name} is not a valid Avro schema: {error.what}"
            return Writer(key, "", Reason.INCOMPATIBLE_SCHEMA, detail)
        if violations:
            first = violations[0]
            detail = f"{name} cannot be read with the contract: {first.rule} at {first.path or 'the root'}"
            return Writer(key, "", Reason.INCOMPATIBLE_SCHEMA, detail)
        if bent := next(filter(_is_bent, meanings.between(parsed, self._contract.value.schema)), None):
            detail = f"{name} means other values: {bent.path} is {bent.old} there, and {bent.new} in the contract"
            return Writer(key, "", Reason.INCOMPATIBLE_SCHEMA, detail)
        return Writer(key, text)

    def _find(self, key: SchemaKey) -> tuple[RegisteredSchema | None, list[int], str]:
        """The schema, its ids, and what the record calls it."""
        if isinstance(key, int):
            return self._registry.by_id(key), [key], f"schema id {key}"
        found = self._registry.by_guid(key)
        return found, self._registry.ids_of_guid(key) if found else [], f"schema GUID {key}"


def _is_bent(change: Change) -> bool:
    """Whether the contract's logical type makes other values of the writer's numbers; Avro looks at neither."""
    if change.kind is Kind.decimal:
        return True
    both = change.before is not None and change.after is not None
    return change.kind is Kind.logical and both and _unit(change.before) != _unit(change.after)


def _unit(logical: Logical) -> str:
    return logical.name.removeprefix("local-")


def _no_guid_endpoint(guid: str) -> Writer:
    detail = f"the record names its schema by GUID {guid}, and the registry has no endpoint for GUIDs"
    return Writer(guid, "", Reason.NO_GUID_ENDPOINT, detail)
