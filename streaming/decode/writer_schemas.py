"""Looks up the schemas that records were written with, or why they cannot be read.

An id that the registry does not know is the record's fault.  A registry that does not answer is an outage: it raises
`ServiceError`, the batch is retried, and no record is dead-lettered for it.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from avro_data_contracts.contracts.avro import connect
from avro_data_contracts.contracts.avro.nodes import Logical
from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.compat import levels, meanings
from avro_data_contracts.contracts.compat.changes import Change, Kind
from avro_data_contracts.contracts.errors import InvalidSchema
from avro_data_contracts.contracts.registry.client import NoGuidEndpoint, Registry
from avro_data_contracts.contracts.registry.parallel import each
from avro_data_contracts.contracts.registry.registered import RegisteredSchema
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from avro_data_contracts.streaming.decode.framing import SchemaKey
from avro_data_contracts.streaming.decode.programs import nesting
from avro_data_contracts.streaming.decode.reasons import OF_ANOTHER, Reason

#: Most ids of a batch that are looked up one by one, besides the subject's own.
MOST_ASKED = 100
#: Most levels of a writer schema; StrictReader.java goes as deep into a body.
MOST_NESTED = 200
# Subjects that a dead letter names.
_TOLD = 5


@dataclass(frozen=True)
class Writer:
    """What is known about one schema id or GUID.

    Attributes:
        key: the id or GUID that records name.
        text: self-contained Avro JSON of the writer schema; empty when its records are rejected.
        reason: why they are rejected (a `Reason`) or skipped (`OF_ANOTHER`), None when they can be read.
        detail: the reason in words, without personal data.
        lasts: whether that can never change.
    """

    key: SchemaKey
    text: str
    reason: str | None = None
    detail: str = ""
    lasts: bool = False


class LookedUp(dict[SchemaKey, Writer]):
    """Writers by their key.

    Attributes:
        unknown: why every other schema id is rejected, with `{}` for the id; None: the ids were not looked up.
    """

    def __init__(self, writers: dict[SchemaKey, Writer], unknown: str | None) -> None:
        super().__init__(writers)
        self.unknown = unknown


class Writers:
    """The writer schemas of one contract's value subject, each looked up once.  Safe for several threads.

    Args:
        registry: where ids are looked up.
        contract: its value schema is the reader schema.
    """

    def __init__(self, registry: Registry, contract: Contract) -> None:
        self._registry = registry
        self._subject = contract.value.name
        self._contract = contract
        self._reader = to_json(contract.reader)
        self._known: dict[SchemaKey, Writer] = {}
        self._lock = threading.Lock()

    @property
    def known(self) -> dict[SchemaKey, Writer]:
        """Return what is remembered, see `of`."""
        with self._lock:
            return dict(self._known)

    def of(self, keys: Iterable[SchemaKey], asked: dict[SchemaKey, Writer] | None = None) -> LookedUp:
        """Return what is known, with what the registry says about `keys`.

        A schema that can be read, or never will be, is remembered.  An id that the registry does not know, or knows
        only under another subject, is looked up again in the next batch: it may be registered by then.

        A batch may name thousands of ids that do not exist.  Beyond `MOST_ASKED` of them, the subject's own list of
        versions decides, so the number of requests is limited and no record of the subject is rejected.

        Args:
            keys: the most frequent first.
            asked: answers from an earlier attempt at the batch; new answers are added.

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
                    f"schema {{}} is not a version of {self._subject}; the batch has more than {MOST_ASKED} unknown "
                    "ids, so the registry was not asked for each"
                )

            def look_up(key: SchemaKey) -> None:
                asked[key] = self._look_up(key)

            each(look_up, new, self._registry.parallel)
            lasting = (None, Reason.INCOMPATIBLE_SCHEMA)
            self._known |= {key: one for key, one in asked.items() if one.lasts or one.reason in lasting}
            return LookedUp(self._known | asked, unknown)

    def _ours(self) -> set[SchemaKey]:
        """Return every id and GUID of the versions of the subject, and of the topic's other contracts."""
        names = (self._subject, *(one.subject for one in self._contract.siblings))
        found = [one for name in names for one in self._registry.all_of(name)]
        return {key for one in found for key in (one.schema_id, one.guid) if key}

    def _without_guid_endpoint(self, guids: list[str]) -> dict[SchemaKey, Writer]:
        """Look up the first GUID; if the registry has no endpoint for GUIDs, that answers for all."""
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
        if (other := self._of_another(key, name, found, subjects)) is not None:
            return other
        if not self._registry.is_one_of(self._subject, subjects):
            more = f" and {len(subjects) - _TOLD} more" if len(subjects) > _TOLD else ""
            # Subjects of the same topic first: the usual mistake is a value written with its key's schema.
            topic = self._subject.removesuffix("-value").removesuffix("-key")
            ordered = sorted(subjects, key=lambda subject: (not subject.startswith(topic), subject))
            told = ", ".join(ordered[:_TOLD]) + more or "no subject"
            return Writer(key, "", Reason.WRONG_SUBJECT, f"{name} belongs to {told}, not to {self._subject}")
        try:
            parsed = Snapshot(self._registry).parse(found)
            text = to_json(parsed)
            if nesting(parsed) > MOST_NESTED:
                detail = f"{name} is nested more than {MOST_NESTED} levels deep, and Spark cannot read it"
                return Writer(key, "", Reason.INCOMPATIBLE_SCHEMA, detail)
            violations = levels.check(self._reader, [text], "BACKWARD")
        except InvalidSchema as error:
            detail = f"{name} is not a valid Avro schema: {error.what}"
            return Writer(key, "", Reason.INCOMPATIBLE_SCHEMA, detail)
        if violations:
            first = violations[0]
            detail = f"{name} cannot be read with the contract: {first.rule} at {first.path or 'the root'}"
            return Writer(key, "", Reason.INCOMPATIBLE_SCHEMA, detail)
        meant = parsed if self._contract.spec.envelope is None else connect.typed(parsed)
        if bent := next(filter(_is_bent, meanings.between(meant, self._contract.reader)), None):
            detail = (
                f"{name} gives values another meaning: {bent.path} is {bent.old} there, {bent.new} in the contract"
            )
            return Writer(key, "", Reason.INCOMPATIBLE_SCHEMA, detail)
        return Writer(key, text)

    def _of_another(
        self, key: SchemaKey, name: str, found: RegisteredSchema, subjects: Collection[str]
    ) -> Writer | None:
        """Return the writer whose records are skipped; None if they concern this contract.

        The full name of the record decides; where no contract of the topic has it, the subject.
        """
        siblings = self._contract.siblings
        if not siblings:
            return None
        record = self._fullname(found)
        if record in self._contract.value.names:
            return None
        owner = next((one for one in siblings if record in one.names), None)
        if owner is None:
            if self._registry.is_one_of(self._subject, subjects):
                return None
            owner = next((one for one in siblings if self._registry.is_one_of(one.subject, subjects)), None)
        if owner is not None:
            return Writer(key, "", OF_ANOTHER, f"{name} is of the contract {owner.contract}", lasts=True)
        return None if self._contract.leads else Writer(key, "", OF_ANOTHER, f"{name} is of no contract")

    def _fullname(self, found: RegisteredSchema) -> str:
        """Return the full name of a schema's type; empty if it has none."""
        try:
            schema = Snapshot(self._registry).parse(found)
        except InvalidSchema:
            return ""
        return schema.type.fullname if schema.type else ""

    def _find(self, key: SchemaKey) -> tuple[RegisteredSchema | None, list[int], str]:
        """Return the schema, its ids, and how to name it in a message."""
        if isinstance(key, int):
            return self._registry.by_id(key), [key], f"schema id {key}"
        found = self._registry.by_guid(key)
        return found, self._registry.ids_of_guid(key) if found else [], f"schema GUID {key}"


def _is_bent(change: Change) -> bool:
    """Return whether the contract's logical type gives the writer's numbers other values; Avro ignores both."""
    if change.kind is Kind.decimal:
        return True
    both = change.before is not None and change.after is not None
    return change.kind is Kind.logical and both and _unit(change.before) != _unit(change.after)


def _unit(logical: Logical) -> str:
    return logical.name.removeprefix("local-")


def _no_guid_endpoint(guid: str) -> Writer:
    detail = f"the record names its schema by GUID {guid}, and the registry has no endpoint for GUIDs"
    return Writer(guid, "", Reason.NO_GUID_ENDPOINT, detail)
