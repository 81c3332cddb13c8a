"""Whether the state of an aggregation has an end.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.views.columns import Columns
from avro_data_contracts.contracts.views.problem import Problem, Rule
from avro_data_contracts.contracts.views.statement import Kind, Statement

_WINDOWS = ("window", "session_window")


def problems(view: View, found: Statement, columns: Columns) -> Iterator[Problem]:
    """Yield why Spark would keep the state of an aggregation for ever."""
    if found.kind is not Kind.aggregation:
        return
    group = found.select.args.get("group")
    keys = group.expressions if group is not None else []
    windows = [key for key in keys if isinstance(key, exp.Anonymous) and found.word(key) in _WINDOWS]
    named = columns.part(windows[0].expressions[0]) if windows and windows[0].expressions else None
    at = found.place(group if group is not None else found.select)
    if not windows:
        fix = "GROUP BY window(TIME, '1 hour'), with the time column of the header"
        yield Problem(Rule.watermark, "the aggregation has no window, so its state would grow for ever", fix, *at)
    elif view.spec.time is not None and named is not None:
        if named.path.lower() != view.spec.time.lower():
            what = f"the window is over {named.path}, and the header's time is {view.spec.time}"
            yield Problem(Rule.watermark, what, "use one column in both", *found.place(windows[0]))
    for key, value in (("time", view.spec.time), ("lateness", view.spec.lateness)):
        if value is None:
            what = f"the aggregation has no `{key}` in its header, so nobody knows when a window is complete"
            fix = "add `-- time: kafka_timestamp` and `-- lateness: 10 minutes`, say"
            yield Problem(Rule.watermark, what, fix, *at)
