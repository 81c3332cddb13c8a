"""`contracts check`: read the contracts as they are and as they were, and compare them.

Only what the change concerns is read, and loaded: where nothing changed, that is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from avro_data_contracts.contracts.catalog.folder import read_folder
from avro_data_contracts.contracts.check import states
from avro_data_contracts.contracts.check.verdict import Checked

if TYPE_CHECKING:
    from avro_data_contracts.contracts.settings import Settings


def examine(
    folder: Path, against: str | None, names: Collection[str], today: date, settings: Callable[[], Settings]
) -> tuple[tuple[str, ...], Checked]:
    """Return the names of the contracts that were examined, and what was found.

    Args:
        against: a git ref, `REF:DIR`, a folder, or `registry`; None: the merge base with the default branch.
        names: of the contracts to examine; none: all.
        today: for approvals.
        settings: called only for the registry.

    Raises:
        ConfigurationError: there are no contracts, none has one of the names, or there is nothing to compare with.
        ServiceError: the registry failed.
    """
    now = read_folder(folder)
    state = states.state(against, folder, now.texts)
    part = states.concerned(now, state)
    if state is not None and part.is_empty and part.outside.issuperset(names):
        examined = tuple(sorted(set(names or part.outside)))
        return examined, Checked(state.label, (), len(examined))
    # These load the models of contract.yaml, which takes longer than all of the above.
    from avro_data_contracts.contracts.catalog import loading
    from avro_data_contracts.contracts.catalog.places import Texts
    from avro_data_contracts.contracts.check import baselines, run

    source = baselines.source(state, settings)
    current = loading.read(part.now, str(folder))
    base = source.baseline(part, current.catalog)
    chosen = run.chosen(current, base, names)
    histories = source.histories(run.changed_subjects(current.catalog, base, chosen), current.catalog)
    checked = run.everything(current, base, histories, Texts.of(part.now.texts, str(folder)), today, names)
    return tuple(name for name in current.names if name in chosen), checked
