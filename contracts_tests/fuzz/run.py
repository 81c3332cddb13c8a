"""One fuzzing run: send mutated records to new topics, stream each topic, and compare the results."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Producer
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.settings import Settings
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fuzz.contracts import SHAPES, Fuzzed, prepare
from contracts_tests.fuzz.java import JavaReader
from contracts_tests.fuzz.mutations import Records
from contracts_tests.fuzz.verdict import Found, counted, judged

#: Share of each contract in all records.
SHARES = {"changing": 0.45, "ruled": 0.25, "named": 0.22, "types": 0.08}
#: File in the folder of a run that lists all differences.
DIFFERENCES = "differences"
#: Streams a pipeline to the end of its topic; returns what went wrong, empty for success.
Stream = Callable[[Pipeline], str]


@dataclass
class Outcome:
    """The result of a run.

    Attributes:
        seed: repeats the same records if the registry gives the same ids.
        topics: the fuzzed contracts.
        found: what became of each contract.
        problems: failures of the streams themselves.
    """

    seed: int
    topics: list[Fuzzed] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.problems and not any(one.differences for one in self.found)


def run(
    settings: Settings,
    spark: SparkSession,
    folder: Path,
    *,
    seed: int,
    records: int,
    stream: Stream,
    say: Callable[[str], None],
    names: Sequence[str] = tuple(SHARES),
) -> Outcome:
    """Fuzz the named contracts one after another.

    Args:
        spark: session whose JVM runs Avro's own reader.
        folder: an empty folder for contracts and checkpoints.
        records: number of records of all contracts together.
    """
    outcome, java, begun = Outcome(seed), JavaReader(spark), time.monotonic()

    def tell(words: str) -> None:
        say(f"{time.monotonic() - begun:6.1f} s  {words}")

    total = sum(SHARES[name] for name in names)
    for name in names:
        fuzzed = prepare(SHAPES[name], settings, folder, spark)
        outcome.topics.append(fuzzed)
        sent = send(fuzzed, seed, round(records * SHARES[name] / total))
        tell(f"{name}: {sent} records are in {fuzzed.pipeline.contract.topic}")
        if problem := stream(fuzzed.pipeline):
            outcome.problems.append(f"{name}: {problem}")
            tell(f"{name}: {problem}")
        else:
            tell(f"{name}: streamed")
        found = judged(fuzzed, java)
        outcome.found.append(found)
        with (folder / DIFFERENCES).open("a") as file:
            file.writelines(f"{one}\n" for one in found.differences)
        kinds = ", ".join(f"{what} {count}" for what, count in counted(found.differences).items())
        tell(f"{name}: compared; {kinds or 'no difference'}")
    return outcome


def send(fuzzed: Fuzzed, seed: int, count: int) -> int:
    """Produce that many fuzzed records and return their number."""
    made = Records(fuzzed, seed)
    servers = fuzzed.pipeline.settings.kafka_bootstrap_servers
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "message.max.bytes": 2_000_000,
            "linger.ms": 20,
            "queue.buffering.max.kbytes": 200_000,
        }
    )
    failed: list[str] = []
    name = fuzzed.pipeline.contract.topic
    for _ in range(count):
        record = made.next()
        while True:
            try:
                producer.produce(
                    name,
                    **record,
                    on_delivery=lambda error, _: failed.append(error.str()) if error else None,
                )
                break
            except BufferError:
                producer.poll(1)
        producer.poll(0)
    left = producer.flush(120)
    assert (failed, left) == ([], 0)
    return count
