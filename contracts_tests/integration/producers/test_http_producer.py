"""`python -m producers` with a described HTTP API, on real servers: a position that skips nothing."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import Done, run_program
from contracts_tests.fixtures.http_api import VALUE, Answer, Api, Asked, http_api, order, write_contract
from contracts_tests.fixtures.stack import RunningStack

SECRET = "s3cr3t-in-no-log"


class Shop:
    """A contract of its own topic whose source is an API, and the API's records.

    Attributes:
        api: where it is.
        orders: what the API has; `since` is a lower limit of `id`, which it includes.
        fails_at: the API answers 500 for the page with this number; 0 for none.
    """

    api: Api

    def __init__(self, stack: RunningStack, folder: Path) -> None:
        self.topic = f"orders_{uuid.uuid4().hex[:12]}"
        self.folder = folder
        self.orders: list[dict[str, Any]] = []
        self.fails_at = 0
        self.slow_s = 0.0
        self.asked: Callable[[Asked], None] = lambda asked: None
        assert stack.environment["DATASOURCE_URL"] == stack.environment["DATASOURCE_DEFAULT_URL"]
        own = {"CHECKPOINT_DIR": str(folder / "checkpoints"), "SHOP_TOKEN": SECRET, "DATASOURCE_RETRIES": "0"}
        self.environment = {**stack.environment, **own, "CONTRACTS_DIR": str(folder / "schemas")}

    def answer(self, asked: Asked) -> Any:
        self.asked(asked)
        if asked.headers.get("Authorization") != f"Bearer {SECRET}":
            return Answer({"error": f"not {asked.headers.get('Authorization')}"}, 401)
        time.sleep(self.slow_s)
        page = int(asked.params["page"])
        if page == self.fails_at:
            return Answer({"error": f"token {SECRET} is tired"}, 500)
        found = [one for one in self.orders if one["id"] >= int(asked.params.get("since", "0"))]
        return {"orders": found[(page - 1) * 10 : page * 10]}

    def describe(self, **changes: Any) -> None:
        source = {
            "url": self.api.url,
            "auth": {"bearer": "${SHOP_TOKEN}"},
            "records": "orders",
            "pagination": {"type": "page"},
            "incremental": {"cursor": "id", "order": "ascending"},
            **changes,
        }
        write_contract(self.folder, source, self.topic)

    def run(self, program: str, *words: str, **variables: str) -> Done:
        environment = {**self.environment, **variables}
        if program == "producers":  # it owns its source until its process ends
            command = [sys.executable, "-m", program, *words]
            ended = subprocess.run(command, cwd=CLONE, env=environment, capture_output=True, text=True, check=False)
            done = Done(ended.returncode, ended.stdout, ended.stderr)
        else:
            done = run_program(program, *words, environment=environment)
        assert "Traceback" not in done.stderr, done.stderr
        assert SECRET not in done.stdout + done.stderr
        return done

    def produce(self, *words: str, **variables: str) -> tuple[int, dict[str, Any], str]:
        done = self.run("producers", "--contract", "orders", "--json", *words, **variables)
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    def position(self) -> str | None:
        found = list((self.folder / "checkpoints").rglob("source.json"))
        return json.loads(found[0].read_text())["position"] if found else None

    def sent(self, topic: str = "") -> list[bytes]:
        """The values in the topic."""
        configuration = {"bootstrap.servers": self.environment["KAFKA_BOOTSTRAP_SERVERS"], "group.id": "test"}
        consumer = Consumer(configuration)
        try:
            place = TopicPartition(topic or self.topic, 0, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=20)
            consumer.assign([place])
            values: list[bytes] = []
            while len(values) < end:
                values += [message.value() or b"" for message in consumer.consume(end - len(values), timeout=20)]
            return values
        finally:
            consumer.close()

    def ids(self) -> list[int]:
        schema = fastavro.parse_schema(VALUE)
        return [fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)["id"] for value in self.sent()]  # type: ignore[index]


@pytest.fixture
def shop(stack: RunningStack, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(stack, tmp_path)
    with http_api(lambda asked: made.answer(asked)) as api:
        made.api = api
        made.describe()
        done = made.run("contracts", "register")
        assert done.returncode == 0, done.stderr
        yield made


def test_runs_send_only_what_is_new(shop: Shop) -> None:
    shop.orders = [order(number) for number in range(1, 26)]
    code, report, _ = shop.produce()
    assert (code, report["produced"], report["ended"]) == (0, 25, "source")
    assert shop.position() == "25"
    shop.orders += [order(26), order(27)]
    code, report, _ = shop.produce()
    assert (code, report["produced"]) == (0, 3)  # 25 again, because this API includes the position
    assert shop.ids() == [*range(1, 26), 25, 26, 27]
    assert shop.position() == "27"
    shop.orders = [order(27)]
    shop.produce()
    assert shop.position() == "27"


def test_run_without_news_succeeds(shop: Shop) -> None:
    code, report, _ = shop.produce()
    assert (code, report["fetched"], report["produced"], report["offsets"]) == (0, 0, 0, {})
    assert shop.position() is None


def test_failure_of_the_api_keeps_what_has_arrived(shop: Shop) -> None:
    shop.orders = [order(number) for number in range(1, 26)]
    shop.fails_at = 3
    code, report, told = shop.produce()
    assert (code, report["produced"], shop.position()) == (3, 20, "19")
    assert "answered 500: token ${SHOP_TOKEN} is tired (page 3, 1 attempt)" in told
    assert SECRET not in told
    shop.fails_at = 0
    assert shop.produce()[0] == 0
    assert set(shop.ids()) == set(range(1, 26))
    assert len(shop.ids()) == 20 + 7


def test_kill_repeats_and_never_skips(shop: Shop) -> None:
    shop.orders = [order(number) for number in range(1, 101)]
    shop.slow_s = 0.3
    killed = subprocess.Popen(
        [sys.executable, "-m", "producers", "--contract", "orders"],
        cwd=CLONE,
        env=shop.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(shop.api.asked) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    shop.slow_s = 0
    assert shop.produce()[0] == 0
    assert set(shop.ids()) == set(range(1, 101))
    assert shop.position() == "100"


def test_position_does_not_pass_what_kafka_lost(shop: Shop) -> None:
    """Somebody deletes the topic while the run reads page 2, so Kafka acknowledges none of what follows."""
    shop.orders = [order(number) for number in range(1, 31)]
    admin = AdminClient({"bootstrap.servers": shop.environment["KAFKA_BOOTSTRAP_SERVERS"]})

    def delete(asked: Asked) -> None:
        if asked.params["page"] == "2":
            admin.delete_topics([shop.topic])[shop.topic].result(30)
            time.sleep(1)

    shop.asked = delete
    code, report, told = shop.produce(KAFKA_MAX_BLOCK_MS="3000")
    assert (code, report["undelivered"] > 0) == (3, True), told
    # The records come in the order of their ids, which begin at 1.
    assert int(shop.position() or 0) <= report["produced"] <= 10


def test_refused_record_counts_as_arrived(shop: Shop) -> None:
    shop.orders = [order(1), order(2, total="much"), order(3)]
    code, report, _ = shop.produce()
    assert (code, report["refused"]["reasons"], shop.position()) == (0, {"INVALID_RECORD": 1}, "3")
    [letter] = shop.sent(f"{shop.topic}.dlq")
    assert json.loads(letter) == order(2, total="much")


def test_position_of_another_source_is_refused(shop: Shop) -> None:
    shop.orders = [order(1)]
    shop.produce()
    shop.describe(incremental={"cursor": "changed"})
    code, _, told = shop.produce()
    assert code == 2
    assert "its cursor is 'id', and the contract's is 'changed'" in told
    move = re.search(r"mv '(.+)' '(.+)'", told)
    assert move is not None
    os.rename(move[1], move[2])
    assert shop.produce()[0] == 0


def test_second_producer_of_a_source_is_refused(shop: Shop) -> None:
    shop.orders = [order(number) for number in range(1, 101)]
    shop.slow_s = 60  # the first one is still there, however slow the machine is
    first = subprocess.Popen(
        [sys.executable, "-m", "producers", "--contract", "orders"],
        cwd=CLONE,
        env=shop.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not shop.api.asked:
        time.sleep(0.02)
    code, _, told = shop.produce()
    assert code == 3
    assert "another producer of this contract reads from its source" in told
    first.terminate()
    assert first.wait(60) == 0


def test_denied_access_names_the_variable(shop: Shop) -> None:
    code, _, told = shop.produce(SHOP_TOKEN="wrong-token")
    assert code == 2
    assert "answered 401: not Bearer ${SHOP_TOKEN}: it denies access" in told
    assert "set SHOP_TOKEN" in told
    code, _, told = shop.produce(SHOP_TOKEN="")
    assert code == 2
    assert "the environment variable SHOP_TOKEN is empty" in told


def test_function_yields_the_records(shop: Shop) -> None:
    (shop.folder / "shop_orders.py").write_text(
        "import datetime, decimal\n"
        "def read():\n"
        "    when = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)\n"
        "    for number in (1, 2):\n"
        "        yield {'id': number, 'total': decimal.Decimal('1.50'), 'changed': when}\n"
    )
    write_contract(shop.folder, {"python": "shop_orders:read"}, shop.topic)
    paths = os.pathsep.join([str(shop.folder), os.environ.get("PYTHONPATH", "")])
    code, report, told = shop.produce(PYTHONPATH=paths)
    assert (code, report["produced"], report["source"]) == (0, 2, "shop_orders:read"), told
    assert shop.ids() == [1, 2]


def test_position_in_any_order_moves_only_when_everything_was_read(shop: Shop) -> None:
    shop.describe(incremental={"cursor": "id"})
    shop.orders = [order(number) for number in (*range(21, 31), *range(1, 11))]
    code, report, told = shop.produce("--count", "15")
    assert (code, report["produced"], shop.position()) == (0, 15, None)
    assert "the position moves only" in told
    assert shop.produce()[0] == 0
    assert shop.position() == "30"


def test_record_out_of_order_ends_the_run_with_its_page(shop: Shop) -> None:
    shop.orders = [order(number) for number in (*range(1, 13), 5)]
    code, report, told = shop.produce()
    assert (code, report["produced"], shop.position()) == (3, 12, "11")
    assert "page 2, record 3: its cursor is lower than that of the record before" in told
