"""A file that `contracts init --from` made a schema of can be sent with that schema as it is, whatever its header."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.names import fault_of, stands_for
from avro_data_contracts.contracts.start import inferred
from avro_data_contracts.producers.sources.file.source import FileSource
from avro_data_contracts.producers.sources.source import Request

WRITTEN = st.text(st.sampled_from("abZ9 _-$()%é."), min_size=1, max_size=8)
VALUES = st.sampled_from(["x", "Łódź", "true", "7", "1.50", "2026-01-31", ""])


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@given(header=st.lists(WRITTEN, min_size=1, max_size=5, unique=True), data=st.data())
def test_what_init_has_read_the_producer_reads(ending: str, header: list[str], data: Any) -> None:
    names = [stands_for(one) or one for one in header]
    assume(len(set(names)) == len(names) and not any(map(fault_of, names)))
    rows = data.draw(st.lists(st.lists(VALUES, min_size=len(header), max_size=len(header)), min_size=1, max_size=4))
    assume(ending == "jsonl" or all(any(row) for row in rows))  # a row of one empty cell is an empty line
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"sample.{ending}")
        with path.open("w", newline="", encoding="utf-8") as file:
            if ending == "csv":
                csv.writer(file).writerows([header, *rows])
            else:
                file.writelines(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)
        made = inferred.of(str(path), Path(folder), {})
        [text] = [content for name, content in made.files.items() if name.endswith(".avsc")]
        items = list(FileSource(str(path), parsing.parse(text)).items(Request("")))
    assert [set(item.outcome) for item in items] == [set(names)] * len(rows)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Airport Name", "airport_name"),
        ("Cost Total $", "cost_total"),
        (" id ", "id"),
        ("order-total", "order_total"),
        ("1st", "_1st"),
        ("orderId", "order_id"),
        ("IMDBRating", "imdb_rating"),
        ("Title", "title"),
        ("ID", "id"),
        ("T38A", "t38a"),
        ("Id_2", "id_2"),
        ("id", ""),
        ("_x1_y", ""),
        ("€", ""),
    ],
)
def test_name_in_data_stands_for_a_field(written: str, name: str) -> None:
    assert stands_for(written) == name
