"""Figures of the last hour, and the filters of records: what is kept, what is computed, what is refused."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avro_data_contracts.console.live import Figures, still
from avro_data_contracts.console.pages import figures as pages
from avro_data_contracts.console.pages.series import APART_S, KEPT_S, Point, Rate, Series, rates
from avro_data_contracts.console.records import Filters
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality import patterns
from avro_data_contracts.contracts.quality.effort import is_quick
from avro_data_contracts.streaming.inspection import guesses
from avro_data_contracts.streaming.inspection.masks import Masks
from avro_data_contracts.streaming.inspection.newest import Wanted
from avro_data_contracts.streaming.inspection.status import ContractStatus, SinkStatus, TopicStatus
from avro_data_contracts.streaming.inspection.tail import Tailed
from avro_data_contracts.streaming.stores.store import Rows
from contracts_tests.fixtures.catalogued import shop
from contracts_tests.fixtures.console import running
from contracts_tests.fixtures.contract_files import load

_numbers = st.none() | st.integers(0, 10**12)


@given(st.lists(st.tuples(st.floats(0.1, 100), _numbers, _numbers, _numbers), max_size=200))
def test_an_hour_is_kept_and_no_rate_is_negative(
    steps: list[tuple[float, int | None, int | None, int | None]],
) -> None:
    series, at = Series(), 1_000.0
    for step, records, lag, dead in steps:
        at += step
        rate = series.add(Point(at, records, lag, dead))
        assert rate.incoming is None or rate.incoming >= 0
        assert rate.outgoing is None or rate.outgoing >= 0
    points = series.points()
    times = [point[0] for point in points]
    assert all(one is not None and one >= round(at - KEPT_S, 1) for one in times)
    assert all(later - earlier >= APART_S - 0.11 for earlier, later in pairwise(times))  # type: ignore[operator]
    assert len(points) <= KEPT_S / APART_S + 1


@pytest.mark.parametrize(
    ("lags", "came", "expected"),
    [
        ([0, 0, 0], 0, ""),
        ([5, 5, 5], 0, "nothing was written for 10 s"),
        ([5, 0, 5], 10, ""),  # it comes and goes
        ([5, 5, 5], 10, ""),  # each record waits for five seconds
        ([100, 100, 100], 10, "about 100 s behind"),
        ([9_000, 9_000, 9_000], 10, "about 2 h behind"),
        ([600, 550, 500], 0, "about 50 s behind"),
        ([50, 100, 150], 100, "nothing was written for 10 s"),
        ([5, None, 5], 0, None),
        ([None, None, 5], 0, None),
        ([5, None, 0], 0, ""),
        ([0, 0, None], 0, None),
        ([None, None, None], 0, None),
        ([5], 0, None),  # not known yet
        ([0], 0, ""),
    ],
)
def test_late_is_what_needs_longer_than_it_takes_to_see(
    lags: list[int | None], came: int, expected: str | None
) -> None:
    series = Series()
    for number, lag in enumerate(lags):
        series.add(Point(1_000.0 + 5 * number, 10_000 + came * number * 5 // 10, lag, 0))
    assert series.late() == expected


def test_late_is_unknown_while_the_records_of_the_topic_are() -> None:
    series = Series()
    for number in range(3):
        series.add(Point(1_000.0 + 5 * number, None, 7, 0))
    assert series.late() is None


@pytest.mark.parametrize("pace", [1.0, 5.0, 9.9, 10.0, 10.01, 30.0])
def test_rates_and_lateness_are_known_at_every_pace(pace: float) -> None:
    series = Series()
    told = []
    for number in range(30):
        rate = series.add(Point(1_000.0 + pace * number, int(5 * pace * number), 500, 0))
        if number * pace >= 10:
            told.append(series.late())
            assert rate.outgoing == pytest.approx(5, abs=1.0)
    assert len(told) > 1
    assert all(one is not None and one.endswith(" behind") for one in told), told


@given(st.lists(_numbers, min_size=1, max_size=8), st.booleans())
def test_unknown_lag_never_looks_fine(lags: list[int | None], no_records: bool) -> None:
    series = Series()
    for number, lag in enumerate(lags):
        series.add(Point(1_000.0 + 2 * number, None if no_records else 10, lag, 0))
    if lags[-1] is None:
        assert series.late() is None
    if series.late() == "":
        assert lags[-1] is not None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (Point(0, 100, 10, 0), Point(10, 200, 60, 0), Rate(10.0, 5.0)),
        (Point(0, 100, 50, 0), Point(10, 100, 0, 0), Rate(0.0, 5.0)),
        (Point(0, 100, 0, 0), Point(10, 50, 0, 0), Rate(0.0, 0.0)),
        (Point(0, None, 0, 0), Point(10, 50, 0, 0), Rate()),
        (Point(0, 100, None, 0), Point(10, 200, 5, 0), Rate(10.0)),
        (Point(5, 1, 1, 1), Point(5, 2, 2, 2), Rate()),
    ],
)
def test_rates_between_two_points(old: Point, new: Point, expected: Rate) -> None:
    assert rates(old, new) == expected


@given(st.dictionaries(st.sampled_from(["key", "where", "version", "since", "until", "limit", "before"]), st.text()))
def test_filters_are_read_or_refused_and_never_crash(given_: dict[str, str]) -> None:
    try:
        wanted = Filters.of(given_).wanted(reveal=False)
    except ConfigurationError:
        return
    assert wanted.limit in (20, 50, 100)
    assert all(offset >= 0 for offset in wanted.before.values())


def test_filters_that_are_valid() -> None:
    given_ = {
        "key": " a ",
        "version": "3",
        "since": "2026-01-31",
        "until": "2026-02-01T00:00:00+01:00",
        "limit": "50",
    }
    wanted = Filters.of({**given_, "before": "0:17,12:9223372036854775807"}).wanted(reveal=True)
    assert wanted == Wanted(
        limit=50, key="a", version=3, since=1_769_817_600_000, until=1_769_900_400_000,
        before={0: 17, 12: 9_223_372_036_854_775_807}, reveal=True,
    )  # fmt: skip


VALUE = """{"type": "record", "name": "shop.Order", "fields": [
  {"name": "id", "type": "string"},
  {"name": "email", "type": ["null", "string"], "default": null, "confluent:tags": ["PII"]},
  {"name": "buyer", "type": {"type": "record", "name": "Buyer", "confluent:tags": ["PII"], "fields": [
    {"name": "name", "type": "string"}]}},
  {"name": "place", "type": ["null", {"type": "record", "name": "Place", "fields": [
    {"name": "city", "type": "string"}, {"name": "street", "type": "string", "confluent:tags": ["pii"]}]}]},
  {"name": "total", "type": "long"}]}"""


def orders(key: str | None) -> Contract:
    spec = "topic: orders\nowner: shop\ncompatibility: FULL\n" + ("key: key.avsc\n" if key else "")
    files = {"orders__contract_yaml": spec, "orders__value_avsc": VALUE}
    return load(**files, **({"orders__key_avsc": key} if key else {})).get("orders")


def refused(wanted: Wanted, key: str | None = '{"type": "record", "name": "Key", "fields": []}') -> str:
    contract = orders(key)
    try:
        if wanted.where:
            guesses.refuse_condition((contract,), wanted.where, Masks([contract.value.schema]))
        if wanted.key:
            schemas = [contract.value.schema, *([contract.key.schema] if contract.key else [])]
            guesses.refuse_key((contract,), Masks(schemas))
    except ConfigurationError as error:
        return error.what
    return ""


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("email == 'x'", "email"),
        ("total > 1 and not (email is null)", "email"),
        ("len(email) > 3 or total == 1", "email"),
        ("email in ('a', 'b')", "email"),
        ("matches(email, r'a.*')", "email"),
        ("buyer.name == 'x'", "buyer.name"),
        ("place.street == 'x'", "place.street"),
        ("total * 2 > 4", ""),
        ("place.city == 'x'", ""),
        ("place is null", ""),
    ],
)
def test_condition_on_masked_data_is_refused_and_on_other_data_is_not(where: str, name: str) -> None:
    assert refused(Wanted(where=where)) == (f"{name} is personal data, and masked" if name else "")


@pytest.mark.parametrize(
    ("pattern", "is_told"),
    [
        (r"(\w|\w\w){0,100}!", True),
        ("(a|aa)" * 60, True),
        ("(a{0,100}){0,100}b", True),
        (".*.*.*.*b", True),
        ("(a?){1000}b", True),
        ("([ab]*c){2}", True),
        ("a.*", False),
        (".*@example[.]com", False),
        ("-?[0-9]+", False),
        ("(DE|FR|NL)[0-9]{2}", False),
        ("([a-z]{2}-){3}[0-9]{1,5}", False),
    ],
)
def test_pattern_that_may_take_for_ever_is_refused(pattern: str, is_told: bool) -> None:
    told = ""
    try:
        guesses.refuse_slow((orders(None),), f"total > 1 and not matches(id, r'{pattern}')")
    except ConfigurationError as error:
        told = str(error)
    assert ("may take for ever" in told) == is_told


@settings(deadline=None)
@given(
    st.recursive(
        st.sampled_from(["a", "[ab]", "a*", "a?", "[ab]{0,3}", "b{2}"]),
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=3).map("".join),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
            st.tuples(inner, st.sampled_from(["?", "{0,20}", "{3}"])).map(lambda pair: f"({pair[0]}){pair[1]}"),
        ),
        max_leaves=8,
    )
)
def test_pattern_that_is_let_through_ends_on_the_worst_text(pattern: str) -> None:
    made = patterns.parse(pattern)
    if is_quick(made):
        made.compiled.fullmatch("ab" * 5_000 + "!")
        made.compiled.fullmatch("a" * 10_000 + "!")


def _key(*fields: str) -> str:
    return f'{{"type": "record", "name": "Key", "fields": [{", ".join(fields)}]}}'


@pytest.mark.parametrize(
    ("key", "is_refused"),
    [
        (_key('{"name": "id", "type": "string"}'), False),
        (_key('{"name": "email", "type": "string"}'), True),
        (_key('{"name": "id", "type": "string", "confluent:tags": ["PII"]}'), True),
        ('"string"', False),
        (None, True),
    ],
)
def test_filter_on_a_masked_key_is_refused(key: str | None, is_refused: bool) -> None:
    assert bool(refused(Wanted(key="x"), key)) == is_refused


def test_revealing_and_putting_back_need_the_operator(tmp_path: Path) -> None:
    schemas, _ = shop(tmp_path)
    with running(schemas, tmp_path / "secret") as console:
        viewer = console.signed_in()
        for path, action in (("records", "reveal"), ("dead", "reveal"), ("dead", "replay")):
            done = viewer.post(f"/{path}/orders.html", action=action, reason="DECODE_ERROR")
            assert done.status_code == 403, (path, action)
            assert "The account viewer may not" in done.text
        page = viewer.get("/records.html").text
        assert "records/orders.html" in page
        assert viewer.get("/records/nothing.html").status_code == 404
        assert viewer.get("/dead/nothing.html").status_code == 404


def test_server_that_is_down_is_named_on_each_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("POSTGRES_DSN", "postgresql://127.0.0.1:1/none")
    monkeypatch.setenv("KAFKA_MAX_BLOCK_MS", "1000")
    schemas, _ = shop(tmp_path)
    with running(schemas, tmp_path / "secret", looks=True) as console:
        viewer = console.signed_in()
        done = viewer.get("/records/orders.html")
        assert done.status_code == 200
        assert "127.0.0.1:1" in done.text
        assert viewer.get("/dead/orders.html").status_code == 503
        deadline = time.monotonic() + 30
        while (found := viewer.get("/live.json").json())["state"] == "loading" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert found["state"] == "partly"
        down = {one["name"] for one in found["servers"] if one["why"]}
        assert down == {"kafka", "registry", "postgres"}
        assert found["contracts"]["orders"] == dict.fromkeys(("records", "lag", "dead", "late", "in", "out"))
        told = "kafka, postgres, registry do not answer: what only they know is unknown."
        assert (found["told"], found["late"]) == (
            told,
            "Unknown: the lag of no contract is known yet; the table below says more.",
        )
        page = viewer.get("/live.html").text
        assert page.count("does not answer") == 3
        assert re.findall(r'data-figure="(?:in|out|lag|records|late)">([^<]*)<', page) == ["unknown"] * 5
        for address in ("/index.html", "/contracts/orders.html"):
            page = viewer.get(address).text
            shown = re.findall(r'data-figure="[a-z]+">([^<]*)<', page)
            assert set(shown) == {"unknown"}, address
            assert told in page
        assert "rows unknown: postgres does not answer, lag unknown: kafka does not answer" in page


def sink(lag: int | None, rows: Rows | None = None, kind: str = "postgres") -> SinkStatus:
    return SinkStatus(kind, f"public.{kind}", "group", lag, rows)


@pytest.mark.parametrize(
    ("lags", "silent", "expected"),
    [
        ([3, 5], (), 5),
        ([0, 0], (), 0),
        ([0, None], (), pages.NO_STREAM),
        ([0, None], ("kafka",), None),
        ([0, 0], ("postgres",), 0),
        ([], (), pages.NO_STORES),
        ([], ("kafka",), pages.NO_STORES),
    ],
)
def test_lag_is_that_of_all_stores_or_not_known(
    lags: list[int | None], silent: tuple[str, ...], expected: int | str | None
) -> None:
    assert pages.lag([sink(one) for one in lags], silent) == expected


def test_topic_that_is_not_there_and_one_that_is_unknown_differ() -> None:
    gone = TopicStatus("orders", None, None)
    assert (pages.records(gone, ()), pages.records(gone, ("kafka",))) == (pages.NO_TOPIC, None)
    assert pages.records(TopicStatus("orders", 3, 0), ()) == 0


@pytest.mark.parametrize(
    ("one", "silent", "expected"),
    [
        (sink(0, Rows(1, exact=True)), (), "1 row, lag 0"),
        (sink(1_200, Rows(7_000, exact=False)), (), "about 7,000 rows, lag 1,200"),
        (sink(None), (), "no table yet, no stream yet"),
        (sink(None), ("kafka",), "no table yet, lag unknown: kafka does not answer"),
        (sink(0, kind="view.postgres"), ("postgres",), "rows unknown: postgres does not answer, lag 0"),
    ],
)
def test_row_of_a_store_says_what_is_unknown_and_why(one: SinkStatus, silent: tuple[str, ...], expected: str) -> None:
    topic = TopicStatus("orders", 1, 1)
    rows = pages.stores(ContractStatus("orders", topic, (), (one,), topic), silent)
    assert rows == {f"PostgreSQL {one.table}": (one.sink, expected)}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, "Nothing is late."),
        ({"a": "", "b": ""}, "Nothing is late."),
        ({"a": None, "b": None}, "Unknown: the lag of no contract is known yet; the table below says more."),
        ({"a": "", "b": None, "c": None}, "Nothing is known to be late. Of 2 of 3 contracts it is unknown."),
        ({"a": "5 s", "b": ""}, "1 of 2 contracts is late."),
        ({"a": "5 s", "b": "6 s", "c": None}, "2 of 3 contracts are late. Of 1 of 3 contracts it is unknown."),
    ],
)
def test_sentence_says_what_is_late_and_what_is_unknown(told: dict[str, str | None], expected: str) -> None:
    assert pages.late(told) == expected


def test_figures_that_were_not_read_yet_are_no_numbers() -> None:
    names = ("records", "lag", "dead", "late", "in", "out")
    assert {Figures().shown("orders", one) for one in names} == {pages.NOT_YET}
    assert {Figures(at=1.0).shown("orders", one) for one in names} == {pages.UNKNOWN}
    read = Figures(at=1.0, told={"orders": pages.Figures(5, 0, pages.NO_TOPIC, "", None, 0.0)})
    assert [read.shown("orders", one) for one in names] == [5, 0, "no topic", "no", "unknown", 0.0]
    assert Figures().late == "Not read yet."


def test_topic_of_a_contract_is_looked_up_by_its_name() -> None:
    catalog = load()
    assert Tailed.of(catalog, "orders").topic == "orders"
    assert Tailed.of(catalog, "orders.dlq").topic == "orders.dlq"


_topics = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"))


@given(_topics, _topics)
def test_series_is_kept_only_while_its_contract_has_the_same_topic(
    before: dict[str, str], now: dict[str, str]
) -> None:
    kept = {name: f"points of {topic}" for name, topic in before.items()}
    found = still(kept, before, now)
    assert found == {name: f"points of {topic}" for name, topic in now.items() if before.get(name) == topic}
