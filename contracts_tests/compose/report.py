"""What a run found: steps, services, and problems."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from avro_data_contracts.stack.errors import StackError


@dataclass
class Step:
    """One thing that was tried.

    Args:
        scenario: `plain`, `secure` or `zookeeper`.
        found: what was seen, in a few words.
        problem: why it failed; empty if it did not.
    """

    scenario: str
    name: str
    seconds: float = 0.0
    found: str = ""
    problem: str = ""


@dataclass
class Service:
    """How one container was after the start.

    Args:
        healthy_after_s: seconds from the start of the container to its first successful health check, or to its end.
        memory_mb, limit_mb: memory in use and allowed.
    """

    scenario: str
    name: str
    state: str
    health: str
    healthy_after_s: float | None
    memory_mb: int
    limit_mb: int


@dataclass
class Report:
    say: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    image_mb: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def step(self, scenario: str, name: str) -> Iterator[Step]:
        """Time one step.  A failed one is recorded and raised again."""
        step, begun = Step(scenario, name), time.monotonic()
        self.steps.append(step)
        try:
            yield step
        except StackError as error:
            step.problem = str(error)
            raise
        except BaseException as error:
            step.problem = f"{type(error).__name__}: {error}"
            raise
        finally:
            step.seconds = round(time.monotonic() - begun, 1)
            verdict = f"FAILED: {step.problem.splitlines()[0]}" if step.problem else step.found or "ok"
            self.say(f"{scenario:<10} {step.seconds:>7.1f} s  {name}: {verdict}")

    @property
    def problems(self) -> list[Step]:
        return [step for step in self.steps if step.problem]

    def document(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "passed": not self.problems,
            "steps": [asdict(step) for step in self.steps],
            "services": [asdict(service) for service in self.services],
            "image_mb": self.image_mb,
        }

    def table(self) -> str:
        """The report for people."""
        lines = [f"{'scenario':<10} {'service':<24} {'state':<10} {'health':<9} {'after':>7} {'memory':>14}"]
        for one in self.services:
            after = "-" if one.healthy_after_s is None else f"{one.healthy_after_s:.0f} s"
            memory = f"{one.memory_mb}/{one.limit_mb} MB" if one.memory_mb else "-"
            lines.append(
                f"{one.scenario:<10} {one.name:<24} {one.state:<10} {one.health or '-':<9} {after:>7} {memory:>14}"
            )
        lines.append("")
        lines += [
            f"{step.scenario:<10} {step.seconds:>7.1f} s  {step.name}: "
            + ("FAILED" if step.problem else step.found or "ok")
            for step in self.steps
        ]
        lines += ["", "images: " + ", ".join(f"{name} {size} MB" for name, size in sorted(self.image_mb.items()))]
        lines += [f"\nPROBLEM {step.scenario}, {step.name}: {step.problem}" for step in self.problems]
        total = sum(step.seconds for step in self.steps)
        lines.append(f"{'passed' if not self.problems else 'failed'} in {total / 60:.1f} minutes")
        return "\n".join(lines)
