"""The console on real servers: live figures, records with masks and filters, dead letters and their replay."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Page as BrowserPage
from playwright.sync_api import expect
from pyspark.sql import SparkSession

from avro_data_contracts.console import records
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.dead_letters import letters, recent
from contracts_tests.fixtures.browser import Watched, chromium
from contracts_tests.fixtures.console import RunningConsole, Visitor, running
from contracts_tests.fixtures.html import Page
from contracts_tests.fixtures.pipeline import Pipeline, made
from contracts_tests.fixtures.users import user

USERS = 30
#: The stream has read these, of which three are no users.
STREAMED = USERS + 3
START_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def pipeline(settings_of_stack: Settings, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Users in both stores, three records that are no users, and dead letters of these."""
    found = made(settings_of_stack, spark, tmp_path_factory.mktemp("console"))
    schema_id = found.register()
    good = [
        {
            "value": found.encode(schema_id, user(number)),
            "key": f"k{number}".encode(),
            "timestamp": START_MS + number * 1000,
        }
        for number in range(USERS)
    ]
    whole = found.encode(schema_id, user(99))
    found.send(*good, {"value": b"{json}"}, {"value": whole[:-1]}, {"value": whole[:9]})
    found.stream()
    return found


@pytest.fixture(scope="module")
def console(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    folder = tmp_path_factory.mktemp("secret") / "console"
    settings = pipeline.settings
    with running(settings.contracts_dir, folder, looks=True, configured=settings) as found:
        yield found


@pytest.fixture(scope="module")
def viewer(console: RunningConsole) -> Visitor:
    return console.signed_in("viewer")


@pytest.fixture(scope="module")
def operator(console: RunningConsole) -> Visitor:
    return console.signed_in("operator")


def name_of(pipeline: Pipeline) -> str:
    return pipeline.contract.name


def until(ask: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 60
    while not wanted(found := ask()):
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
    return found


def figures(viewer: Visitor, pipeline: Pipeline) -> Any:
    document = viewer.get("/live.json").json()
    return document["contracts"].get(name_of(pipeline)), document


def test_figures_are_those_of_the_servers(viewer: Visitor, pipeline: Pipeline) -> None:
    found, document = until(lambda: figures(viewer, pipeline), lambda one: one[0] and one[0]["lag"] == 0)
    assert document["state"] == "ok"
    assert {one["name"] for one in document["servers"] if not one["why"]} == {
        "kafka", "registry", "cassandra", "postgres",
    }  # fmt: skip
    assert (found["records"], found["dead"], document["told"]) == (USERS + 3, 3, "")
    stores = viewer.get(f"/live/{name_of(pipeline)}.json").json()["stores"]
    assert stores == dict.fromkeys(("cassandra", "postgres"), f"{USERS:,} rows, lag 0")
    page = Page.of(viewer.get(f"/contracts/{name_of(pipeline)}.html").text)
    assert page.faults == []
    assert f"Versions of {name_of(pipeline)}-value 1" in " ".join(page.text.split())
    assert Page.of(viewer.get("/live.html").text).text.count("answers") == 4


def test_figures_that_have_not_changed_are_not_sent_again(viewer: Visitor, console: RunningConsole) -> None:
    first = viewer.get("/live.json")
    again = viewer.get("/live.json", headers={"If-None-Match": first.headers["ETag"]})
    deadline = time.monotonic() + 30
    while again.status_code != 304 or again.headers["Looked-At"] == first.headers["Looked-At"]:
        assert time.monotonic() < deadline, "nothing changes, and the figures are sent all the time"
        time.sleep(0.3)
        again = viewer.get("/live.json", headers={"If-None-Match": again.headers["ETag"]})
    assert again.content == b""
    assert console.signed_in("operator").get("/live.json").json().keys() == first.json().keys()


def signed_in(page: BrowserPage, console: RunningConsole, account: str) -> None:
    page.goto(console.url)
    page.get_by_label("Account").fill(account)
    page.get_by_label("Password").fill(console.accounts.passwords[account])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Contracts")


def count(pipeline: Pipeline, name: str) -> int:
    """The number of messages of a topic."""
    return sum(last - first + 1 for first, last in topic.whole(pipeline.settings, name).values())


def places(text: str) -> list[str]:
    return re.findall(r'<article class="record" aria-label="([^"]+)"', text)


def test_records_are_all_shown_once_the_newest_of_each_partition_first(viewer: Visitor, pipeline: Pipeline) -> None:
    seen: list[str] = []
    address = f"/records/{name_of(pipeline)}.html"
    while True:
        text = viewer.get(address).text
        assert Page.of(text).faults == []
        seen += places(text)
        older = re.search(r'href="([^"]+)" rel="next"', text)
        if older is None:
            break
        address = older[1].replace("&amp;", "&").replace("../", "/")
    name = pipeline.contract.topic
    there = {
        f"{name}-{partition}-{offset}"
        for partition, (first, last) in topic.whole(pipeline.settings, name).items()
        for offset in range(first, last + 1)
    }
    assert len(seen) == len(set(seen))
    assert set(seen) == there
    for partition in range(3):
        offsets = [int(one.rpartition("-")[2]) for one in seen if one.rpartition("-")[0] == f"{name}-{partition}"]
        assert offsets == sorted(offsets, reverse=True)


def test_personal_data_is_masked_until_an_operator_reveals_it(
    viewer: Visitor, operator: Visitor, pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"/records/{name_of(pipeline)}.html"
    masked = viewer.get(address, params={"limit": "50"}).text
    for personal in ("@example.com", "First ", "Last ", "Main Street", "01234"):
        assert personal not in masked, personal
    assert "***" in masked
    assert "Reveal personal data" not in masked
    assert "@example.com" not in operator.get(address, params={"limit": "50"}).text
    capsys.readouterr()
    revealed = operator.post(address, action="reveal", limit="50").text
    assert {f"{number}@example.com" for number in range(USERS)} <= set(re.findall(r"\d+@example\.com", revealed))
    said = capsys.readouterr()
    logged = said.out + said.err
    assert "personal data revealed" in logged
    assert "account=operator" in logged.replace("\x1b[0m", "").replace("\x1b[36m", "").replace("\x1b[35m", "")
    assert "example.com" not in logged


@pytest.mark.parametrize(
    ("filters", "number"),
    [
        ({"where": "registered_date is null"}, 0),
        ({"where": "registered_date >= '2020-01-01T00:00:00Z'", "limit": "100"}, USERS),
        ({"version": "1", "limit": "100"}, USERS),
        ({"version": "2"}, 0),
        ({"since": "2023-11-14T22:13:40", "until": "2023-11-14T22:13:45"}, 5),
        ({"until": "2023-11-14T22:13:20"}, 0),
    ],
)
def test_filters_choose_records(viewer: Visitor, pipeline: Pipeline, filters: dict[str, str], number: int) -> None:
    text = viewer.get(f"/records/{name_of(pipeline)}.html", params=filters).text
    shown = [one for one in re.findall(r"<pre .*?</pre>", text, flags=re.DOTALL) if "gender" in one]
    assert len(shown) == number, Page.of(text).text


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({"where": "email == '3@example.com'"}, "email is personal data, and masked"),
        ({"where": "total > 1"}, "total"),
        ({"where": "__import__('os')"}, "expression"),
        ({"version": "x"}, "is not the number of a version"),
        ({"since": "yesterday"}, "is not a time"),
        ({"before": "x"}, "the place to go on from is not valid"),
    ],
)
def test_filters_that_cannot_be_are_told(
    viewer: Visitor, pipeline: Pipeline, filters: dict[str, str], told: str
) -> None:
    done = viewer.get(f"/records/{name_of(pipeline)}.html", params=filters)
    assert done.status_code == 200
    page = Page.of(done.text)
    assert told in page.text
    assert "fix:" in page.text
    assert places(done.text) == []


def test_operator_who_reveals_may_filter_by_what_was_masked(operator: Visitor, pipeline: Pipeline) -> None:
    address = f"/records/{name_of(pipeline)}.html"
    found = operator.post(address, action="reveal", where="email == '3@example.com'").text
    assert len(places(found)) == 1
    assert "3@example.com" in found


def test_dead_letters_are_told_by_reason_with_what_to_do(viewer: Visitor, pipeline: Pipeline) -> None:
    text = viewer.get(f"/dead/{name_of(pipeline)}.html").text
    page = Page.of(text)
    assert page.faults == []
    sections = dict(re.findall(r'<section class="record" aria-label="([^"]+)">(.*?)</section>', text, re.DOTALL))
    assert sections.keys() == {"BAD_MAGIC", "DECODE_ERROR"}
    assert "2 open" in sections["DECODE_ERROR"]
    assert "fix the field that the message names, in the producer" in sections["DECODE_ERROR"]
    assert "use a registry serializer in the producer" in sections["BAD_MAGIC"]
    only = viewer.get(f"/dead/{name_of(pipeline)}.html", params={"reason": "BAD_MAGIC"}).text
    assert len(places(only)) == 1
    assert "it does not begin with a zero byte" in Page.of(only).text


def test_why_records_were_rejected_and_what_to_do_in_the_browser(console: RunningConsole, pipeline: Pipeline) -> None:
    name = name_of(pipeline)
    with chromium() as browser, browser.new_context() as context:
        watched = Watched.of(context)
        page = watched.page
        signed_in(page, console, "viewer")
        contract = page.locator(f'#contracts > li[data-name="{name}"]')
        expect(contract.locator('[data-figure="dead"]')).to_have_text("3", timeout=30_000)
        contract.get_by_role("link", name="Dead letters").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Dead letters of")
        reason = page.get_by_role("region", name="DECODE_ERROR", exact=True)
        expect(reason).to_contain_text("2 open")
        expect(reason).to_contain_text("It means: ")
        expect(reason).to_contain_text("What to do: ")
        reason.get_by_role("link", name="DECODE_ERROR").click()
        expect(page.locator("article.record")).to_have_count(2)
        expect(page.locator("article.record .broken").first).to_contain_text("It breaks at byte")
        page.locator("article.record .broken summary").first.click()
        expect(page.locator("article.record .broken .here").first).to_be_visible()
        assert watched.violations() == []
        page.set_viewport_size({"width": 360, "height": 740})
        assert watched.too_wide() == []
        assert watched.faults == []


def test_dead_letter_shows_the_byte_and_the_field_where_its_record_broke(
    viewer: Visitor, operator: Visitor, pipeline: Pipeline
) -> None:
    address = f"/dead/{name_of(pipeline)}.html"
    whole = pipeline.encode(pipeline.register(), user(99))
    last = len(whole) - 1
    text = viewer.get(address, params={"reason": "DECODE_ERROR"}).text
    told = Page.of(text).text
    assert Page.of(text).faults == []
    assert f"It breaks at byte {last} of {last}, counted from 0, while picture was read, null or string" in told
    assert (
        "It breaks at byte 6 of 9, counted from 0, while id was read, string (uuid), which begins at byte 5" in told
    )
    # What the stream said of the bytes, and what the page says.
    for words in ("picture is cut off: the body ends in it", "id is cut off: the body ends in it"):
        assert told.count(words) >= 2, words
    assert "Its bytes may be personal data" in told
    for personal in (whole[5:9].hex(" "), 'aria-label="Bytes of'):
        assert personal not in text
    revealed = operator.post(address, action="reveal", reason="DECODE_ERROR").text
    assert Page.of(revealed).faults == []
    assert "<mark>the value ends here</mark>" in revealed
    [short] = [one for one in re.findall(r"<pre [^>]*Bytes of.*?</pre>", revealed, re.DOTALL) if "000000" in one]
    bare = re.sub(r"<[^>]*>", "", short)
    assert whole[:9].hex(" ") in bare
    assert f"<mark>{whole[6]:02x}</mark>" in short
    begun = Page.of(viewer.get(address, params={"reason": "BAD_MAGIC"}).text).text
    assert "It breaks at byte 0 of 6, counted from 0: the first byte of a schema id is 0" in begun


def test_large_record_is_cut_and_says_so(viewer: Visitor, pipeline: Pipeline) -> None:
    schema_id = pipeline.register()
    large = user(7, post_code=None, registered_date=None, picture=None, address="x" * 900_000)
    pipeline.send({"value": pipeline.encode(schema_id, large), "timestamp": START_MS + 10**7, "partition": 0})
    done = viewer.get(f"/records/{name_of(pipeline)}.html")
    assert len(done.content) < 200_000, "masked"


def test_replay_is_tried_by_everybody_and_done_by_the_operator(
    viewer: Visitor, operator: Visitor, pipeline: Pipeline
) -> None:
    address = f"/dead/{name_of(pipeline)}.html"
    name = pipeline.contract.topic
    before = list(topic.read(pipeline.settings, name, topic.whole(pipeline.settings, name)))
    dry = Page.of(viewer.post(address, action="dry-run", reason="DECODE_ERROR").text).text
    assert "2 records of DECODE_ERROR would be put back" in dry
    assert "Only the account operator may put them back." in dry
    assert viewer.post(address, action="replay", reason="DECODE_ERROR").status_code == 403
    assert sum(high - low + 1 for low, high in topic.whole(pipeline.settings, name).values()) == len(before)

    for expected, told in (
        ("1", "2 records of DECODE_ERROR would be put back now, not the 1 of the page"),
        ("", "how"),
    ):
        wrong = operator.post(address, action="replay", reason="DECODE_ERROR", expected=expected)
        assert wrong.status_code == 400
        assert told in wrong.text
    form = {"action": "replay", "reason": "DECODE_ERROR", "expected": "2"}
    with ThreadPoolExecutor(4) as pool:  # somebody clicks twice, and so does somebody else
        answers = list(pool.map(lambda token: operator.post(address, csrf=token, **form), [operator.csrf] * 4))
    assert sorted(one.status_code for one in answers) == [200, 400, 400, 400]
    [done] = [Page.of(one.text).text for one in answers if one.status_code == 200]
    assert "2 records of DECODE_ERROR put back: the stream reads them next." in done
    after = list(topic.read(pipeline.settings, name, topic.whole(pipeline.settings, name)))
    old = {(one.partition(), one.offset()) for one in before}
    again = [one for one in after if (one.partition(), one.offset()) not in old]
    whole = pipeline.encode(pipeline.register(), user(99))
    assert sorted(one.value() or b"" for one in again) == sorted([whole[:-1], whole[:9]])
    text = viewer.get(address).text
    assert "2 in all, 2 put back" in Page.of(text).text
    assert operator.post(address, **form).status_code == 400
    nothing = Page.of(operator.post(address, action="dry-run", reason="DECODE_ERROR").text).text
    assert "0 records of DECODE_ERROR would be put back. 2 were put back before." in nothing
    unknown = viewer.post(address, action="dry-run", reason="NOTHING")
    assert unknown.status_code == 400
    assert "there is no code NOTHING" in unknown.text


def test_newest_dead_letters_are_read_and_the_page_says_what_is_left(
    viewer: Visitor, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, contract = pipeline.settings, pipeline.contract
    everything = letters.read(settings, contract)
    total = count(pipeline, contract.dead_letter_topic)
    whole = recent.read(settings, contract, 1_000, 60)
    assert (whole.found, whole.read, whole.left) == (everything, total, 0)
    some = recent.read(settings, contract, 1, 60)
    assert 0 < some.left < total
    assert some.read + some.left == total
    newest_of = {one.at.partition: one.at.offset for one in everything.letters}
    assert {one.at.offset for one in some.found.letters} <= set(newest_of.values())
    late = recent.read(settings, contract, 1_000, 0, now=lambda: 0.0)
    assert late.read > 0, "one part is read even when there is no time"
    monkeypatch.setattr(records, "MOST_LETTERS", 1)
    address = f"/dead/{name_of(pipeline)}.html"
    page = Page.of(viewer.get(address).text).text
    assert f"{some.left} older ones are not counted here" in page
    refused = viewer.post(address, action="dry-run", reason="DECODE_ERROR")
    assert refused.status_code == 400
    assert "dlq replay --reason DECODE_ERROR" in refused.text


def test_lag_appears_while_somebody_watches(console: RunningConsole, viewer: Visitor, pipeline: Pipeline) -> None:
    schema_id = pipeline.register()
    name = name_of(pipeline)
    letters = count(pipeline, pipeline.contract.dead_letter_topic)
    lag = count(pipeline, pipeline.contract.topic) - STREAMED
    with chromium() as browser, browser.new_context() as context:
        watched = Watched.of(context)
        page = watched.page
        signed_in(page, console, "viewer")
        page.goto(f"{console.url}/live.html")
        expect(page.locator("[data-late]")).to_have_text(re.compile("late|contracts"), timeout=30_000)
        page.goto(f"{console.url}/contracts/{name}.html")
        expect(page.locator('[data-figure="dead"]')).to_have_text(str(letters), timeout=20_000)
        expect(page.locator('[data-figure="lag"]')).to_have_text(str(lag), timeout=20_000)
        pipeline.send(*({"value": pipeline.encode(schema_id, user(number))} for number in range(40)))
        expect(page.locator('[data-figure="lag"]')).to_have_text(str(lag + 40), timeout=30_000)
        expect(page.locator("[data-charts] svg")).to_have_count(4, timeout=40_000)
        label = page.locator("[data-charts] svg").nth(2).get_attribute("aria-label") or ""
        assert label.startswith("Lag, records in the last hour: now ")
        assert watched.violations() == []
        page.goto(f"{console.url}/live.html")
        expect(page.locator("[data-servers] .good")).to_have_count(4, timeout=20_000)
        expect(page.locator(f'tr[data-live="{name}"] [data-figure="lag"]')).to_have_text(str(lag + 40))
        # Is anything late now?  No stream runs, so nothing is written.
        expect(page.locator("[data-late]")).to_have_text("1 of 1 contracts is late.", timeout=30_000)
        late = page.locator("[data-late-list] li")
        expect(late).to_have_text(re.compile(f"{name}: nothing was written for \\d+ s"))
        expect(late.get_by_role("link", name=name)).to_have_attribute("href", re.compile(f"contracts/{name}.html$"))
        for path in (f"records/{name}.html", f"dead/{name}.html"):
            page.goto(f"{console.url}/{path}")
            assert watched.violations() == [], path
            page.set_viewport_size({"width": 360, "height": 740})
            assert watched.too_wide() == [], path
        assert watched.faults == []
    points = viewer.get(f"/live/{name}.json").json()["points"]
    assert all(len(point) == 5 for point in points)
    json.dumps(points)
