"""Airflow's own processes run the whole job: over REST, through failures, and with somebody told of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from playwright.sync_api import sync_playwright

from contracts_tests.conftest import CLONE, NO_BROWSER, RunningStack
from contracts_tests.e2e.airflow_client import AirflowClient, Run, Sinks
from contracts_tests.integration.conftest import Pipeline, comparable, settings_for
from contracts_tests.unit.test_dags import copy_of_users

DAY = "2026-01-02"
USERS = 200


@pytest.fixture(scope="module")
def airflow(private: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowClient]:
    """Airflow on the servers of the tests, with contracts whose topics and tables are its own."""
    folder = tmp_path_factory.mktemp("airflow")
    for name in ("users_created", "contacts_created"):
        copy_of_users(folder / "schemas", name)
        file = folder / "schemas" / name / "contract.yaml"
        contract = yaml.safe_load(file.read_text())
        contract["topic"] = f"airflow_{name}"
        contract["dead_letter"] = {"topic": f"airflow_{name}.dlq", "max_rate": 0.02}
        for sink in contract["sinks"].values():
            sink["table"] = f"airflow_{name}"
        file.write_text(yaml.safe_dump(contract, sort_keys=False))
    own = {
        "CONTRACTS_DIR": str(folder / "schemas"),
        "CHECKPOINT_DIR": str(folder / "checkpoints"),
        "AIRFLOW_RETRY_DELAY_S": "1",
    }
    with Sinks() as told, pytest.MonkeyPatch.context() as patch:
        for name, value in {**own, **told.environment}.items():
            patch.setenv(name, value)
        private.run("up", "--with", "airflow")
        client = AirflowClient(private, folder / "schemas", told)
        client.log_in()
        yield client
        private.run("down", "--only", "airflow")


@pytest.fixture(scope="module")
def users(airflow: AirflowClient, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """What the DAG user_automation has made."""
    configured = settings_for(airflow.stack, tmp_path_factory.mktemp("spark"))
    configured = configured.model_copy(update={"contracts_dir": airflow.contracts})
    return Pipeline(configured, None, airflow.contracts / "users_created")


def rows(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The users themselves, without which event wrote them."""
    return {
        key: {name: value for name, value in comparable(row).items() if not name.startswith("kafka_")}
        for key, row in found.items()
    }


def environment_of(stack: RunningStack, server: str) -> dict[str, str]:
    """What a server was started with."""
    text = Path(f"/proc/{stack.status[server]['pid']}/environ").read_bytes().decode()
    return dict(one.split("=", 1) for one in text.split("\0") if one)


def test_nobody_gets_in_without_the_password(airflow: AirflowClient) -> None:
    assert requests.get(f"{airflow.url}/api/v2/dags", timeout=30).status_code == 401
    for password in ("admin", "airflow", ""):
        account = {"username": "admin", "password": password}
        assert requests.post(f"{airflow.url}/auth/token", json=account, timeout=30).status_code in (401, 422)
    assert oct(airflow.stack.root.joinpath("airflow", "passwords.json").stat().st_mode)[-3:] == "600"


@pytest.mark.timeout(900)
def test_a_day_is_produced_stored_and_reconciled_and_done_again_changes_nothing(
    airflow: AirflowClient, users: Pipeline
) -> None:
    source = airflow.stack.exports["DATASOURCE_URL"].replace("/api/", "/_control")
    requests.post(source, json={"faults": ["500*2"]}, timeout=10).raise_for_status()

    run = airflow.trigger("user_automation", DAY, count=USERS)
    assert run.ended() == "success", run.tasks()

    assert [one["try_number"] for one in run.tasks().values()] == [1] * 5
    assert "asking the source again" in "\n".join(run.log("stream_data_from_api"))
    last = {task: [line for line in run.log(task) if line.strip()] for task in run.tasks()}
    assert any("fine: no findings in 2 contracts" in line for line in last["contract_gate"][-3:])
    assert any("done" in line for line in last["register_schemas"][-3:])
    assert any('"produced": ' in line for line in last["stream_data_from_api"][-3:])
    assert any("ended" in line and "cassandra=" in line for line in last["stream_into_stores"][-3:])
    assert any("reconciled" in line for line in last["reconcile"][-3:])
    in_cassandra, in_postgres = rows(users.cassandra_rows()), rows(users.postgres_rows())
    assert in_cassandra == in_postgres
    assert len(in_postgres) + len(users.dead_letters()) == USERS

    # Once more, and in the middle of it the scheduler and what it runs are gone.
    run.again(all_of_it=True)
    run.runs("stream_into_stores")
    os.kill(airflow.stack.status["airflow-scheduler"]["pid"], signal.SIGKILL)
    airflow.stack.run("up")
    assert run.ended(400) == "success", run.tasks()
    assert rows(users.postgres_rows()) == rows(users.cassandra_rows()) == in_postgres


@pytest.mark.timeout(900)
def test_a_registry_that_is_down_is_tried_again_told_of_and_mended_by_the_next_try(
    airflow: AirflowClient, users: Pipeline
) -> None:
    os.kill(airflow.stack.status["registry"]["pid"], signal.SIGKILL)
    run = airflow.trigger("user_automation", "2026-01-03", count=20)
    assert run.ended() == "failed"
    assert run.tasks()["contract_gate"]["try_number"] == 4
    assert {one["state"] for task, one in run.tasks().items() if task != "contract_gate"} == {"upstream_failed"}

    [mail], [post] = airflow.told.mails, airflow.told.posts
    assert mail["Subject"] == "user_automation: contract_gate failed"
    assert (mail["To"], mail["From"]) == ("team@example.com", "airflow@example.com")
    text = mail.get_payload()[0].get_payload(decode=True).decode()
    registry = airflow.stack.exports["SCHEMA_REGISTRY_URL"]
    for told in (post["text"], text):
        assert "contract  users_created" in told
        assert registry in told
        assert "mend: " in told
        assert "airflow tasks clear" in told

    airflow.stack.run("up")
    before = set(users.postgres_rows())
    run.again(all_of_it=False)
    assert run.ended() == "success", run.tasks()
    assert len(set(users.postgres_rows()) - before) == 20
    assert len(airflow.told.mails) == 1


def test_a_browser_shows_the_run_green(airflow: AirflowClient, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip(NO_BROWSER)
    keep = bool(os.environ.get("KEEP_PICTURES"))
    picture = CLONE / "docs" / "images" / "airflow-run.png" if keep else tmp_path / "run.png"
    with sync_playwright() as browsers:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = browsers.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(f"{airflow.url}/dags/user_automation")
        page.get_by_label("Username").fill("admin")
        page.locator("input[name=password]").fill(airflow.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/dags/user_automation**")
        page.get_by_text("contract_gate").first.wait_for()
        picture.parent.mkdir(exist_ok=True)
        page.screenshot(path=picture)
        browser.close()
    assert picture.stat().st_size > 10_000


def test_a_date_to_come_is_refused_in_one_line(airflow: AirflowClient) -> None:
    run = airflow.trigger("user_automation", "2999-01-01")
    assert run.ended() == "failed"
    assert run.tasks()["contract_gate"]["try_number"] == 1
    assert "the logical date 2999-01-01 10:00 lies in the future" in airflow.told.posts[-1]["text"]


def test_too_many_dead_letters_fail_the_review_with_reasons_and_counts(
    airflow: AirflowClient, users: Pipeline
) -> None:
    bad = (b"no framing", b"\x00\xff", b"\x00\x7f\xff\xff\xffbody")
    users.send(*({"value": value} for value in bad for _ in range(4)))
    streamed = subprocess.run(
        [sys.executable, "-m", "streaming", "--available-now"],
        cwd=CLONE,
        env=environment_of(airflow.stack, "airflow-scheduler"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert streamed.returncode == 0, streamed.stderr
    airflow.ready("dead_letter_review")
    body = {"logical_date": None, "conf": {}}
    run_id = airflow.post("/dags/dead_letter_review/dagRuns", body)["dag_run_id"]
    run = Run(airflow, "dead_letter_review", run_id)
    assert run.ended() == "failed"
    tasks = run.tasks()
    assert (tasks["review_users_created"]["state"], tasks["review_users_created"]["try_number"]) == ("failed", 1)
    told = airflow.told.posts[-1]["text"]
    assert "contract  users_created" in told
    assert "BAD_MAGIC 4, TOO_SHORT 4, UNKNOWN_SCHEMA_ID 4" in told
    assert "dlq show" in told


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("dag", "conf", "state"),
    [("ingest_contacts_created", {"count": 30}, "success"), ("dead_letter_review", {"hours": 1}, "failed")],
)
def test_dag_test_runs_it_without_a_scheduler(
    airflow: AirflowClient, tmp_path: Path, dag: str, conf: dict[str, int], state: str
) -> None:
    database = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/a.db"}
    environment = environment_of(airflow.stack, "airflow-scheduler") | database
    # Airflow 3.3.2 looks for a deadline's alert in the database, where no DAG processor has put it.
    script = f"""
from airflow.dag_processing.dagbag import DagBag
dag = DagBag({str(CLONE / "dags")!r}).dags[{dag!r}]
dag.deadline = None
print("state", dag.test(run_conf={conf!r}).state)
"""
    for command in ([sys.executable, "-m", "airflow", "db", "migrate"], [sys.executable, "-c", script]):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
    assert f"state {state}" in done.stdout, done.stdout + done.stderr
