"""Recursive code without the call stack, for schemas hundreds of levels deep.

A step of the recursion is a generator.  It yields the generator of a step that it needs, receives that step's result,
and returns its own.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

Step = Generator["Step", Any, Any]


def run(step: Step) -> Any:
    """Run `step` and return its result.  An exception in any step ends the run, and is raised here."""
    waiting, result = [step], None
    while waiting:
        try:
            needed = waiting[-1].send(result)
        except StopIteration as finished:
            waiting.pop()
            result = finished.value
        else:
            waiting.append(needed)
            result = None
    return result
