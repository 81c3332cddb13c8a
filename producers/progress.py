"""Progress of a run on stderr: a bar on a terminal, otherwise a log line every few seconds."""

from __future__ import annotations

import time
from types import TracebackType

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from avro_data_contracts.contracts import logs
from avro_data_contracts.producers.run import Order, Report

log = structlog.get_logger()

LINE_EVERY_S = 3.0
BAR_EVERY_S = 0.1


class RunProgress:
    """Shows reports while entered.  `show` may be called at any rate.

    Args:
        source: if it has a `fraction` (0 to 1), the bar and the lines have that and the remaining time.
    """

    def __init__(
        self,
        order: Order,
        console: Console | None = None,
        *,
        log_format: logs.Format = "auto",
        source: object = None,
    ) -> None:
        console = console or Console(stderr=True)
        self._source = source
        self._bar: Progress | None = None
        self._log_format = log_format
        if console.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[of]}"),
                TextColumn("{task.fields[speed]:,.0f}/s, {task.fields[refused]} refused"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
            )
            self._bar = Progress(*columns, console=console, auto_refresh=False)
            self._task = self._bar.add_task("produced", total=order.count, of="0", speed=0.0, refused=0, left="")
        self._total = order.count
        self._every_s = BAR_EVERY_S if self._bar else LINE_EVERY_S
        self._next = 0.0

    def __enter__(self) -> RunProgress:
        if self._bar:
            self._bar.start()
            # Again, because the bar has replaced stderr with one that prints lines above the bar.
            logs.configure(self._log_format)
        self._next = time.monotonic() + self._every_s
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.refresh()
            self._bar.stop()

    def show(self, report: Report) -> None:
        """Show the report, if it is time for it."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every_s
        if self._bar:
            self._draw(self._bar, report)
        else:
            done = self._fraction
            log.info(
                "so far",
                fetched=report.fetched,
                produced=report.produced,
                refused=report.refused.total(),
                per_second=round(report.per_second),
                **({} if done is None else {"done": f"{done:.1%}", "left": _left(report, done)}),
            )

    def finish(self, report: Report) -> None:
        """Bring the bar to where the run ended.  There is no last log line: the report itself follows."""
        if self._bar:
            self._draw(self._bar, report)

    @property
    def _fraction(self) -> float | None:
        """How much of the source is read; None if it does not say, or if the order has a count of its own."""
        return getattr(self._source, "fraction", None) if self._total is None else None

    def _draw(self, bar: Progress, report: Report) -> None:
        done = self._fraction
        of = f"{report.fetched:,}" + (
            f"/{self._total:,}" if self._total else "" if done is None else f" ({done:.1%})"
        )
        bar.update(
            self._task,
            total=self._total if done is None else 1.0,
            completed=report.fetched if done is None else done,
            of=f"{report.fetched:,}{of}",
            speed=report.per_second,
            refused=report.refused.total(),
            left="" if done is None else f"{_left(report, done)} left",
            refresh=True,
        )


def _left(report: Report, done: float) -> str:
    """The remaining time, if it goes on as fast as until now."""
    if not done:
        return "?"
    seconds = round(report.seconds * (1 - done) / done)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
