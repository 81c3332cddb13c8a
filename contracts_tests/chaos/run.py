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

from avro_data_contracts.contracts.catalog import queries
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.spark import session
from contracts_tests.chaos import views
from contracts_tests.chaos.stream import HALVES, Stream
from contracts_tests.chaos.verdict import Verdict, good_events, judge
from contracts_tests.chaos.views import ViewVerdict
from contracts_tests.chaos.writer import PER_SECOND, Place, Writer
from contracts_tests.fixtures.pipeline import Pipeline, made, settings_for
from contracts_tests.fixtures.stack import RunningStack

DRIVER = "driver"
TARGETS = (DRIVER, "kafka", "registry", "cassandra", "postgres")
# Far longer than any recovery takes: a stream that needs more time hangs.
_PROGRESS_WITHIN_S = 400
_STOPS_WITHIN_S = 120


@dataclass
class Fate:
    """What became of the records of one contract.

    Attributes:
        pipeline: its contract, topics and tables.
        acknowledged: the records that Kafka accepted; see `Writer`.
        verdict: the state of topic and stores.
        views: the state of the tables of its views.
    """

    pipeline: Pipeline
    acknowledged: dict[Place, bytes] = field(default_factory=dict)
    unacknowledged: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    views: ViewVerdict = field(default_factory=ViewVerdict)


@dataclass
class Outcome:
    """The outcome of a run.

    Attributes:
        seed: reproduces the traffic and the order of kills; the timing also depends on the machine.
        fates: one for each contract.
        kills: how often each target was killed.
        problems: problems of the verdicts and of the run.
    """

    seed: int
    fates: list[Fate]
    kills: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def run(
    stack: RunningStack,
    folder: Path,
    *,
    seed: int,
    kills: int,
    say: Callable[[str], None],
    overlap: float = 0.3,
    contracts: int = 1,
    with_views: bool = True,
) -> Outcome:
    """Kill the five targets in turn, `kills` times in all.

    Args:
        stack: a running stack whose servers may be killed.
        folder: an empty folder for the contract, checkpoints and logs.
        overlap: the share of kills that come before the previous server is up again, 0 to 1.
        contracts: how many are streamed by the one process.
        with_views: whether the contracts have views.
    """
    chance = random.Random(seed)
    configured = settings_for(stack, folder)
    pipelines = [made(configured, None, folder) for _ in range(contracts)]
    # Before the stream starts: this rewrites the files from which the stream makes its tables.
    versions = [_versions(pipeline) for pipeline in pipelines]
    for pipeline in pipelines if with_views else ():
        views.add(pipeline)
    stream = Stream(stack, pipelines[0], folder / "stream.log", every=contracts > 1)
    writers = [
        Writer(pipeline, ids, random.Random(seed + number), PER_SECOND / contracts)
        for number, (pipeline, ids) in enumerate(zip(pipelines, versions, strict=True))
    ]
    outcome = Outcome(seed, [Fate(pipeline) for pipeline in pipelines])
    try:
        for writer in writers:
            writer.start()
        _Chaos(stack, stream, chance, outcome, say, overlap).run(_order(chance, kills))
        for writer, fate in zip(writers, outcome.fates, strict=True):
            writer.stop()
            fate.acknowledged, fate.unacknowledged = writer.acknowledged, writer.unacknowledged
        say("the producers have stopped; the stream ends")
        for what, code in (("SIGTERM", stream.stop(_STOPS_WITHIN_S)), ("--available-now", stream.finish())):
            if code != 0:
                outcome.problems.append(f"the stream ended with {code} after {what}, not with 0; see {stream.log}")
        if contracts == 1 and (done := stream.reconcile()).returncode != 0:
            outcome.problems.append(f"reconcile ended with {done.returncode}: {done.stdout}{done.stderr}")
    finally:
        stream.close()
    outcome.problems += [f"the stream gave up by itself, exit {code}; see {stream.log}" for code in stream.gave_up]
    if "Traceback" in stream.log.read_text(errors="replace"):
        outcome.problems.append(f"there is a traceback in {stream.log}")
    for fate in outcome.fates:
        fate.verdict = judge(fate.pipeline, fate.acknowledged)
        of = f"{fate.pipeline.folder.name}: " if contracts > 1 else ""
        outcome.problems += [f"{of}{problem}" for problem in fate.verdict.problems]
    if with_views:
        outcome.problems += _problems_of_views(configured, outcome.fates)
    return outcome


def _problems_of_views(configured: Settings, fates: list[Fate]) -> list[str]:
    with session.running(configured) as spark:
        for fate in fates:
            fate.views = views.judge(spark, fate.pipeline, good_events(fate.pipeline))
    return [problem for fate in fates for problem in fate.views.problems]


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
        """Wait until each store has a new batch of each contract and view, and so the streams have recovered; return
        whether they have in time."""
        before = self._stream.of_each()
        names = [fate.pipeline.folder.name for fate in self._outcome.fates]
        wanted = [
            (name, query)
            for fate, name in zip(self._outcome.fates, names, strict=True)
            for query, _ in queries.of(fate.pipeline.contract)
        ]
        deadline = time.monotonic() + _PROGRESS_WITHIN_S
        while not all((found := self._stream.of_each())[one] > before[one] for one in wanted):
            if time.monotonic() > deadline:
                of = ", ".join(
                    f"{name} in {store}" for name, store in wanted if found[name, store] <= before[name, store]
                )
                words = f"nothing of {of} was written for {_PROGRESS_WITHIN_S} s, though all servers were up"
                self._outcome.problems.append(f"{words}; see {self._stream.log}")
                return False
            time.sleep(0.2)
        return True

    def _tell(self, words: str) -> None:
        self._say(f"{time.monotonic() - self._begun:6.1f} s  {words}")
