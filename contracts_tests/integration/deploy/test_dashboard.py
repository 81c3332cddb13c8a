"""Every query of every panel of the Grafana dashboard, asked of a Prometheus that scrapes the stream's own metrics.

Three contracts stream in one process: users_created is idle, orders has views and is behind, orders_placed hangs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.catalog import loading, queries
from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.stack import ports
from avro_data_contracts.streaming.run.families import Families
from avro_data_contracts.streaming.run.gaps import Gap
from avro_data_contracts.streaming.run.metrics import Metrics
from avro_data_contracts.streaming.sinks.counts import Counts
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.prometheus import DASHBOARD, Prometheus, labels, panels, scraping
from contracts_tests.fixtures.viewed import SINKS, catalog, files, header

IDLE, BEHIND, HANGS = "users_created", "orders", "orders_placed"
VIEWS = tuple(f"{view}.{store}" for view in ("large", "sums") for store in ("postgres", "cassandra"))
OF = {
    IDLE: ("cassandra", "postgres"),
    BEHIND: ("postgres", *VIEWS),
    HANGS: ("cassandra", "postgres"),
}
#: Records that each store and view does not have.
LAG = {IDLE: 0, BEHIND: 7, HANGS: 9}
#: Seconds from the timestamps of the records until they were in a store, and from then until now.
AGE_S = {IDLE: 2.5, BEHIND: 6.0}
AGO_S = 90.0
LARGE = "SELECT id, amount FROM orders WHERE amount > 100"
SUMS = "SELECT window.start AS hour, colour, count(*) AS n FROM orders GROUP BY window(at, '1 hour'), colour"
KEYS = {kind: {**sink, "table": "sums", "primary_key": ["hour", "colour"]} for kind, sink in SINKS.items()}

Key = tuple[tuple[str, str], ...]


def of(*contracts: str, **more: str) -> list[Key]:
    """The series of all stores and views of these contracts."""
    return [labels(contract=one, sink=sink, **more) for one in contracts for sink in OF[one]]


def lags(contract: str) -> dict[str, int]:
    return dict.fromkeys(OF[contract], LAG[contract])


def each(value: float, *contracts: str) -> dict[Key, float]:
    return dict.fromkeys(of(*contracts), value)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("metrics")
    views = {"large": header() + LARGE, "sums": header(KEYS, time="at", lateness="1 hour") + SUMS}
    found = [catalog(files(views)).get(BEHIND)]
    # Without the views of users_created: those above have all that a view shows.
    found += [replace(loading.load_one(CLONE / "schemas", name), views=()) for name in (IDLE, HANGS)]
    assert {one.name: {name for name, _ in queries.of(one)} for one in found} == {
        name: set(sinks) for name, sinks in OF.items()
    }
    then, families = time.time() - AGO_S, Families()
    metrics = {one.name: Metrics(one, families, lambda: then) for one in found}
    for name, one in metrics.items():
        one.watch(partial(lags, name))
    port = ports.pick(["metrics"])["metrics"]
    families.serve(settings.load().model_copy(update={"stream_metrics_port": port}))
    with scraping(port, folder) as running:
        # Before anything happens, as a rate begins with what was scraped first.
        running.until("stream_records_in_total", each(0, *OF))
        for name in (IDLE, BEHIND):
            for sink in OF[name]:
                millis = round((then - AGE_S[name]) * 1000)
                left_out = {"late": 3, "timeless": 4} if sink.startswith("sums.") else {}
                batch = Counts(10, 2, millis, millis, float(millis), {"TOO_SHORT": 2}, 8, 1, **left_out)
                metrics[name].written(sink, batch, 0.4)
        metrics[BEHIND].commit_failed("large.postgres")
        metrics[BEHIND].lost([Gap("sums.cassandra", "orders", 0, 5, 12)])
        metrics[HANGS].stream_failed()
        metrics[HANGS].attempt_failed("postgres", ServiceError("out", server="postgres"))
        out = {labels(contract=HANGS, sink="postgres", server="postgres"): 1.0}
        running.until("stream_attempts_failed_total > 0", out)
        # The more scrapes, the nearer is an increase to what happened.
        running.until("min(count_over_time(stream_lag_records[1m])) > bool 11", {(): 1.0})
        yield running


LOST = labels(contract=BEHIND, sink="sums.cassandra")
COMMIT = labels(contract=BEHIND, sink="large.postgres")
A_MINUTE = 1 / 60
#: Panel -> for each of its queries: series -> value.  No other series is there.
EXPECTED: dict[str, list[dict[Key, float]]] = {
    "Contracts that stream": [{(): 3}],
    "Most lag now": [{labels(contract=name): lag for name, lag in LAG.items()}],
    "Late now: records wait, and none were written for a minute": [each(9, HANGS)],
    "Lag, records": [each(0, IDLE) | each(7, BEHIND) | each(9, HANGS)],
    "Records written per second": [each(7 * A_MINUTE, IDLE, BEHIND) | each(0, HANGS)],
    "Records read per second": [each(10 * A_MINUTE, IDLE, BEHIND) | each(0, HANGS)],
    "Dead letters in 15 minutes, by reason": [
        {labels(contract=name, reason="TOO_SHORT"): 2.0 * len(OF[name]) for name in (IDLE, BEHIND)}
    ],
    "Skipped records per second": [each(A_MINUTE, IDLE, BEHIND) | each(0, HANGS)],
    "Records lost, accepted with --accept-loss": [each(0, *OF) | {LOST: 8}],
    "Latency from Kafka to the store, median and 95th percentile": [
        each(2.5, IDLE) | each(6.25, BEHIND),
        each(2.95, IDLE) | each(7.375, BEHIND),
    ],
    "Latency from Kafka to the store, mean": [each(2.5, IDLE) | each(6, BEHIND)],
    "Batch duration, 95th percentile": [each(0.4875, IDLE, BEHIND)],
    "Batches per minute": [each(1, IDLE, BEHIND) | each(0, HANGS)],
    "Idle: time since the last batch, with nothing left to write": [each(AGO_S, IDLE)],
    "Waiting: time since the last batch, with records left to write": [each(AGO_S, BEHIND)],
    "Lag of views, records": [{one: 7 for one in of(BEHIND)[1:]}],
    "Events that views took in, per second": [{one: 7 * A_MINUTE for one in of(BEHIND)[1:]}],
    "Events left out of aggregations, by cause, in 15 minutes": [
        {one: 3 for one in of(BEHIND)[3:]},
        {one: 4 for one in of(BEHIND)[3:]},
    ],
    "Failed attempts in 5 minutes, by server": [{labels(contract=HANGS, sink="postgres", server="postgres"): 1}],
    "Failed streams in 15 minutes": [{labels(contract=HANGS): 1}],
    "Failed group commits in 15 minutes": [{COMMIT: 1}],
}
#: Prometheus extrapolates what happened between two scrapes, and a clock goes on.
ROUGH = ("per second", "per minute", " minutes", "time since")


def test_every_panel_has_its_expectation() -> None:
    assert {title: len(found) for title, found in EXPECTED.items()} == {
        title: len(found) for title, found in panels().items()
    }


@pytest.mark.parametrize("title", panels())
def test_panel_shows_what_happened(prometheus: Prometheus, title: str) -> None:
    is_rough = any(word in title for word in ROUGH)
    for query, wanted in zip(panels()[title], EXPECTED[title], strict=True):
        found = prometheus.ask(query)
        assert found.keys() == wanted.keys(), query
        for one, value in wanted.items():
            low, high = (value * 0.6, value * 1.8) if is_rough else (value * 0.999, value * 1.001)
            assert low <= found[one] <= high, (query, one)


@pytest.mark.parametrize("title", panels())
def test_panel_shows_only_the_chosen_contracts(prometheus: Prometheus, title: str) -> None:
    for query, wanted in zip(panels()[title], EXPECTED[title], strict=True):
        chosen = {one for one in wanted if dict(one).get("contract") in (IDLE, BEHIND)}
        found = prometheus.ask(query, contract=f"{IDLE}|{BEHIND}")
        assert found.keys() == ({()} if () in wanted else chosen), query
        assert not prometheus.ask(query, contract="nothing"), query


def test_variables_offer_the_contracts_and_their_stores_and_views(prometheus: Prometheus) -> None:
    offered = {
        one["name"]: one["query"]["query"].removeprefix("label_values(").removesuffix(")").rpartition(", ")
        for one in DASHBOARD["templating"]["list"]
        if one["type"] == "query"
    }
    found = {name: prometheus.values_of(label, series) for name, (series, _, label) in offered.items()}
    assert found == {"contract": sorted(OF), "sink": sorted({sink for sinks in OF.values() for sink in sinks})}
