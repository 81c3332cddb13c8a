"""A contract's topic, decoded, for Spark queries of your own (docs/how-to/own-queries.md)."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.decode.decoder import Decoder
from avro_data_contracts.streaming.decode.writer_schemas import Writers
from avro_data_contracts.streaming.run import source


def stream(spark: SparkSession, settings: Settings, contract: Contract) -> DataFrame:
    """Return the contract's topic, decoded, as a stream.

    It has the columns of `run.source.stream` and those of `decode.decoder.Decoder.decode`.  It knows the versions
    that the subject has now.  A record of a later version fails the query (`strict.UNSEEN`); start it again then.

    Raises:
        ServiceError: the registry does not answer.
    """
    topic = source.stream(spark, settings, contract.topic, max_per_batch=settings.stream_max_per_batch)
    return _decoded(topic, settings, contract)


def whole(spark: SparkSession, settings: Settings, contract: Contract) -> DataFrame:
    """Return what the topic holds now, as a batch with the columns of `stream`."""
    return _decoded(source.whole(spark, settings, contract.topic), settings, contract)


def _decoded(topic: DataFrame, settings: Settings, contract: Contract) -> DataFrame:
    registry = Registry.from_settings(settings)
    ours = [key for one in registry.all_of(contract.value.name) for key in (one.schema_id, one.guid) if key]
    return Decoder(contract).decode(topic, Writers(registry, contract).of(ours))
