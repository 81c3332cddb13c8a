"""Runs the SQL of a view on decoded batches, and writes its rows as those of a contract.

The view is a contract of its own (`contracts.views.derived`), so its sink is the one of its store.  Between the two,
the record of each event becomes that of the view; events that the view leaves out are not there.

Spark computes a view in ANSI mode: a number that does not fit, or a text that is not a number, is an error, and never
another number or null.  Such an event is a dead letter of the view, like a row that a store refuses.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import structlog
from pyspark import StorageLevel
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.queries import of_view
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP
from avro_data_contracts.contracts.stores.spec import SinkSpec
from avro_data_contracts.contracts.views import spark_types
from avro_data_contracts.contracts.views.derived import Derived, path_of
from avro_data_contracts.contracts.views.sources import name_of
from avro_data_contracts.contracts.views.statement import with_column
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.failures import ComputationFailed
from avro_data_contracts.streaming.sinks import refusals
from avro_data_contracts.streaming.sinks.counts import Counts
from avro_data_contracts.streaming.sinks.refusals import Coordinates, RowsRefused
from avro_data_contracts.streaming.sinks.sink import Sink

log = structlog.get_logger("streaming")

#: The column with everything of an event but its record.
_EVENT = "__event"
_JUDGED = ("record", "reason", "detail")


class ViewSink:
    """A view in one store.

    Args:
        contract: whose events it reads.
        inner: the store's sink for the contract that the view is.
    """

    def __init__(self, settings: Settings, contract: Contract, derived: Derived, inner: Sink) -> None:
        self._bootstrap = settings.kafka_bootstrap_servers
        self.name = of_view(derived.view.name, inner.name)
        self._contract = contract
        self._derived = derived
        self._inner = inner
        self._sql = with_column(derived.view.sql, f"`{_EVENT}`")
        self._ansi: SparkSession | None = None
        self._alone = threading.Lock()

    @property
    def spec(self) -> SinkSpec:
        return self._inner.spec

    def has_table(self) -> bool:
        return self._inner.has_table()

    def prepare(self) -> None:
        self._inner.prepare()

    def check(self, spark: SparkSession) -> None:
        """Compare the columns as Spark sees them with those that the tables are made for.

        Raises:
            ConfigurationError: Spark refuses the SQL, or gives a column another type.
        """
        record = self._contract.value.record
        schema = self._contract.value.schema
        members = ", ".join(f"`{field.name}`: {spark_types.ddl_of(schema, field.type)}" for field in record.fields)
        event = "timestamp timestamp, partition int, offset bigint, reason string, detail string"
        empty = spark.createDataFrame([], f"{event}, record struct<{members}>")
        try:
            found = dict(self._computed(empty).dtypes)
        except (AnalysisException, ParseException) as error:
            view = self._derived.view
            words = failures.one_line(str(error).strip().splitlines()[0])
            raise ConfigurationError(
                f"view {view.name}: Spark refuses the SQL: {words}",
                file=view.file,
                path=path_of(view),
                fix="correct the SQL",
            ) from None
        for one in self._derived.analysis.outputs:
            if found[one.name] != one.spark:
                raise ConfigurationError(
                    f"view {self._derived.view.name}: Spark makes {one.name} a {found[one.name]}, and the tables are "
                    f"made for {one.spark}",
                    file=self._derived.view.file,
                    line=one.line,
                    column=one.column,
                    path=path_of(self._derived.view, one.name),
                    fix=f"write CAST(… AS {one.spark.upper()}) AS {one.name}",
                )

    def write(self, decoded: DataFrame) -> Counts:
        try:
            return self._inner.write(self._rows(decoded))
        except ComputationFailed as error:
            told = error
        decoded.persist(StorageLevel.DISK_ONLY)
        try:
            refused = self._failing(decoded)
        except failures.JAVA_ERRORS as error:  # from reading, or a schema that has to be looked up first
            raise failures.of_java(failures.KAFKA, self._bootstrap, error) from None
        finally:
            decoded.unpersist()
        if not refused:
            raise told
        raise RowsRefused(self.name, refused)

    def _rows(self, decoded: DataFrame) -> DataFrame:
        """Return the batch with the view's record in place of the contract's, without what the view leaves out."""
        computed = self._computed(decoded)
        names = [one.name for one in self._derived.analysis.outputs]
        return computed.select(
            f"{_EVENT}.*",
            F.struct(*(F.col(f"`{one}`") for one in names)).alias("record"),
            *(F.lit(None).cast("string").alias(one) for one in ("reason", "detail")),
        )

    def _computed(self, decoded: DataFrame) -> DataFrame:
        """Return the result of the SQL, and the event of each row."""
        schema, record = self._contract.value.schema, self._contract.value.record
        fields = {
            # A decimal is decoded with all digits that Spark has, and fits those of the contract.
            field.name: F.col("record").getField(field.name).cast(spark_types.ddl_of(schema, field.type))
            for field in record.fields
        }
        position = {EVENT_TIMESTAMP: "timestamp", EVENT_PARTITION: "partition", EVENT_OFFSET: "offset"}
        known = {field.lower() for field in fields}
        event = F.struct(*(one for one in decoded.columns if one not in _JUDGED)).alias(_EVENT)
        events = decoded.where(F.col("reason").isNull()).select(
            event,
            *(column.alias(one) for one, column in fields.items()),
            *(F.col(column).alias(one) for one, column in position.items() if one not in known),
        )
        spark = decoded.sparkSession
        if self._ansi is None:
            self._ansi = spark.newSession()
            self._ansi.conf.set("spark.sql.ansi.enabled", "true")
        with self._alone:  # an abandoned attempt may wake up
            _of_session(events, self._ansi).createOrReplaceTempView(f"`{name_of(self._contract)}`")
            computed = self._ansi.sql(self._sql)
        return _of_session(computed, spark)

    def _failing(self, decoded: DataFrame) -> dict[Coordinates, str]:
        """Find the events for which the SQL fails, and why, by halving."""
        good = decoded.where(F.col("reason").isNull()).select("partition", "offset")
        places = sorted((row.partition, row.offset) for row in good.toLocalIterator())
        view, refused, taken = self._derived.view, dict[Coordinates, str](), 0

        def attempt(some: Sequence[Coordinates]) -> None:
            nonlocal taken
            try:
                self._rows(decoded.where(_between(some[0], some[-1]))).write.format("noop").mode("overwrite").save()
                taken += len(some)
            except failures.JAVA_ERRORS as error:
                told = failures.of_java(failures.KAFKA, self._bootstrap, error)
                if not isinstance(told, ComputationFailed):
                    raise
                if len(some) == 1:
                    refused[some[0]] = f"view {view.name}: {told.what}"
                    return
                if not taken and len(refused) >= refusals.TOO_MANY:
                    return
                half = len(some) // 2
                attempt(some[:half])
                attempt(some[half:])

        if places:
            attempt(places)
        if not taken and len(refused) >= refusals.TOO_MANY:
            raise ConfigurationError(
                f"{next(iter(refused.values()))}, for each of the first {len(refused)} events of a batch",
                file=view.file,
                path=path_of(view),
                fix="correct the SQL, e.g. with try_cast or try_divide",
            )
        return refused


def _between(first: Coordinates, last: Coordinates) -> Any:
    place = F.struct("partition", "offset")

    def of(one: Coordinates) -> Any:
        return F.struct(F.lit(one[0]).cast("int").alias("partition"), F.lit(one[1]).cast("long").alias("offset"))

    return (place >= of(first)) & (place <= of(last))


def _of_session(frame: DataFrame, session: SparkSession) -> DataFrame:
    """Return the frame, whose plan is complete, in another session."""
    jvm: Any = session._jvm
    plan = frame._jdf.queryExecution().analyzed()
    return DataFrame(jvm.org.apache.spark.sql.Dataset.ofRows(session._jsparkSession, plan), session)
