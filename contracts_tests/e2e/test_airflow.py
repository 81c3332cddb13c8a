"""Airflow's own processes run the whole job, started over REST, through failures and with alerts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from playwright.sync_api import expect, sync_playwright

from avro_data_contracts.streaming import topic
from contracts_tests.fixtures.airflow import AirflowClient, Run, Sinks
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.contract_copies import copy_of_users
from contracts_tests.fixtures.pipeline import Pipeline, comparable, settings_for
from contracts_tests.fixtures.programs import program
from contracts_tests.fixtures.stack import RunningStack

DAY = "2026-01-02"
USERS = 300
BAD = [value for value in (b"no framing", b"\x00\xff", b"\x00\x7f\xff\xff\xffbody") for _ in range(4)]
STEPS = ["contract_gate", "register_schemas", "stream_data_from_api", "stream_into_stores", "reconcile"]


@pytest.fixture(scope="module")
def airflow(private: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowClient]:
    """Airflow on the test servers, with contracts that have their own topics and tables."""
    folder = tmp_path_factory.mktemp("airflow")
    for name in ("users_created", "contacts_created"):
        copy_of_users(folder / "schemas", name, views=name == "users_created")
        file = folder / "schemas" / name / "contract.yaml"
        contract = yaml.safe_load(file.read_text())
        contract["topic"] = f"airflow_{name}"
        contract["dead_letter"] = {"topic": f"airflow_{name}.dlq", "max_rate": 0.005}
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
    """The pipeline of the DAG user_automation; its topic also contains invalid values."""
    configured = settings_for(airflow.stack, tmp_path_factory.mktemp("spark"))
    configured = configured.model_copy(update={"contracts_dir": airflow.contracts})
    pipeline = Pipeline(configured, None, airflow.contracts / "users_created")
    pipeline.register()
    pipeline.send(*({"value": value} for value in BAD))
    return pipeline


def rows(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the users without the position of the event that wrote them."""
    return {
        key: {name: value for name, value in comparable(row).items() if not name.startswith("kafka_")}
        for key, row in found.items()
    }


def environment_of(stack: RunningStack, server: str) -> dict[str, str]:
    """Return the environment that a server was started with."""
    text = Path(f"/proc/{stack.status[server]['pid']}/environ").read_bytes().decode()
    return dict(one.split("=", 1) for one in text.split("\0") if one)


def test_airflow_refuses_access_without_the_password(airflow: AirflowClient) -> None:
    assert requests.get(f"{airflow.url}/api/v2/dags", timeout=30).status_code == 401
    for password in ("admin", "airflow", ""):
        account = {"username": "admin", "password": password}
        assert requests.post(f"{airflow.url}/auth/token", json=account, timeout=30).status_code in (400, 401)
    assert oct(airflow.stack.root.joinpath("airflow", "passwords.json").stat().st_mode)[-3:] == "600"


@pytest.fixture(scope="module")
def green(airflow: AirflowClient, users: Pipeline) -> Run:
    """A successful run during which the source failed twice."""
    source = airflow.stack.exports["DATASOURCE_URL"].replace("/api/", "/_control")
    requests.post(source, json={"faults": ["500*2"]}, timeout=10).raise_for_status()
    run = airflow.trigger("user_automation", DAY, count=USERS)
    assert run.ended() == "success", run.tasks()
    return run


@pytest.mark.timeout(900)
def test_daily_run_produces_stores_and_reconciles(green: Run, users: Pipeline) -> None:
    assert [(name, one["try_number"]) for name, one in green.tasks().items()] == [(step, 1) for step in STEPS]
    assert "asking the source again" in "\n".join(green.log("stream_data_from_api"))
    last = {task: green.log(task)[-1] for task in STEPS}
    assert last["contract_gate"].startswith("fine: no findings in 2 contracts, compared with the registry")
    assert re.search("^(no changes|[0-9]+ done)", last["register_schemas"])
    assert json.loads(last["stream_data_from_api"])["fetched"] == USERS
    assert f"cassandra={USERS} postgres={USERS} user_profiles.postgres={USERS} " in last["stream_into_stores"]
    assert last["stream_into_stores"].endswith(f"rejected={len(BAD)}")
    of_views = [line for line in green.log("reconcile") if "rows of users_by_hour" in line]
    assert len(of_views) == 2
    assert all("= as its SQL makes them" in line for line in of_views)
    rows_ = f"{USERS:,} in Cassandra, {USERS:,} in PostgreSQL"
    assert last["reconcile"] == f"reconciled: {USERS:,} events; rows: {rows_}; 0 dead-lettered"
    assert rows(users.cassandra_rows()) == rows(users.postgres_rows())
    assert len(users.postgres_rows()) == USERS


def test_browser_shows_the_run_as_successful(airflow: AirflowClient, green: Run, tmp_path: Path) -> None:
    chromium = program("chromium", "chromium", "chromium-browser", "google-chrome")
    keep = bool(os.environ.get("KEEP_PICTURES"))
    picture = CLONE / "docs" / "images" / "airflow-run.png" if keep else tmp_path / "run.png"
    with sync_playwright() as browsers:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = browsers.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(f"{airflow.url}/dags/{green.dag}/runs/{green.id}")
        page.get_by_label("Username").fill("admin")
        page.locator("input[name=password]").fill(airflow.password)
        page.get_by_role("button", name="Sign in").click()
        # One badge for the run, and one for each task.
        expect(page.get_by_text("Success", exact=True)).to_have_count(1 + len(STEPS), timeout=60_000)
        assert page.get_by_text("Failed", exact=True).count() == 0
        picture.parent.mkdir(exist_ok=True)
        page.screenshot(path=picture)
        browser.close()
    assert picture.stat().st_size > 10_000


@pytest.mark.timeout(900)
def test_rerun_reports_outage_survives_killed_scheduler_and_changes_nothing(
    airflow: AirflowClient, green: Run, users: Pipeline
) -> None:
    """The day is run again while the registry is down; once it is back, the scheduler is killed."""
    before = rows(users.postgres_rows())
    os.kill(airflow.stack.status["registry"]["pid"], signal.SIGKILL)
    green.again(all_of_it=True)
    assert green.ended() == "failed"
    # Once in the green run, and four times now.
    assert green.tasks()["contract_gate"]["try_number"] == 1 + 4
    assert {one["state"] for task, one in green.tasks().items() if task != "contract_gate"} == {"upstream_failed"}

    [mail], [post] = airflow.told.mails, airflow.told.posts
    assert mail["Subject"] == "user_automation: contract_gate failed"
    assert (mail["To"], mail["From"]) == ("team@example.com", "airflow@example.com")
    text = mail.get_payload()[0].get_payload(decode=True).decode()
    registry = airflow.stack.exports["SCHEMA_REGISTRY_URL"]
    for told in (post["text"], text):
        assert "contract  users_created" in told
        assert registry in told
        assert "fix: " in told

    airflow.stack.run("up")
    [again] = re.findall("^again +(.*)$", post["text"], flags=re.MULTILINE)
    subprocess.run(["bash", "-ec", again], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True)
    green.runs("stream_into_stores")
    os.kill(airflow.stack.status["airflow-scheduler"]["pid"], signal.SIGKILL)
    # The restart lacks these variables, as after a manual one; the next test's alerts still arrive.
    with pytest.MonkeyPatch.context() as patch:
        for name in (*airflow.told.environment, "CONTRACTS_DIR", "CHECKPOINT_DIR", "AIRFLOW_RETRY_DELAY_S"):
            patch.delenv(name)
        airflow.stack.run("up")
    assert green.ended(400) == "success", green.tasks()
    # The users were sent once more.
    assert topic.count(users.settings, users.contract.topic, None, None) == len(BAD) + 2 * USERS
    assert rows(users.postgres_rows()) == rows(users.cassandra_rows()) == before
    assert len(airflow.told.mails) == 1


def test_late_and_timed_out_runs_are_reported(airflow: AirflowClient, tmp_path: Path) -> None:
    script = """
import asyncio
from types import SimpleNamespace
from avro_data_contracts.orchestration.alerts import deadline_missed, run_timed_out
for state in ("failed", "running"):
    run = {"dag_run_id": f"manual__{state}", "state": state}
    asyncio.run(deadline_missed("user_automation", context={"dag_run": run}))
for reason in ("task_failure", "timed_out"):
    dag = SimpleNamespace(dag_id="user_automation")
    run_timed_out({"dag": dag, "run_id": f"manual__{reason}", "reason": reason})
"""
    environment = environment_of(airflow.stack, "airflow-triggerer")
    posts, mails = len(airflow.told.posts), len(airflow.told.mails)
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    late = "user_automation: the run manual__running is late"
    over = "user_automation: the run manual__timed_out timed out and was ended"
    assert [post["text"].splitlines()[0] for post in airflow.told.posts[posts:]] == [late, over]
    assert [mail["Subject"] for mail in airflow.told.mails[mails:]] == [late, over]


def test_review_of_too_many_dead_letters_fails_with_reason_counts(airflow: AirflowClient, green: Run) -> None:
    run = airflow.trigger("dead_letter_review", None)
    assert run.ended() == "failed"
    tasks = run.tasks()
    assert (tasks["review_users_created"]["state"], tasks["review_users_created"]["try_number"]) == ("failed", 1)
    told = airflow.told.posts[-1]["text"]
    assert "contract  users_created" in told
    assert "BAD_MAGIC 4, TOO_SHORT 4, UNKNOWN_SCHEMA_ID 4" in told
    assert "dlq show" in told


@pytest.fixture(scope="module")
def without_servers(airflow: AirflowClient, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of Airflow's tasks, with its own empty database."""
    home = tmp_path_factory.mktemp("home")
    own = {"AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db"}
    environment = environment_of(airflow.stack, "airflow-scheduler") | own
    del environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"]
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, cwd=home, env=environment, capture_output=True, check=True)
    return environment


@pytest.mark.timeout(600)
def test_dags_run_without_a_scheduler(without_servers: dict[str, str], tmp_path: Path) -> None:
    # Airflow 3.3.2 looks up a deadline's alert in the database, where only a DAG processor would have put it.
    script = f"""
from airflow.dag_processing.dagbag import DagBag
from pendulum import parse
dags = DagBag({str(CLONE / "dags")!r}).dags
for name, arguments in (
    ("ingest_contacts_created", {{"run_conf": {{"count": 30}}}}),
    ("dead_letter_review", {{"run_conf": {{"hours": 1}}}}),
    ("user_automation", {{"logical_date": parse("2999-01-01")}}),
):
    dags[name].deadline = None
    print("state of", name, dags[name].test(**arguments).state, flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=without_servers,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    told = re.split(r"state of (\w+) (\w+)\n", done.stdout)
    assert told[1::3] == ["ingest_contacts_created", "dead_letter_review", "user_automation"], done.stdout
    assert told[2::3] == ["success", "failed", "failed"], done.stdout
    said = ["reconciled", "records were rejected", "2999-01-01 00:00 lies in the future"]
    for words, output in zip(said, told[0::3], strict=False):
        assert words in output
