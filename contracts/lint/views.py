"""The functions of the lint rules about views.  The table of rules is `contracts.lint.rules`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from avro_data_contracts.contracts.lint.scope import ContractScope, Hit
from avro_data_contracts.contracts.stores.table import Table

if TYPE_CHECKING:
    from avro_data_contracts.contracts.views.derived import Derived


def of(rule: str) -> Callable[[ContractScope], Iterator[Hit]]:
    """Return the function of a rule about the SQL of views (`views.problem.Rule`)."""

    def hits(scope: ContractScope) -> Iterator[Hit]:
        for derived in scope.derived:
            for one in derived.problems:
                if one.rule == rule:
                    hit = _hit(derived, one.what, one.fix, one.line, one.column, one.column_name)
                    yield replace(hit, file=one.file or hit.file)

    return hits


def tables(scope: ContractScope) -> Iterator[Hit]:
    """Hits for the tables of views that a store cannot have."""
    for derived in scope.derived:
        if derived.contract is None:
            continue
        from avro_data_contracts.contracts.tables.views import wanted
        from avro_data_contracts.contracts.views.derived import line_of

        outputs = derived.analysis.by_name
        for sink in derived.sinks:
            found = wanted(derived, sink)
            for one in () if isinstance(found, Table) else found:
                output = outputs.get(one.column) if not one.at else None
                line = output.line if output else line_of(derived.view, sink.kind, *one.at)
                why = one.why.replace("field ", "column ", 1)
                yield _hit(derived, why, one.fix, line, output.column if output else 1, one.column)


def _hit(derived: Derived, what: str, fix: str, line: int, column: int, name: str) -> Hit:
    from avro_data_contracts.contracts.views.derived import path_of

    return Hit(what, fix, derived.view.file, line, column, path_of(derived.view, name))
