"""The streams of several contracts in one process: one Spark, and for each contract its own outages and its own end.

A stream that fails waits, and begins again, as if a supervisor had started its process anew; the others do not
notice.  The streams of contracts that come, change or go while the process runs begin, begin again or end.

A few begin at once, so that five hundred do not all ask every server in the same second.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

import structlog
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.folder import Folder
from avro_data_contracts.contracts.errors import ContractsError, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.run.checkpoints import Checkpoints
from avro_data_contracts.streaming.run.families import Families
from avro_data_contracts.streaming.run.job import Job, prepare
from avro_data_contracts.streaming.run.metrics import Metrics
from avro_data_contracts.streaming.run.stopping import Stopping
from avro_data_contracts.streaming.run.watched import Watched, same, wanted_of

log = structlog.get_logger("streaming")

#: Between two looks at the files of the contracts, seconds.
LOOK_EVERY_S: Final = 5.0
_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 300.0
# A pause is longer by up to this share of itself, so that streams that failed together do not come back together.
_JITTER: Final = 0.5
#: Streams that begin at once.  One whose server does not answer makes room for the next after a while, seconds.
AT_ONCE: Final = 4
_BEGINS_WITHIN_S: Final = 20.0

_Start = Callable[[threading.Event, Callable[[Job], None]], None]


class Stream:
    """The stream of one contract, in a thread of its own.

    Attributes:
        contract: what it streams, or another reading of files that say the same.
        error: why it does not stream at the moment; None while it does, and after an end in order.
        gone: Spark has ended, so nothing streams any more.

    Args:
        start: streams until the event is set, and first gives its job to the second argument.  A job that fails sets
            the event itself.
        is_over: whether Spark has stopped although its JVM still answers.
        failed: called each time that it fails and will begin again.
        once: end at the first error, too.
    """

    def __init__(
        self,
        contract: Contract,
        start: _Start,
        is_over: Callable[[], bool],
        failed: Callable[[], None],
        *,
        once: bool,
    ) -> None:
        self.contract = contract
        self.error: Exception | None = None
        self.gone = False
        self._start = start
        self._is_over = is_over
        self._failed = failed
        self._once = once
        self._job: Job | None = None
        self._created = time.monotonic()
        self._asked = threading.Event()
        self._attempt = threading.Event()
        self._log = log.bind(contract=contract.name)
        self._thread = threading.Thread(target=self._run, name=f"stream-{contract.name}", daemon=True)
        self._thread.start()

    @property
    def active(self) -> bool:
        return self._thread.is_alive()

    @property
    def begins(self) -> bool:
        """Whether its first attempt is still asking the servers, and has not taken long."""
        job = self._job
        has_begun = self.error is not None or (job is not None and job.begun)
        return self.active and not has_begun and time.monotonic() - self._created < _BEGINS_WITHIN_S

    @property
    def asked_to_end(self) -> bool:
        return self._asked.is_set()

    @property
    def waits_for(self) -> str:
        """What its end waits for."""
        return self._job.at_work() if self._job is not None else "the servers to answer"

    def stop(self) -> None:
        """Ask it to end; the batches at work are finished first."""
        self._asked.set()
        self._attempt.set()

    def _run(self) -> None:
        pause = _PAUSE_S
        while True:
            # Of its own, because a job that fails sets it.  `stop` sets both in the other order, so it is not missed.
            self._attempt = threading.Event()
            if self._asked.is_set():
                break
            began = time.monotonic()
            self._begin()
            again = not (self._once or self.gone or self._asked.is_set())
            if again and self.error is None:
                self.error = ServiceError(
                    "its queries have ended, and nobody asked them to", where="Spark", server="spark"
                )
            if time.monotonic() - began > _LONGEST_PAUSE_S:
                pause = _PAUSE_S
            wait = pause * random.uniform(1, 1 + _JITTER)  # noqa: S311 - no secret
            if self.error is not None:
                when = {"again_in_s": round(wait)} if again else {}
                self._log.error("stream failed", why=str(self.error) or repr(self.error), **when)
            if not again:
                break
            self._failed()
            self._asked.wait(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _begin(self) -> None:
        """Stream until the end, or the first error."""
        self.error, self._job = None, None
        try:
            self._start(self._attempt, self._follow)
        except ContractsError as error:
            self.error = error
        except (Py4JError, ConnectionError) as error:  # Spark's, or only that of this contract
            self.error, self.gone = error, self._is_over()
        except Exception as error:  # a bug: of this contract's stream, as far as anybody knows
            self.error = error
        except SystemExit as error:  # would end the thread without a word
            self.error = RuntimeError(f"the stream asked to exit with {error.code}")

    def _follow(self, job: Job) -> None:
        self._job = job


class Streams:
    """See the module.

    Args:
        spark: carries all of them.
        names: the contracts to stream; none: all that have sinks, and those that come.
        available_now: write everything that is there now, then end.
        accept_loss: as in `prepare`.
    """

    def __init__(
        self,
        spark: SparkSession,
        settings: Settings,
        names: Collection[str],
        families: Families,
        *,
        available_now: bool = False,
        accept_loss: bool = False,
    ) -> None:
        self._spark = spark
        self._settings = settings
        self._names = tuple(names)
        self._families = families
        self._available_now = available_now
        self._accept_loss = accept_loss
        self._streams: dict[str, Stream] = {}
        self._metrics: dict[str, Metrics] = {}

    def run(self, wanted: Mapping[str, Contract], files: Folder, stopping: Stopping) -> None:
        """Stream until everything is written (`available_now`), or until `stopping` is set.

        Args:
            wanted: the contracts to begin with, by name.
            files: what they were read from.

        Raises:
            ContractsError: of the contract that is worst off when it ends; the log has those of all.
            Py4JError, ConnectionError: Spark's JVM has ended.
        """
        folder = Watched(self._settings.contracts_dir, files)
        if not wanted:
            log.warning(
                "no contract has sinks, so there is nothing to stream", where=str(self._settings.contracts_dir)
            )
        if not stopping.is_set():  # while Spark started
            self._settle(wanted)
        try:
            self._until_the_end(wanted, folder, stopping)
        finally:
            for stream in self._streams.values():
                stream.stop()
            while any(stream.active for stream in self._streams.values()):
                time.sleep(0.05)
        self._raise_worst()

    def at_work(self) -> str:
        """Say what the end waits for."""
        return "; ".join(f"{name}: {one.waits_for}" for name, one in list(self._streams.items()) if one.active)

    def _until_the_end(self, wanted: Mapping[str, Contract], folder: Watched, stopping: Stopping) -> None:
        looked = time.monotonic()
        while not stopping.wait(0.1 if wanted.keys() - self._streams.keys() else 0.5):
            if any(stream.gone for stream in self._streams.values()):
                break
            if self._available_now:
                self._begin(wanted)
                begun = wanted.keys() <= self._streams.keys()
                if begun and not any(stream.active for stream in self._streams.values()):
                    break
                continue
            if stopping.look.is_set() or time.monotonic() - looked >= LOOK_EVERY_S:
                stopping.look.clear()
                looked = time.monotonic()
                if (found := folder.changed()) is not None:
                    wanted = wanted_of(found, self._names)
            self._settle(wanted)

    def _settle(self, wanted: Mapping[str, Contract]) -> None:
        """Go a step towards streaming these contracts.  A stream that has to end may take its time: call it again."""
        for name, stream in list(self._streams.items()):
            # One that was asked to end has to begin again, even if its change is taken back meanwhile.
            if name in wanted and not stream.asked_to_end and _is_same(stream, wanted[name]):
                continue
            stream.stop()
            if stream.active:
                continue
            del self._streams[name]
            log.info("the contract is changed" if name in wanted else "the contract is gone", contract=name)
            if name not in wanted:
                self._metrics.pop(name).forget()
            else:
                self._metrics[name] = self._metrics[name].followed_by(wanted[name])
        self._begin(wanted)

    def _begin(self, wanted: Mapping[str, Contract]) -> None:
        """Begin some of the streams that are missing, in the order of their names."""
        free = AT_ONCE - sum(stream.begins for stream in self._streams.values())
        for name in sorted(wanted.keys() - self._streams.keys())[: max(0, free)]:
            if name not in self._metrics:
                self._metrics[name] = Metrics(wanted[name], self._families)
            start = self._starter(wanted[name])
            failed = self._metrics[name].stream_failed
            self._streams[name] = Stream(wanted[name], start, self._is_over, failed, once=self._available_now)

    def _is_over(self) -> bool:
        try:
            return bool(self._spark.sparkContext._jsc.sc().isStopped())
        except (Py4JError, ConnectionError):
            return True

    def _starter(self, contract: Contract) -> _Start:
        metrics = self._metrics[contract.name]

        def start(stopping: threading.Event, follow: Callable[[Job], None]) -> None:
            sinks = prepare(self._settings, contract, accept_loss=self._accept_loss)
            with Checkpoints(self._settings, contract).alone():
                job = Job(self._spark, self._settings, contract, sinks, stopping, metrics)
                follow(job)
                job.run(available_now=self._available_now)

        return start

    def _raise_worst(self) -> None:
        in_order = sorted(self._streams.values(), key=lambda stream: not stream.gone)
        errors = [stream.error for stream in in_order if stream.error is not None]
        for error in errors:
            if not isinstance(error, ContractsError):  # the JVM, or a bug
                raise error
        worst = max(
            (one for one in errors if isinstance(one, ContractsError)), key=lambda one: one.exit_code, default=None
        )
        if worst is not None:
            raise worst


def _is_same(stream: Stream, contract: Contract) -> bool:
    """Whether the stream is that of the contract, of which the files may have been read again."""
    if stream.contract is contract:
        return True
    if not same(contract, stream.contract):
        return False
    stream.contract = contract  # so that the next look at it is short
    return True
