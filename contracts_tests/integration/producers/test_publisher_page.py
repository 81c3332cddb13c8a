"""docs/how-to/publisher.md: every block of Python runs as it is written, and prints what the page says."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from confluent_kafka import Consumer, TopicPartition

from avro_data_contracts.contracts import sample
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.stack import ports
from contracts_tests.fixtures import pages
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import run_program
from contracts_tests.fixtures.stack import RunningStack

PAGE = pages.read("docs/how-to/publisher.md")
SCRIPT, CALLBACK, SERVICE, CELL, TRANSACTION = [one.text for one in PAGE.blocks() if one.language == "python"]


@dataclass
class Orders:
    """The contract `orders_placed`, registered, with a topic that only this test has."""

    environment: dict[str, str]
    topic: str
    folder: Path

    def messages(self, topic: str, isolation: str = "read_committed") -> list[Any]:
        servers = self.environment["KAFKA_BOOTSTRAP_SERVERS"]
        conf = {"bootstrap.servers": servers, "group.id": "test", "isolation.level": isolation}
        consumer = Consumer({**conf, "enable.auto.commit": False, "enable.partition.eof": True})
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found, ended = [], 0
        while ended < len(partitions):
            for message in consumer.consume(500, timeout=0.5):
                ended += bool(message.error())
                found += [] if message.error() else [message]
        consumer.close()
        return found

    def ids(self, isolation: str = "read_committed") -> list[int]:
        found = self.messages(self.topic, isolation)
        return sorted(uuid.UUID(message.key()[6:].decode()).int for message in found)


def made(stack: RunningStack, folder: Path) -> Orders:
    shutil.copytree(CLONE / "schemas", folder / "schemas")
    shutil.rmtree(folder / "schemas" / "users_created")
    topic = f"orders_{uuid.uuid4().hex[:12]}"
    spec = folder / "schemas" / "orders_placed" / "contract.yaml"
    text = re.sub(r"orders_placed(\.dlq)?$", rf"{topic}\1", spec.read_text(), flags=re.MULTILINE)
    spec.write_text(text)
    environment = stack.environment | {"CONTRACTS_DIR": str(folder / "schemas"), "PYTHONPATH": str(CLONE)}
    done = run_program("contracts", "register", environment=environment)
    assert done.returncode == 0, done.stderr
    return Orders(environment, topic, folder)


@pytest.fixture
def orders(stack: RunningStack, tmp_path: Path) -> Orders:
    return made(stack, tmp_path)


def order(number: int) -> dict[str, Any]:
    """As plain JSON."""
    return {
        "id": str(uuid.UUID(int=number)),
        "customer_id": str(uuid.UUID(int=1)),
        "placed_at": "2026-01-31T12:00:00Z",
        "currency": "EUR",
        "total": "19.90",
        "items": [{"sku": "tea", "quantity": 2, "unit_price": 9.95}],
    }


@contextmanager
def in_the_environment(orders: Orders) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(orders.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def functions(block: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, "page.py", "exec"), namespace)
    return namespace


def some(count: int, orders: Orders) -> list[dict[str, Any]]:
    contract = loading.load_one(orders.folder / "schemas", "orders_placed")
    return list(itertools.islice(sample.records(contract, 1), count))


def test_script_prints_what_the_page_shows(orders: Orders) -> None:
    (orders.folder / "send_orders.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "send_orders.py"],
        cwd=orders.folder,
        env=orders.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [shown] = [one.text for one in PAGE.blocks() if one.language == "text"]
    assert done.stdout == shown
    assert orders.ids() == [1, 2]
    [letter] = orders.messages(f"{orders.topic}.dlq")
    assert json.loads(letter.value())["currency"] == 978


def test_callback_is_told_of_each_record(orders: Orders, capsys: pytest.CaptureFixture[str]) -> None:
    with in_the_environment(orders):
        functions(CALLBACK)["send"](some(5, orders))
    told = set(re.findall(r"partition (\d+), offset (\d+)", capsys.readouterr().out))
    assert told == {(str(one.partition()), str(one.offset())) for one in orders.messages(orders.topic)}
    assert len(told) == 5


def test_cell_of_a_notebook_sends(orders: Orders) -> None:
    """As IPython runs a cell: in a loop that is running, with `await` outside of functions."""
    printed = io.StringIO()

    async def notebook() -> None:
        module = types.ModuleType("cell")
        code = compile(CELL, "cell.py", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert code.co_flags & inspect.CO_COROUTINE
        await types.FunctionType(code, module.__dict__)()

    with in_the_environment(orders), contextlib.redirect_stdout(printed):
        asyncio.run(notebook())
    assert re.fullmatch(r"100 orders, the last one at offset \d+\n", printed.getvalue())
    assert orders.ids() == list(range(100, 200))


def test_transactions_are_visible_as_a_whole(orders: Orders) -> None:
    good = some(6, orders)
    with in_the_environment(orders), pytest.raises(Exception, match="fit the schema"):
        functions(TRANSACTION)["send"]([good[:3], [*good[3:], good[0] | {"total": "free"}]])
    assert len(orders.ids()) == 3
    assert len(orders.ids("read_uncommitted")) >= 3


@contextmanager
def service(orders: Orders, **variables: str) -> Iterator[str]:
    """The web service, as the page starts it; its address."""
    (orders.folder / "orders_api.py").write_text(SERVICE)
    assert "`uvicorn orders_api:app` serves it" in PAGE.text
    port = ports.pick(["api"])["api"]
    running = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "orders_api:app", "--port", str(port)],
        cwd=orders.folder,
        env=orders.environment | variables,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{port}/orders"
        deadline = time.monotonic() + 60
        while True:
            try:
                requests.get(url, timeout=5)
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline
                assert running.poll() is None, running.communicate()[1]
                time.sleep(0.1)
        yield url
    finally:
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    assert "Application shutdown complete" in said
    assert "Traceback" not in said


def test_service_sends_what_fits_and_names_what_does_not(orders: Orders) -> None:
    with service(orders) as url:
        answers = [requests.post(url, json=order(number), timeout=30) for number in range(20)]
        wrong = requests.post(url, json=order(20) | {"total": "19.905"}, timeout=30)
        broken = requests.post(url, data="{", timeout=30)
    assert {one.status_code for one in answers} == {202}
    places = {(one.json()["partition"], one.json()["offset"]) for one in answers}
    found = orders.messages(orders.topic)
    assert places == {(one.partition(), one.offset()) for one in found}
    assert orders.ids() == list(range(20))
    assert (wrong.status_code, wrong.json()["detail"]["field"]) == (422, "total")
    assert "19.905" not in wrong.text
    assert (broken.status_code, broken.json()["detail"]["reason"]) == (422, "NOT_JSON")
    assert all((1990).to_bytes(2, "big") in one.value() for one in found), "19.90 with all its digits"


def test_service_answers_503_while_kafka_is_away_and_goes_on(private: RunningStack, tmp_path: Path) -> None:
    orders = made(private, tmp_path)
    with service(orders, KAFKA_MAX_BLOCK_MS="2000") as url:
        assert requests.post(url, json=order(1), timeout=30).status_code == 202
        kafka = private.status["kafka"]["pid"]
        os.kill(kafka, signal.SIGSTOP)
        try:
            answer = requests.post(url, json=order(2), timeout=30)
            # What does not fit is refused as before: the loop is not blocked.
            refused = requests.post(url, data="{", timeout=30)
        finally:
            os.kill(kafka, signal.SIGCONT)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert refused.status_code == 422
        assert requests.post(url, json=order(3), timeout=60).status_code == 202
    assert {1, 3} <= set(orders.ids())
