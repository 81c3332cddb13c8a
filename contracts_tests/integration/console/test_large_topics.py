"""The page of records with 100,000 of them, and with one of a megabyte: it reads the end of the topic only."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from playwright.sync_api import expect

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.inspection import newest
from contracts_tests.fixtures.browser import Watched, chromium
from contracts_tests.fixtures.console import RunningConsole, running
from contracts_tests.fixtures.html import Page
from contracts_tests.fixtures.pipeline import Pipeline, made
from contracts_tests.fixtures.users import user

#: Twenty times as many as a page reads at most.
RECORDS = 100_000
PARTITIONS = 3
START_MS, STEP_MS = 1_700_000_000_000, 10_000
#: Records that a page of 20 reads: at first so many of each partition.
A_PAGE = 20


@pytest.fixture(scope="module")
def pipeline(settings_of_stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Records of one user every ten seconds; the last ones of each partition are of others."""
    found = made(settings_of_stack, None, tmp_path_factory.mktemp("large"))
    schema_id = found.register()
    usual, name = found.encode(schema_id, user(0)), found.contract.topic
    producer = Producer(
        {
            "bootstrap.servers": found.settings.kafka_bootstrap_servers,
            "compression.type": "lz4",
            "linger.ms": 50,
            "queue.buffering.max.messages": 200_000,
        }
    )
    for number in range(RECORDS):
        value = usual if number < RECORDS - 10 else found.encode(schema_id, user(number))
        producer.produce(
            name,
            value,
            key=b"",
            partition=number % PARTITIONS,
            timestamp=START_MS + number * STEP_MS,
        )
        if number % 50_000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0
    return found


@pytest.fixture(scope="module")
def console(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    folder = tmp_path_factory.mktemp("secret") / "console"
    with running(pipeline.settings.contracts_dir, folder, configured=pipeline.settings) as found:
        yield found


def address(pipeline: Pipeline) -> str:
    return f"/records/{pipeline.contract.name}.html"


def places(text: str) -> list[str]:
    return re.findall(r'<article class="record" aria-label="([^"]+)"', text)


def read(text: str) -> int:
    found = re.search(r"the newest first; ([\d,]+) read", Page.of(text).text)
    assert found, Page.of(text).text
    return int(found[1].replace(",", ""))


def test_newest_page_reads_the_end_of_each_partition_only(console: RunningConsole, pipeline: Pipeline) -> None:
    ranges = topic.whole(pipeline.settings, pipeline.contract.topic)
    assert sum(last - first + 1 for first, last in ranges.values()) == RECORDS
    text = console.signed_in().get(address(pipeline)).text
    name = pipeline.contract.topic
    newest_first = [f"{name}-{at % PARTITIONS}-{at // PARTITIONS}" for at in range(RECORDS - 1, -1, -1)][:A_PAGE]
    assert places(text) == newest_first
    assert read(text) == A_PAGE * PARTITIONS
    older = re.search(r'href="([^"]+)" rel="next"', text)
    assert older
    following = console.signed_in().get(older[1].replace("&amp;", "&").replace("../", "/")).text
    assert read(following) <= 2 * A_PAGE * PARTITIONS
    first = int(places(following)[0].rpartition("-")[2]) * PARTITIONS + int(places(following)[0].split("-")[-2])
    assert first == RECORDS - A_PAGE - 1


def test_time_leads_into_the_middle_without_reading_what_is_newer(
    console: RunningConsole, pipeline: Pipeline
) -> None:
    # The second half begins 500,000 seconds after the first record.
    text = console.signed_in().get(address(pipeline), params={"until": "2023-11-20T17:06:40"}).text
    middle = RECORDS // 2
    assert places(text)[0].endswith(f"-{(middle - 1) % PARTITIONS}-{(middle - 1) // PARTITIONS}")
    assert read(text) == A_PAGE * PARTITIONS


def test_search_for_what_is_far_away_stops_and_goes_on(console: RunningConsole, pipeline: Pipeline) -> None:
    visitor = console.signed_in("operator")
    form = {"action": "reveal", "where": "username == 'nobody'"}
    text = visitor.post(address(pipeline), **form).text
    assert places(text) == []
    assert newest.MOST_READ <= read(text) < newest.MOST_READ + 3 * 640
    assert "None of the records that were read is one of these." in Page.of(text).text
    assert 'rel="next"' in text


def test_browser_shows_many_records_and_one_of_a_megabyte(console: RunningConsole, pipeline: Pipeline) -> None:
    schema_id = pipeline.register()
    large = pipeline.encode(schema_id, user(1, address="x" * 1_000_000))
    producer = Producer(
        {"bootstrap.servers": pipeline.settings.kafka_bootstrap_servers, "message.max.bytes": 1_048_588}
    )
    producer.produce(pipeline.contract.topic, large, partition=0, timestamp=START_MS + RECORDS * STEP_MS)
    assert producer.flush(60) == 0
    with chromium() as browser, browser.new_context() as context:
        watched = Watched.of(context)
        page = watched.page
        page.goto(f"{console.url}{address(pipeline)}")
        page.get_by_label("Account").fill("operator")
        page.get_by_label("Password").fill(console.accounts.passwords["operator"])
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("article.record")).to_have_count(A_PAGE)
        page.get_by_role("button", name="Reveal personal data").click()
        record = page.locator("article.record").first
        expect(record).to_have_attribute("aria-label", re.compile("-0-"))
        shown = record.locator("pre").inner_text()
        assert shown.count("x") < 21_000
        expect(record).to_contain_text(f"The value has {len(large):,} bytes.")
        hidden = re.search(r"([\d,]+) more characters are not shown", record.inner_text())
        assert hidden
        assert shown.count("x") + int(hidden[1].replace(",", "")) > 1_000_000
        page.set_viewport_size({"width": 360, "height": 740})
        assert watched.too_wide() == []
        page.get_by_role("link", name="Older records").click()
        expect(page.locator("article.record")).to_have_count(A_PAGE)
        assert watched.faults == []
