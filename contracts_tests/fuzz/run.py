"""One run: mutated records into topics of their own, the real stream over each, and the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Producer
from pyspark.sql import SparkSession

from contracts.settings import Settings
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fuzz.contracts import SHAPES, Fuzzed, prepare
from contracts_tests.fuzz.java import JavaReader
from contracts_tests.fuzz.mutations import Records
from contracts_tests.fuzz.verdict import Found, counted, judged

#: Of all records, how many are of which contract.
SHARES = {"changing": 0.45, "ruled": 0.25, "named": 0.22, "types": 0.08}
#: In the folder of a run: all differences.
DIFFERENCES = "differences"
#: Streams a pipeline to the end of its topic; what went wrong, empty for nothing.
Stream = Callable[[Pipeline], str]


@dataclass
class Outcome:
    """How a run went.

    Attributes:
        seed: makes the same records again, on a registry that gives the same ids.
        topics: the contracts that were fuzzed.
        found: what became of each of them.
        problems: of the streams themselves.
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
    """Fuzzes the contracts of those names, one after the other.

    Args:
        spark: in its JVM Avro's own reader is asked.
        folder: an empty one, for contracts and checkpoints.
        records: of all contracts together.
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
    """Produces that many fuzzed records."""
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
    for _ in range(count):
        record = made.next()
        while True:
            try:
                producer.produce(
                    fuzzed.pipeline.contract.topic,
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
