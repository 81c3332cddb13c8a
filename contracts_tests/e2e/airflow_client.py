"""Airflow as a person uses it, over its REST API; and where its alerts go."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
from aiosmtpd.controller import Controller

from contracts_tests.conftest import RunningStack
from stack import ports

FINAL = ("success", "failed")


@dataclass
class Run:
    """One run of a DAG."""

    airflow: AirflowClient
    dag: str
    id: str

    @property
    def path(self) -> str:
        return f"/dags/{self.dag}/dagRuns/{self.id}"

    @property
    def state(self) -> str:
        return str(self.airflow.get(self.path)["state"])

    def tasks(self) -> dict[str, dict[str, Any]]:
        """Its tasks by id, in the order of their starts."""
        found = self.airflow.get(f"{self.path}/taskInstances")["task_instances"]
        return {one["task_id"]: one for one in sorted(found, key=lambda one: one["start_date"] or "~")}

    def log(self, task: str) -> list[str]:
        """What a task's last attempt has said, without what Airflow itself says around it."""
        attempt = self.tasks()[task]["try_number"]
        answer = self.airflow.get(f"{self.path}/taskInstances/{task}/logs/{attempt}")
        return [line["event"] for line in answer["content"] if str(line.get("logger", "")).endswith(".Command")]

    def ended(self, seconds: float = 240) -> str:
        """Waits for its end; how it ended."""
        self.airflow.wait(lambda: self.state in FINAL, f"the end of {self.dag} {self.id}", seconds)
        return self.state

    def runs(self, task: str, seconds: float = 120) -> None:
        """Waits until a task is at work."""
        self.airflow.wait(lambda: self.tasks()[task]["state"] == "running", f"{task} of {self.id}", seconds)

    def again(self, *, all_of_it: bool) -> None:
        """What the button «clear» does, for the whole run or for what has failed."""
        body = {"dry_run": False, "dag_run_id": self.id, "only_failed": not all_of_it, "reset_dag_runs": True}
        self.airflow.post(f"/dags/{self.dag}/clearTaskInstances", body)


@dataclass
class AirflowClient:
    """A started Airflow.

    Args:
        stack: the stack that it is part of.
        contracts: the folder of contracts that it was told.
        told: what its alerts have sent.
    """

    stack: RunningStack
    contracts: Path
    told: Sinks
    _session: requests.Session = field(default_factory=requests.Session)

    @property
    def url(self) -> str:
        return str(self.stack.status["airflow"]["address"])

    @property
    def password(self) -> str:
        return str(json.loads((self.stack.root / "airflow" / "passwords.json").read_text())["admin"])

    def log_in(self) -> None:
        account = {"username": "admin", "password": self.password}
        answer = self._session.post(f"{self.url}/auth/token", json=account, timeout=30)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        self._address = self.url

    def get(self, path: str) -> Any:
        answer = self._session.get(f"{self._address}/api/v2{path}", timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def post(self, path: str, body: dict[str, Any], *, method: str = "POST") -> Any:
        answer = self._session.request(method, f"{self._address}/api/v2{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def has(self, dag: str) -> bool:
        return bool(self._session.get(f"{self._address}/api/v2/dags/{dag}", timeout=30).ok)

    def ready(self, dag: str) -> None:
        """Waits until a DAG was read, and switches it on."""
        self.wait(lambda: self.has(dag), f"the DAG {dag}", 60)
        if self.get(f"/dags/{dag}")["is_paused"]:
            self.post(f"/dags/{dag}", {"is_paused": False}, method="PATCH")
            # It is due since ten o'clock; the tests ask for runs of their own.
            self.wait(lambda: self._due(dag), f"the scheduled run of {dag}", 60)
            for one in self._due(dag):
                self.post(f"/dags/{dag}/dagRuns/{one['dag_run_id']}", {"state": "success"}, method="PATCH")

    def _due(self, dag: str) -> list[dict[str, Any]]:
        return list(self.get(f"/dags/{dag}/dagRuns?run_type=scheduled")["dag_runs"])

    def trigger(self, dag: str, date: str | None, **conf: Any) -> Run:
        """Starts a run of that day; None for one without a logical date."""
        self.ready(dag)
        body = {"logical_date": date and f"{date}T10:00:00Z", "conf": conf}
        return Run(self, dag, self.post(f"/dags/{dag}/dagRuns", body)["dag_run_id"])

    @staticmethod
    def wait(there: Any, what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not there():
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
            time.sleep(0.5)


class Sinks:
    """A mail server and a web server on the loopback address that keep what they are sent."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.posts: list[dict[str, Any]] = []
        self._mail_port = ports.pick(["mail"])["mail"]
        self._smtp = Controller(self, hostname=ports.HOST, port=self._mail_port)
        sinks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sinks.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"

    def __enter__(self) -> Sinks:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self._smtp.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._smtp.stop()
        self._http.shutdown()

    @property
    def environment(self) -> dict[str, str]:
        """What Airflow has to be told."""
        return {
            "ALERT_EMAIL_TO": "team@example.com",
            "ALERT_EMAIL_FROM": "airflow@example.com",
            "AIRFLOW_CONN_SMTP_DEFAULT": f"smtp://{ports.HOST}:{self._mail_port}?disable_ssl=true&disable_tls=true",
            "ALERT_WEBHOOK_URL": f"http://127.0.0.1:{self._http.server_port}/hook",
        }
