"""Verdicts of a real Confluent Schema Registry, compared with ours if a recorded set is available.

The set is not part of this repository. `COMPAT_DIR` names its folder; the default is `../shared/compat`, beside the
clone. Each line is one JSON object with `level`, `new`, `previous`, `valid_as_new` and `compatible`.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from avro_data_contracts.contracts.compat.levels import check
from avro_data_contracts.contracts.errors import InvalidSchema

FOLDER = Path(os.environ.get("COMPAT_DIR") or Path(__file__).parents[3] / "shared" / "compat")
VERDICTS = FOLDER / "confluent_verdicts.jsonl.gz"


def verdict(case: dict) -> str:
    try:
        return "incompatible" if check(case["new"], case["previous"], case["level"]) else "compatible"
    except InvalidSchema:
        return "invalid"


def test_every_verdict_agrees_with_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    if not VERDICTS.exists():
        pytest.skip(f"no recorded verdicts at {VERDICTS}; set COMPAT_DIR to the folder that has them")
    with gzip.open(VERDICTS, "rt", encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    wrong = []
    for case in cases:
        expected = "invalid" if not case["valid_as_new"] else "compatible" if case["compatible"] else "incompatible"
        found = verdict(case)
        if found != expected:
            wrong.append(f"{case['id']}: {found}, the registry says {expected}")
    with capsys.disabled():
        print(f"\n{len(cases) - len(wrong)} of {len(cases)} verdicts agree with Confluent Schema Registry", end=" ")  # noqa: T201
    assert cases
    assert not wrong, "\n".join(wrong[:20])
