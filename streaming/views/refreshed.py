"""A view of groups of rows, computed again and again from the contract's own table in the same store.

Spark computes it, with the SQL that the view has, from values as the decoder had made them (`sinks.readback`).  So
both stores, and a batch over the newest event of each key, give the same rows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.queries import of_view
from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.position import EVENT_TIMESTAMP, EVENTS
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.views import stored_fields
from avro_data_contracts.contracts.views.derived import Derived
from avro_data_contracts.contracts.views.sources import LATEST
from avro_data_contracts.contracts.views.statement import with_column
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.decode.values import flaws_of_key
from avro_data_contracts.streaming.failures import RowRefused
from avro_data_contracts.streaming.sinks import readback
from avro_data_contracts.streaming.sinks.counts import Counts
from avro_data_contracts.streaming.sinks.sink import Replacing
from avro_data_contracts.streaming.stores.known import STORES
from avro_data_contracts.streaming.views.events import Events
from avro_data_contracts.streaming.views.outer import Outer
from avro_data_contracts.streaming.views.references import References

_STORED: Final = "__stored"
_KAFKA_TIME: Final = "__kafka_time"
_NEWEST: Final = "__newest"
_ROWS: Final = "__rows"
_MORE: Final = f"max(`{_KAFKA_TIME}`) AS `{_NEWEST}`, count(*) AS `{_ROWS}`"


class RefreshedView(Outer):
    """A view of groups of rows, in one store.

    Attributes:
        source: the contract's own table.
        every_s: how often it is computed again, in seconds.

    Args:
        contract: whose rows it reads.
        inner: the store's sink for the contract that the view is.
    """

    def __init__(self, settings: Settings, contract: Contract, derived: Derived, inner: Replacing) -> None:
        super().__init__(of_view(derived.view.name, inner.name), inner)
        assert derived.view.spec.refresh is not None  # `is_refreshed` says so
        self.every_s: int = derived.view.spec.refresh
        self.source: SinkSpec = next(one for one in contract.sinks if one.kind == inner.spec.kind)
        self.derived = derived
        self._replacing = inner
        self._settings = settings
        self._contract = contract
        self._events = Events(settings, contract, derived)
        self._references = References(settings, derived.view, derived.analysis.data)
        self._sql = with_column(derived.analysis.sql, _MORE)
        self._fields = _read(contract, derived)
        self._of_store = derived.in_store(inner.name)

    @property
    def changes_by_itself(self) -> bool:
        """Whether it may have other rows although no event was written: rows expire, or a table is joined."""
        return self.source.stays_s is not None or any(one.table for one in self.derived.analysis.data.values())

    def check(self, spark: SparkSession) -> None:
        """Raise ConfigurationError if the columns are not, in Spark, those that the tables are made for."""
        types = {name: readback.RAW[kind] for name, kind in self._fields.items()}
        none = spark.createDataFrame([], ", ".join(f"`{name}` {kind}" for name, kind in types.items()))
        self._events.check(lambda: self._computed(spark, none))

    def refresh(self, spark: SparkSession, given_up: threading.Event) -> Counts:
        """Compute the rows, and make the table equal to them.

        Args:
            given_up: once it is set, nothing is written any more.

        Raises:
            ServiceError: a server does not answer.
            ComputationFailed: the SQL fails for a row, or for a group.
            Refused: the store can have no row of a group, or refuses one.
            ConfigurationError: a table that the view joins is not what the header says.
        """
        with self.rows(spark) as found:
            self._check_keys(found)
            if given_up.is_set():
                raise ServiceError("the refresh was given up", where=self.name, server=self.spec.kind)
            try:
                return self._replacing.replace(found)
            except RowRefused as error:
                raise self._refused(error) from None

    @contextmanager
    def rows(self, spark: SparkSession) -> Iterator[DataFrame]:
        """Yield what the SQL makes of the contract's table now, in the form of a decoded batch.

        Raises: as `refresh`.
        """
        store = STORES[self.source.kind]
        try:
            raw = store.stored(spark, self._settings, self.source, self._fields)
            found = self._rows(self._computed(spark, raw)).persist(StorageLevel.DISK_ONLY)
            try:
                found.write.format("noop").mode("overwrite").save()  # read once, and before anything is written
                yield found
            finally:
                found.unpersist()
        except failures.JAVA_ERRORS as error:
            raise store.told(self._settings, error) from None

    def reconnect(self) -> None:
        """Let the next refresh have another connection, because this one hangs."""
        STORES[self.source.kind].reconnect(self._settings)

    def _computed(self, spark: SparkSession, raw: DataFrame) -> DataFrame:
        schema, record = self._contract.value.schema, self._contract.value.record
        made = {
            name: readback.decoded(schema, record.by_name[name])
            if name in record.by_name
            else readback.position(name)
            for name in self._fields
        }
        columns = [*(f"{text} AS `{name}`" for name, text in made.items())]
        columns.append(f"{readback.position(EVENT_TIMESTAMP)} AS `{_KAFKA_TIME}`")
        typed = self._events.over({_STORED: raw}, f"SELECT {', '.join(columns)} FROM {_STORED}")  # noqa: S608 - ours
        joined = self._references.begin(spark) if self.derived.analysis.data else {}
        return self._events.over({LATEST: typed, **joined}, self._sql)

    def _rows(self, computed: DataFrame) -> DataFrame:
        record = F.struct(*(F.col(f"`{one.name}`") for one in self.derived.analysis.outputs))
        return computed.select(
            record.alias("record"),
            *(F.lit(None).cast("string").alias(one) for one in ("reason", "detail")),
            F.lit(None).cast("binary").alias("value"),
            F.col(_NEWEST).alias("timestamp"),
            F.col(_ROWS).alias(EVENTS),
        )

    def _refused(self, error: RowRefused) -> RowRefused:
        """Return the store's refusal of a row with what helps: no record was rejected, so there is no dead letter."""
        return error.but(
            fix=f"leave the group out with WHERE in {self.derived.view.file}, or correct the constraints of "
            f"{self.spec.qualified}; until then the table keeps its rows"
        )

    def _check_keys(self, found: DataFrame) -> None:
        """Raise Refused if the store can have no row of a group."""
        flaws = flaws_of_key(self._of_store, F.col("record"))
        counts = [F.count_if(flaw).alias(str(number)) for number, (flaw, _) in enumerate(flaws)]
        row = found.agg(*counts).head() if counts else None
        for number, (_, words) in enumerate(flaws):
            if row is not None and row[str(number)]:
                raise Refused(
                    f"view {self.derived.view.name}: {row[str(number)]:,} groups cannot be rows of "
                    f"{self.spec.qualified}: {words}",
                    where=self.derived.view.file,
                    fix="leave them out with WHERE",
                    server=self.spec.kind,
                )


def _read(contract: Contract, derived: Derived) -> Mapping[str, str]:
    """Return the columns of the contract's table that a view reads -> the Avro type of each."""
    analysis, schema = derived.analysis, contract.value.schema
    paths = [path for one in analysis.outputs for path in one.paths]
    found = {EVENT_TIMESTAMP: readback.POSITION[EVENT_TIMESTAMP]}
    for path in (*paths, *analysis.filtered, *analysis.matched):
        field = stored_fields.field_of(contract, path)
        if field is not None:
            found[field.name] = readback.raw_name(schema, field)
        else:
            found[path] = readback.POSITION[path]
    return found
