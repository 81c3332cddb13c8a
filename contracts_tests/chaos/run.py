"""One run: servers and stream are killed with -9 one after another while a producer writes; then the verdict."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from contracts_tests.chaos.stream import HALVES, Stream
from contracts_tests.chaos.verdict import Verdict, judge
from contracts_tests.chaos.writer import Place, Writer
from contracts_tests.fixtures.pipeline import Pipeline, made, settings_for
from contracts_tests.fixtures.stack import RunningStack

DRIVER = "driver"
TARGETS = (DRIVER, "kafka", "registry", "cassandra", "postgres")
# Far longer than any recovery takes: a stream that needs more time hangs.
_PROGRESS_WITHIN_S = 400
_STOPS_WITHIN_S = 120


@dataclass
class Outcome:
    """The outcome of a run.

    Attributes:
        seed: reproduces the traffic and the order of kills; the timing also depends on the machine.
        pipeline: its contract, topics and tables.
        kills: how often each target was killed.
        acknowledged: the records that Kafka accepted; see `Writer`.
        verdict: the state of topic and stores.
        problems: problems of the verdict and of the run.
    """

    seed: int
    pipeline: Pipeline
    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[Place, bytes] = field(default_factory=dict)
    unacknowledged: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    problems: list[str] = field(default_factory=list)


def run(
    stack: RunningStack,
    folder: Path,
    *,
    seed: int,
    kills: int,
    say: Callable[[str], None],
    overlap: float = 0.3,
) -> Outcome:
    """Kill the five targets in turn, `kills` times in all.

    Args:
        stack: a running stack whose servers may be killed.
        folder: an empty folder for the contract, checkpoints and logs.
        overlap: the share of kills that come before the previous server is up again, 0 to 1.
    """
    chance = random.Random(seed)
    pipeline = made(settings_for(stack, folder), None, folder)
    # Before the stream starts: this rewrites the file from which the stream makes its tables.
    versions = _versions(pipeline)
    stream = Stream(stack, pipeline, folder / "stream.log")
    writer = Writer(pipeline, versions, random.Random(seed))
    outcome = Outcome(seed, pipeline)
    try:
        writer.start()
        _Chaos(stack, stream, chance, outcome, say, overlap).run(_order(chance, kills))
        writer.stop()
        outcome.acknowledged, outcome.unacknowledged = writer.acknowledged, writer.unacknowledged
        say("the producer has stopped; the stream ends")
        for what, code in (("SIGTERM", stream.stop(_STOPS_WITHIN_S)), ("--available-now", stream.finish())):
            if code != 0:
                outcome.problems.append(f"the stream ended with {code} after {what}, not with 0; see {stream.log}")
    finally:
        stream.close()
    outcome.problems += [f"the stream gave up by itself, exit {code}; see {stream.log}" for code in stream.gave_up]
    if "Traceback" in stream.log.read_text(errors="replace"):
        outcome.problems.append(f"there is a traceback in {stream.log}")
    outcome.verdict = judge(pipeline, outcome.acknowledged)
    outcome.problems += outcome.verdict.problems
    return outcome


def _versions(pipeline: Pipeline) -> list[int]:
    """Return the ids of the contract's schema and of a version with a new field and another order of fields."""
    file = pipeline.folder / "value.avsc"
    text = file.read_text()

    def change(schema: dict) -> None:
        schema["fields"][1:4] = reversed(schema["fields"][1:4])
        schema["fields"].append({"name": "note", "type": "string", "default": "?", "doc": "Not in the table."})

    ids = [pipeline.register(), pipeline.evolve(change)]
    file.write_text(text)
    return ids


def _order(chance: random.Random, kills: int) -> list[str]:
    """Return the targets in rounds: every round has each target once, in random order."""
    order: list[str] = []
    while len(order) < kills:
        order += chance.sample(TARGETS, len(TARGETS))
    return order[:kills]


class _Chaos:
    def __init__(
        self,
        stack: RunningStack,
        stream: Stream,
        chance: random.Random,
        outcome: Outcome,
        say: Callable[[str], None],
        overlap: float,
    ) -> None:
        self._stack, self._stream, self._chance, self._outcome, self._say = stack, stream, chance, outcome, say
        self._overlap = overlap
        self._begun = time.monotonic()

    def run(self, order: list[str]) -> None:
        """Kill the targets in order; sometimes the next kill comes before the previous server is up again."""
        down: list[str] = []
        for number, target in enumerate(order, start=1):
            if not down and not self._progress():
                return
            time.sleep(self._chance.uniform(0, 4))
            pid = self._kill(target)
            self._outcome.kills[target] += 1
            self._tell(f"{number:>2}/{len(order)}  kill -9 {target} ({pid})")
            if target != DRIVER:
                down.append(target)
            if self._chance.random() < self._overlap:
                continue
            self._up(down)
        self._up(down)
        self._progress()

    def _kill(self, target: str) -> int:
        if target == DRIVER:
            return self._stream.kill(self._chance.choice(HALVES))
        pid = self._stack.status[target]["pid"]
        if pid is not None:  # the registry may already have ended with PostgreSQL
            os.kill(pid, signal.SIGKILL)
        return pid or 0

    def _up(self, down: list[str]) -> None:
        if not down:
            return
        time.sleep(self._chance.uniform(0, 5))
        self._stack.run("up")
        self._tell(f"       up again: {', '.join(down)}")
        down.clear()

    def _progress(self) -> bool:
        """Wait until each store has a new batch, and so the stream has recovered; return whether it has in time."""
        before = self._stream.written()
        deadline = time.monotonic() + _PROGRESS_WITHIN_S
        while not all(self._stream.written()[store] > before[store] for store in ("cassandra", "postgres")):
            if time.monotonic() > deadline:
                words = f"nothing was written for {_PROGRESS_WITHIN_S} s, though all servers were up"
                self._outcome.problems.append(f"{words}; see {self._stream.log}")
                return False
            time.sleep(0.2)
        return True

    def _tell(self, words: str) -> None:
        self._say(f"{time.monotonic() - self._begun:6.1f} s  {words}")
