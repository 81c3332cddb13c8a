"""deploy/kubernetes: what Kubernetes accepts, shut in, and within limits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from avro_data_contracts.contracts.errors import EXIT_BUG, EXIT_FINDINGS, EXIT_USAGE
from avro_data_contracts.deploy import compose
from contracts_tests.fixtures import kubernetes, kubernetes_schemas
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.compose_files import merged
from contracts_tests.fixtures.kubernetes import Document, Pod

DOCKERFILE = (CLONE / "deploy" / "Dockerfile").read_text()
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def in_bytes(quantity: str) -> int:
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


def test_objects_follow_the_schemas_of_kubernetes(objects: list[Document]):
    assert not [words for each in objects for words in kubernetes_schemas.complaints(each)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"replica": 1}, r"\$\.spec: .*'replica' was unexpected"),
        ({"replicas": "one"}, r"\$\.spec\.replicas: 'one' is not"),
        ({"selector": {"app": "stream"}}, r"\$\.spec\.selector: .*'app' was unexpected"),
    ],
)
def test_schemas_refuse_what_kubernetes_refuses(change: dict[str, object], words: str):
    found = kubernetes.pod_of(kubernetes.written(), "stream").of
    [complaint] = kubernetes_schemas.complaints({**found, "spec": {**found["spec"], **change}})
    assert re.search(words, complaint)


def test_kind_without_a_schema_is_a_complaint():
    assert kubernetes_schemas.complaints({"apiVersion": "v1", "kind": "Pod"}) == ["there is no schema of v1 Pod"]


@pytest.mark.parametrize(
    "path", sorted(kubernetes.FOLDER.rglob("kustomization.yaml")), ids=lambda path: path.parent.name
)
def test_kustomization_names_what_exists(path: Path):
    told = yaml.safe_load(path.read_text())
    patches = [each["path"] for each in told.get("patches", ()) if "path" in each]
    for name in (*told.get("resources", ()), *told.get("components", ()), *patches):
        found = path.parent / name
        assert (found / "kustomization.yaml" if found.is_dir() else found).is_file(), name
    for generator in (*told.get("configMapGenerator", ()), *told.get("secretGenerator", ())):
        for name in (*generator.get("envs", ()), *generator.get("files", ())):
            # What a reader adds; of the accounts there are examples.
            assert (
                name == "accounts/ca.pem" or (path.parent / name.replace("accounts/", "accounts.example/")).is_file()
            )


def test_every_file_is_used():
    used = {path.parent for path in kubernetes.FOLDER.rglob("kustomization.yaml")}
    texts = {folder: (folder / "kustomization.yaml").read_text() for folder in used}
    for path in kubernetes.FOLDER.rglob("*.yaml"):
        assert path.name == "kustomization.yaml" or path.name in texts[path.parent], path


def test_every_object_has_a_name_of_its_own(objects: list[Document]):
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(set(names)) == len(names)
    for each in objects:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", each["metadata"]["name"])


def test_selectors_find_only_the_pods_that_they_should(objects: list[Document], pods: list[Pod]):
    def selected(labels: dict[str, str]) -> set[str]:
        return {str(pod) for pod in pods if labels.items() <= pod.labels.items()}

    streams = {str(pod) for pod in pods if pod.step == "stream"}
    for each in objects:
        if each["kind"] == "StatefulSet":
            assert selected(each["spec"]["selector"]["matchLabels"]) == {f"StatefulSet {each['metadata']['name']}"}
            assert kubernetes.one(objects, "Service", each["spec"]["serviceName"])["spec"]["clusterIP"] == "None"
        if each["kind"] == "Service":
            assert selected(each["spec"]["selector"]) == {f"StatefulSet {each['metadata']['name']}"}
            assert each["spec"]["ports"][0]["targetPort"] == "metrics"
        if each["kind"] == "PodMonitor":
            assert selected(each["spec"]["selector"]["matchLabels"]) == streams
    names = ("pipeline", "stream-metrics")
    everybody, scraped = (kubernetes.one(objects, "NetworkPolicy", name)["spec"] for name in names)
    assert selected(everybody["podSelector"]["matchLabels"]) == {str(pod) for pod in pods}
    assert everybody["ingress"] == []
    assert selected(scraped["podSelector"]["matchLabels"]) == streams
    assert scraped["ingress"] == [{"ports": [{"protocol": "TCP", "port": "metrics"}]}]


def test_pods_are_what_the_restricted_standard_demands_and_read_only(pods: list[Pod]):
    [uid] = re.findall(r"useradd --uid (\d+)", DOCKERFILE)
    for pod in pods:
        account = pod.spec["securityContext"]
        assert account["runAsNonRoot"] is True
        assert {account["runAsUser"], account["runAsGroup"], account["fsGroup"]} == {int(uid)}
        assert account["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod.spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & set(pod.spec)


def test_no_service_of_the_namespace_sets_a_setting(pods: list[Pod]):
    """A Service `stream-metrics` would set STREAM_METRICS_PORT=tcp://…"""
    assert all(pod.spec["enableServiceLinks"] is False for pod in pods)


def test_python_is_not_process_number_one(pods: list[Pod]):
    """The kernel drops a SIGTERM to number 1 for which there is no handler yet.  Compose has `init` for it."""
    assert all(pod.spec["shareProcessNamespace"] is True for pod in pods)


def test_memory_is_limited(pods: list[Pod]):
    for pod in pods:
        requests, limits = (pod.container["resources"][name] for name in ("requests", "limits"))
        assert 0 < in_bytes(requests["memory"]) <= in_bytes(limits["memory"])
        assert requests["cpu"]
        assert limits["cpu"]
        for volume in pod.spec["volumes"]:
            if "emptyDir" in volume:
                assert in_bytes(volume["emptyDir"]["sizeLimit"]) > 0
                assert "medium" not in volume["emptyDir"], "it would count towards the memory"


def test_memory_of_the_stream_leaves_the_same_for_the_rest_as_in_docker(pods: list[Pod]):
    docker = merged()["stream"]
    beside = compose.in_bytes(docker["mem_limit"]) - compose.in_bytes(docker["environment"]["SPARK_DRIVER_MEMORY"])
    for pod in pods:
        if pod.step == "stream":
            heap = next(each["value"] for each in pod.container["env"] if each["name"] == "SPARK_DRIVER_MEMORY")
            assert in_bytes(pod.container["resources"]["limits"]["memory"]) - compose.in_bytes(heap) >= beside


def test_memory_of_the_other_steps_is_that_of_docker(pods: list[Pod]):
    services = {"register": "register-schemas", "producer": "producer"}
    for pod in pods:
        if pod.step in services:
            limit = compose.in_bytes(merged()[services[pod.step]]["mem_limit"])
            assert in_bytes(pod.container["resources"]["limits"]["memory"]) == limit


def test_jobs_end_and_do_not_repeat_what_would_fail_again(pods: list[Pod]):
    for pod in pods:
        if pod.step == "stream":
            continue
        job = pod.of["spec"].get("jobTemplate", {}).get("spec", pod.of["spec"])
        assert pod.spec["restartPolicy"] == "Never", "a podFailurePolicy demands it"
        assert job["backoffLimit"] > 0
        assert job["activeDeadlineSeconds"] > 0
        assert job["ttlSecondsAfterFinished"] > 0
        [codes] = [rule["onExitCodes"] for rule in job["podFailurePolicy"]["rules"] if rule["action"] == "FailJob"]
        assert codes == {"operator": "In", "values": [EXIT_FINDINGS, EXIT_USAGE, EXIT_BUG]}


def test_producer_runs_when_the_dag_does():
    from avro_data_contracts.orchestration import daily

    spec = kubernetes.one(kubernetes.written(), "CronJob", "producer")["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == (daily.DAILY, "Etc/UTC", "Forbid")
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == daily.LONGEST.total_seconds()
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == daily.common("x")["default_args"]["retries"]


def test_further_attempt_of_a_producer_fetches_the_same_records():
    container = kubernetes.pod_of(kubernetes.written(), "producer").container
    assert container["args"][container["args"].index("--seed") + 1] == "$(JOB)"
    [job] = [each for each in container["env"] if each["name"] == "JOB"]
    path = "metadata.labels['batch.kubernetes.io/job-name']"
    assert job["valueFrom"] == {"fieldRef": {"fieldPath": path}}
