"""The good events of a decoded batch as a table of Spark's SQL, in ANSI mode.

Spark computes a view in ANSI mode: a number that does not fit, or a text that is not a number, is an error, and never
another number or null.  The decoder and the sinks rely on the other mode, so the SQL is analysed in a session of its
own; Spark's expressions keep the mode in which they were made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Any

from pyspark import StorageLevel
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.contracts.stores.position import EVENT_OFFSET, EVENT_PARTITION, EVENT_TIMESTAMP
from avro_data_contracts.contracts.views import spark_types
from avro_data_contracts.contracts.views.derived import Derived, path_of
from avro_data_contracts.contracts.views.sources import LATEST, name_of
from avro_data_contracts.streaming import failures
from avro_data_contracts.streaming.decode.batches import TOMBSTONE
from avro_data_contracts.streaming.failures import ComputationFailed
from avro_data_contracts.streaming.sinks import refusals
from avro_data_contracts.streaming.sinks.refusals import Coordinates


class _Ansi:
    """The session in which the SQL of a view is analysed."""

    def __init__(self) -> None:
        self._session: SparkSession | None = None
        self._alone = threading.Lock()

    def sql(self, tables: Mapping[str, DataFrame], text: str) -> DataFrame:
        """Return what SQL makes of some frames, in their session."""
        spark = next(iter(tables.values())).sparkSession
        with self._alone:  # an abandoned attempt may wake up
            if self._session is None:
                self._session = spark.newSession()
                self._session.conf.set("spark.sql.ansi.enabled", "true")
            for name, frame in tables.items():
                _of_session(frame, self._session).createOrReplaceTempView(f"`{name}`")
            computed = self._session.sql(text)
        return _of_session(computed, spark)


class Events:
    """The events that a view reads.

    Args:
        contract: whose events they are.
    """

    def __init__(self, settings: Settings, contract: Contract, derived: Derived) -> None:
        self._bootstrap = settings.kafka_bootstrap_servers
        self._contract = contract
        self._derived = derived
        self._ansi = _Ansi()
        self._joined: Mapping[str, DataFrame] = {}

    def joining(self, frames: Mapping[str, DataFrame]) -> Events:
        """Return the events that are joined with this reference data, by its names."""
        other = copy(self)
        other._joined = frames
        return other

    def sql(self, decoded: DataFrame, text: str, more: Iterable[Column] = ()) -> DataFrame:
        """Return what SQL makes of a batch, in the batch's session.

        Args:
            more: further columns, made from those of the batch.
        """
        schema, record = self._contract.value.schema, self._contract.value.record
        fields = {
            # A decimal is decoded with all digits that Spark has, and fits those of the contract.
            field.name: F.col("record").getField(field.name).cast(spark_types.ddl_of(schema, field.type))
            for field in record.fields
        }
        position = {EVENT_TIMESTAMP: "timestamp", EVENT_PARTITION: "partition", EVENT_OFFSET: "offset"}
        known = {field.lower() for field in fields}
        good = F.col("reason").isNull()
        if TOMBSTONE in decoded.columns:
            good = good & F.col("record").isNotNull()
        events = decoded.where(good).select(
            *more,
            *(column.alias(one) for one, column in fields.items()),
            *(F.col(column).alias(one) for one, column in position.items() if one not in known),
        )
        name = LATEST if self._derived.analysis.is_latest else name_of(self._contract)
        return self.over({name: events, **self._joined}, text)

    def over(self, tables: dict[str, DataFrame], text: str) -> DataFrame:
        """Return what SQL in ANSI mode makes of some frames, by their names, in their session."""
        return self._ansi.sql(tables, text)

    def none(self, spark: SparkSession) -> DataFrame:
        """Return a decoded batch without events."""
        record = self._contract.value.record
        schema = self._contract.value.schema
        members = ", ".join(f"`{field.name}`: {spark_types.ddl_of(schema, field.type)}" for field in record.fields)
        event = "timestamp timestamp, partition int, offset bigint, reason string, detail string"
        return spark.createDataFrame([], f"{event}, record struct<{members}>")

    def check(self, computed: Callable[[], DataFrame]) -> None:
        """Compare the columns as Spark sees them with those that the tables are made for.

        Raises:
            ConfigurationError: Spark refuses the SQL, or gives a column another type.
        """
        view = self._derived.view
        try:
            found = dict(computed().dtypes)
        except (AnalysisException, ParseException) as error:
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
                    f"view {view.name}: Spark makes {one.name} a {found[one.name]}, and the tables are "
                    f"made for {one.spark}",
                    file=view.file,
                    line=one.line,
                    column=one.column,
                    path=path_of(view, one.name),
                    fix=f"write CAST(… AS {one.spark.upper()}) AS {one.name}",
                )

    def failing(self, decoded: DataFrame, rows: Callable[[DataFrame], DataFrame]) -> dict[Coordinates, str]:
        """Find the events for which the SQL fails, and why.

        Args:
            rows: computes the SQL of a part of the batch.
        """
        decoded.persist(StorageLevel.DISK_ONLY)
        try:
            return self._halved(decoded, rows)
        except failures.JAVA_ERRORS as error:  # from reading, or a schema that has to be looked up first
            raise failures.of_java(failures.KAFKA, self._bootstrap, error) from None
        finally:
            decoded.unpersist()

    def _halved(self, decoded: DataFrame, rows: Callable[[DataFrame], DataFrame]) -> dict[Coordinates, str]:
        good = decoded.where(F.col("reason").isNull()).select("partition", "offset")
        places = sorted((row.partition, row.offset) for row in good.toLocalIterator())
        view, refused, taken = self._derived.view, dict[Coordinates, str](), 0

        def attempt(some: Sequence[Coordinates]) -> None:
            nonlocal taken
            try:
                rows(decoded.where(_between(some[0], some[-1]))).write.format("noop").mode("overwrite").save()
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
