"""Quality rules: the producer and the stream reach the same verdict, and no store holds a record that breaks one."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
import random
import uuid
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import fastavro
import pytest
import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.quality import patterns
from avro_data_contracts.contracts.quality.judge import Judge
from avro_data_contracts.producers.publish import Publisher, RejectedRecord
from avro_data_contracts.streaming import topic
from avro_data_contracts.streaming.decode import rules
from avro_data_contracts.streaming.decode.decoder import Decoder
from avro_data_contracts.streaming.decode.writer_schemas import Writer
from avro_data_contracts.streaming.inspection.reconcile import reconcile
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.users import headers, user

RECORDS = 10_000
SEED = 20_261_007

NESTED = {
    "type": "record",
    "name": "Address",
    "fields": [
        {"name": "city", "type": "string"},
        {"name": "zip", "type": ["null", "string"], "default": None},
        {"name": "lat", "type": ["double", "null"], "default": 0.0},
    ],
}
FIELDS: dict[str, Any] = {
    "text": "string",
    "note": ["null", "string"],
    "code": {"type": "enum", "name": "Code", "symbols": ["A", "B", "C"]},
    "flag": ["null", "boolean"],
    "small": "int",
    "big": ["null", "long"],
    "other": "long",
    "ratio": "float",
    "measure": ["null", "double"],
    "price": {"type": "bytes", "logicalType": "decimal", "precision": 16, "scale": 4},
    "total": [
        "null",
        {"type": "fixed", "name": "T", "size": 12, "logicalType": "decimal", "precision": 26, "scale": 2},
    ],
    "born": ["null", {"type": "int", "logicalType": "date"}],
    "seen": {"type": "long", "logicalType": "timestamp-millis"},
    "exactly": ["null", {"type": "long", "logicalType": "timestamp-micros"}],
    "wall": {"type": "long", "logicalType": "local-timestamp-micros"},
    "uid": {"type": "string", "logicalType": "uuid"},
    "blob": ["null", "bytes"],
    "mac": {"type": "fixed", "name": "Mac", "size": 6},
    "tags": ["null", {"type": "array", "items": "string"}],
    "marks": {"type": "map", "values": "int"},
    "address": ["null", NESTED],
    "choice": ["null", "int", "string"],
}
FIELDS_OF_SCHEMA = [{"name": name, "type": kind} for name, kind in FIELDS.items()]
FIELDS_OF_SCHEMA.append({"name": "level", "type": "int", "default": 3})
SCHEMA = json.dumps({"type": "record", "name": "Everything", "fields": FIELDS_OF_SCHEMA})

ASKED: list[dict[str, Any]] = [
    *(
        {"field": name, "required": True}
        for name in ("note", "flag", "tags", "address", "address.zip", "choice", "text")
    ),
    {"field": "text", "pattern": r"^\w[\w .'-]{0,30}$"},
    {"field": "text", "pattern": r".*"},
    {"field": "text", "pattern": r"(?:[^\s\d]|é|😀+){0,40}?.?"},
    {"field": "note", "pattern": r"[\s\S]*[^\x00-\x7f][\s\S]*"},
    {"field": "note", "pattern": r"[A-Za-z\d_]+(?:[@.][\w-]+){1,5}"},
    {"field": "address.zip", "pattern": r"\d{5}(-\d{4})?"},
    {"field": "uid", "pattern": r"[0-9a-f-]{36}"},
    {"field": "code", "pattern": "[AB]"},
    {"field": "small", "min": -1, "max": 2**31 - 1},
    {"field": "big", "min": -(2**53) - 1, "max": 2**53 + 1},
    {"field": "big", "max": 2**63 - 1},
    {"field": "big", "min": 2**63},
    {"field": "big", "min": 0.5},
    {"field": "ratio", "max": 0.1},
    {"field": "ratio", "min": 0},
    {"field": "measure", "max": 0.1},
    {"field": "measure", "min": -0.0, "max": 1e300},
    {"field": "price", "min": 0.0001, "max": "99999.9999"},
    {"field": "price", "min": 10},
    {"field": "price", "max": "0.00005"},
    {"field": "total", "min": "-123456789012345678901234.56"},
    {"field": "born", "min": dt.date(1900, 1, 1), "max": "2024-02-29"},
    {"field": "born", "min": "0001-01-02"},
    {"field": "seen", "min": "2020-01-01T00:00:00.001Z"},
    {"field": "seen", "max": dt.datetime(1582, 10, 4, 23, 59, 59, 999_999, dt.UTC)},
    {"field": "exactly", "max": "2020-01-01T02:00:00.000001+02:00"},
    {"field": "wall", "min": "2020-01-01T00:00:00"},
    {"field": "text", "min_length": 1, "max_length": 3},
    {"field": "note", "min_length": 2},
    {"field": "blob", "max_length": 2},
    {"field": "mac", "min_length": 7},
    {"field": "tags", "min_length": 1, "max_length": 2},
    {"field": "marks", "min_length": 1},
    {"field": "text", "one_of": ["", "a", "é", "😀", "\n", "e\u0301", "\ufffd", "\ufeff"]},
    {"field": "note", "one_of": [f"{number}" for number in range(15)] + ["naïve"]},
    {"field": "code", "one_of": ["B"]},
    {"field": "small", "one_of": [0, 1, -1]},
    {"field": "big", "one_of": [2**53, 2**53 + 1, 0]},
    {"field": "price", "one_of": ["0.1000", 1, "12.34"]},
    {"field": "born", "one_of": ["2024-02-29", "1582-10-10"]},
    {"field": "flag", "one_of": [True]},
    {"field": "level", "max": 2},
    {"field": "address.lat", "min": -90, "max": 90},
    {"expression": "note is null or len(note) <= len(text)"},
    {"expression": "note is not null and address is null"},
    {"expression": "big + other < 0 or small * other >= 10"},
    {"expression": "big + other == big - -other"},
    {"expression": "other * small + 1 > other * small"},
    {"expression": "-small * 2 != other"},
    {"expression": "price * small <= total"},
    {"expression": "price + 0.1 > 0.3 and not (total - 1 == 0)"},
    {"expression": "measure * 3 == measure + measure + measure"},
    {"expression": "measure != ratio"},
    {"expression": "not (measure < ratio)"},
    {"expression": "measure >= ratio * 0.1 - 1"},
    {"expression": "-1 <= small < big"},
    {"expression": "flag"},
    {"expression": "not flag or big > 0"},
    {"expression": "flag == true or code in ('A', 'B')"},
    {"expression": "code not in ('C',)\n and small not in (0, 7)  # told twice"},
    {"expression": "text == note"},
    {"expression": "text != note"},
    {"expression": "address.city == text or address.zip is null"},
    {"expression": "born < '2000-01-01' or seen > '2000-01-01T00:00:00Z'"},
    {"expression": "seen <= exactly"},
    {"expression": "matches(note, r'[a-z]+') or matches(address.city, 'A.*')"},
    {"expression": "len(tags) + len(marks) < level"},
]
BOUNDS = [-(2**63), -(2**53) - 1, -(2**31), -2, -1, 0, 1, 7, 2**31 - 1, 2**53, 2**53 + 1, 2**63 - 1]
FLOATS = [
    math.nan,
    math.inf,
    -math.inf,
    0.0,
    -0.0,
    0.1,
    0.30000000000000004,
    1e-310,
    3.4e38,
    -90.0,
    90.00000000000001,
]
CHARACTERS = [
    *"aAzé0 9_-.@'\n\r\t",
    "\u0085",
    "\u2028",
    "\u00a0",
    "😀",
    "🇩",
    "e\u0301",
    "ı",
    "K",
    "٣",
    "\ufeff",
    "\x0b",
]
MOMENTS = [
    dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
    dt.datetime(1582, 10, 4, 23, 59, 59, 999_999, dt.UTC),
    dt.datetime(1, 1, 1, tzinfo=dt.UTC),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, dt.UTC),
]
STEPS = [dt.timedelta(0), dt.timedelta(microseconds=1), dt.timedelta(microseconds=999), dt.timedelta(milliseconds=1)]


def contract(asked: list[dict[str, Any]]) -> Contract:
    named = [{"name": f"r{number}", **one} for number, one in enumerate(asked)]
    spec = {"topic": "everything", "owner": "test", "compatibility": "NONE", "rules": named}
    files = {"everything/contract.yaml": yaml.safe_dump(spec), "everything/value.avsc": SCHEMA}
    return loading.from_files(files, "schemas").get("everything")


class Records:
    """Random records that favour boundary values."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def text(self) -> str:
        if self._random.random() < 0.3:
            return self._random.choice(
                ["", "a", "A.B", "O'Neil", "naïve", "3", "a_1@b-c.de", "12345-6789", "😀😀", "\n"]
            )
        return "".join(self._random.choices(CHARACTERS, k=self._random.randrange(6)))

    def long(self, bits: int = 64) -> int:
        found = self._random.choice([*BOUNDS, self._random.randrange(-20, 20)]) + self._random.choice([0, 0, 1, -1])
        return max(min(found, 2 ** (bits - 1) - 1), -(2 ** (bits - 1)))

    def double(self) -> float:
        return self._random.choice([*FLOATS, self._random.uniform(-1, 1), self._random.randrange(-5, 5)])

    def decimal(self, digits: int, scale: int) -> Decimal:
        unscaled = self._random.choice(
            [0, 1, 10**scale // 10, 10 ** (scale + 1), 10**digits - 1, self._random.getrandbits(20)]
        )
        return Decimal(self._random.choice([unscaled, -unscaled])).scaleb(-scale)

    def moment(self) -> dt.datetime:
        moment, step = self._random.choice(MOMENTS), self._random.choice(STEPS)
        return (
            moment - step
            if moment.year > 9000 or (moment.year > 1 and self._random.random() < 0.5)
            else moment + step
        )

    def maybe(self, make: Callable[[], Any]) -> Any:
        return None if self._random.random() < 0.25 else make()

    def address(self) -> dict[str, Any]:
        found = {"city": self.text(), "zip": self.maybe(self.text)}
        return found if self._random.random() < 0.2 else {**found, "lat": self.maybe(self.double)}

    def one(self) -> dict[str, Any]:
        choose = self._random.choice
        ids = [
            str(uuid.UUID(int=self._random.getrandbits(128))),
            str(uuid.UUID(int=self._random.getrandbits(128))).upper(),
        ]
        record = {
            "text": self.text(),
            "note": self.maybe(self.text),
            "code": choose("ABC"),
            "flag": self.maybe(lambda: choose([True, False])),
            "small": self.long(32),
            "big": self.maybe(self.long),
            "other": self.long(),
            "ratio": choose([self.double(), 0.1]),
            "measure": self.maybe(self.double),
            "price": self.decimal(16, 4),
            "total": self.maybe(lambda: self.decimal(26, 2)),
            "born": self.maybe(lambda: choose([dt.date(1900, 1, 1), dt.date(1899, 12, 31), dt.date(2024, 2, 29),
                                               dt.date(2024, 3, 1), dt.date(1582, 10, 10), dt.date(1, 1, 1), 0])),
            "seen": self.moment(),
            "exactly": self.maybe(self.moment),
            "wall": self.moment().replace(tzinfo=None),
            "uid": choose([*ids, uuid.UUID(ids[0])]),
            "blob": self.maybe(lambda: choose([b"", b"\x00", "é".encode(), b"\xff\xfe\xfd"])),
            "mac": b"\x00" * 6,
            "tags": self.maybe(lambda: self._random.choices(["", "x"], k=self._random.randrange(4))),
            "marks": choose([{}, {"a": 1}, {"a": 1, "b": 2}]),
            "address": self.maybe(self.address),
            "choice": self.maybe(lambda: choose([1, "one"])),
        }  # fmt: skip
        if self._random.random() < 0.5:
            record["level"] = self._random.randrange(5)
        return record


def encoded(record: dict[str, Any], parsed: Any) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, parsed, record)
    return b"\x00\x00\x00\x00\x01" + body.getvalue()


def test_producer_and_stream_agree_on_10000_random_records(spark: SparkSession) -> None:
    made = Records(SEED)
    records = [made.one() for _ in range(RECORDS)]
    parsed = fastavro.parse_schema(json.loads(SCHEMA))
    rows = [(number, bytearray(encoded(record, parsed))) for number, record in enumerate(records)]
    frame = spark.createDataFrame(rows, "number int, value binary").repartition(4).cache()
    writers = {1: Writer(1, contract([]).value.schema_text)}
    asked = contract(ASKED)

    # Each rule by itself, on every record that can be decoded.
    conditions = rules.broken(asked.rules, F.col("record"))
    told = F.array(*(F.coalesce(broken, F.lit(False)) for broken, _ in conditions))
    decoded = Decoder(contract([])).decode(frame, writers)
    verdicts = {
        row.number: row.told for row in decoded.where("reason is null").select("number", told.alias("told")).collect()
    }
    judges = [Judge([rule]) for rule in asked.rules]
    differ = [
        (ASKED[number], records[at])
        for at, told_of_record in verdicts.items()
        for number, broken in enumerate(told_of_record)
        if broken != (judges[number].first_broken(records[at]) is not None)
    ]
    assert differ == []
    assert len(verdicts) == RECORDS

    # Every rule is broken by some records and kept by others, except those meant not to be.
    counts = [sum(told_of_record[number] for told_of_record in verdicts.values()) for number in range(len(ASKED))]
    foregone = [asked for asked, count in zip(ASKED, counts, strict=True) if count in (0, RECORDS)]
    assert foregone == [
        {"field": "text", "required": True},
        {"field": "big", "max": 2**63 - 1},
        {"field": "mac", "min_length": 7},
        {"expression": "big + other == big - -other"},
        {"expression": "other * small + 1 > other * small"},
    ]

    # All rules in the stream's own chain: the first broken one gives the reason.
    some = contract([one for number, one in enumerate(ASKED) if counts[number] < RECORDS // 20])
    judge = Judge(some.rules)
    reasons = {
        row.number: row.reason for row in Decoder(some).decode(frame, writers).select("number", "reason").collect()
    }
    expected = {
        at: broken.reason if (broken := judge.first_broken(record)) else None for at, record in enumerate(records)
    }
    assert reasons == expected
    assert len(Counter(reasons.values())) > 3


def pattern(made: random.Random, depth: int = 0) -> str:
    """Return a random pattern."""
    single = [
        *"aéA9_. ",
        "😀",
        r"\.",
        r"\d",
        r"\W",
        r"\s",
        r"\x0b",
        r"\u2028",
        "[^a]",
        "[a-z0]",
        r"[^\d\s]",
        r"[\w.-]",
    ]
    single += [r"[]a]", r"[a\]^-]", "[😀-😂é]", r"[^\n]", r"[\S\n]"]
    pieces = []
    for _ in range(made.randrange(1, 4)):
        if depth < 2 and made.random() < 0.3:
            inner = pattern(made, depth + 1) + made.choice(["", f"|{pattern(made, depth + 1)}", "|"])
            pieces.append(f"({made.choice(['', '?:'])}{inner}){made.choice(['', '?', '{0,3}', '{2}', '{1,4}?'])}")
        else:
            pieces.append(made.choice(single) + made.choice(["", "", "?", "*", "+", "{2}", "{1,3}", "*?", "+?"]))
    return "".join(pieces)


def test_random_patterns_match_the_same_texts_in_java(spark: SparkSession) -> None:
    made = random.Random(SEED)
    several = [patterns.parse(pattern(made)) for _ in range(400)]
    texts = ["", *("".join(made.choices(CHARACTERS, k=made.randrange(1, 7))) for _ in range(1_500))]
    frame = spark.createDataFrame(list(enumerate(texts)), "number int, text string")
    found = frame.select(
        "number", F.array(*(F.col("text").rlike(one.java) for one in several)).alias("hits")
    ).collect()
    matched = 0
    for row in found:
        expected = [one.compiled.fullmatch(texts[row.number]) is not None for one in several]
        assert list(row.hits) == expected, [
            (one, texts[row.number])
            for one, hit, want in zip(several, row.hits, expected, strict=True)
            if hit != want
        ]
        matched += sum(expected)
    assert len(found) == len(texts)
    assert 10_000 < matched < len(texts) * len(several) // 2


def test_pattern_at_its_limits_does_not_fail_a_batch(spark: SparkSession) -> None:
    text = "ab" * 500_000
    deepest = patterns.parse(r"(?:a|b|[^\n]c){0,1000}[ab]*")
    frame = spark.createDataFrame([(text,), (f"{text}!",)], "text string")
    hits = frame.select(F.col("text").rlike(deepest.java), F.col("text").rlike(patterns.parse(".*b").java)).collect()
    assert [tuple(row) for row in hits] == [(True, True), (False, False)]


RULES = [
    {"name": "email_form", "field": "email", "pattern": r"[^@\s]+@[^@\s]+"},
    {"name": "adult", "field": "dob", "max": dt.date(2007, 12, 31), "description": "users are of age"},
    {"name": "reachable", "expression": "phone is not null or username is not null"},
]


def with_rules(pipeline: Pipeline) -> None:
    file = pipeline.folder / "contract.yaml"
    spec = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**spec, "rules": RULES}, sort_keys=False))


def test_stream_dead_letters_record_for_the_first_rule_it_breaks(
    lean: Pipeline,
) -> None:
    with_rules(lean)
    schema_id = lean.register()
    broken = {
        "RULE:email_form": user(1, email="secret at example", dob=dt.date(2020, 1, 1)),
        "RULE:adult": user(2, dob=dt.date(2008, 1, 1)),
        "RULE:reachable": user(3, phone=None, username=None),
    }
    good = [user(4), user(5, dob=None), user(6, dob=dt.date(2007, 12, 31), phone=None)]
    lean.send(*({"value": lean.encode(schema_id, record)} for record in [*broken.values(), *good]))

    lean.stream()

    letters = {headers(message)["contracts.reason"]: message for message in lean.dead_letters()}
    assert {reason: message.value() for reason, message in letters.items()} == {
        reason: lean.encode(schema_id, record) for reason, record in broken.items()
    }
    said = {reason: headers(message)["__connect.errors.exception.message"] for reason, message in letters.items()}
    assert said == {
        "RULE:email_form": r"breaks the rule email_form: email: pattern [^@\s]+@[^@\s]+",
        "RULE:adult": "breaks the rule adult: users are of age",
        "RULE:reachable": "breaks the rule reachable: phone is not null or username is not null",
    }
    assert set(lean.postgres_rows()) == {record["id"] for record in good}
    outcome = reconcile(lean.settings, lean.contract)
    assert outcome.in_order()
    assert outcome.dead_lettered == dict.fromkeys(broken, 1)


def test_producer_refuses_records_that_break_rules_and_sends_the_rest(pipeline: Pipeline) -> None:
    with_rules(pipeline)
    schema_id = pipeline.register()
    publisher = Publisher(pipeline.contract, pipeline.settings)
    publisher.open()
    for record in (
        user(1),
        user(2, email="secret at example"),
        user(3, dob=dt.date(2008, 1, 1)),
        user(4, gender="X"),
    ):
        try:
            publisher.send(record)
        except RejectedRecord as refusal:
            publisher.refuse({"id": record["id"]}, refusal)
    publisher.flush()

    assert publisher.produced == 1
    assert publisher.refused == {"RULE:email_form": 1, "RULE:adult": 1, "INVALID_RECORD": 1}
    told = {headers(letter)["contracts.reason"]: headers(letter) for letter in pipeline.dead_letters()}
    assert told["RULE:adult"]["__connect.errors.exception.message"] == "breaks the rule adult: users are of age"
    name = pipeline.contract.topic
    [sent] = topic.read(pipeline.settings, name, topic.whole(pipeline.settings, name))
    assert sent.value() == pipeline.encode(schema_id, user(1))


def test_stream_does_not_start_with_an_invalid_rule(pipeline: Pipeline) -> None:
    file = pipeline.folder / "contract.yaml"
    file.write_text(f"{file.read_text()}\nrules:\n- name: bad\n  field: dob\n  pattern: '19.*'\n")
    with pytest.raises(ConfigurationError) as caught:
        pipeline.stream()
    assert "rule bad: dob is a date, but a pattern needs a text" in str(caught.value)
