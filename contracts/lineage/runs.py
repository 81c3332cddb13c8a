"""Tells the beginning and the end of a run to OpenLineage, if that is configured; otherwise does nothing.

`of_stream`, `of_producer` and `of_task` are all that the other packages call.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from avro_data_contracts.contracts.errors import ContractsError, Interrupted
from avro_data_contracts.contracts.lineage import emitter

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from avro_data_contracts.contracts.catalog.contract import Contract
    from avro_data_contracts.contracts.lineage.emitter import Emitter
    from avro_data_contracts.contracts.lineage.events import Job
    from avro_data_contracts.contracts.settings import Settings

# The functions load the events themselves: most runs tell nobody.

#: Environment: the namespace of our jobs, as for every integration of OpenLineage.
NAMESPACE: Final = "OPENLINEAGE_NAMESPACE"
#: Environment: `NAMESPACE/JOB/RUN` of the run that started this process.
PARENT: Final = "OPENLINEAGE_PARENT_ID"


@dataclass
class Told:
    """What a run knows of itself at its end.

    Attributes:
        id: `NAMESPACE/JOB/RUN`, for `PARENT` of a process that it starts; empty if nobody is told of the run.
        rows: how many it wrote, by the names of its outputs (see `names`).
        error: why it failed, if no exception says so.
    """

    id: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    error: str = ""


def namespace() -> str:
    """Return the namespace of our jobs."""
    return os.environ.get(NAMESPACE) or "default"


def parent() -> tuple[str, str, str] | None:
    """Return namespace, job and id of the run that started this process, if its environment says so."""
    space, _, rest = os.environ.get(PARENT, "").partition("/")
    job, _, run = rest.rpartition("/")
    try:
        return (space, job, str(uuid.UUID(run))) if space and job else None
    except ValueError:
        return None


def of_stream(contract: Contract, settings: Settings) -> AbstractContextManager[Told]:
    """Tell of a stream of a contract while the block runs.  `rows`: by the names of the queries, and dead letters."""

    def job(space: str) -> Job:
        from avro_data_contracts.contracts.lineage import events

        return events.stream(contract, settings, space)

    return told(job, contract=contract.name)


def of_producer(contract: Contract, settings: Settings, source: str) -> AbstractContextManager[Told]:
    """Tell of a run of a producer while the block runs.

    Args:
        source: where its records come from; what is neither a URL nor a file has no name.
    """

    def job(space: str) -> Job:
        from avro_data_contracts.contracts.lineage import events

        is_url = source.startswith(("http://", "https://"))
        named = source if is_url else os.path.abspath(source) if os.path.isfile(source) else ""
        return events.producer(contract, settings, space, named)

    return told(job, contract=contract.name)


def of_task(name: str, owner: str) -> AbstractContextManager[Told]:
    """Tell of a task of Airflow while the block runs, unless Airflow's own provider does.

    Args:
        name: `DAG.TASK`, as that provider names it.
    """

    def job(space: str) -> Job:
        from avro_data_contracts.contracts.lineage import events

        return events.task(name, space, owner)

    return told(job, is_ours=not _is_there("airflow.providers.openlineage"), task=name)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing too
        return False


@contextmanager
def told(job: Callable[[str], Job], *, is_ours: bool = True, **words: str) -> Iterator[Told]:
    """Tell of a run while the block runs: START, and then COMPLETE, FAIL or ABORT.

    Args:
        job: makes the job, of a namespace.
        is_ours: False: somebody else tells of it.
        words: for lines in the log.
    """
    run = Told()
    if not is_ours or not emitter.is_configured():
        yield run
        return
    sender = emitter.Emitter(**words)
    made = _Run(run, job, sender)
    made.tell("START")
    try:
        yield run
    except (Interrupted, KeyboardInterrupt):
        made.tell("ABORT")
        raise
    except BaseException as error:
        made.tell("FAIL", run.error or _words(error))
        raise
    else:
        made.tell("FAIL" if run.error else "COMPLETE", run.error)
    finally:
        sender.finish()


class _Run:
    """A run and its events."""

    def __init__(self, run: Told, make: Callable[[str], Job], sender: Emitter) -> None:
        self._run = run
        self._make = make
        self._sender = sender
        self._id = str(uuid.uuid4())
        self._job: Job | None = None

    def tell(self, state: str, error: str = "") -> None:
        from avro_data_contracts.contracts.lineage import events

        try:
            if self._job is None:
                self._job = self._make(namespace())
                self._run.id = f"{self._job.namespace}/{self._job.name}/{self._id}"
            run, now = events.Run(self._id, parent()), datetime.now(UTC)
            event = events.run_event(self._job, run, events.State(state), now, rows=dict(self._run.rows), error=error)
        except Exception as fault:  # a bug of ours must not end a stream
            self._sender.could_not_make(fault)
        else:
            self._sender.emit(event)


def _words(error: BaseException) -> str:
    """What an error says, without what may be data: of errors that are not ours, only the kind."""
    return str(error) if isinstance(error, ContractsError) else type(error).__name__
