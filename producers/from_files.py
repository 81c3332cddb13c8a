"""What `--from` needs: the files, where refused records go, and how far an earlier run came."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.producers.keys import is_part_of_value
from avro_data_contracts.producers.plain.asked import Asked
from avro_data_contracts.producers.reject_file import RejectFile
from avro_data_contracts.producers.resuming import Progress, folder
from avro_data_contracts.producers.sources.file.inputs import STDIN
from avro_data_contracts.producers.sources.file.source import FileSource


@dataclass(frozen=True)
class FileOptions:
    """The options that belong to `--from`, as they were given."""

    given: str | None
    format: str | None
    coerce: Sequence[str]
    reject: str | None
    resume: bool

    def check(self, *, seed: str | None) -> None:
        """Raise ConfigurationError for options that do not go together."""
        names = {
            "--format": self.format,
            "--coerce": self.coerce,
            "--reject": self.reject,
            "--resume": self.resume,
        }
        alone = [name for name, value in names.items() if value]
        if self.given == "":
            raise ConfigurationError("--from names nothing", fix="name a file, a folder, or -")
        if self.given is None and alone:
            raise ConfigurationError(f"{alone[0]} is for files", fix="name them: --from FILE")
        if self.given is not None and seed is not None:
            raise ConfigurationError("--seed is for sources that make records up", fix="leave it out with --from")


class FromFiles:
    """The parts of a run from files.  It is `producers.sources.source.Resumable`.

    Args:
        environment: says where the file with the progress is (`producers.resuming`).

    Attributes:
        source: the files.
        rejects: the file of `--reject`, None for the dead-letter topic.
        resumed: an earlier run had begun, and this one goes on.
    """

    def __init__(
        self, options: FileOptions, contract: Contract, settings: Settings, environment: Mapping[str, str]
    ) -> None:
        assert options.given is not None
        given = options.given
        self.source = FileSource(
            given,
            contract.value.schema,
            format_=options.format,
            asked=Asked.of(options.coerce),
            # Another key has to be made of the values before they are written.
            final=contract.key is None or is_part_of_value(contract),
        )
        facts = {
            "from": given if given == STDIN else os.path.realpath(given),
            "topic": contract.topic,
            "kafka": settings.kafka_bootstrap_servers,
        }
        self._progress = Progress(folder(environment), facts)
        self._resume = options.resume
        before = self._progress.read() if options.resume else None
        self.resumed = before is not None
        if before is not None:
            self.source.resume(before)
        self.rejects = RejectFile(options.reject, append=options.resume) if options.reject else None

    def begin(self) -> None:
        """Forget how far earlier runs came, unless this one goes on there."""
        if not self._resume:
            self._progress.forget()

    @property
    def place(self) -> Any:
        return self.source.place

    def keep(self, place: Any) -> None:
        if self.rejects is not None:
            self.rejects.flush()
        self._progress.save(self.source.state(place))
