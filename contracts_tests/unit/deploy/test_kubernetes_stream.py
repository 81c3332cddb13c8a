"""deploy/kubernetes: one stream on a checkpoint, its probes, its alerts, and its accounts in Kafka."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

from confluent_kafka.admin import AclBinding, ResourcePatternType

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.stack.security import acls
from avro_data_contracts.streaming.run.metrics import Metrics
from contracts_tests.fixtures import kubernetes, prometheus_rule
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.compose_files import merged
from contracts_tests.fixtures.kubernetes import Document, Pod

CONTRACTS = loading.load(CLONE / "schemas").contracts


def stream() -> Pod:
    """The stream of the base, as it is written."""
    return kubernetes.pod_of(kubernetes.written(), "stream")


def test_there_is_at_most_one_stream_on_a_checkpoint(objects: list[Document], pods: list[Pod]):
    claims = []
    for pod in pods:
        if pod.step != "stream":
            assert not any("persistentVolumeClaim" in volume for volume in pod.spec["volumes"])
            continue
        assert pod.of["kind"] == "StatefulSet"
        assert pod.of["spec"]["replicas"] == 1
        assert "volumeClaimTemplates" not in pod.of["spec"], "each further pod would get a checkpoint of its own"
        claim = pod.mounts["/var/lib/pipeline/checkpoints"]["persistentVolumeClaim"]["claimName"]
        spec = kubernetes.one(objects, "PersistentVolumeClaim", claim)["spec"]
        assert spec["accessModes"] == ["ReadWriteOncePod"]
        claims.append(claim)
    assert len(set(claims)) == len(claims)


def test_second_stream_differs_in_names_and_contract_only():
    objects = kubernetes.rendered("secure")
    first, second = kubernetes.pod_of(objects, "stream"), kubernetes.pod_of(objects, "stream-orders-placed")
    assert second.container["args"] == ["streaming", "--contract", "orders_placed"]
    text = json.dumps(second.of).replace("stream-orders-placed", "stream").replace("orders_placed", "users_created")
    assert json.loads(text.replace("checkpoints-orders-placed", "checkpoints")) == first.of


def test_grace_of_the_stream_is_that_of_docker():
    assert stream().spec["terminationGracePeriodSeconds"] == int(
        merged()["stream"]["stop_grace_period"].removesuffix("s")
    )


@contextlib.contextmanager
def served(metrics: Metrics) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    metrics.families.serve(settings.load(stream_metrics_port=port, stream_metrics_host="127.0.0.1"))
    yield port


def test_stream_is_alive_while_kafka_is_silent_and_ready_once_it_answers():
    """Against the stream's own server of metrics, with the requests and the command of the probes."""
    container = stream().container
    metrics = Metrics(CONTRACTS["users_created"])
    asked = []

    def outage() -> dict[str, int]:
        asked.append(True)
        raise ServiceError("no broker answers", server="kafka")

    with served(metrics) as port:

        def ready() -> int:
            [_, option, script] = container["readinessProbe"]["exec"]["command"]
            words = [sys.executable, option, script.replace(":9109/", f":{port}/")]
            return subprocess.run(words, capture_output=True, check=False).returncode

        def alive(probe: str) -> str:
            url = f"http://127.0.0.1:{port}{container[probe]['httpGet']['path']}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())

        assert ready() == 1, "Spark has not started"
        metrics.watch(outage)
        for probe in ("startupProbe", "livenessProbe"):
            assert "\nstream_last_batch_timestamp_seconds{" in alive(probe)
        assert not asked, "an outage of Kafka would restart the stream"
        assert ready() == 1
        assert asked
        metrics.watch(dict)
        assert ready() == 1, "no store has a position"
        metrics.watch(lambda: {"cassandra": 0, "postgres": 7})
        assert ready() == 0


def test_probes_ask_the_port_of_the_metrics(pods: list[Pod]):
    for pod in pods:
        probes = {name: value for name, value in pod.container.items() if name.endswith("Probe")}
        if pod.step != "stream":
            assert not probes, "a job ends by itself"
            continue
        assert set(probes) == {"startupProbe", "livenessProbe", "readinessProbe"}
        [port] = pod.container["ports"]
        told = {each["name"]: each.get("value") for each in pod.container["env"]}
        assert (port["name"], str(port["containerPort"])) == ("metrics", told["STREAM_METRICS_PORT"])
        assert told["STREAM_METRICS_HOST"] == "0.0.0.0"
        assert probes["livenessProbe"]["httpGet"]["port"] == "metrics"
        assert f":{port['containerPort']}/" in probes["readinessProbe"]["exec"]["command"][-1]


def test_tasks_are_not_counted_by_the_cores_of_the_node():
    told = {each["name"]: each.get("value") for each in stream().container["env"]}
    cpus = int(stream().container["resources"]["requests"]["cpu"])
    assert told["SPARK_MASTER"] == f"local[{4 * cpus}]"


def test_alerts_are_those_of_the_compose_files():
    command = "python -m contracts_tests.fixtures.prometheus_rule > deploy/kubernetes/monitoring/prometheus-rule.yaml"
    assert prometheus_rule.FILE.read_text() == prometheus_rule.text(), f"run: {command}"


def test_series_have_the_labels_that_the_alerts_ask_for():
    spec = kubernetes.one(kubernetes.written(), "PodMonitor", "stream")["spec"]
    rule = kubernetes.one(kubernetes.written(), "PrometheusRule", "stream")
    jobs = {job for each in rule["spec"]["groups"][0]["rules"] for job in re.findall(r'job="(\w+)"', each["expr"])}
    assert jobs == {stream().labels[spec["jobLabel"]]}
    [endpoint] = spec["podMetricsEndpoints"]
    # `up` of one stream stays one series when its pod is replaced.
    assert endpoint["relabelings"] == [
        {"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"},
    ]
    assert endpoint["port"] == stream().container["ports"][0]["name"]


def binding(acl: AclBinding) -> tuple[str, str, str, str]:
    return acl.restype.name, acl.name, acl.resource_pattern_type.name, acl.operation.name


def test_kafka_users_may_do_what_their_steps_do():
    contract = CONTRACTS["users_created"]
    topics = acls.Topics(contract.name, contract.topic, contract.dead_letter_topic)
    wanted = {"register": acls.register, "producer": acls.produce, "stream": acls.stream}
    users = kubernetes.documents((kubernetes.FOLDER / "overlays" / "operators" / "kafka-users.yaml").read_text())
    assert {user["metadata"]["name"] for user in users} == {f"pipeline-{step}" for step in wanted}
    for user in users:
        assert user["spec"]["authentication"] == {"type": "scram-sha-512"}
        step = user["metadata"]["name"].removeprefix("pipeline-")
        patterns = {"literal": ResourcePatternType.LITERAL.name, "prefix": ResourcePatternType.PREFIXED.name}
        told: list[Any] = [
            (
                acl["resource"]["type"].upper(),
                acl["resource"]["name"],
                patterns[acl["resource"].get("patternType", "literal")],
                re.sub(r"(?<!^)(?=[A-Z])", "_", operation).upper(),
            )
            for acl in user["spec"]["authorization"]["acls"]
            for operation in acl["operations"]
        ]
        assert sorted(told) == sorted(binding(acl) for acl in wanted[step]("anybody", topics))
