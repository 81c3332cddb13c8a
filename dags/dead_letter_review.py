"""Airflow: check once a day whether more records were rejected than `dead_letter.max_rate` of their contract allows.

One task for each contract looks at the 24 hours before the run, two hours after the daily run of the contract.  It
fails with the reasons and the number of records for each.
"""

from airflow.sdk import DAG, Param

from avro_data_contracts.orchestration.command import Command
from avro_data_contracts.orchestration.daily import LATER, WHEN, common, contracts, identifier

FROM = f"{{{{ ({WHEN} - macros.timedelta(hours=params.hours)).isoformat() }}}}"
TO = f"{{{{ {WHEN}.isoformat() }}}}"

with DAG(
    "dead_letter_review",
    schedule=LATER,
    **common("dead_letter_review"),
    description="Fails if too many records of a contract were rejected.",
    doc_md=__doc__,
    params={"hours": Param(24, type="integer", minimum=1, description="Hours to look back.")},
):
    found = contracts()
    for contract in found:
        review = ["streaming", "--contract", contract.name, "dlq", "review", "--from", FROM, "--to", TO]
        Command(task_id=f"review_{identifier(contract)}", commands=[review], params={"contract": contract.name})
    if not found:
        # No contract could be loaded; this task fails with the reason.
        Command(task_id="review", commands=[["contracts", "lint"]], params={"contract": "all"})
