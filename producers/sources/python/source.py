"""Records that a function of your own yields."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.sources.python.spec import PythonSpec
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.source import Item, Opens, Request


class PythonSource:
    """A function that yields mappings.  See `producers.sources.source.Source`.

    Its values are those of `Publisher.send`: docs/reference/producer.md, What a value may be.
    """

    def __init__(self, contract: Contract, settings: Settings) -> None:
        spec = contract.spec.source
        assert isinstance(spec, PythonSpec)
        self._name = spec.python
        self._file = contract.file
        self._number = 0
        self._function = self._found()

    @property
    def where(self) -> str:
        return self._name

    @property
    def position(self) -> str:
        return f"record {self._number}" if self._number else ""

    def items(self, request: Request) -> Iterator[Item]:
        items = self._iterator()
        while True:
            try:
                given = next(items)
            except StopIteration:
                return
            except Exception as error:
                raise self._failed(error) from None
            self._number += 1
            if isinstance(given, Mapping):
                yield Item(given, dict(given))
            else:
                kind = type(given).__name__
                yield Item(given, Rejection("INVALID_RECORD", f"the function yielded a {kind}, not a mapping"))

    def _found(self) -> Callable[[], Iterable[Any]]:
        module, _, name = self._name.partition(":")
        if (here := str(Path.cwd())) not in sys.path:
            sys.path.insert(0, here)
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"source.python: there is no module {error.name}",
                where=self._file,
                fix=f"install {error.name}, run from the folder that has it, or put that folder on PYTHONPATH",
            ) from None
        except Exception as error:
            raise self._failed(error) from None
        if not callable(found):
            raise ConfigurationError(
                f"source.python: {module} has no function {name}", where=self._file, fix="correct the name"
            )
        return found  # type: ignore[no-any-return]

    def _iterator(self) -> Iterator[Any]:
        try:
            return iter(self._function())
        except Exception as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> ContractsError:
        """What the function raised, without its message, which may contain a value."""
        if isinstance(error, ContractsError):
            return error
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{self._name} failed: {type(error).__name__} at {place.filename}:{place.lineno}"
        if self._number:
            what += f", after record {self._number}"
        if isinstance(error, OSError):  # also what requests raises
            fix = "check the server or file that it reads, then run again"
            return ServiceError(what, where=self._file, fix=fix, server="source")
        return ConfigurationError(what, where=self._file, fix="correct the function; it has to yield mappings")


SOURCE: Final[Opens] = PythonSource
