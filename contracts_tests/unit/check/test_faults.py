"""Files with faults of any kind: each fault has a file and a line, and every other contract is still examined."""

from __future__ import annotations

import random
from datetime import date

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.folder import Folder
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.check import run as checks
from avro_data_contracts.contracts.check.run import Baseline
from avro_data_contracts.contracts.lint import run as lint
from contracts_tests.fixtures.contract_files import CONTRACT, record

FILES = {
    "orders/contract.yaml": CONTRACT.replace("value: value.avsc", "value: value.avsc\nkey: key.avsc"),
    "orders/value.avsc": record(("id", "string"), ("price", "shop.Price"), ("paid", ["null", "shop.Money"])),
    "orders/key.avsc": record(("id", "string"), name="shop.Key"),
    "bills/contract.yaml": "topic: bills\nowner: shop\ncompatibility: BACKWARD_TRANSITIVE\n",
    "bills/value.avsc": '// a bill\n["null", "shop.Bill", "shop.Sum"]',
    "types/price.avsc": record(("money", {"type": "record", "name": "Money", "fields": []}), name="shop.Price"),
    "types/all.avsc": f"[{record(('sum', 'Sum'), name='shop.Bill')}, {record(name='shop.Sum')}]",
}
PIECES = (
    "[", "]", "{", "}", ",", ":", "null", '"type"', '"array"', '"name"', '"fields": {}', '"namespace": 3,', '""', "5",
    '"date"', '"shop.Money"', '"shop.Price"', '"shop.Bill"', "\ufeff", "/*", "*/", "//", "\n", "\ud800", '"\\ud800"',
    '"a..b"', '".x"', "topic", "orders", "\t", "\x07", "- ", "!!python/name:x",
)  # fmt: skip


def broken(random_: random.Random) -> dict[str, str]:
    """The files with one to three faults at random places."""
    files = dict(FILES)
    for _ in range(random_.randint(1, 3)):
        path = random_.choice(list(files))
        start = random_.randint(0, len(files[path]))
        end = start + random_.choice([0, 1, 5, 40])
        files[path] = files[path][:start] + random_.choice(PIECES) + files[path][end:]
    return files


@pytest.mark.parametrize("seed", range(40))
def test_every_fault_has_a_place_and_stops_nothing(seed: int) -> None:
    files = broken(random.Random(seed))
    loaded, good = (loading.read(Folder(texts), "schemas") for texts in (files, FILES))
    texts = Texts.of(files, "schemas")
    lines = {f"schemas/{path}": text.count("\n") + 2 for path, text in files.items()}
    assert all(0 < one.error.line <= lines[one.error.file] and one.error.fix for one in loaded.faults)
    assert {*loaded.catalog.contracts, *loaded.broken} == {"orders", "bills"}
    assert not loaded.broken or loaded.faults
    found = lint.everything(loaded, texts)
    assert [one.rule for one in found].count("UNREADABLE") >= len({one.error.file for one in loaded.faults})
    stored = loading.read(Folder(files), "schemas", stored=True)
    for head, state in ((loaded, good), (good, stored)):
        base = Baseline("main", {one.topic: one for one in state.catalog.contracts.values()}, unread=state.faults)
        checked = checks.everything(head, base, {}, texts, date(2026, 1, 1))
        rules = [one.rule for one in checked.findings]
        assert rules.count("UNREADABLE") == len(head.faults)
        assert rules.count("BASE_UNREADABLE") == len(state.faults)
        if all(files[path] == text for path, text in FILES.items() if path.endswith(".yaml")):
            assert "CONTRACT_REMOVED" not in rules
