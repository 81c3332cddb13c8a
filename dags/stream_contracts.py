"""Airflow: stream every contract that has no `source` of its own once a day, all of them in one process.

Other programs fill their topics.  A contract with a `source` has a DAG that also produces and reconciles.
"""

from airflow.sdk import DAG, Asset

from avro_data_contracts.orchestration.command import Command
from avro_data_contracts.orchestration.daily import DAILY, common, contracts

DAG_ID = "stream_contracts"

found = [contract for contract in contracts() if contract.sinks and not contract.spec.source]
if found:  # if no contract can be loaded, the gate of user_automation fails with the reason
    with DAG(
        DAG_ID,
        schedule=DAILY,
        **common(DAG_ID),
        description="Streams the contracts without a source into their stores.",
        doc_md=__doc__,
        params={"contract": "all without a source"},
    ):
        named = [word for contract in found for word in ("--contract", contract.name)]
        topics = sorted({contract.topic for contract in found})
        register = Command(task_id="register_schemas", commands=[["contracts", "register"]])
        store = Command(
            task_id="stream_into_stores",
            commands=[["streaming", *named, "--available-now"]],
            inlets=[Asset(name=one, uri=f"kafka://topic/{one}", group="topics") for one in topics],
        )
        register >> store
