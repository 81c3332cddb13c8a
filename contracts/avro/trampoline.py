"""Recursive code without the call stack, for schemas hundreds of levels deep.

A step of the recursion is a generator: it yields the generator of a step that it needs, is sent that step's
result, and returns its own.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

Step = Generator["Step", Any, Any]


def run(step: Step) -> Any:
    """The result of `step`.  What a step raises ends the whole run, and is raised here."""
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
