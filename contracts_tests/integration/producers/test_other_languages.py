"""docs/how-to/other-languages.md: the program in Java and the commands run, and the stream stores what they send."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
from pathlib import Path

import pyspark
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.stack.jars import cache, fetch
from avro_data_contracts.stack.jars.java import java
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures import pages
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.walkthrough import Walkthrough

PAGE = pages.read("docs/how-to/other-languages.md")
[JAVA] = [block.text for block in PAGE.blocks() if block.language == "java"]
[PIPE] = [block.text for block in PAGE.blocks() if block.language == "sh"]
TOOLS = {
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
}
#: No program runs long enough for Java's second compiler to pay off.
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
STREAM = "python -m avro_data_contracts.streaming --contract weather --available-now\n"


@pytest.fixture
def weather(stack: RunningStack, tmp_path: Path) -> Walkthrough:
    walk = Walkthrough.of_example("weather", tmp_path, stack.environment)
    walk.run_all(["contracts register\n"])
    return walk


def run_java(folder: Path, program: str, environment: dict[str, str]) -> str:
    """Run a program in Java with Kafka's client and Avro.  Janino compiles it, as there may be no JDK."""
    (folder / "SendWeather.java").write_text(program)
    jars = Path(pyspark.__file__).parent / "jars"
    own = [one for name in ("avro-1", "janino-", "commons-compiler-") for one in jars.glob(f"{name}*.jar")]
    classes = ":".join(map(str, [*own, *cache.paths("kafka")]))
    command = [
        str(java()),
        *QUICK,
        "-cp",
        classes,
        "org.codehaus.janino.SimpleCompiler",
        "SendWeather.java",
        "SendWeather",
    ]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_tool(command: str, given: str = "") -> str:
    """Run one of Kafka's tools, as its script would."""
    fetch.fetch(lambda line: None, only="kafka-tools")
    classes = ":".join(map(str, [*cache.paths("kafka-tools"), *cache.paths("kafka")]))
    name, *arguments = command.replace("\\\n", " ").split()
    done = subprocess.run(
        [str(java()), *QUICK, "-cp", classes, TOOLS[name], *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def offsets(servers: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test", "enable.auto.commit": False})
    end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1]
    consumer.close()
    return int(end)


def first_messages(servers: str, topic: str, number: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Message] = []
    while len(found) < number:
        found += consumer.consume(number - len(found), timeout=0.5)
    consumer.close()
    return found


def test_java_the_pipe_and_kafkas_tools_as_the_page_says(
    weather: Walkthrough, stack: RunningStack, spark: SparkSession, settings_of_stack: Settings
) -> None:
    servers = stack.exports["KAFKA_BOOTSTRAP_SERVERS"]
    program = re.sub(r'"weather(-key|-value)?"(?=\)|, keys)', rf'"{weather.own}\1"', JAVA)
    assert program.count(weather.own) == 3
    environment = {**os.environ, **stack.exports}
    assert re.fullmatch(r"partition 0, offset 0\n", run_java(weather.folder, program, environment))
    # This project's producer gives a day the same key and value, so that both send it to the same partition.
    day = {"precipitation": 0, "temp_max": 32.2, "temp_min": 17.2, "wind": 4.3, "weather": "sun"}
    (weather.folder / "one.jsonl").write_text(json.dumps({"date": "2015-07-01", **day}) + "\n")
    weather.run_all(["python -m avro_data_contracts.producers --contract weather --from one.jsonl\n"])
    by_java, by_producer = first_messages(servers, weather.own, 2)
    assert by_java.key() == by_producer.key()
    assert by_java.value() == by_producer.value()
    weather.run_all([PIPE])
    run_tool(f"kafka-console-producer --bootstrap-server {servers} --topic {weather.own}", "hot and dry\n")
    assert offsets(servers, weather.own) == 4
    said = weather.run_all([STREAM])
    assert "rejected=1" in said
    with postgres.connect(settings_of_stack) as connection:
        rows = connection.execute(f'SELECT * FROM "{weather.own}" ORDER BY "date"').fetchall()
    assert [row[:6] for row in rows] == [
        (dt.date(2015, 7, 1), 0.0, 32.2, 17.2, 4.3, "sun"),
        (dt.date(2015, 7, 2), 0.0, 33.9, 17.8, 3.4, "sun"),
    ]
    [consume] = [block.text for block in PAGE.blocks() if block.text.startswith("kafka-console-consumer")]
    command = weather.renamed(consume.replace("127.0.0.1:19092", servers)) + " --max-messages 1"
    shown = run_tool(command)
    assert re.search(r"contracts\.reason:BAD_MAGIC\b", shown)
    assert "hot and dry" not in shown
