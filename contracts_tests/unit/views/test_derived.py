"""A view is derived once while its contract is in use, and no longer kept than that."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

from avro_data_contracts.contracts.views import derived
from avro_data_contracts.contracts.views.derived import derive
from contracts_tests.fixtures.viewed import catalog, files, header

OTHER = {"postgres": {"table": "of_w", "primary_key": ["id"]}}


def two_views(sql: str = "SELECT id FROM orders") -> dict[str, str]:
    return files({"v": header() + sql, "w": header(OTHER) + "SELECT id, note FROM orders"})


def test_view_is_derived_once_for_each_contract() -> None:
    first, second = (
        catalog(two_views(sql)).get("orders") for sql in ("SELECT id FROM orders", "SELECT id, flag FROM orders")
    )
    for contract in (first, second):
        found = [derive(contract, view) for view in contract.views]
        assert [one.view.name for one in found] == ["v", "w"]
        assert all(derive(contract, view) is one for view, one in zip(contract.views, found, strict=True))
    names = [[one.name for one in derive(each, each.views[0]).analysis.outputs] for each in (first, second)]
    assert names == [["id"], ["id", "flag"]]


def test_what_was_derived_goes_with_its_contract() -> None:
    gc.collect()
    before = len(derived._KNOWN)
    contract = catalog(two_views()).get("orders")
    derive(contract, contract.views[0])
    assert len(derived._KNOWN) == before + 1
    del contract
    gc.collect()
    assert len(derived._KNOWN) == before


def test_threads_may_derive_the_same_view_at_once() -> None:
    contract = catalog(two_views()).get("orders")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: derive(contract, contract.views[number % 2]), range(80)))
    expected = [["id"], ["id", "note"]] * 40
    assert [[output.name for output in one.analysis.outputs] for one in found] == expected
