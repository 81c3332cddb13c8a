"""Jobs and their events, as OpenLineage writes them.  Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.lineage import datasets, facets
from avro_data_contracts.contracts.lineage.datasets import Dataset
from avro_data_contracts.contracts.lineage.outputs import DEAD_LETTERS, TOPIC
from avro_data_contracts.contracts.settings import Settings

_SPEC: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"


class State(StrEnum):
    """What an event tells of a run."""

    start = "START"
    complete = "COMPLETE"
    fail = "FAIL"
    abort = "ABORT"


@dataclass(frozen=True)
class Job:
    """A job, and what it reads and writes.

    Attributes:
        outputs: by a name that `rows` of `run_event` has, too.
    """

    namespace: str
    name: str
    facets: Mapping[str, facets.Facet]
    inputs: tuple[Dataset, ...] = ()
    outputs: Mapping[str, Dataset] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run of a job.

    Attributes:
        id: a UUID.
        parent: namespace, job and id of the run that started it; None if nothing did.
    """

    id: str
    parent: tuple[str, str, str] | None = None


def stream(contract: Contract, settings: Settings, namespace: str) -> Job:
    """Return the job that writes the records of a contract to its tables, and refused ones to the dead letters."""
    return Job(
        namespace,
        f"streaming.{contract.name}",
        _facets(contract, "STREAMING", "STREAM"),
        datasets.inputs(contract, settings),
        datasets.outputs(contract, settings),
    )


def producer(contract: Contract, settings: Settings, namespace: str, source: str = "") -> Job:
    """Return the job that sends the records of a source to the contract's topic.

    Args:
        source: a file or a URL; empty if it has no name.
    """
    found = {
        TOPIC: datasets.topic(contract, settings),
        DEAD_LETTERS: datasets.dead_letters(contract, settings),
    }
    inputs = (_source(source),) if source else ()
    return Job(namespace, f"producers.{contract.name}", _facets(contract, "BATCH", "PRODUCER"), inputs, found)


def task(name: str, namespace: str, owner: str) -> Job:
    """Return the job that a task of Airflow is."""
    found = {"jobType": facets.job_type("BATCH", "TASK", "AIRFLOW"), "ownership": facets.owned(owner, "Job")}
    return Job(namespace, name, found)


def _facets(contract: Contract, processing: str, kind: str) -> dict[str, facets.Facet]:
    found = {
        "jobType": facets.job_type(processing, kind),
        "ownership": facets.owned(contract.spec.owner, "Job"),
    }
    description = contract.spec.description
    return {**found, "documentation": facets.documented(description, "Job")} if description else found


def _source(where: str) -> Dataset:
    url = urlsplit(where)
    if url.scheme in ("http", "https"):
        return Dataset(f"{url.scheme}://{url.netloc.rpartition('@')[2]}", url.path.lstrip("/") or "/")
    return Dataset("file", posixpath.normpath(where))


def run_event(
    job: Job,
    run: Run,
    state: State,
    when: datetime,
    *,
    rows: Mapping[str, int] | None = None,
    error: str = "",
) -> dict[str, Any]:
    """Return an event of a run.

    Args:
        when: with a time zone.
        rows: how many the run has written so far, by the names of the job's outputs.
        error: why it failed.
    """
    about: dict[str, facets.Facet] = {}
    if run.parent is not None:
        about["parent"] = facets.parent(*run.parent)
    if error:
        about["errorMessage"] = facets.error(error)
    return {
        "eventType": state.value,
        **_event("RunEvent", job, when, rows or {}),
        "run": {"runId": run.id, "facets": about},
    }


def static(
    contracts: Iterable[Contract], settings: Settings, namespace: str, when: datetime
) -> Iterator[dict[str, Any]]:
    """Yield an event without a run for each job of the contracts."""
    for one in contracts:
        if one.spec.source is not None:
            yield job_event(producer(one, settings, namespace), when)
        if one.sinks:
            yield job_event(stream(one, settings, namespace), when)


def job_event(job: Job, when: datetime) -> dict[str, Any]:
    """Return an event that says what a job reads and writes, without a run."""
    return _event("JobEvent", job, when, {})


def _event(kind: str, job: Job, when: datetime, rows: Mapping[str, int]) -> dict[str, Any]:
    outputs = []
    for name, one in job.outputs.items():
        counted = {"outputFacets": {"outputStatistics": facets.rows(rows[name])}} if name in rows else {}
        outputs.append({**one.as_json(), **counted})
    return {
        "eventTime": when.isoformat(timespec="milliseconds"),
        "producer": facets.PRODUCER,
        "schemaURL": f"{_SPEC}{kind}",
        "job": {"namespace": job.namespace, "name": job.name, "facets": dict(job.facets)},
        "inputs": [one.as_json() for one in job.inputs],
        "outputs": outputs,
    }
