"""Airflow: once a day, whether more records were rejected than `dead_letter.max_rate` of their contract allows.

One task for each contract, over the 24 hours before the run; it fails with the reasons and how many records each has.
"""

from airflow.sdk import DAG, Param

from orchestration.command import Command
from orchestration.daily import DAILY, common, contracts

FROM = "{{ ((dag_run.logical_date or dag_run.run_after) - macros.timedelta(hours=params.hours)).isoformat() }}"
TO = "{{ (dag_run.logical_date or dag_run.run_after).isoformat() }}"

with DAG(
    "dead_letter_review",
    schedule=DAILY,
    **common("dead_letter_review"),
    description="Fails when too many records of a contract were rejected.",
    doc_md=__doc__,
    params={"hours": Param(24, type="integer", minimum=1, description="How far to look back.")},
):
    for contract in contracts():
        review = ["streaming", "--contract", contract.name, "dlq", "review", "--from", FROM, "--to", TO]
        Command(task_id=f"review_{contract.name}", commands=[review], params={"contract": contract.name})
