"""A custom query over the decoded topic, as in docs/how-to/own-queries.md."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from avro_data_contracts.streaming import queries
from contracts_tests.fixtures.pipeline import Pipeline
from contracts_tests.fixtures.users import user


def test_decoded_stream_supports_windows_and_watermarks(pipeline: Pipeline) -> None:
    first = pipeline.register()
    second = pipeline.evolve(
        lambda schema: schema["fields"].append({"name": "note", "type": "string", "default": "?"})
    )
    records = [user(number, gender=("FEMALE", "MALE")[number % 3 == 0]) for number in range(60)]
    values = [
        pipeline.encode(first, one) if number % 2 else pipeline.encode(second, {**one, "note": "new"})
        for number, one in enumerate(records)
    ]
    millis = 1_600_000_000_000
    pipeline.send(
        *({"value": value, "timestamp": millis + at * 60_000} for at, value in enumerate([*values, b"bad", b"bad"]))
    )

    def counted(frame: DataFrame) -> DataFrame:
        good = frame.where("reason IS NULL").select("timestamp", "record.gender", "record.note")
        window = F.window("timestamp", "20 minutes").alias("window")
        return (
            good.withWatermark("timestamp", "1 hour").groupBy(window, "gender", "note").agg(F.count("*").alias("n"))
        )

    folder = pipeline.settings.checkpoint_dir / "own"
    query = (
        counted(queries.stream(pipeline.spark, pipeline.settings, pipeline.contract))
        .writeStream.outputMode("complete")
        .format("memory")
        .queryName(f"own_{pipeline.contract.name}")
        .option("checkpointLocation", folder.as_uri().replace("%20", " "))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination(120)
    assert query.exception() is None

    found = {(row.window.start, row.gender, row.note): row.n for row in pipeline.spark.table(query.name).collect()}
    whole = counted(queries.whole(pipeline.spark, pipeline.settings, pipeline.contract)).collect()
    assert found == {(row.window.start, row.gender, row.note): row.n for row in whole}
    assert sum(found.values()) == 60
    assert len({start for start, _, _ in found}) >= 3
    assert {note for _, _, note in found} == {"?", "new"}
