"""A file that `contracts init --from` made a schema of fits it, or the schema says which name has to change."""

from __future__ import annotations

import csv
import json
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.names import stands_for
from avro_data_contracts.contracts.errors import ContractsError
from avro_data_contracts.contracts.start import inferred
from avro_data_contracts.producers.checked import Checked
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.file.source import FileSource
from avro_data_contracts.producers.sources.source import Request

WRITTEN = st.text(st.sampled_from("abZ9 _-$()%éßÅ名."), min_size=1, max_size=8)
VALUES = st.sampled_from(["x", "Łódź", "true", "7", "1.50", "2026-01-31", ""])


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@given(header=st.lists(WRITTEN, min_size=1, max_size=5, unique=True), data=st.data())
def test_what_init_has_read_the_producer_reads(ending: str, header: list[str], data: Any) -> None:
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
        fields = {one["name"]: one.get("doc", "") for one in json.loads(text)["fields"]}
        lost = [doc for doc in fields.values() if "give it another name there" in doc]
        try:
            outcomes = [item.outcome for item in FileSource(str(path), parsing.parse(text)).items(Request(""))]
        except ContractsError:
            assert lost
            assert ending == "csv"
            return
    if lost:
        assert all(isinstance(one, Rejection) for one in outcomes)
    else:
        assert [set(one) for one in outcomes] == [set(fields)] * len(rows)


NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(-(10**6), 10**6, places=2).map(lambda one: f"{one:f}"),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda one: repr(one).replace("e+", "e")),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})\.[0-9]{1,25}", fullmatch=True),
    st.from_regex(r"[1-9](\.[0-9]{1,3})?[eE]-?[0-9]{1,3}", fullmatch=True),
)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@given(rows=st.lists(NUMBERS, min_size=1, max_size=4))
def test_every_number_that_init_has_read_the_producer_takes_or_its_field_says_why_not(
    ending: str, rows: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"sample.{ending}")
        lines = ["x", *rows] if ending == "csv" else [f'{{"x": {one}}}' for one in rows]
        path.write_text("\n".join(lines))
        made = inferred.of(str(path), Path(folder), {})
        [text] = [content for name, content in made.files.items() if name.endswith(".avsc")]
        source = FileSource(str(path), parsing.parse(text), final=True)
        outcomes = [item.outcome for item in source.items(Request(""))]
        [field] = json.loads(text)["fields"]
    refused = [one for one in outcomes if not isinstance(one, Checked)]
    assert len(outcomes) == len(rows)
    # CSV has only texts, so a string keeps what no number can.
    assert not refused or (ending == "jsonl" and "more digits than a double" in field["doc"]), (field, rows)


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
        ("Größe", "grosse"),
        ("Cost (Ångström²)", "cost_angstrom2"),
        ("Đường số", "duong_so"),
        ("Łódź", "lodz"),
        ("名前", ""),
        ("名前 2", "_2"),
        ("id", ""),
        ("_x1_y", ""),
        ("€", ""),
    ],
)
def test_name_in_data_stands_for_a_field(written: str, name: str) -> None:
    assert stands_for(written) == name


def test_no_letter_of_a_european_alphabet_is_dropped_from_a_name() -> None:
    # Latin-1 and Latin Extended-A, and two that have both an accent and a letter of their own.
    letters = [chr(code) for code in (*range(0xC0, 0x180), 0x1E9E, 0x1FD, 0x1FF) if chr(code).isalpha()]
    obsolete = set("ĸŉĿŀ")
    for form in ("NFC", "NFD"):
        dropped = [
            one for one in letters if not stands_for(unicodedata.normalize(form, f"X{one}"))[1:].strip("_").isalpha()
        ]
        assert set(dropped) <= obsolete
