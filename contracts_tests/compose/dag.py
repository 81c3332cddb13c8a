"""Airflow in Docker: its containers, a log-in, and a run of the DAG."""

from __future__ import annotations

from avro_data_contracts.stack.errors import ServerError
from contracts_tests.compose import look, monitoring
from contracts_tests.compose.project import Project
from contracts_tests.compose.run import STARTS_WITHIN_S, Scenario
from contracts_tests.fixtures.airflow import AirflowClient


def airflow(scenario: Scenario) -> None:
    """Airflow's containers start, and its DAG writes what the stream would have written.

    Meanwhile the stream is down, which Prometheus has to tell.
    """
    project = scenario.project
    with scenario.step("Airflow starts") as step:
        # The service and the DAG share a checkpoint.
        project.engine.docker("stop", project.container("stream"))
        project.up([name for name in project.services() if name.startswith("airflow-")])
        project.settle(STARTS_WITHIN_S)
        step.found = "five containers in order"
    with scenario.step("DAG user_automation") as step:
        client = _Airflow(project)
        client.log_in()
        run = client.trigger("user_automation", None)
        state = run.ended(300)
        tasks = {name: task["state"] for name, task in run.tasks().items()}
        if state != "success":
            raise ServerError(f"the run is {state}: {tasks}", where="user_automation", fix="see the tasks' logs")
        step.found = f"{len(tasks)} tasks, all green"
    with scenario.step("Airflow's containers are as documented") as step:
        scenario.report.services += [
            one for one in look.services(project, scenario.name, scenario.watch) if one.name.startswith("airflow")
        ]
        problems = look.faults(project)
        if problems:
            raise ServerError("\n".join(problems), where="docker inspect", fix="correct the compose files")
    monitoring.alert(scenario, "StreamIsDown")


class _Airflow(AirflowClient):
    def __init__(self, project: Project):
        super().__init__(None, project.folder, None)  # type: ignore[arg-type]
        self._project = project

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._project.ports['PORT_AIRFLOW']}"

    @property
    def password(self) -> str:
        return self._project.secrets["DEPLOY_AIRFLOW_ADMIN_PASSWORD"]
