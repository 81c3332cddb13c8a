# Runs in a container of the service stream: which hosts run the tasks of a job that may use the whole cluster?
import json
import socket

from pyspark.sql import SparkSession


def host(_: int) -> str:
    import socket
    import time

    time.sleep(0.5)
    return socket.gethostname()


spark = (
    SparkSession.builder.master("spark://spark-master:7077")
    .config("spark.driver.host", socket.gethostbyname(socket.gethostname()))
    .config("spark.cores.max", 6)
    .config("spark.executor.memory", "512m")
    .config("spark.scheduler.minRegisteredResourcesRatio", 1.0)
    .config("spark.scheduler.maxRegisteredResourcesWaitingTime", "60s")
    .getOrCreate()
)
print("hosts", json.dumps(spark.sparkContext.parallelize(range(24), 24).map(host).countByValue()))  # noqa: T201
