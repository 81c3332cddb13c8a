"""`python -m streaming dlq` on real servers: it lists rejected records by reason and replays them after a fix."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import yaml
from confluent_kafka import Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from avro_data_contracts.producers import dead_letter
from avro_data_contracts.producers.rejection import Rejection
from contracts_tests.fixtures.dlq import Dlq
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user

OWN_HEADERS = [
    ("trace", b"\x00\xff"),
    ("empty", b""),
    ("trace", None),
    ("__connect.errors.topic", b"of somebody else"),
]


@pytest.fixture
def dlq(lean: Pipeline, stack: RunningStack) -> Dlq:
    return Dlq(lean, stack.exports)


@pytest.fixture
def dlq_of_both(pipeline: Pipeline, stack: RunningStack) -> Dlq:
    """Of a contract with a table in each store."""
    return Dlq(pipeline, stack.exports)


def everything(message: Message) -> tuple[Any, ...]:
    return message.key(), message.value(), message.headers() or [], message.timestamp(), message.partition()


def test_replay_after_fix_puts_records_back_unchanged_and_only_once(dlq_of_both: Dlq) -> None:
    dlq = dlq_of_both
    pipeline = dlq.pipeline
    first = pipeline.register()
    grown = json.loads((pipeline.folder / "value.avsc").read_text())
    grown["fields"].append({"name": "note", "type": "string", "default": "?"})
    # The new version was registered under a wrong name: its records are rejected until that is fixed.
    file = pipeline.folder / "value.avsc"
    before = file.read_text()
    file.write_text(json.dumps(grown))
    second = pipeline.registry.register(
        f"{pipeline.contract.topic}-misspelt", pipeline.contract.value.registered_text
    )
    file.write_text(before)
    early = [
        {
            "value": pipeline.encode(second, user(number, note=f"early {number}")),
            "key": b"\xff\x00" + bytes([number]),
            "headers": OWN_HEADERS,
            "timestamp": 1_600_000_000_000 + number,
            "partition": number % 3,
        }
        for number in range(10)
    ]
    pipeline.send(*early)
    pipeline.send({"value": pipeline.encode(first, user(3, first_name="newer")), "timestamp": 1_700_000_000_000})
    pipeline.send({"value": b"{json}", "key": None, "timestamp": 1_500_000_000_000, "partition": 0})
    pipeline.stream()
    pipeline.stream(afresh=True)  # writes every letter a second time
    sent = dlq.events()

    listed = dlq.json("list")
    assert (listed["letters"], listed["duplicates"]) == (11, 11)
    assert dlq.reasons() == {"BAD_MAGIC": (1, 0, 0, 1), "WRONG_SUBJECT": (10, 0, 0, 10)}
    [_, wrong] = listed["reasons"]
    assert wrong["offsets"] == {"0": [0, 3], "1": [0, 2], "2": [0, 2]}
    assert (wrong["first"], wrong["last"]) == ("2020-09-13T12:26:40.000+00:00", "2020-09-13T12:26:40.009+00:00")
    assert "WRONG_SUBJECT" in dlq.run("dlq", "list")

    assert pipeline.evolve(lambda schema: schema.update(grown)) == second, "the id that the records carry"
    dry = dlq.json("replay", "--reason", "WRONG_SUBJECT", "--dry-run")
    assert len(dry["would_put_back"]) == 10
    assert len(dlq.events()) == len(sent)

    told = dlq.json("replay", "--reason", "WRONG_SUBJECT")

    assert sorted(one["place"] for one in told["put_back"]) == sorted(dry["would_put_back"])
    now = {f"{pipeline.contract.topic}-{one.partition()}-{one.offset()}": one for one in dlq.events()}
    assert len(now) == len(sent) + 10
    for one in told["put_back"]:
        assert everything(now[one["now"]]) == everything(now[one["place"]])
    assert dlq.reasons()["WRONG_SUBJECT"] == (10, 10, 0, 0)
    pipeline.stream()
    rows = pipeline.cassandra_rows(), pipeline.postgres_rows()
    for number in range(10):
        for found in rows:
            row = found[user(number)["id"]]
            expected = ("newer", None) if number == 3 else (f"First {number}", f"early {number}")
            assert (row["first_name"], row["note"]) == expected

    assert "put back before" in dlq.run("dlq", "replay", "--reason", "WRONG_SUBJECT")
    assert dlq.json("replay", "--reason", "WRONG_SUBJECT")["put_back_before"] == 10
    assert len(dlq.events()) == len(sent) + 10
    assert len(dlq.json("replay", "--reason", "WRONG_SUBJECT", "--again")["put_back"]) == 10
    pipeline.stream()
    for before, after in zip(rows, (pipeline.cassandra_rows(), pipeline.postgres_rows()), strict=True):
        assert {key: row["note"] for key, row in after.items()} == {key: row["note"] for key, row in before.items()}
        assert {row["kafka_timestamp"] for row in after.values()} == {
            row["kafka_timestamp"] for row in before.values()
        }
    reconciled = json.loads(dlq.run("reconcile", "--json"))
    assert reconciled["in_order"]
    assert (reconciled["events"], reconciled["put_back"]) == (len(sent) + 20, 20)
    assert reconciled["dead_lettered"] == {"WRONG_SUBJECT": 10, "BAD_MAGIC": 1}
    assert "put back from the dead letters" in dlq.run("reconcile")


def test_record_rejected_again_after_replay_is_listed_and_replayable(dlq: Dlq) -> None:
    dlq.pipeline.send({"value": b"{json}", "key": "one", "partition": 2, "timestamp": 1_600_000_000_000})
    dlq.pipeline.stream()
    [place] = [one["now"] for one in dlq.json("replay")["put_back"]]
    dlq.pipeline.stream()

    assert dlq.reasons() == {"BAD_MAGIC": (2, 1, 1, 1)}
    original, again = dlq.json("show")["letters"]
    assert (original["put_back_as"], original["rejected_again"]) == (place, False)
    assert (again["place"], again["put_back_as"], again["rejected_again"]) == (place, None, True)
    assert [one["place"] for one in dlq.json("replay")["put_back"]] == [place]
    dlq.pipeline.stream()
    assert dlq.reasons() == {"BAD_MAGIC": (3, 2, 2, 1)}
    reconciled = json.loads(dlq.run("reconcile", "--json"))
    assert (reconciled["in_order"], reconciled["events"]) == (True, 3)


def test_show_filters_letters_and_hides_their_contents(dlq: Dlq) -> None:
    pipeline = dlq.pipeline
    schema_id = pipeline.register()
    torn = pipeline.encode(schema_id, user(1, first_name="Secretia"))[:-3]
    pipeline.send(
        {"value": torn, "key": "Secretia", "headers": [("trace\n\x1b[2J", b"Secretia")], "partition": 0,
         "timestamp": 1_000_000_000_000},
        {"value": None, "timestamp": 1_600_000_000_000, "partition": 1},
        {"value": b"{", "timestamp": 1_700_000_000_000, "partition": 1},
    )  # fmt: skip
    pipeline.stream()
    name = pipeline.contract.topic

    def places(*arguments: str) -> list[str]:
        return [one["place"] for one in dlq.json("show", *arguments)["letters"]]

    shown = dlq.run("dlq", "show")
    assert "Secretia" not in shown
    assert b"Secretia".hex() not in shown
    assert "\x1b" not in shown
    letters = {one["place"]: one for one in dlq.json("show")["letters"]}
    assert sorted(letters) == [f"{name}-0-0", f"{name}-1-0", f"{name}-1-1"]
    one = letters[f"{name}-0-0"]
    assert (one["reason"], one["schema_id"], one["key_bytes"], one["value_bytes"]) == (
        "DECODE_ERROR", schema_id, 8, len(torn)
    )  # fmt: skip
    assert one["headers"] == ["trace\n\x1b[2J"]
    assert "value_hex" not in one
    assert (letters[f"{name}-1-0"]["value_bytes"], letters[f"{name}-1-0"]["key_bytes"]) == (None, None)
    tailed = [json.loads(line) for line in dlq.run("tail", f"{name}.dlq", "--from", "begin", "--json").splitlines()]
    places_told = {one["rejected"]["place"]: one.get("broken") for one in tailed}
    assert {place: one["broken"] for place, one in letters.items()} == places_told
    place = one["broken"]
    assert one["message"] == place["why"]
    assert (place["begin"] <= place["at"] <= len(torn), "bytes" in place) == (True, False)
    assert (letters[f"{name}-1-0"]["broken"], letters[f"{name}-1-1"]["broken"]["at"]) == (None, 1)
    assert f"breaks: at byte {place['at']} of {len(torn)}, counted from 0, in {place['field']} (" in shown
    assert "breaks: at byte 1 of 1, counted from 0\n" in shown
    down = dlq.run("dlq", "show", SCHEMA_REGISTRY_URL="http://127.0.0.1:1", SCHEMA_REGISTRY_RETRY_FOR_S="0")
    assert "breaks: the record could not be looked at: the schema registry is needed, but not reachable" in down
    assert "breaks: at byte 1 of 1" in down
    [full] = dlq.json("show", "--at", f"{name}-0-0", "--payload")["letters"]
    assert (
        bytes.fromhex(full["broken"]["bytes"]["hex"])
        == torn[full["broken"]["bytes"]["from"] :][: len(full["broken"]["bytes"]["hex"]) // 2]
    )
    assert (full["value_hex"], full["key_hex"]) == (torn.hex(), b"Secretia".hex())
    assert full["header_hex"][0] == ["trace\n\x1b[2J", b"Secretia".hex()]
    assert torn.hex() in dlq.run("dlq", "show", "--payload")

    assert places("--reason", "NULL_VALUE", "--reason", "TOO_SHORT") == [f"{name}-1-0", f"{name}-1-1"]
    assert places("--from", "2020-09-13T12:26:40") == [f"{name}-1-0", f"{name}-1-1"]
    assert places("--to", "2020-09-13T12:26:40+00:00") == [f"{name}-0-0"]
    limited = dlq.json("show", "--limit", "2")
    assert (len(limited["letters"]), limited["not_shown"]) == (2, 1)
    assert "there is no dead letter of" in dlq.run("dlq", "replay", "--at", f"{name}-0-7", code=2)
    assert "it is empty" in dlq.run("dlq", "replay", "--at", "", code=2)
    assert "there is no code TO_SHORT" in dlq.run("dlq", "replay", "--reason", "TO_SHORT", code=2)
    assert "0 records put back" in dlq.run("dlq", "replay", "--reason", "WRONG_SUBJECT")
    assert "is not a time" in dlq.run("dlq", "show", "--from", "yesterday", code=2)
    told = dlq.json("replay", "--at", f"{name}-1-0")
    assert [one["place"] for one in told["put_back"]] == [f"{name}-1-0"]


def test_replay_reads_what_a_letter_omits_from_topic_or_reports_it_lost(dlq: Dlq) -> None:
    pipeline, name = dlq.pipeline, dlq.pipeline.contract.topic
    large, key = b"{" + random.Random(1).randbytes(1_048_300), random.Random(1).randbytes(1_048_350)
    pipeline.send({"value": large, "key": "large", "partition": 1, "timestamp": 1_600_000_000_000})
    of_key = {"value": None, "key": key, "headers": OWN_HEADERS, "timestamp": 1_600_000_000_000, "partition": 2}
    pipeline.send(of_key)
    pipeline.stream()
    letters = {one["place"]: one for one in dlq.json("show")["letters"]}
    assert letters.keys() == {f"{name}-1-0", f"{name}-2-0"}
    letter = letters[f"{name}-1-0"]
    assert (letter["value_left_out"], letter["value_bytes"]) == (True, len(large))
    letter = letters[f"{name}-2-0"]
    assert (letter["key_bytes"], letter["key_left_out"], letter["headers"]) == (len(key), True, [])

    assert len(dlq.json("replay")["put_back"]) == 2

    of_partition: dict[int | None, list[Message]] = {}
    for message in dlq.events():
        of_partition.setdefault(message.partition(), []).append(message)
    assert of_partition.keys() == {1, 2}
    for before, after in of_partition.values():
        assert everything(before) == everything(after)
    admin = AdminClient({"bootstrap.servers": pipeline.settings.kafka_bootstrap_servers})
    upto = TopicPartition(name, 1, 1)
    admin.delete_records([upto])[upto].result(30)
    again = ("replay", "--again", "--at", f"{name}-1-0")
    told = dlq.json(*again, code=1)
    assert told["put_back"] == []
    assert [one["place"] for one in told["lost"]] == [f"{name}-1-0"]
    assert "not put back" in dlq.run("dlq", *again, code=1)
    assert len(dlq.events()) == 3


def test_small_message_limit_keeps_and_replays_every_letter(dlq: Dlq) -> None:
    """The client sends many records at once, and the broker refuses them all when the batch is too large."""
    file = dlq.pipeline.folder / "contract.yaml"
    contract = yaml.safe_load(file.read_text())
    contract["kafka"]["config"]["max.message.bytes"] = "65536"
    contract["dead_letter"]["config"] = {"max.message.bytes": "65536"}
    file.write_text(yaml.safe_dump(contract))
    dlq.pipeline.register()
    numbers = random.Random(1)
    sent = {b"{" + numbers.randbytes(500) for _ in range(600)}
    for value in sent:
        dlq.pipeline.send({"value": value, "timestamp": 1_600_000_000_000})
    dlq.pipeline.stream()

    assert {letter.value() for letter in dlq.pipeline.dead_letters()} == sent
    assert len(dlq.json("replay")["put_back"]) == 600
    assert {message.value() for message in dlq.events()} == sent


def test_letter_keeps_timestamp_that_the_client_cannot_send(dlq: Dlq) -> None:
    schema_id, name = dlq.pipeline.register(), dlq.pipeline.contract.topic
    for partition, millis in enumerate((-5, 1)):
        dlq.pipeline.send({"value": b"{", "timestamp": millis, "partition": partition})
        dlq.pipeline.send({"value": dlq.pipeline.encode(schema_id, user(1)), "partition": partition})
    dlq.pipeline.stream()
    dlq.pipeline.stream(afresh=True)

    letters = {one["place"]: one["time"] for one in dlq.json("show")["letters"]}
    assert letters == {
        f"{name}-0-0": "1969-12-31T23:59:59.995+00:00",
        f"{name}-1-0": "1970-01-01T00:00:00.001+00:00",
    }
    assert json.loads(dlq.run("reconcile", "--json"))["dead_lettered"] == {"TOO_SHORT": 2}
    told = dlq.json("replay", code=1)
    assert [one["place"] for one in told["lost"]] == [f"{name}-0-0"]
    assert [one["place"] for one in told["put_back"]] == [f"{name}-1-0"]


def test_reject_of_a_producer_has_no_record_to_replay(dlq: Dlq) -> None:
    contract = dlq.pipeline.contract
    refusal = Rejection("MISSING_EMAIL", "it has no e-mail address")
    letter = dead_letter.of(
        {"name": "x"}, refusal, topic=contract.topic, producer="producers.randomuser", position="page 1, user 2"
    )
    producer = Producer({"bootstrap.servers": dlq.pipeline.settings.kafka_bootstrap_servers})
    producer.produce(contract.dead_letter_topic, letter.value, headers=letter.headers)
    producer.produce(contract.dead_letter_topic, b"something else", headers=[("contracts.reason", b"OTHER")])
    assert producer.flush(30) == 0

    assert dlq.reasons() == {"MISSING_EMAIL": (1, 0, 0, 0)}
    [shown] = dlq.json("show")["letters"]
    assert (shown["never_a_record"], shown["by"]) == (True, "producers.randomuser")
    assert (shown["source"], shown["field"]) == ("page 1, user 2", None)
    assert [row["never_a_record"] for row in dlq.json("list")["reasons"]] == [1]
    assert "never records of the topic: fix them at the source" in dlq.run("dlq", "list")
    assert dlq.json("replay") == {
        "version": 1,
        "topic": contract.topic,
        "dead_letter_topic": contract.dead_letter_topic,
        "dry_run": False,
        "would_put_back": [],
        "put_back_before": 0,
        "never_a_record": 1,
    }
    assert dlq.events() == []


def test_replay_refuses_topic_with_log_append_time(dlq: Dlq) -> None:
    dlq.pipeline.send({"value": b"{json}", "timestamp": 1_600_000_000_000})
    dlq.pipeline.stream()
    file = dlq.pipeline.folder / "contract.yaml"
    file.write_text(file.read_text().replace("config:\n", "config:\n    message.timestamp.type: LogAppendTime\n", 1))
    dlq.pipeline.register()

    assert "message.timestamp.type=CreateTime" in dlq.run("dlq", "replay", code=2)
    assert len(dlq.events()) == 1


def test_review_fails_when_reject_rate_exceeds_contract_limit(dlq: Dlq) -> None:
    pipeline = dlq.pipeline
    first, day = pipeline.register(), 86_400_000
    good = ({"value": pipeline.encode(first, user(number)), "timestamp": 2 * day + number} for number in range(98))
    bad = [{"value": b"bad value", "timestamp": 2 * day}, {"value": b"", "timestamp": 3 * day - 1}]
    pipeline.send({"value": b"of the day before", "timestamp": 2 * day - 1}, *good, *bad)
    pipeline.send({"value": b"of the day after", "timestamp": 3 * day})
    pipeline.stream()
    of_the_day = ("review", "--from", "1970-01-03", "--to", "1970-01-04")
    reasons = {"BAD_MAGIC": 1, "TOO_SHORT": 1}

    told = dlq.json(*of_the_day, code=1)
    assert (told["records"], told["rejected"], told["rate"]) == (100, reasons, 0.02)
    assert dlq.json("review", code=1)["rejected"] == {"BAD_MAGIC": 3, "TOO_SHORT": 1}
    assert dlq.json("review", "--from", "1970-01-05")["records"] == 0

    file = pipeline.folder / "contract.yaml"
    contract = yaml.safe_load(file.read_text())
    contract["dead_letter"]["max_rate"] = 0.02
    file.write_text(yaml.safe_dump(contract, sort_keys=False))
    assert "2 of 100 records rejected: 2.00%, allowed 2.00%" in dlq.run("dlq", *of_the_day)


def test_dlq_reports_unreachable_broker_and_unregistered_contract(dlq: Dlq) -> None:
    for command in ("list", "show", "replay"):
        told = dlq.run("dlq", command, code=3, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9", KAFKA_MAX_BLOCK_MS="1000")
        assert "127.0.0.1:9" in told
    file = dlq.pipeline.folder / "contract.yaml"
    file.write_text(file.read_text().replace("topic: users_", "topic: unregistered_"))
    assert "make register-schemas" in dlq.run("dlq", "list", code=2)
