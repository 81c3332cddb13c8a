"""The dashboard, the alert rules, and the settings of Prometheus and Alertmanager use metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.deploy import compose
from avro_data_contracts.streaming.run.metrics import Metrics
from avro_data_contracts.streaming.sinks.counts import Counts
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.programs import program

FOLDER = CLONE / "deploy" / "control-center"
DASHBOARD = json.loads((CLONE / "deploy" / "grafana" / "contracts-stream.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = {path.name: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*_rules*.yml")}
PAGE = (CLONE / "docs" / "how-to" / "control-center.md").read_text()
FUNCTIONS = {"sum", "max", "count", "rate", "increase", "histogram_quantile", "time", "label_values"}
FUNCTIONS |= {"delta", "max_over_time", "topk"}
WORDS = {"by", "and", "on"}
TELEMETRY = "io_confluent_kafka_server_"


def exported() -> dict[str, set[str]]:
    """Map each sample name to its labels, as scraped after a batch, a reject and a failed attempt."""
    contract = loading.load_one(CLONE / "schemas", "users_created")
    metrics = Metrics(contract)
    metrics.watch(lambda: {"cassandra": 3})
    metrics.written("cassandra", Counts(2, 1, 1, 2, 1.5, {"TOO_SHORT": 1}), 0.5)
    metrics.attempt_failed("cassandra", ServiceError("out", server="cassandra"))
    metrics.commit_failed("cassandra")
    found: dict[str, set[str]] = {}
    for family in metrics.families.registry.collect():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def alerts() -> Iterator[dict[str, object]]:
    for document in RULES.values():
        for group in document["groups"]:
            yield from (rule for rule in group["rules"] if "alert" in rule)


def queries() -> list[str]:
    panels = [target["expr"] for panel in PANELS for target in panel["targets"]]
    variables = [one["query"]["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    rules = [rule["expr"] for document in RULES.values() for group in document["groups"] for rule in group["rules"]]
    return [*panels, *variables, *rules]


def names_in(query: str) -> tuple[set[str], set[str]]:
    """Return the metrics and labels that a query names."""
    assert query.count("(") == query.count(")"), query
    plain = re.sub(r'"[^"]*"', '""', query)
    labels = set(re.findall(r"(\w+)\s*(?:=~|!=|=)\s*\"\"", plain))
    for names in re.findall(r"\b(?:by|on) \(([^)]*)\)", plain):
        labels |= {name.strip() for name in names.split(",")}
    plain = re.sub(r"\b(?:by|on) \([^)]*\)|\{[^}]*\}|\[\d+[smhd]\]", " ", plain)
    label_of = re.match(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", query)
    if label_of:
        return {label_of[1]}, {label_of[2]}
    words = set(re.findall(r"[a-zA-Z_:][\w:]*", plain))
    assert words & FUNCTIONS <= set(re.findall(r"(\w+) ?(?=\()", plain)) | {"sum", "count", "max"}, query
    return words - FUNCTIONS - WORDS, labels


@pytest.mark.parametrize("query", queries())
def test_query_uses_only_existing_metrics_and_labels(query: str):
    metrics, labels = names_in(query)
    have = {**exported(), "up": {"job"}}
    assert metrics
    for metric in metrics:
        if metric.startswith(TELEMETRY):
            assert labels <= {"topic", "partition", "kafka_cluster_id", "kafka_broker_id"}
        else:
            assert metric in have, f"{metric}: the stream exports {sorted(have)}"
            assert labels <= have[metric], f"{metric} has {sorted(have[metric])}"


def test_dashboard_shows_every_metric_of_the_stream():
    shown = set().union(*(names_in(target["expr"])[0] for panel in PANELS for target in panel["targets"]))
    families = {re.sub(r"_(sum|count|bucket)$", "", name) for name in exported()}
    assert {re.sub(r"_(sum|count|bucket)$", "", name) for name in shown} == families


def test_alert_text_uses_only_labels_that_its_query_keeps():
    have = exported()
    for alert in alerts():
        metrics, _ = names_in(alert["expr"])
        by = re.findall(r"\bby \(([^)]*)\)", alert["expr"])
        left = (
            {name.strip() for name in by[-1].split(",")}
            if by
            else set().union(*(have.get(m, set()) for m in metrics))
        )
        for text in alert["annotations"].values():
            assert set(re.findall(r"\$labels\.(\w+)", text)) <= left, alert["alert"]
        assert alert["labels"]["severity"] in ("warning", "critical")


def test_docs_explain_every_alert():
    table = PAGE.partition("## Alerts")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE) == [alert["alert"] for alert in alerts()]


def test_legend_uses_only_labels_of_its_query():
    for panel in PANELS:
        for target in panel["targets"]:
            metrics, _ = names_in(target["expr"])
            labels = set().union(*(exported()[metric] for metric in metrics))
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels, panel["title"]


def test_prometheus_scrapes_the_stream_and_loads_every_rule_file():
    settings = yaml.safe_load((FOLDER / "prometheus-generated.yml").read_text())
    (job,) = settings["scrape_configs"]
    services = compose.services(compose.files())
    host, _, port = job["static_configs"][0]["targets"][0].partition(":")
    assert services[host]["environment"]["STREAM_METRICS_PORT"] == int(port)
    assert services[host]["environment"]["STREAM_METRICS_HOST"] == "0.0.0.0"
    assert sorted(settings["rule_files"]) == sorted(RULES)
    assert 'up{job="stream"}' in "".join(queries())
    alertmanager = yaml.safe_load((FOLDER / "alertmanager-generated.yml").read_text())
    assert alertmanager["route"]["receiver"] in {one["name"] for one in alertmanager["receivers"]}


@pytest.mark.parametrize(
    ("package", "name", "arguments"),
    [
        ("prometheus", "promtool", ["check", "rules", *map(str, sorted(FOLDER.glob("*_rules*.yml")))]),
        ("prometheus-alertmanager", "amtool", ["check-config", str(FOLDER / "alertmanager-generated.yml")]),
    ],
)
def test_promtool_and_amtool_accept_the_files(package: str, name: str, arguments: list[str]):
    done = subprocess.run([program(package, name), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


STREAM = 'contract="c", sink="cassandra"'
CASES = {
    # alert: (series -> its samples, one every 30 seconds; minutes -> whether the alert fires then).
    "AttemptsFailing": (
        {f'stream_attempts_failed_total{{{STREAM}, server="cassandra"}}': "0x3 1x40"},
        {1: False, 2: True, 15: False},
    ),
    "StreamFails": (
        # It fails once, and later every five minutes, until it succeeds.
        {'stream_failures_total{contract="c"}': "0x3 1x56 2x9 3x9 4x60"},
        {10: False, 40: True, 60: False},
    ),
    "StreamStalled": (
        # It starts with records waiting, writes one batch after four minutes, and then nothing.
        {f"stream_batch_seconds_count{{{STREAM}}}": "0x7 1x60", f"stream_lag_records{{{STREAM}}}": "5x67"},
        {4: False, 9: False, 12: True},
    ),
    "StreamIsDown": (
        {'up{job="stream", instance="ran"}': "1x4 0x9000", 'up{job="stream", instance="never"}': "0x9004"},
        {2: False, 10: True, 4320: True},
    ),
    "DeadLetterTopicGrows": (
        {
            'io_confluent_kafka_server_log_size{topic="users_created.dlq", partition="0"}': "0x10 90x60",
            'io_confluent_kafka_server_log_size{topic="users_created", partition="0"}': "0+50x70",
        },
        {4: False, 8: True, 30: False},
    ),
}


@pytest.mark.parametrize("alert", CASES)
def test_alert_fires_when_it_should(tmp_path: Path, alert: str):
    promtool = program("prometheus", "promtool")
    series, expected = CASES[alert]
    (rule,) = (one for one in alerts() if one["alert"] == alert)
    checks = [
        {
            "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)',
            "eval_time": f"{minutes}m",
            "exp_samples": [{"labels": "{}", "value": int(fires)}],
        }
        for minutes, fires in expected.items()
    ]
    document = {
        "rule_files": [str(FOLDER / "pipeline_rules.yml")],
        # Three days of half minutes take ten seconds.
        "evaluation_interval": "30s" if max(expected) < 1_000 else "2m",
        "tests": [
            {
                "interval": "30s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": checks,
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    done = subprocess.run([promtool, "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True)
    assert done.returncode == 0, f"{rule['expr']}\n{done.stdout}{done.stderr}"


def test_install_keeps_files_that_control_center_wrote(tmp_path: Path):
    for _ in range(2):
        done = subprocess.run(["bash", FOLDER / "install.sh", FOLDER, tmp_path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in FOLDER.glob("*.yml")}
    for name in ("trigger_rules-generated.yml", "alertmanager-generated.yml", "pipeline_rules.yml"):
        (tmp_path / name).write_text("edited")
    subprocess.run(["bash", FOLDER / "install.sh", FOLDER, tmp_path], check=True)
    assert (tmp_path / "trigger_rules-generated.yml").read_text() == "edited"
    assert (tmp_path / "alertmanager-generated.yml").read_text() == "edited"
    assert (tmp_path / "pipeline_rules.yml").read_text() == (FOLDER / "pipeline_rules.yml").read_text()
