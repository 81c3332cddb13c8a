"""Prometheus and Alertmanager in Docker: rules, scrapes, the dashboard's queries, and an alert on its way."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import requests
import yaml

from avro_data_contracts.stack.errors import ServerError
from contracts_tests.compose.project import Project
from contracts_tests.compose.run import STARTS_WITHIN_S, Scenario
from contracts_tests.fixtures.clone import CLONE

_RULES = CLONE / "deploy" / "control-center"
_DASHBOARD = CLONE / "deploy" / "grafana" / "contracts-stream.json"
# Prometheus scrapes every 15 seconds.
_SCRAPED_WITHIN_S = 60.0


def loaded(scenario: Scenario) -> None:
    """Both have read their files, Prometheus scrapes the stream, and the dashboard's queries are answered."""
    project = scenario.project
    with scenario.step("Prometheus and Alertmanager") as step:
        if not project.engine.real_images:
            _accepted(project)
        wanted, rules = rules_in_files(), _asked(project, "PROMETHEUS", "/api/v1/rules")["data"]["groups"]
        found = {rule["name"] for group in rules for rule in group["rules"]}
        if wanted != found:
            raise _wrong(f"its rules differ from those in the files: {sorted(wanted ^ found)}")
        faulty = [rule["name"] for group in rules for rule in group["rules"] if rule["health"] == "err"]
        if faulty:
            raise _wrong(f"these rules fail: {faulty}")
        _until(lambda: _up(project), "it does not scrape the stream", _SCRAPED_WITHIN_S)
        active = _asked(project, "PROMETHEUS", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
        if [one["url"] for one in active] != ["http://alertmanager:9093/api/v2/alerts"]:
            raise _wrong(f"it sends alerts to {active}")
        queries = queries_of(json.loads(_DASHBOARD.read_text(encoding="utf-8")))
        with_data = sum(bool(_result(project, query)) for query in queries)
        if not with_data:
            raise _wrong("no query of the dashboard has data")
        step.found = f"{len(found)} rules, stream scraped, {with_data} of {len(queries)} dashboard queries have data"


def alert(scenario: Scenario, name: str) -> None:
    """An alert fires, and reaches Alertmanager."""
    with scenario.step(f"the alert {name}") as step:
        begun = time.monotonic()
        _until(lambda: name in _alerts(scenario.project), f"Alertmanager does not have {name}", STARTS_WITHIN_S)
        step.found = f"Alertmanager has it; waited for it {time.monotonic() - begun:.0f} s"


def rules_in_files() -> set[str]:
    """Names of all rules in deploy/control-center/."""
    return {
        rule.get("alert") or rule["record"]
        for path in _RULES.glob("*_rules*.yml")
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    }


def queries_of(dashboard: dict[str, Any]) -> list[str]:
    """The queries of a dashboard, for every contract, where Grafana has a variable."""
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return [re.sub(r"\$\w+", ".*", query) for query in found]


def _accepted(project: Project) -> None:
    """The programs that come with the servers accept the files where the servers read them."""
    programs = {
        "prometheus": ["promtool", "check", "config", "/mnt/config/standin-prometheus.yml"],
        "alertmanager": ["amtool", "check-config", "/mnt/config/alertmanager-generated.yml"],
    }
    for service, command in programs.items():
        project.engine.docker("exec", project.container(service), *command)


def _up(project: Project) -> bool:
    return [sample["value"][1] for sample in _result(project, 'up{job="stream"}')] == ["1"]


def _alerts(project: Project) -> set[str]:
    return {one["labels"]["alertname"] for one in _asked(project, "ALERTMANAGER", "/api/v2/alerts?active=true")}


def _result(project: Project, query: str) -> list[dict[str, Any]]:
    return list(_asked(project, "PROMETHEUS", "/api/v1/query", query=query)["data"]["result"])


def _asked(project: Project, server: str, path: str, **parameters: str) -> Any:
    url = f"http://127.0.0.1:{project.ports[f'PORT_{server}']}{path}"
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, params=parameters, timeout=20)
    if not answer.ok:
        raise ServerError(f"it answers {answer.status_code}: {answer.text[:300]}", where=url, fix="see its log")
    return answer.json()


def _until(holds: Any, otherwise: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise _wrong(f"{otherwise} after {seconds:.0f} s")
        time.sleep(1)


def _wrong(what: str) -> ServerError:
    return ServerError(what, where="Prometheus", fix="see deploy/control-center/")
