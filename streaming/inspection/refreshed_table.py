"""Compares the table of a view that is refreshed with what its SQL makes of the contract's own table, by value.

Both have to stand still meanwhile: what is written after a refresh is in one of them only.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pyspark.sql import SparkSession

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.position import EVENTS
from avro_data_contracts.contracts.views.derived import path_of
from avro_data_contracts.streaming.failures import ComputationFailed
from avro_data_contracts.streaming.inspection.unlike import Kind, Pair, Unlike, alike
from avro_data_contracts.streaming.inspection.view_table import ViewTable
from avro_data_contracts.streaming.run import checkpoints
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.stores.store import Cells
from avro_data_contracts.streaming.views import freshness
from avro_data_contracts.streaming.views.refreshed import RefreshedView

_BINARY: Final = ("float", "double")


def compared(
    spark: SparkSession, settings: Settings, contract: Contract, view: RefreshedView, folder: Path
) -> ViewTable | str:
    """Compare a table; say why nobody can, if nobody can.

    Args:
        folder: with the checkpoints of the contract's queries.

    Raises:
        ServiceError: a server does not answer.
        ConfigurationError: the SQL fails for a row.
    """
    if why := _moves(contract, view, folder):
        return why
    derived = view.derived
    binary = frozenset(one.name for one in derived.analysis.outputs if one.spark in _BINARY)
    try:
        with (
            view.rows(spark) as rows,
            STORES[view.spec.kind].compared(settings, derived.whole(), view.spec, rows) as found,
        ):
            number, unlike = found.rows, judged(found.unlike, binary)
    except ComputationFailed as error:
        raise ConfigurationError(
            f"view {derived.view.name}: {error.what}, for a row of {view.source.qualified}",
            file=derived.view.file,
            path=path_of(derived.view),
            fix="correct the SQL, e.g. with try_cast",
        ) from None
    if why := _moves(contract, view, folder):
        return why
    return ViewTable(
        view=derived.view.name,
        store=view.spec.kind,
        table=view.spec.qualified,
        rows=number,
        unlike={kind.value: count for kind, count in unlike.rows.items() if count},
        columns=dict(unlike.columns),
        named=tuple(unlike.named),
        late=None,
        short=0,
        unwritten={},
    )


def _moves(contract: Contract, view: RefreshedView, folder: Path) -> str:
    """Say why the two tables need not agree now; empty if they have to."""
    if view.source.stays_s is not None:
        return f"{view.spec.kind}: rows of {view.source.qualified} expire by themselves"
    known = freshness.read(freshness.file_of(folder, view.name))
    if known is None:
        return f"{view.spec.kind}: no refresh of this machine is known"
    if known.said != freshness.said_by(view.derived.view):
        return f"{view.spec.kind}: it was not refreshed since its file was changed"
    written = checkpoints.settled(folder / view.source.kind, contract.topic)
    if known.written is None or written != known.written:
        return f"{view.spec.kind}: events were written since the last refresh"
    return ""


def judged(pairs: Iterable[Pair], binary: frozenset[str]) -> Unlike:
    """Judge the rows that differ, each as it should be and as it is.

    Args:
        binary: columns made of sums of binary numbers, which depend on their order in the last digits.
    """
    unlike = Unlike()
    for wanted, stored in pairs:
        if wanted is None:
            assert stored is not None
            unlike.add(Kind.unknown, f"there is a row of a group of {_rows(stored)}, which the SQL does not make")
        elif stored is None:
            unlike.add(Kind.missing, f"the row of a group of {_rows(wanted)} is missing")
        elif columns := [name for name in wanted if not alike(wanted[name], stored[name], name in binary)]:
            unlike.add(Kind.differs, f"the row of a group of {_rows(wanted)} differs in {', '.join(columns)}")
            unlike.columns.update(columns)
    return unlike


def _rows(row: Cells) -> str:
    """Name a group by its number of rows, and no value of its key, which may be about a person."""
    number = int(row[EVENTS] or 0)
    return f"{number:,} row{'s' * (number != 1)}"
