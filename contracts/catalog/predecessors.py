"""Which contract of an earlier state each contract continues.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from avro_data_contracts.contracts.catalog.contract import Contract

#: Two contracts of one topic belong together if one of these is the same; the first counts most.
_ALIKE: tuple[Callable[[Contract], str], ...] = (
    lambda one: one.value.name,
    lambda one: one.name,
    lambda one: one.value.fullname,
    lambda one: "",
)


def predecessors(old: Iterable[Contract], new: Iterable[Contract]) -> dict[str, Contract]:
    """Return the predecessor of each of the `new` contracts that has one, by the name of the new one.

    It has the same topic.  Of several contracts of a topic, it is the one with the same subject, folder or record; a
    last one left on both sides belongs together too.
    """
    left: dict[str, list[Contract]] = {}
    for one in old:
        left.setdefault(one.topic, []).append(one)
    waiting: dict[str, list[Contract]] = {}
    for one in new:
        if one.topic in left:
            waiting.setdefault(one.topic, []).append(one)
    found: dict[str, Contract] = {}
    for topic, several in waiting.items():
        before = left[topic]
        for alike in _ALIKE:
            for one in [one for one in several if one.name not in found]:
                same = [each for each in before if alike(each) == alike(one)]
                rest = sum(each.name not in found for each in several)
                if len(same) == 1 and (alike is not _ALIKE[-1] or rest == 1):
                    found[one.name] = same[0]
                    before.remove(same[0])
    return found
