"""The reference data that a view joins, as frames of Spark: one state of it for each batch."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import fastavro
import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.avro.writing import to_json
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.views.derived import path_of
from avro_data_contracts.contracts.views.references import Data, line_of
from avro_data_contracts.streaming import packed
from avro_data_contracts.streaming.views.snapshots import Snapshot, Snapshots

log = structlog.get_logger("streaming")


class References:
    """The reference data of a view in one store.

    Args:
        data: by its names in the SQL.
    """

    def __init__(self, settings: Settings, view: View, data: Mapping[str, Data]) -> None:
        self._settings = settings
        self._view = view
        self._data = data
        self._known = {name: _of_rows(one, one.rows.rows) for name, one in data.items() if one.rows is not None}
        self._read: dict[str, tuple[float, Snapshot]] = {}  # and when it was read

    def begin(self, spark: SparkSession) -> dict[str, DataFrame]:
        """Return the data as it is now.

        Raises:
            ConfigurationError: a table is not what the view says of it.
            ServiceError: PostgreSQL does not answer.
        """
        from avro_data_contracts.streaming.stores.postgres.reference import UnfitTable

        try:
            return self.frames(spark, self._now())
        except UnfitTable as error:
            name = next(name for name, one in self._data.items() if one.table == error.table)
            raise ConfigurationError(
                f"view {self._view.name}: the table {error.table}, which it joins as {name}: {error.what}",
                file=self._view.file,
                line=line_of(self._view, name),
                path=f"{path_of(self._view)}.reference.{name}",
                fix=error.fix,
            ) from None

    def of_batch(self, checkpoint: Path, number: int) -> dict[str, Snapshot]:
        """Return the data that a batch joins: in each attempt the same.

        Raises:
            ConfigurationError: the data that an earlier attempt joined is damaged, or has other columns.
            ServiceError: PostgreSQL does not answer, or a table is not what the view says of it.
        """
        from avro_data_contracts.streaming.stores.postgres.reference import UnfitTable

        snapshots = Snapshots(checkpoint, self._view.name)
        if (found := snapshots.of(number)) is not None:
            self._check(found, number)
            return found
        try:
            return snapshots.keep(number, self._now())
        except UnfitTable as error:
            raise ServiceError(
                f"view {self._view.name}: the table {error.table}, which it joins, is not as it was: {error.what}",
                where="PostgreSQL",
                fix=error.fix,
                server="postgres",
            ) from None

    def frames(self, spark: SparkSession, snapshots: Mapping[str, Snapshot]) -> dict[str, DataFrame]:
        """Return the rows of each reference; Spark sends them to its executors, and never the events to them."""
        return {name: F.broadcast(_frame(spark, one)) for name, one in snapshots.items()}

    def _now(self) -> dict[str, Snapshot]:
        return {name: self._known.get(name) or self._of_table(name, one) for name, one in self._data.items()}

    def _of_table(self, name: str, data: Data) -> Snapshot:
        from avro_data_contracts.streaming.stores.postgres import reference

        began = time.monotonic()
        if name in self._read and began - self._read[name][0] < data.refresh:
            return self._read[name][1]
        rows = reference.read(self._settings, data)
        found = _of_rows(data, rows)
        if name not in self._read or self._read[name][1] != found:
            log.info("reference data read", view=self._view.name, table=data.table, rows=len(rows))
        self._read[name] = began, found
        return found

    def _check(self, found: Mapping[str, Snapshot], number: int) -> None:
        """Raise ConfigurationError if a batch began with data of other columns, so another view wrote its rows."""
        schemas = {name: _schema(one) for name, one in self._data.items()}
        if {name: one.schema for name, one in found.items()} != schemas:
            raise ConfigurationError(
                f"view {self._view.name}: batch {number} began with reference data of other columns, and is not "
                "finished",
                file=self._view.file,
                line=line_of(self._view),
                path=path_of(self._view),
                fix="put the header back as it was until the batch is written; or run `python -m "
                f"avro_data_contracts.streaming --contract NAME views rebuild {self._view.name}`",
            )


def _schema(data: Data) -> str:
    return json.dumps({"type": "array", "items": json.loads(to_json(data.schema))})


def _of_rows(data: Data, rows: Iterable[Mapping[str, Any]]) -> Snapshot:
    schema, out = _schema(data), io.BytesIO()
    fastavro.schemaless_writer(out, json.loads(schema), list(rows))
    return Snapshot(schema, out.getvalue())


def _frame(spark: SparkSession, snapshot: Snapshot) -> DataFrame:
    found = packed.unpack(spark, [snapshot.raw], snapshot.schema)
    assert found is not None
    return found.select("one.*")
