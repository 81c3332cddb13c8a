"""`python -m streaming tail` on real servers: both framings, keys, shared topics, dead letters, masks, conditions."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.catalog import dead_letter, loading
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.producers.publish import Publisher, RejectedRecord
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import Done, run_program
from contracts_tests.fixtures.confluent import Confluent
from contracts_tests.fixtures.stack import RunningStack

KEY = {"type": "record", "name": "OrderKey", "namespace": "shop", "fields": [{"name": "id", "type": "string"}]}
PLACED = {
    "type": "record", "name": "Placed", "namespace": "shop", "fields": [
        {"name": "id", "type": "string"},
        {"name": "email", "type": ["null", "string"], "default": None, "confluent:tags": ["PII"]},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    ],
}  # fmt: skip
PAID = {"type": "record", "name": "Paid", "namespace": "shop", "fields": [{"name": "id", "type": "string"}]}


class Orders:
    """Two contracts of one topic, `placed` with the id in front and `paid` with it in headers."""

    def __init__(self, stack: RunningStack, folder: Path, **changes: str) -> None:
        self.topic = f"tail_{uuid.uuid4().hex[:12]}"
        self.schemas = folder / "schemas"
        common = {"topic": self.topic, "owner": "shop", "compatibility": "BACKWARD", "subject_strategy": "RecordName"}
        self._write("placed", PLACED, {**common, "key": "key.avsc", "kafka": {"partitions": 2}})
        self._write("paid", PAID, {**common, "producer": {"schema_id": "header"}})
        self.environment = {**stack.environment, "CONTRACTS_DIR": str(self.schemas), **changes}
        self.settings = settings.load(
            contracts_dir=self.schemas,
            kafka_bootstrap_servers=self.environment["KAFKA_BOOTSTRAP_SERVERS"],
            schema_registry_url=self.environment["SCHEMA_REGISTRY_URL"],
        )

    def _write(self, name: str, value: Any, spec: dict[str, Any]) -> None:
        folder = self.schemas / name
        folder.mkdir(parents=True, exist_ok=True)
        suffix = self.topic.replace("_", "")
        record = {**value, "namespace": f"shop.{suffix}"}
        (folder / "value.avsc").write_text(json.dumps(record))
        (folder / "key.avsc").write_text(json.dumps({**KEY, "namespace": f"shop.{suffix}"}))
        if "key" not in spec:
            (folder / "key.avsc").unlink()
        (folder / "contract.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))

    def run(self, program: str, *words: str) -> Done:
        done = run_program(program, *words, environment=self.environment)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def tail(self, *words: str) -> list[dict[str, Any]]:
        done = self.run("streaming", "tail", *words, "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.split("\n") if line]

    def send(self, name: str, *records: dict[str, Any]) -> None:
        contract = loading.load_one(self.schemas, name)
        publisher = Publisher(contract, self.settings)
        publisher.open()
        for record in records:
            try:
                publisher.send(record)
            except RejectedRecord as refusal:
                publisher.refuse(record, refusal)
        publisher.flush()

    def send_raw(self, topic: str, value: bytes | None, key: bytes | None = None, headers: Any = None) -> None:
        producer = Producer({"bootstrap.servers": self.environment["KAFKA_BOOTSTRAP_SERVERS"]})
        producer.produce(topic, value=value, key=key, headers=headers, partition=0)
        assert producer.flush(30) == 0


@pytest.fixture
def orders(stack: RunningStack, tmp_path: Path) -> Iterator[Orders]:
    made = Orders(stack, tmp_path)
    done = made.run("contracts", "register")
    assert done.returncode == 0, done.stderr
    return made


def placed(number: int, email: str | None = "a@b.c") -> dict[str, Any]:
    from decimal import Decimal

    return {"id": f"o{number}", "email": email, "total": Decimal(number) + Decimal("0.50")}


def by_id(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["key"]["id"] if one["key"] else one["value"]["id"]: one for one in found}


def test_both_framings_of_a_shared_topic_are_decoded(orders: Orders) -> None:
    orders.send("placed", placed(1), placed(2, None))
    orders.send("paid", {"id": "o1"})
    found = orders.tail(orders.topic, "--from", "begin")
    shown = sorted(
        (one["contract"], one["version"], json.dumps(one["key"]), json.dumps(one["value"])) for one in found
    )
    assert shown == [
        ("paid", 1, '{"id": "o1"}', '{"id": "o1"}'),
        ("placed", 1, '{"id": "o1"}', '{"id": "o1", "email": "***", "total": 1.5}'),
        ("placed", 1, '{"id": "o2"}', '{"id": "o2", "email": null, "total": 2.5}'),
    ]
    assert all(one["topic"] == orders.topic and one["time"].endswith("Z") for one in found)
    assert {one["contract"] for one in orders.tail("paid")} == {"paid"}
    revealed = orders.tail("placed", "--reveal", "--key", "o1")
    assert [one["value"]["email"] for one in revealed] == ["a@b.c"]
    assert '"total":1.50' in orders.run("streaming", "tail", "placed", "--json", "--from", "begin").stdout


def test_key_and_condition_select_records(orders: Orders) -> None:
    # So many that each partition has ten: the keys' bytes have the schema's id, so it is chance where they are.
    orders.send("placed", *(placed(number) for number in range(1, 121)))
    assert list(by_id(orders.tail("placed", "--from", "begin", "--where", "total > 119"))) in (
        ["o119", "o120"],
        ["o120", "o119"],
    )
    assert list(by_id(orders.tail("placed", "--from", "begin", "--key", '{"id": "o7"}'))) == ["o7"]
    assert orders.tail("placed", "--from", "begin", "--key", "o770") == []
    newest = orders.tail("placed")
    assert len(newest) == 20
    for partition in (0, 1):
        offsets = [one["offset"] for one in newest if one["partition"] == partition]
        assert offsets == list(range(offsets[0], offsets[0] + 10))
    refused = orders.run("streaming", "tail", "placed", "--where", "totl > 1")
    assert refused.returncode == 2
    assert "totl" in refused.stderr


def test_tag_of_any_version_masks_what_the_others_wrote(orders: Orders) -> None:
    orders.send("placed", placed(1))
    name = PLACED["fields"][1]
    mail = {**name, "name": "mail", "aliases": ["email"]}
    del mail["confluent:tags"]
    renamed = {**PLACED, "fields": [PLACED["fields"][0], mail, PLACED["fields"][2]]}
    path = orders.schemas / "placed" / "value.avsc"
    path.write_text(json.dumps({**renamed, "namespace": json.loads(path.read_text())["namespace"]}))
    done = orders.run("contracts", "register")
    assert done.returncode == 0, done.stderr
    orders.send("placed", {"id": "o2", "mail": "c@d.e", "total": placed(2)["total"]})
    found = by_id(orders.tail("placed", "--from", "begin"))
    assert {key: one["value"] for key, one in found.items()} == {
        "o1": {"id": "o1", "email": "***", "total": 1.5},
        "o2": {"id": "o2", "mail": "***", "total": 2.5},
    }
    refused = orders.run("streaming", "tail", "placed", "--where", "mail == 'c@d.e'")
    assert refused.returncode == 2
    assert "mail is personal data, and masked" in refused.stderr
    shown = orders.tail("placed", "--from", "begin", "--where", "mail == 'c@d.e'", "--reveal")
    assert [one["value"]["mail"] for one in shown] == ["c@d.e"]


def test_place_to_begin_is_an_offset_or_a_time(orders: Orders) -> None:
    for number in range(5):
        orders.send_raw(orders.topic, b"\0\0\0\0\1x", key=str(number).encode())
    found = orders.tail(orders.topic, "--from", "3")
    assert [one["offset"] for one in found if one["partition"] == 0] == [3, 4]
    assert orders.tail(orders.topic, "--from", found[0]["time"])[-1]["offset"] == 4
    assert orders.tail(orders.topic, "--from", "2100-01-01") == []
    assert orders.run("streaming", "tail", orders.topic, "--from", "yesterday").returncode == 2


def test_guid_in_a_header_is_decoded(stack: RunningStack, confluent: Confluent, tmp_path: Path) -> None:
    made = Orders(stack, tmp_path, SCHEMA_REGISTRY_URL=confluent.url)
    done = made.run("contracts", "register")
    assert done.returncode == 0, done.stderr
    made.send("paid", {"id": "o1"}, {"id": "o2"})
    found = made.tail(made.topic, "--from", "begin")
    [registered] = Registry(confluent.url).all_of(loading.load_one(made.schemas, "paid").value.name)
    guid = confluent.guid_of(registered.schema_id)
    told = sorted((one["value"]["id"], one["schema"], one["version"], one["contract"]) for one in found)
    assert told == [("o1", guid, 1, "paid"), ("o2", guid, 1, "paid")]
    made.environment["SCHEMA_REGISTRY_URL"] = stack.environment["SCHEMA_REGISTRY_URL"]
    unknown = made.tail(made.topic, "--from", "begin")
    assert [one["value_undecoded"]["reason"] for one in unknown] == ["NO_GUID_ENDPOINT"] * 2


def test_undecodable_record_has_its_reason(orders: Orders) -> None:
    orders.send_raw(orders.topic, b"no avro")
    orders.send_raw(orders.topic, b"\0\x7f\xff\xff\xffx")
    orders.send_raw(orders.topic, None)
    found = orders.tail(orders.topic, "--from", "begin")
    assert [one.get("value_undecoded", {}).get("reason") for one in found] == ["BAD_MAGIC", "UNKNOWN_SCHEMA_ID", None]
    assert all(one["value"] is None for one in found)
    lines = orders.run("streaming", "tail", orders.topic, "--from", "begin").stdout.splitlines()
    assert "not decoded, 7 bytes (BAD_MAGIC" in lines[0]
    done = orders.run("streaming", "tail", "placed", "--from", "begin", "--where", "total > 1")
    assert (done.returncode, done.stdout) == (0, "")
    assert "2 records could not be compared with --where" in done.stderr


def test_record_that_is_cut_off_is_told_with_its_byte_and_field(orders: Orders) -> None:
    orders.send("placed", placed(1))
    whole = _value_of(orders, orders.tail("placed")[0])
    cut = whole[:-1]
    orders.send_raw(orders.topic, cut, key=b"cut")
    orders.send_raw(orders.topic, b"{json}", key=b"json")
    found = {one["offset"]: one for one in orders.tail(orders.topic, "--from", "begin") if "broken" in one}
    torn, json_ = (found[at] for at in sorted(found))
    # In front of the last field are its length, and the two digits of which one is left.
    at = len(whole) - 2
    assert torn["broken"] == {
        "at": at, "begin": at - 1, "field": "total", "type": "bytes (decimal(9,2))",
        "why": "total is cut off: the body ends in it",
    }  # fmt: skip
    assert (json_["broken"]["at"], json_["broken"]["field"]) == (0, None)
    revealed = [one for one in orders.tail(orders.topic, "--from", "begin", "--reveal") if "broken" in one]
    for one in revealed:
        told, value = one["broken"]["bytes"], cut if one["broken"]["field"] else b"{json}"
        assert value[told["from"] :].startswith(bytes.fromhex(told["hex"]))
        assert told["from"] <= one["broken"]["at"] <= told["from"] + len(told["hex"]) // 2
    lines = orders.run("streaming", "tail", orders.topic, "--from", "begin").stdout
    assert f"breaks at byte {at} of {len(cut)} in total (bytes (decimal(9,2)))" in lines


def test_dead_letters_are_decoded_with_their_reason(orders: Orders) -> None:
    orders.send("placed", placed(1), {"id": "o2", "email": "x@y.z", "total": "much"})
    value = orders.tail("placed")[0]
    raw = _value_of(orders, value)
    told = dict.fromkeys(dead_letter.ADDED, b"1") | {
        dead_letter.TOPIC: orders.topic.encode(),
        dead_letter.REASON: b"RULE:total",
        dead_letter.MESSAGE: b"breaks the rule total",
        dead_letter.CONNECTOR: b"streaming",
    }
    orders.send_raw(f"{orders.topic}.dlq", raw, headers=[(name, told[name]) for name in dead_letter.ADDED])
    first, second = orders.tail(f"{orders.topic}.dlq", "--from", "begin")
    assert (first["rejected"]["reason"], first["rejected"]["place"]) == ("INVALID_RECORD", None)
    assert (first["value"], first["contract"]) == ("***", None)
    assert second["rejected"] == {
        "reason": "RULE:total",
        "message": "breaks the rule total",
        "by": "streaming",
        "place": f"{orders.topic}-1-1",
        "field": None,
    }
    assert (second["contract"], second["value"]) == ("placed", value["value"])
    revealed = orders.tail(f"{orders.topic}.dlq", "--from", "begin", "--reveal")
    assert revealed[0]["value"] == {"id": "o2", "email": "x@y.z", "total": "much"}
    assert revealed[1]["value"]["email"] == "a@b.c"
    shown = orders.run("streaming", "tail", f"{orders.topic}.dlq", "--from", "begin").stdout
    assert f"RULE:total of {orders.topic}-1-1: breaks the rule total;" in shown
    assert "x@y.z" not in shown


def _value_of(orders: Orders, seen: dict[str, Any]) -> bytes:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": orders.environment["KAFKA_BOOTSTRAP_SERVERS"], "group.id": "test"})
    try:
        consumer.assign([TopicPartition(orders.topic, seen["partition"], seen["offset"])])
        [message] = consumer.consume(1, timeout=30)
        return message.value() or b""
    finally:
        consumer.close()


def test_follow_shows_what_arrives_until_ctrl_c(orders: Orders) -> None:
    orders.send("placed", placed(1))
    following = subprocess.Popen(
        [sys.executable, "-m", "streaming", "tail", "placed", "--follow", "--json"],
        cwd=CLONE,
        env={**orders.environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["value"]["id"] == "o1"
    orders.send("placed", placed(2))
    assert json.loads(following.stdout.readline())["value"]["id"] == "o2"
    following.send_signal(signal.SIGINT)
    _, told = following.communicate(timeout=30)
    assert following.returncode == 130
    assert "Traceback" not in told


def test_tail_commits_nothing_and_loads_no_spark(orders: Orders) -> None:
    code = (
        "import sys; from avro_data_contracts.streaming.__main__ import app\n"
        "try: app(['tail', 'placed'])\n"
        "except SystemExit: pass\n"
        "assert not [one for one in sys.modules if one.split('.')[0] in ('pyspark', 'py4j')]"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CLONE, env=orders.environment, check=False)
    assert done.returncode == 0
    admin = AdminClient({"bootstrap.servers": orders.environment["KAFKA_BOOTSTRAP_SERVERS"]})
    assert "contracts-tail" not in [one.group_id for one in admin.list_consumer_groups().result(30).valid]


def test_reader_that_has_enough_ends_it_in_order(orders: Orders) -> None:
    orders.send("placed", *(placed(number) for number in range(3000)))
    words = f"'{sys.executable}' -m streaming tail placed --from begin | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", words], cwd=CLONE, env=orders.environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1


def test_unknown_name_and_missing_topic_are_told(orders: Orders) -> None:
    done = orders.run("streaming", "tail", "plced")
    assert done.returncode == 2
    assert "there is no contract, topic or dead-letter topic 'plced'" in done.stderr
    assert "write placed" in done.stderr
    orders._write("placed", PLACED, {"topic": "tail_nowhere", "owner": "shop", "compatibility": "BACKWARD"})
    done = orders.run("streaming", "tail", "placed")
    assert (done.returncode, "there is no topic tail_nowhere" in done.stderr) == (2, True)


def test_kafka_that_does_not_answer_is_exit_3(orders: Orders) -> None:
    orders.environment |= {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "KAFKA_MAX_BLOCK_MS": "1500"}
    done = orders.run("streaming", "tail", "placed")
    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr
