"""The source of `--from sample:`: records that satisfy the schema and the rules of their contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from avro_data_contracts import extras
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.sources.source import Item, Opens, Request


class SampleSource:
    """Makes records without end; the same seed makes the same ones."""

    def __init__(self, contract: Contract, settings: Settings) -> None:
        self._contract = contract
        self.where = f"samples of {contract.name}"
        self.position = ""

    def items(self, request: Request) -> Iterator[Item]:
        """Yield records.

        Raises:
            ConfigurationError: no record satisfies the schema and the rules, or none was found.
        """
        extras.require("sample")
        from avro_data_contracts.contracts import sample

        for number, record in enumerate(sample.records(self._contract, request.seed), 1):
            self.position = f"sample {number}"
            yield Item(record, record)


SOURCE: Final[Opens] = SampleSource
