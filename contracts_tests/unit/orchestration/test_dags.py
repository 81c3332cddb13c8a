"""The DAG files import without network access, and every task has an owner, retries and a timeout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.contract_copies import copy_of_users
from contracts_tests.fixtures.http_api import write_contract
from contracts_tests.fixtures.lineage import receiving

# Runs in a separate process, because importing Airflow changes global state. It imports Airflow once, and then forks
# for each line: a folder, and the environment in which the fork imports the DAG files and what they import of ours.
FACTS = """
import json, os, socket, sys

def refuse(*_):
    raise AssertionError("a DAG file used the network")

socket.socket.connect = socket.getaddrinfo = refuse
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag

assert not [name for name in sys.modules if name.startswith("avro_data_contracts.")]
for line in sys.stdin:
    if os.fork() == 0:
        break
    _, status = os.wait()
    if status:
        sys.exit(f"the fork ended with {status}")
else:
    os._exit(0)  # without the seconds that Airflow takes to end
folder, environment = json.loads(line)
os.chdir(folder)
os.environ.update(environment)
bag = DagBag(sys.argv[1])
print(json.dumps({
    "errors": bag.import_errors,
    "dags": {
        dag.dag_id: {
            "schedule": str(dag.schedule),
            "start": dag.start_date.isoformat(),
            "catchup": dag.catchup,
            "runs": dag.max_active_runs,
            "params": {name: dag.params[name] for name in dag.params},
            "deadline": bool(dag.deadline),
            "ends_s": dag.dagrun_timeout.total_seconds(),
            "tasks": {
                task.task_id: {
                    "owner": task.owner,
                    "retries": task.retries,
                    "backoff": task.retry_exponential_backoff,
                    "ends_s": task.execution_timeout and task.execution_timeout.total_seconds(),
                    "after": sorted(task.upstream_task_ids),
                    "commands": task.commands,
                    "at_once": task.max_active_tis_per_dag,
                    "outlets": [one.uri for one in task.outlets],
                    "alerts": [type(one).__name__ for one in task.on_failure_callback],
                }
                for task in dag.tasks
            },
        }
        for dag in bag.dags.values()
    },
}), flush=True)
os._exit(0)
"""

Facts = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facts]:
    """Return what returns what Airflow finds in dags/, in a folder and with more variables."""
    home = tmp_path_factory.mktemp("airflow")
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "CONTRACTS_DIR": str(CLONE / "schemas"),
    }
    log = home / "stderr.txt"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-c", FACTS, str(CLONE / "dags")],
            cwd=home,
            env={**os.environ, **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        asked, told = process.stdin, process.stdout

        def facts(folder: Path, **environment: str) -> dict[str, Any]:
            print(json.dumps([str(folder), environment]), file=asked, flush=True)
            for line in told:
                if line.startswith('{"errors":'):
                    found: dict[str, Any] = json.loads(line)
                    return found
            raise AssertionError(log.read_text())

        yield facts
        asked.close()
        assert process.wait(60) == 0, log.read_text()


@pytest.fixture(scope="module")
def found(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return facts(tmp_path_factory.mktemp("dags"))


def test_dags_import_without_errors(found: dict[str, Any]) -> None:
    assert found["errors"] == {}
    assert sorted(found["dags"]) == ["dead_letter_review", "stream_contracts", "user_automation"]


def test_every_dag_runs_daily_and_one_run_at_a_time(found: dict[str, Any]) -> None:
    assert found["dags"]["user_automation"]["schedule"] == "0 10 * * *"
    assert found["dags"]["stream_contracts"]["schedule"] == "0 10 * * *"
    assert found["dags"]["dead_letter_review"]["schedule"] == "0 12 * * *"
    for dag in found["dags"].values():
        assert dag["start"] == "2023-09-03T10:00:00+00:00"
        assert (dag["catchup"], dag["runs"], dag["deadline"]) == (False, 1, True)
        assert 0 < dag["ends_s"] < 24 * 3600


def test_every_task_has_an_owner_retries_and_a_timeout(found: dict[str, Any]) -> None:
    for dag in found["dags"].values():
        for task in dag["tasks"].values():
            assert task["owner"] == "data-platform"
            assert task["retries"] >= 1
            assert task["backoff"]
            assert 0 < task["ends_s"] < dag["ends_s"]
            assert task["alerts"] == []
            assert task["at_once"] == 1


def test_daily_tasks_run_one_after_another(found: dict[str, Any]) -> None:
    tasks = found["dags"]["user_automation"]["tasks"]
    steps = ["contract_gate", "register_schemas", "stream_data_from_api", "stream_into_stores", "reconcile"]
    assert list(tasks) == steps
    assert [tasks[step]["after"] for step in steps] == [[], *([step] for step in steps[:-1])]
    assert tasks["stream_data_from_api"]["outlets"] == ["kafka://topic/users_created"]
    assert list(found["dags"]["dead_letter_review"]["tasks"]) == ["review_orders_placed", "review_users_created"]


def test_contracts_without_a_source_are_streamed_by_one_process(facts: Facts, tmp_path: Path) -> None:
    schemas = tmp_path / "schemas"
    copy_of_users(schemas, "users_created")
    shutil.copytree(CLONE / "schemas" / "orders_placed", schemas / "orders_placed")
    shutil.copytree(CLONE / "schemas" / "types", schemas / "types")
    for name in ("views_shown", "carts_left"):
        copy_of_users(schemas, name, "source:\n  api: randomuser\n  count: 1000\n", "")
    found = facts(tmp_path, CONTRACTS_DIR=str(schemas))
    assert found["errors"] == {}
    tasks = found["dags"]["stream_contracts"]["tasks"]
    named = [word for name in ("carts_left", "orders_placed", "views_shown") for word in ("--contract", name)]
    assert tasks["stream_into_stores"]["commands"] == [["streaming", *named, "--available-now"]]
    assert tasks["stream_into_stores"]["after"] == ["register_schemas"]


def test_environment_sets_owner_and_alert_recipients(facts: Facts, tmp_path: Path) -> None:
    told = {"ALERT_EMAIL_TO": "team@example.com", "ALERT_WEBHOOK_URL": "http://127.0.0.1:9/hook"}
    dags = facts(tmp_path, AIRFLOW_OWNER="somebody", **told)["dags"]
    tasks = [task for dag in dags.values() for task in dag["tasks"].values()]
    assert {task["owner"] for task in tasks} == {"somebody"}
    assert all(task["alerts"] == ["SmtpNotifier", "Webhook"] for task in tasks)


def test_contract_with_a_source_gets_its_own_dag(facts: Facts, tmp_path: Path) -> None:
    schemas = tmp_path / "schemas"
    copy_of_users(schemas, "contacts_created")
    copy_of_users(schemas, "users_created")
    dags = facts(tmp_path, CONTRACTS_DIR=str(schemas))["dags"]
    assert sorted(dags) == ["dead_letter_review", "ingest_contacts_created", "user_automation"]
    assert dags["ingest_contacts_created"]["params"] == {"contract": "contacts_created", "count": 1000}


def test_contract_with_an_http_source_gets_its_own_dag(facts: Facts, tmp_path: Path) -> None:
    schemas = write_contract(tmp_path, {"url": "https://shop.example/orders"})
    write_contract(tmp_path, {"python": "shop.orders:read", "count": 5}, "paid", "paid")
    copy_of_users(schemas, "users_created")
    found = facts(tmp_path, CONTRACTS_DIR=str(schemas))
    assert found["errors"] == {}
    assert found["dags"]["ingest_orders"]["params"] == {"contract": "orders", "count": "all"}
    assert found["dags"]["ingest_paid"]["params"] == {"contract": "paid", "count": 5}
    assert "user_automation" in found["dags"]


def only_lint_is_left(found: dict[str, Any]) -> None:
    """Assert that each DAG consists of one lint task, which will report the problem."""
    assert found["errors"] == {}
    tasks = {name: dag["tasks"] for name, dag in found["dags"].items()}
    assert {name: list(of) for name, of in tasks.items()} == {
        "user_automation": ["contract_gate"],
        "dead_letter_review": ["review"],
    }
    for [task] in (of.values() for of in tasks.values()):
        assert task["commands"][0] == ["contracts", "lint"]


def test_invalid_contract_leaves_only_the_lint_tasks(facts: Facts, tmp_path: Path) -> None:
    schemas = tmp_path / "schemas"
    copy_of_users(schemas, "users_created")
    copy_of_users(schemas, "contacts_created", "source", "sauce")
    only_lint_is_left(facts(tmp_path, CONTRACTS_DIR=str(schemas)))


@pytest.mark.parametrize("variable", ["AIRFLOW_RETRY_DELAY_S", "AIRFLOW_OWNER"])
def test_invalid_setting_leaves_only_the_lint_tasks(facts: Facts, tmp_path: Path, variable: str) -> None:
    found = facts(tmp_path, **{variable: ""})
    only_lint_is_left(found)
    assert all(task["owner"] == "data-platform" for dag in found["dags"].values() for task in dag["tasks"].values())


def test_contract_in_a_nested_folder_gets_a_dag(facts: Facts, tmp_path: Path) -> None:
    schemas = tmp_path / "schemas"
    copy_of_users(schemas, "users_created")
    copy_of_users(schemas / "team", "events")
    found = facts(tmp_path, CONTRACTS_DIR=str(schemas))
    assert found["errors"] == {}
    assert sorted(found["dags"]) == ["dead_letter_review", "ingest_team.events", "user_automation"]
    assert sorted(found["dags"]["dead_letter_review"]["tasks"]) == ["review_team.events", "review_users_created"]


# On SIGTERM, finishes its batch and leaves a file as proof.
PATIENT = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(1)
    pathlib.Path("finished").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path("started").touch()
time.sleep(60)
"""
KILLED = """
import pathlib, threading, time
from avro_data_contracts.orchestration.command import Command
task = Command(task_id="task", commands=[["patient"]])
def kill():
    while not pathlib.Path("started").exists():
        time.sleep(0.05)
    task.on_kill()
threading.Thread(target=kill).start()
task.execute({})
"""


def test_killed_task_lets_its_command_finish(tmp_path: Path) -> None:
    (tmp_path / "patient.py").write_text(PATIENT)
    own = {"AIRFLOW_HOME": str(tmp_path / "airflow"), "PYTHONPATH": str(CLONE)}
    subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, env={**os.environ, **own}, check=True, timeout=60)
    assert (tmp_path / "finished").exists()


# Commands that fail in different ways, each with a value of a record in what it prints and in its arguments.
FAILING = """
import os, sys
from avro_data_contracts.contracts import edge
from avro_data_contracts.contracts.errors import ConfigurationError

how = sys.argv[1]
def main():
    if how == "bug":
        float("alice@example.com")
    if how == "ours":
        raise ConfigurationError("alice@example.com is not a number", fix="ask alice@example.com")
    print("the last line has alice@example.com")
    if how == "killed":
        sys.stdout.flush()
        os.kill(os.getpid(), 9)
    return int(how)
edge.run(main)
"""
TASKS = """
import json, sys
from airflow.sdk.exceptions import AirflowException
from avro_data_contracts.orchestration.command import Command

for number, how in enumerate(json.loads(sys.argv[1])):
    task = Command(task_id=f"task{number}", commands=[["failing", how, "--where", "alice@example.com"]])
    try:
        task.execute({})
    except AirflowException as error:
        assert "alice@example.com" in str(error)  # the log and the alert of the task say it
    else:
        sys.exit(f"{how} did not fail")
"""
FAILURES = {
    "bug": "a bug (exit 70)",
    "ours": "wrong usage or configuration (exit 2)",
    "killed": "ended by signal 9 (exit -9)",
    "1": "findings (exit 1)",
    "3": "a service failed (exit 3)",
    "5": "failed (exit 5)",
}


def test_lineage_of_a_failed_command_has_nothing_that_it_printed(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    with receiving() as receiver:
        own = {
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "PYTHONPATH": str(CLONE),
            "OPENLINEAGE__TRANSPORT__TYPE": "http",
            "OPENLINEAGE__TRANSPORT__URL": receiver.url,
        }
        command = [sys.executable, "-c", "from airflow.sdk import DAG\nwith DAG('daily'):\n" + indented(TASKS)]
        subprocess.run(
            [*command, json.dumps(list(FAILURES))], cwd=tmp_path, env={**os.environ, **own}, check=True, timeout=120
        )
    assert receiver.states == ["START", "FAIL"] * len(FAILURES)
    messages = [one["run"]["facets"]["errorMessage"]["message"] for one in receiver.events[1::2]]
    assert messages == [f"python -m failing: {words}" for words in FAILURES.values()]
    assert "alice" not in json.dumps(receiver.events)


def indented(program: str) -> str:
    return "".join(f"    {line}\n" for line in program.splitlines())


def test_dags_pass_the_airflow_lint_rules() -> None:
    command = [sys.executable, "-m", "ruff", "check", "--select", "AIR", "dags", "orchestration"]
    assert subprocess.run(command, cwd=CLONE, capture_output=True, check=False).returncode == 0
