"""The metrics of the stream and their description in docs/how-to/monitoring.md."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.streaming.run.families import Families
from avro_data_contracts.streaming.run.gaps import Gap
from avro_data_contracts.streaming.run.metrics import Metrics
from avro_data_contracts.streaming.sinks.counts import Counts
from contracts_tests.fixtures.clone import CLONE

PAGE = (CLONE / "docs" / "how-to" / "monitoring.md").read_text()
NOW_S = 1_700_000_000.0


@pytest.fixture(scope="module")
def contract() -> Contract:
    """Without its views, whose series would be among the others."""
    return replace(loading.load_one(CLONE / "schemas", "users_created"), views=())


@pytest.fixture
def metrics(contract: Contract) -> Metrics:
    return Metrics(contract, now=lambda: NOW_S)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.families.registry.get_sample_value(name, {"contract": "users_created", **labels})


def batch(records: int, rejected: int = 0, least_s: float = 1, largest_s: float = 1, **reasons: int) -> Counts:
    """Return counts whose newest and oldest timestamps are `least_s` and `largest_s` old."""
    oldest, newest = (round((NOW_S - age) * 1000) for age in (largest_s, least_s))
    return Counts(records, rejected, oldest, newest, (oldest + newest) / 2, reasons)


def test_docs_list_every_metric_with_its_type_and_labels(metrics: Metrics) -> None:
    def boom() -> dict[str, int]:
        return {"cassandra": 3}

    metrics.watch(boom)
    metrics.written("cassandra", batch(2, 1, TOO_SHORT=1), 0.5)
    metrics.attempt_failed("cassandra", ServiceError("out", server="cassandra"))
    for gauge in metrics.families.of_refreshed:
        gauge.labels("users_created", "v.postgres")
    code = {}
    for family in metrics.families.registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        code[name] = (family.type, labels)
    table = PAGE.partition("## Metrics")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(stream_\w+)` \| (\w+) \| ([^|]+) \|", table, flags=re.MULTILINE)
    assert {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows} == code


def test_metrics_of_every_store_start_at_zero(metrics: Metrics) -> None:
    for sink in ("cassandra", "postgres"):
        for name in ("records_in_total", "records_out_total", "progress_commits_failed_total", "batch_seconds_count"):
            assert value(metrics, f"stream_{name}", sink=sink) == 0
    for reason in ("DECODE_ERROR", "RULE:email_form"):
        assert value(metrics, "stream_records_rejected_total", reason=reason) == 0


def test_batches_count_by_store_and_rejects_by_reason(metrics: Metrics) -> None:
    metrics.written("cassandra", batch(10, 3, TOO_SHORT=1, **{"RULE:adult": 2}), 2.0)
    metrics.written("postgres", batch(10, 3), 1.0)
    metrics.written("cassandra", batch(5), 4.0)

    assert value(metrics, "stream_records_in_total", sink="cassandra") == 15
    assert value(metrics, "stream_records_out_total", sink="cassandra") == 12
    assert value(metrics, "stream_records_out_total", sink="postgres") == 7
    assert value(metrics, "stream_records_rejected_total", reason="RULE:adult") == 2
    assert value(metrics, "stream_records_rejected_total", reason="TOO_SHORT") == 1
    assert value(metrics, "stream_batch_seconds_sum", sink="cassandra") == 6
    assert value(metrics, "stream_last_batch_timestamp_seconds", sink="cassandra") == NOW_S


def test_latency_is_spread_evenly_over_a_batch_and_adds_up(metrics: Metrics) -> None:
    metrics.written("cassandra", batch(100, least_s=1, largest_s=3), 1)
    metrics.written("cassandra", batch(11, 1, least_s=7, largest_s=7), 1)

    def until(edge: str) -> float | None:
        return value(metrics, "stream_end_to_end_seconds_bucket", sink="cassandra", le=edge)

    assert [until(edge) for edge in ("0.5", "1.0", "1.5", "2.0", "3.0", "5.0", "7.5", "+Inf")] == [
        0, 0, 25, 50, 100, 100, 110, 110,
    ]  # fmt: skip
    assert value(metrics, "stream_end_to_end_seconds_count", sink="cassandra") == 110
    assert value(metrics, "stream_end_to_end_seconds_sum", sink="cassandra") == pytest.approx(100 * 2 + 10 * 7)


def test_latency_needs_a_good_record_and_is_never_negative(
    metrics: Metrics,
) -> None:
    metrics.written("cassandra", Counts(4, 4, None, None, None, {"BAD_MAGIC": 4}), 1)
    assert value(metrics, "stream_end_to_end_seconds_count", sink="cassandra") == 0, "and not unknown"

    metrics.written("cassandra", batch(4, least_s=-9, largest_s=-8), 1)
    assert value(metrics, "stream_end_to_end_seconds_sum", sink="cassandra") == 0
    assert value(metrics, "stream_end_to_end_seconds_bucket", sink="cassandra", le="0.1") == 4


@pytest.mark.parametrize("server", ["cassandra", "postgres", "kafka", "registry"])
def test_failed_attempt_counts_under_the_server_of_its_error(metrics: Metrics, server: str) -> None:
    sink = server if server == "postgres" else "cassandra"
    # Known servers start at zero, so an alert on an increase sees the first failure.
    assert value(metrics, "stream_attempts_failed_total", sink=sink, server=server) == 0
    metrics.attempt_failed(sink, ServiceError("out", where="somewhere", server=server))
    assert value(metrics, "stream_attempts_failed_total", sink=sink, server=server) == 1


def test_failure_without_a_server_counts_under_the_store(metrics: Metrics) -> None:
    metrics.attempt_failed("cassandra", ServiceError("another stream is at work"))
    assert value(metrics, "stream_attempts_failed_total", sink="cassandra", server="cassandra") == 1


def test_only_the_lag_is_missing_while_kafka_is_unreachable(metrics: Metrics) -> None:
    metrics.watch(lambda: {"cassandra": 7})
    assert value(metrics, "stream_lag_records", sink="cassandra") == 7

    def out() -> dict[str, int]:
        raise ServiceError("out", where="Kafka 127.0.0.1:9")

    metrics.watch(out)
    assert value(metrics, "stream_lag_records", sink="cassandra") is None
    assert value(metrics, "stream_records_in_total", sink="cassandra") == 0


def test_contracts_of_a_process_have_their_own_series_and_lose_them_with_it(contract: Contract) -> None:
    families = Families()
    one, other = (Metrics(replace(contract, name=name), families, lambda: NOW_S) for name in ("one", "other"))
    for metrics in (one, other):
        metrics.watch(lambda: {"cassandra": 1})
        metrics.written("cassandra", batch(10, 3, TOO_SHORT=1), 2.0)
    one.written("cassandra", batch(5), 2.0)

    def records(name: str) -> float | None:
        labels = {"contract": name, "sink": "cassandra"}
        return families.registry.get_sample_value("stream_records_in_total", labels)

    def contracts() -> set[str]:
        return {sample.labels["contract"] for family in families.registry.collect() for sample in family.samples}

    assert (records("one"), records("other")) == (15, 10)
    assert contracts() == {"one", "other"}
    other.forget()
    assert contracts() == {"one"}
    assert records("one") == 15


def test_gap_counts_once_however_often_the_stream_begins(metrics: Metrics) -> None:
    gap = Gap("cassandra", "users_created", 0, 5, 9)
    metrics.lost([gap])
    metrics.lost([gap, Gap("cassandra", "users_created", 1, 0, 0)])
    assert value(metrics, "stream_records_lost_total", sink="cassandra") == 6


def test_lag_of_all_contracts_is_asked_at_once(metrics: Metrics) -> None:
    # Each waits until the others are asked: one after the other, none would get an answer.
    together = threading.Barrier(5, timeout=10)

    def ask() -> dict[str, int]:
        together.wait()
        return {"cassandra": 7}

    def away() -> dict[str, int]:
        together.wait()
        raise ServiceError("away")

    lag = metrics.families.lag
    lag.ask = {"users_created": ask, "b": ask, "c": away, "d": ask, "e": away}
    (family,) = lag.collect()
    assert {(one.labels["contract"], one.value) for one in family.samples} == {
        ("users_created", 7),
        ("b", 7),
        ("d", 7),
    }


def test_forgotten_contract_has_no_series_left_and_others_keep_theirs(contract: Contract) -> None:
    families = Families()
    gone, stays = Metrics(contract, families), Metrics(replace(contract, name="stays"), families)
    for one in (gone, stays):
        one.watch(lambda: {"cassandra": 3})
        one.written("cassandra", batch(2, 1, TOO_SHORT=1), 0.5)
        one.attempt_failed("cassandra", ServiceError("out", server="cassandra"))
        one.lost([Gap("cassandra", "t", 0, 1, 3)])
        one.commit_failed("cassandra")
        one.stream_failed()

    def series(name: str) -> set[str]:
        return {
            sample.name
            for family in families.registry.collect()
            for sample in family.samples
            if sample.labels["contract"] == name
        }

    before = series("users_created")
    assert before == series("stays")
    gone.forget()
    assert (series("users_created"), series("stays")) == (set(), before)


def test_series_of_a_sink_that_the_contract_has_no_more_go_and_the_others_count_on(
    contract: Contract, metrics: Metrics
) -> None:
    for sink in ("cassandra", "postgres"):
        metrics.written(sink, batch(2), 0.5)
        metrics.attempt_failed(sink, ServiceError("out", server=sink))
    metrics.lost([Gap("cassandra", "t", 0, 0, 4), Gap("postgres", "t", 0, 0, 4)])
    metrics.watch(lambda: {"cassandra": 3, "postgres": 1})
    without = replace(
        contract,
        spec=contract.spec.model_copy(update={"sinks": contract.spec.sinks.model_copy(update={"cassandra": None})}),
    )
    after = metrics.followed_by(without)
    seen = {
        (sample.name, sample.labels["sink"])
        for family in metrics.families.registry.collect()
        for sample in family.samples
        if "sink" in sample.labels
    }
    assert {sink for _, sink in seen} == {"postgres"}
    assert value(metrics, "stream_lag_records", sink="postgres") == 1
    assert value(metrics, "stream_records_rejected_total", reason="REFUSED:cassandra") is None
    assert value(metrics, "stream_records_rejected_total", reason="REFUSED:postgres") == 0
    after.written("postgres", batch(1), 0.5)
    assert value(after, "stream_records_out_total", sink="postgres") == 3
    again = after.followed_by(contract)
    assert value(again, "stream_records_out_total", sink="cassandra") == 0
    again.lost([Gap("cassandra", "t", 0, 0, 4), Gap("postgres", "t", 0, 0, 4)])
    assert value(again, "stream_records_lost_total", sink="cassandra") == 5
    assert value(again, "stream_records_lost_total", sink="postgres") == 5
