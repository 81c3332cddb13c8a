"""Users of a randomuser.me API as records of `users_created`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.randomuser.api import RandomuserApi
from avro_data_contracts.producers.sources.randomuser.mapping import User, to_record
from avro_data_contracts.producers.sources.source import Item, Opens, Record, Request


class RandomuserSource:
    """The API at DATASOURCE_URL.  See `producers.sources.source.Source`."""

    def __init__(self, contract: Contract, settings: Settings) -> None:
        self._api = RandomuserApi.from_settings(settings)
        self._page = self._user = 0

    @property
    def where(self) -> str:
        return self._api.address

    @property
    def position(self) -> str:
        return f"page {self._page}, user {self._user}" if self._page else ""

    def items(self, request: Request) -> Iterator[Item]:
        size = min(request.page_size, request.count or request.page_size)
        for page, users in enumerate(self._api.pages(request.seed, size), 1):
            for number, user in enumerate(users, 1):
                self._page, self._user = page, number
                yield Item(user, _outcome(user))


def _outcome(user: User) -> Record | Rejection:
    try:
        return to_record(user)
    except Rejection as rejection:
        return rejection


SOURCE: Final[Opens] = RandomuserSource
