"""The source of `--from sample: --invalid`: what the producer or the stream refuses, each for one reason.

It registers nothing.  So a reason that needs a schema of its own in the registry is left out, unless it is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Final

import structlog

from avro_data_contracts import extras
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.parallel import Once
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from avro_data_contracts.contracts.registry.topics import Topics
from avro_data_contracts.contracts.sample.chance import Chance
from avro_data_contracts.contracts.sample.invalid import ALL, Invalid, Refusal
from avro_data_contracts.contracts.sample.messages import WrittenWith
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.dead_letter import Row
from avro_data_contracts.producers.raw import Raw
from avro_data_contracts.producers.sources.source import Item, Request

log = structlog.get_logger()

_LATEST: Final = "message.timestamp.after.max.ms"


class RefusedSource:
    """Makes one item for each reason; with a count, as many as are asked for, one reason after the other.

    Args:
        reason: a code of docs/how-to/dead-letters.md, or `all`.
    """

    def __init__(self, contract: Contract, settings: Settings, reason: str) -> None:
        extras.require("sample")
        self._contract = contract
        self._topics = Topics(settings)
        self._registry = Registry.from_settings(settings)
        self._snapshot = Snapshot(self._registry)
        self._ids: Once[WrittenWith, int] = Once()
        self._makers = Invalid(contract)
        self._reason = reason
        if reason != ALL:
            self._makers.of(reason, Chance(0))  # raises if the contract cannot show it
        self.where = f"refused samples of {contract.name}"
        self.position = ""

    def items(self, request: Request) -> Iterator[Item]:
        """Yield items.

        Raises:
            ConfigurationError: nothing can be refused for the reason, under this contract and with this registry.
            ServiceError: the registry does not answer.
        """
        reasons = self._possible() if self._reason == ALL else [self._reason]
        chance = Chance(request.seed)
        for number, reason in enumerate(reasons if request.count is None else cycle(reasons), 1):
            self.position = f"sample {number}, {reason}"
            yield self._item(self._makers.of(reason, chance))

    def _possible(self) -> list[str]:
        found = []
        for reason in self._makers.reasons:
            try:
                self._item(self._makers.of(reason, Chance(0)))
            except ConfigurationError as error:
                log.warning("left out", reason=reason, why=error.what)
            else:
                found.append(reason)
        return found

    def _item(self, refusal: Refusal) -> Item:
        message = refusal.message
        if message is None:
            # The letter of a record that is too large for one says so: the same seed makes it again.
            shown = refusal.shown
            return Item(Row(shown) if isinstance(shown, dict) else shown, refusal.record)
        if message.timestamp is not None:
            self._check_timestamps(message.timestamp)
        raw = Raw(message.framed(self._known_id_of), message.headers, message.timestamp or 0)
        return Item(message.as_json(), raw)

    def _check_timestamps(self, millis: int) -> None:
        """Raise ConfigurationError if the topic takes no timestamp of the far future."""
        try:
            most = int(self._topics.setting(self._contract.topic, _LATEST))
        except KeyError:  # a broker before 3.6 takes all of them
            return
        if most < millis:
            raise ConfigurationError(
                f"it needs a timestamp that {self._contract.topic} does not take",
                where=self._contract.file,
                fix=f'write {_LATEST}: "{2**63 - 1}" below kafka.config, and register it',
            )

    def _known_id_of(self, written_with: WrittenWith) -> int:
        return self._ids.get(written_with, lambda: self._id_of(written_with))

    def _id_of(self, written_with: WrittenWith) -> int:
        if written_with.text:
            found = self._registry.lookup(written_with.subject, written_with.text)
        else:
            [subject] = [one for one in self._contract.subjects if one.name == written_with.subject]
            found = self._snapshot.find(subject)
        if found is None:
            what, fix = "the schema of the contract", "contracts register (in a clone: make register-schemas)"
            if written_with.text:
                what = "a schema that the contract cannot read"
                fix = "`contracts sample` with this --invalid prints the schema; register it in a registry for tests"
            raise ConfigurationError(
                f"it needs {what} under subject {written_with.subject}, and it is not registered there",
                where=self._contract.name,
                fix=fix,
            )
        return found.schema_id
