"""May these contracts follow those?  Findings of each contract's level, what no level sees, and the impact.

Pure: `contracts.check.baselines` reads what there was before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType

from avro_data_contracts.contracts.catalog.contract import Contract, Subject
from avro_data_contracts.contracts.catalog.findings import Finding, approve, in_order, unreadable
from avro_data_contracts.contracts.catalog.loading import Catalog, Fault, Loaded, unknown_contract
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.catalog.predecessors import predecessors
from avro_data_contracts.contracts.check.comparison import ContractComparison, Histories, pairs
from avro_data_contracts.contracts.check.rules import APPROVABLE, CHECK_RULES
from avro_data_contracts.contracts.check.verdict import Checked, Verdict
from avro_data_contracts.contracts.listing import few


@dataclass(frozen=True)
class Baseline:
    """The contracts as they were before.

    Args:
        label: the name of the baseline in messages, e.g. `origin/main (1a2b3c4)`.
        contracts: by anything that tells them apart; the contracts say what they are.
        complete: a contract that is not in the baseline did not exist (a registry knows only some topics).
        was_empty: whether there were no contracts at all: `contracts` has only those that a change concerns.
        empty: then, where else there were some, in words.
        back: topics whose contract was already removed; it counts as it was before that.
        unread: what could not be read.
        instead: the names of contracts that could not be read, and count as they were when they last could -> the
            commit, in words.
        elsewhere: submodules, whose contracts are in another repository.
    """

    label: str
    contracts: Mapping[str, Contract]
    complete: bool = True
    was_empty: bool = False
    empty: str = ""
    back: frozenset[str] = frozenset()
    unread: tuple[Fault, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()

    def whole(self) -> Baseline:
        """The baseline, if all of it could be read.

        Raises:
            ConfigurationError: the first fault.
        """
        if self.unread:
            error = self.unread[0].error
            fix = "compare with a state that is valid: --against REF|DIR|registry"
            raise error.but(where=f"{error.where} of {self.label}", fix=fix)
        return self


def chosen(loaded: Loaded, base: Baseline, names: Collection[str] = ()) -> frozenset[str]:
    """The names of the contracts to check; all if `names` is empty.

    Raises:
        ConfigurationError: neither the contracts nor the baseline have one of the names.
    """
    known = {*loaded.names, *_names_in(base)}
    if not names:
        return frozenset(known)
    for name in names:
        if name not in known:
            raise unknown_contract(name, loaded.names, loaded.catalog.root)
    return frozenset(names)


def _names_in(base: Baseline) -> set[str]:
    return {*(one.name for one in base.contracts.values()), *(one.contract for one in base.unread)}


def changed_subjects(
    catalog: Catalog, base: Baseline, names: Collection[str] | None = None
) -> dict[str, tuple[Contract, Subject]]:
    """The subjects of the baseline whose history `run` needs: those that changed, and those of contracts with
    approvals.  By name, with their contract.  `names`: of the contracts that are checked
    (see `chosen`); None: all."""
    found = {}
    names = {*catalog.contracts, *_names_in(base)} if names is None else names
    before = predecessors(base.contracts.values(), catalog.contracts.values())
    for contract in catalog.contracts.values():
        old = before.get(contract.name)
        if old is None or contract.name not in names:
            continue
        free = contract.spec.compatibility.value == old.spec.compatibility.value == "NONE"
        for was, after in pairs(old, contract):
            # What stays in the tables does not depend on the level.
            if not was or not after or (free and not (after is contract.value and contract.sinks)):
                continue
            # Whether the difference matters is not checked here: that costs more than an unneeded history.
            same_text = was is after or (
                was.text == after.text and old.spec.sinks == contract.spec.sinks and not after.types
            )
            if contract.spec.approvals or not same_text:
                found[was.name] = (old, was)
    return found


def everything(
    loaded: Loaded, base: Baseline, histories: Histories, texts: Texts, today: date, names: Collection[str] = ()
) -> Checked:
    """As `run`, with what cannot be read: of the contracts as an error, of the baseline as a warning."""
    examined = chosen(loaded, base, names)
    checked = run(loaded.catalog, base, histories, texts, today, examined, loaded.broken)
    unchanged = checked.unchanged + len(examined & loaded.outside)
    faults = [unreadable(one.error, one.contract) for one in loaded.faults_of(names)]
    return replace(checked, unchanged=unchanged, general=(*faults, *checked.general))


def run(
    catalog: Catalog,
    base: Baseline,
    histories: Histories,
    texts: Texts,
    today: date,
    names: Collection[str] | None = None,
    broken: Mapping[str, str] = MappingProxyType({}),
) -> Checked:
    """Compare contracts with their predecessors.

    Args:
        histories: of the subjects of `changed_subjects`; a subject without one has only the baseline's version.
        texts: of the contract files, for line numbers.
        today: for approvals.
        names: of the contracts to compare (see `chosen`); None: all that can be read.
        broken: contracts that are there, but cannot be read: name -> topic; empty if it is unknown.
    """
    verdicts: list[Verdict] = []
    unchanged = 0
    names = {*catalog.contracts, *_names_in(base)} if names is None else names
    before = predecessors(base.contracts.values(), catalog.contracts.values())
    for contract in catalog.contracts.values():
        if contract.name not in names:
            continue
        old = before.get(contract.name)
        if old is None:
            found = approve(contract, [], today=today, known=APPROVABLE, texts=texts, still_needed={_REMOVAL})
            verdicts.append(Verdict(contract.name, contract.topic, "new", in_order(found)))
            continue
        is_back = contract.topic in base.back
        one = ContractComparison(old, contract, histories, texts, is_back)
        is_same = one.is_same
        found = [] if is_same else list(one.findings())
        found = approve(
            contract, found, today=today, known=APPROVABLE, texts=texts, still_needed=one.needed_next_time()
        )
        effect = None if is_same else one.impact
        if is_same:
            unchanged += 1
            if not found:
                continue
        status = "unchanged" if is_same else "back" if is_back else "changed"
        verdicts.append(Verdict(contract.name, contract.topic, status, in_order(found), effect))
    if base.complete:
        gone = [one for one in base.contracts.values() if all(one is not each for each in before.values())]
        verdicts += (one for one in _removed(gone, catalog, today, broken) if one.contract in names)
    general = (*_unread(base, names), *_nothing_compared(catalog, base))
    return Checked(base.label, tuple(verdicts), unchanged, general)


def _unread(base: Baseline, names: Collection[str]) -> Iterator[Finding]:
    rule = CHECK_RULES["BASE_UNREADABLE"]
    other = "compare with another state: --against REF|DIR|registry"
    for path in base.elsewhere:
        what = f"in {base.label}: the submodule is another repository, and its contracts count as new"
        yield Finding(rule.id, rule.severity, what, f"check them in their own repository, or {other}", path)
    for one in base.unread:
        if one.contract and one.contract not in names:
            continue
        error = one.error
        version = base.instead.get(one.contract)
        compared = (
            f"compared with the last version that can be read, {version}" if version else "nothing was compared"
        )
        what, fix = f"in {base.label}: {error.what}; {compared}", f"continue if this change repairs it, or {other}"
        yield Finding(
            rule.id, rule.severity, what, fix, error.file, error.line, error.column, error.path, one.contract
        )


def _nothing_compared(catalog: Catalog, base: Baseline) -> Iterator[Finding]:
    if base.was_empty and not base.contracts and catalog.contracts and not base.unread:
        rule = CHECK_RULES["NOTHING_COMPARED"]
        yield Finding(
            rule.id,
            rule.severity,
            f"{base.label} has no contracts{base.empty}: nothing was compared, and every contract counts as new",
            "choose what to compare with: --against REF|REF:DIR|DIR|registry; ignore this for your first contracts",
        )


#: Rule, path and role of the finding about a contract that is gone.
_REMOVAL = ("CONTRACT_REMOVED", "topic", "")


def _removed(gone: Iterable[Contract], catalog: Catalog, today: date, broken: Mapping[str, str]) -> Iterator[Verdict]:
    for old in gone:
        topic = old.topic
        if topic not in broken.values() and broken.get(old.name) != "":
            moved = catalog.contracts.get(old.name)
            others = [one.name for one in catalog.contracts.values() if one.topic == topic]
            message = f"the contract of the topic {topic} is gone"
            fix = "keep it while anyone reads or writes the topic"
            if others:
                message = (
                    f"the contract of {old.value.fullname or old.value.name} in the topic {topic} is gone; the "
                    f"topic still has {few(others)}"
                )
                fix = "keep it while anyone reads or writes such records"
            if moved is not None and moved.topic != topic:
                message = f"the topic was {topic}, and is now {moved.topic}: a new topic without history"
                fix = "add a contract for the new topic beside this one, and remove this one when nobody reads it"
            rule = CHECK_RULES["CONTRACT_REMOVED"]
            file = moved.file if moved is not None else old.file
            finding = Finding(rule.id, rule.severity, message, fix, file, path="topic", contract=old.name)
            # Its contract.yaml is gone: the approval is in the last one, or in that of the new topic.
            for one in (old, moved):
                for each in one.spec.approvals if one else ():
                    if each.covers(*_REMOVAL) and each.holds(today):
                        finding = replace(finding, approved=each.reason, until=str(each.until))
            yield Verdict(old.name, topic, "removed", (finding,))
