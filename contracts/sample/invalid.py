"""Records that are refused, each for one reason: a code of the dead-letter topic (docs/how-to/dead-letters.md).

What JSON can show is a record.  What only bytes can show is a message (`messages`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import MISSING, AnyType, Array, Map, Record, Schema, Union
from avro_data_contracts.contracts.avro.shapes import type_name
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.quality.judge import Judge
from avro_data_contracts.contracts.sample import plain, valid
from avro_data_contracts.contracts.sample.asked import Asked
from avro_data_contracts.contracts.sample.chance import Chance, NotFound
from avro_data_contracts.contracts.sample.messages import MAGIC, VALUE_HEADER, Message, WrittenWith, body
from avro_data_contracts.contracts.sample.values import Values

ALL: Final = "all"
#: Kafka's clients send messages of up to 1,000,000 bytes.
_TOO_LARGE: Final = 1_100_000
#: No registry has this id: it is the highest one.
_UNKNOWN_ID: Final = 2**31 - 1
#: Milliseconds after 1970 that Spark cannot hold.
_OUT_OF_RANGE: Final = 10**16
#: Values for a field whose type has no such JSON.
_STRANGE: Final[tuple[Any, ...]] = ({"unexpected": 1}, ["unexpected"], "unexpected!", True, 1.5, None)
_REFUSED_BY_STORE: Final = "REFUSED:"


@dataclass(frozen=True)
class Refusal:
    """What is refused, and why.

    Attributes:
        reason: the code.
        record: the record in Python, for `Publisher.send`; MISSING if there is only a message.
        shown: the record in plain JSON.
        message: for what JSON cannot show.
    """

    reason: str
    record: Any = MISSING
    shown: Any = None
    message: Message | None = None

    def as_json(self) -> dict[str, Any]:
        if self.message is None:
            return {"reason": self.reason, "record": self.shown}
        return {"reason": self.reason, "message": self.message.as_json()}


class Invalid:
    """Makes what is refused by the producer or the stream of one contract."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._schema = contract.value.schema
        self._good = valid.maker(contract)
        self._breakers: dict[str, valid.Make] = {}
        self._made: Mapping[str, Callable[[Chance], Message]] = {
            "NULL_VALUE": lambda chance: Message(None),
            "TOO_SHORT": lambda chance: Message(MAGIC + chance.random.randbytes(3)),
            "BAD_MAGIC": self._plain_json,
            "BAD_SCHEMA_ID_HEADER": lambda chance: self._with_header(chance, b"\x02"),
            "NO_GUID_ENDPOINT": lambda chance: self._with_header(
                chance, b"\x01" + uuid.UUID(int=chance.random.getrandbits(128), version=4).bytes
            ),
            "UNKNOWN_SCHEMA_ID": lambda chance: Message(MAGIC + _UNKNOWN_ID.to_bytes(4, "big") + self._body(chance)),
            "WRONG_SUBJECT": self._of_the_key,
            "INCOMPATIBLE_SCHEMA": self._unreadable,
            "DECODE_ERROR": lambda chance: Message(self._body(chance) + b"\x00", self._own),
            "TIMESTAMP_OUT_OF_RANGE": lambda chance: Message(
                self._body(chance), self._own, timestamp=_OUT_OF_RANGE + chance.random.randrange(1_000)
            ),
        }

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason, whether this contract can show it or not."""
        return ("INVALID_RECORD", "TOO_LARGE", *(rule.reason for rule in self._contract.rules), *self._made)

    def of(self, reason: str, chance: Chance) -> Refusal:
        """Make one.

        Raises:
            ConfigurationError: there is no such reason, or nothing can be refused for it under this contract.
        """
        if reason not in self.reasons:
            fix = f"use {ALL}, or one of {', '.join(self.reasons)}"
            if reason.startswith(_REFUSED_BY_STORE):
                raise ConfigurationError("what a store refuses depends on the store", where="--invalid", fix=fix)
            raise ConfigurationError(f"there is no reason {reason!r}", where="--invalid", fix=fix)
        if reason == "INVALID_RECORD":
            return self._misfit(chance)
        if reason == "TOO_LARGE":
            return self._too_large(chance)
        if reason in self._made:
            return Refusal(reason, message=self._made[reason](chance))
        if reason not in self._breakers:
            rules = self._contract.rules
            number = next(number for number, rule in enumerate(rules) if rule.reason == reason)
            goals = [*((rule.holds, True) for rule in rules[:number]), (rules[number].holds, False)]
            self._breakers[reason] = valid.made(self._contract, goals)
        return self._shown(reason, self._breakers[reason](chance))

    def _shown(self, reason: str, record: Any) -> Refusal:
        return Refusal(reason, record, plain.of(self._schema, record))

    # -- what JSON can show ------------------------------------------------------------------------------------------

    def _misfit(self, chance: Chance) -> Refusal:
        """A record without a field that it needs, or with a value that no type of the field takes."""
        record = self._good(chance)
        shown = plain.of(self._schema, record)
        root = self._schema.resolve(self._schema.root)
        choices: list[tuple[str, Any]] = []
        if isinstance(root, Record):
            for field in root.fields:
                if not field.has_default and not plain.takes(self._schema, field.type, None):
                    choices.append((field.name, MISSING))
                strange = [one for one in _STRANGE if self._is_strange(field.type, one)]
                choices += [(field.name, one) for one in strange]
        if choices:
            name, given = chance.choice(choices)
            changed = ({key: one for key, one in whole.items() if key != name} for whole in (record, shown))
            more = {} if given is MISSING else {name: given}
            record, shown = ({**whole, **more} for whole in changed)
            return Refusal("INVALID_RECORD", record, shown)
        for one in _STRANGE:
            if self._is_strange(root, one):
                return Refusal("INVALID_RECORD", one, one)
        raise self._impossible("INVALID_RECORD", "the schema takes values of every kind")

    def _is_strange(self, node: AnyType, value: Any) -> bool:
        """Whether neither JSON's readers nor the producer take the value."""
        kinds = _kinds(self._schema, node)
        if isinstance(value, Mapping) and kinds & {"record", "map"}:
            return False
        return not (isinstance(value, list) and "array" in kinds) and not plain.takes(self._schema, node, value)

    def _too_large(self, chance: Chance) -> Refusal:
        record = self._good(chance)
        root = self._schema.resolve(self._schema.root)
        judge = Judge(self._contract.rules)
        values = Values(self._schema)
        asked = Asked(lengths=((">=", _TOO_LARGE),))
        for field in root.fields if isinstance(root, Record) else ():
            if _kinds(self._schema, field.type) - {"null"} not in ({"string"}, {"bytes"}):
                continue
            try:
                record[field.name] = values.at((field,), asked)(chance)
            except NotFound:
                continue
            if judge.first_broken(record) is None:
                return self._shown("TOO_LARGE", record)
        raise self._impossible("TOO_LARGE", "no text and no bytes of the record may be so long")

    # -- what bytes can show -----------------------------------------------------------------------------------------

    @property
    def _own(self) -> WrittenWith:
        return WrittenWith(self._contract.value.name)

    def _body(self, chance: Chance) -> bytes:
        return body(self._schema, self._good(chance))

    def _plain_json(self, chance: Chance) -> Message:
        """A producer without a serializer."""
        text = json.dumps(plain.of(self._schema, self._good(chance)))
        return Message(text.ljust(len(MAGIC) + 4).encode())

    def _with_header(self, chance: Chance, content: bytes) -> Message:
        return Message(self._body(chance), headers=((VALUE_HEADER, content),))

    def _of_the_key(self, chance: Chance) -> Message:
        """The usual mistake: the value is written with the schema of its key."""
        key = self._contract.key
        if key is None:
            raise self._impossible("WRONG_SUBJECT", "the topic has no key, whose subject would be the wrong one")
        if key.name == self._contract.value.name:
            raise self._impossible("WRONG_SUBJECT", "key and value have the same subject")
        chance.start()
        return Message(body(key.schema, Values(key.schema).drawn()(chance)), WrittenWith(key.name))

    def _unreadable(self, chance: Chance) -> Message:
        """Written with a schema that the contract cannot read, as after a break that nobody prepared."""
        root = self._schema.resolve(self._schema.root)
        if isinstance(root, Record) and root.fields:
            kind = {"type": "fixed", "name": "Unreadable", "size": 1}
            names = {"name": root.name, **({"namespace": root.namespace} if root.namespace else {})}
            text = {"type": "record", **names, "fields": [{"name": root.fields[0].name, "type": kind}]}
            value: Any = {root.fields[0].name: b"\x00"}
        elif root.type in ("boolean", "null") or (isinstance(root, Union) and not root.branches):
            text, value = {"type": "string"}, ""
        else:
            text, value = {"type": "boolean"}, True
        schema = parsing.parse(json.dumps(text), where="the unreadable schema")
        return Message(body(schema, value), WrittenWith(self._contract.value.name, json.dumps(text)))

    def _impossible(self, reason: str, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"nothing can be refused as {reason}: {why}",
            where=self._contract.name,
            fix=f"ask for another reason: {few([one for one in self.reasons if one != reason], 20)}",
        )


def _kinds(schema: Schema, node: AnyType) -> set[str]:
    """Names of the types of a value; `map` also for a duration, which is an object in JSON."""
    node = schema.resolve(node)
    if isinstance(node, Union):
        return {kind for one in node.branches for kind in _kinds(schema, one)}
    if isinstance(node, Record | Array | Map):
        return {node.type}
    return {"map"} if type_name(node) == "duration" else {type_name(node)}
