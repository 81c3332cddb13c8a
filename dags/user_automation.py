"""Airflow: produce, stream and reconcile every contract with a `source` once a day.

`schemas/users_created` has the DAG `user_automation`; any other contract `NAME` gets `ingest_NAME` without new code.
"""

from airflow.sdk import DAG, Asset, Param

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.sources.spec import ALL
from avro_data_contracts.orchestration.command import Command
from avro_data_contracts.orchestration.daily import (
    CONTRACT,
    COUNT,
    DAILY,
    SEED,
    common,
    contracts,
    identifier,
    refuse_a_date_to_come,
)

FIRST, DAG_ID = "users_created", "user_automation"


def gate() -> Command:
    return Command(
        task_id="contract_gate",
        commands=[["contracts", "lint"], ["contracts", "check", "--against", "registry"]],
        pre_execute=refuse_a_date_to_come,
    )


def daily(contract: Contract, count: int | str) -> None:
    dag_id = DAG_ID if contract.name == FIRST else f"ingest_{identifier(contract)}"
    topic = Asset(name=contract.topic, uri=f"kafka://topic/{contract.topic}", group="topics")
    stream = ["streaming", "--contract", CONTRACT]
    with DAG(
        dag_id,
        schedule=DAILY,
        **common(dag_id, contract.spec.owner),
        description=contract.spec.description,
        doc_md=__doc__,
        params={
            "contract": Param(contract.name, enum=[contract.name], description="Folder in schemas/."),
            "count": Param(
                count,
                type="integer" if isinstance(count, int) else ["integer", "string"],
                minimum=1,
                maximum=1_000_000,
                pattern=f"^({ALL}|[1-9][0-9]*)$",
                description=f"Records to fetch; {ALL}: until the source has no more.",
            ),
        },
    ):
        check = gate()
        register = Command(task_id="register_schemas", commands=[["contracts", "register"]])
        produce = Command(
            task_id="stream_data_from_api",
            commands=[["producers", "--json", "--contract", CONTRACT, "--count", COUNT, "--seed", SEED]],
            as_json=True,
            outlets=[topic],
        )
        store = Command(task_id="stream_into_stores", commands=[[*stream, "--available-now"]], inlets=[topic])
        reconcile = Command(
            task_id="reconcile",
            commands=[[*stream, "reconcile", "--run", "-"]],
            stdin="{{ ti.xcom_pull('stream_data_from_api') | tojson }}",
        )
        check >> register >> produce >> store >> reconcile


sourced = [contract for contract in contracts() if contract.spec.source]
for one in sourced:
    daily(one, one.spec.source.count or ALL)
if FIRST not in [one.name for one in sourced]:
    # The contract could not be loaded, or has no source; the gate fails with the reason if it is broken.
    with DAG(DAG_ID, schedule=DAILY, **common(DAG_ID), doc_md=__doc__, params={"contract": FIRST}):
        gate()
