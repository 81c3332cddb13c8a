"""Arguments and templates that all DAGs of the project share."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import (  # type: ignore[attr-defined]  # its stub lacks them
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
)
from airflow.sdk.exceptions import AirflowFailException

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.orchestration import alerts

if TYPE_CHECKING:
    from airflow.sdk import Context

DAILY, LATER = "0 10 * * *", "0 12 * * *"
START = pendulum.datetime(2023, 9, 3, 10, tz="UTC")
LATE_AFTER = timedelta(minutes=30)
LONGEST = timedelta(hours=3)

# Templates.  A run that was started by hand may have no logical date; then its day is the day on which it runs.
CONTRACT = "{{ params.contract }}"
COUNT = "{{ params.count }}"
WHEN = "(dag_run.logical_date or dag_run.run_after)"
DAY = f"{{{{ {WHEN} | ds }}}}"
#: The same for all runs of one day and contract: a repeated run fetches the same users and writes the same rows.
SEED = f"{CONTRACT}-{DAY}"


def contracts() -> list[Contract]:
    """Load all contracts of CONTRACTS_DIR from disk; Airflow does so whenever it reads a DAG file.

    Returns an empty list if a contract is broken.  The DAGs then still exist, and their first task, `contracts lint`,
    fails with the reason.  A DAG file that cannot be read would fail no run and alert nobody.
    """
    try:
        return list(loading.load(settings.load().contracts_dir).contracts.values())
    except ContractsError:
        return []


def identifier(contract: Contract) -> str:
    """A contract's name as part of a DAG or task id."""
    return contract.name.replace("/", ".")


def _configured() -> Settings:
    """The settings; the defaults if one is invalid, because every command reports that."""
    try:
        return settings.load()
    except ConfigurationError:
        return Settings.model_construct()


def common(dag_id: str, *tags: str) -> dict[str, Any]:
    """Arguments of every DAG: one run at a time, no catch-up, retries, and an alert for every failure."""
    configured = _configured()
    return {
        "start_date": START,
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": LONGEST,
        "on_failure_callback": alerts.run_timed_out,
        "deadline": DeadlineAlert(
            # Not DAGRUN_QUEUED_AT: with it, Airflow 3.3.2 cannot clear a failed run.
            reference=DeadlineReference.AVERAGE_RUNTIME(max_runs=10, min_runs=1),
            interval=LATE_AFTER,
            callback=AsyncCallback(alerts.deadline_missed, kwargs={"dag_id": dag_id}),
        ),
        "default_args": {
            "owner": configured.airflow_owner,
            "retries": 3,
            "retry_delay": timedelta(seconds=configured.airflow_retry_delay_s),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(minutes=10),
            "execution_timeout": timedelta(minutes=30),
            # A backfill may have several runs at once, but two runs never execute the same step at once.
            "max_active_tis_per_dag": 1,
            "on_failure_callback": alerts.on_failure(),
        },
        "tags": ["contracts", *tags],
    }


def refuse_a_date_to_come(context: Context) -> None:
    """Refuse a run whose logical date lies in the future: the later run of that day would overwrite its users.

    Raises:
        AirflowFailException: the logical date lies in the future.
    """
    date = context["dag_run"].logical_date
    if date is not None and date > pendulum.now("UTC"):
        raise AirflowFailException(
            f"the logical date {date:%Y-%m-%d %H:%M} lies in the future; trigger the DAG with a past date"
        )
