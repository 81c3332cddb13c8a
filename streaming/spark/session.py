"""The Spark session of the stream: jars, memory, time zone, and Spark's log in a file of its own."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from contracts.errors import ConfigurationError, ServiceError
from contracts.settings import Settings
from streaming.decode import strict
from streaming.spark import gateway, scratch
from streaming.stores.known import STORES

# A broken body may claim a string of 2 GiB, or as many items, and Avro would allocate them before it reads on.  The
# strict reader (`decode.strict`) finds that before; no record is this large.
_MOST = 64 * 1024 * 1024
_AVRO_LIMITS = " ".join(
    f"-Dorg.apache.avro.limits.{one}.maxLength={_MOST}" for one in ("bytes", "string", "collectionItems")
)

# Of one record Spark makes one method, and Java interprets a method of more than 8,000 bytes for ever: with a dozen
# fields to check, decoding took twice as long.
_COMPILE_ALL = "-XX:-DontCompileHugeMethods"
# Some 45 fields: Java's second compiler gives a longer method up, and Spark makes many small ones instead.  Those are
# slower than one that is compiled well, so a limit of 8,000 bytes, HotSpot's own, would cost more than it brings.
_ONE_METHOD_UP_TO_BYTES = 32_000

# Masters whose executors reach the driver at the loopback address.
_ON_THIS_MACHINE = ("local", "spark://127.0.0.1:")
_FIX = "see whether master and workers are up (`make status`), and what their logs say; or correct SPARK_MASTER"


@contextmanager
def running(settings: Settings) -> Iterator[SparkSession]:
    """A session as `start` makes it, stopped at the end unless it was there before.

    Raises ServiceError when its JVM dies, at its start too.
    """
    shared, spark = SparkContext._active_spark_context is not None, None
    try:
        spark = start(settings)
        yield spark
    except (Py4JError, ConnectionError) as error:
        if isinstance(error, Py4JJavaError):  # it has answered
            if spark is not None and spark.sparkContext._jsc.sc().isStopped():
                raise _gone(str(spark.sparkContext.master), settings) from error
            raise
        words = "its JVM has ended: killed, or out of memory"
        fix = f"see {settings.spark_log_file}, SPARK_DRIVER_MEMORY; run it again, it goes on where it stopped"
        raise ServiceError(words, where="Spark", fix=fix, server="spark") from error
    finally:
        if spark is not None and not shared:
            with suppress(Py4JError, ConnectionError):
                spark.stop()


def start(settings: Settings) -> SparkSession:
    """A session on `settings.spark_master`; where `spark-submit` has started us, on the master that it was given.

    Raises:
        ConfigurationError: there is no Java, or Spark does not start.
        ServiceError: Spark's cluster does not answer, or does not take the application.
    """
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        raise ConfigurationError(
            "Spark needs Java, and there is none",
            where="JAVA_HOME",
            fix='eval "$(.venv/bin/python -m stack env)" sets the packaged one; `make stream` does so itself',
        )
    log_file = settings.spark_log_file.absolute()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    log_config = Path(__file__).with_name("log4j2.properties").as_uri()
    of_stores = " ".join(store.java_options for store in STORES.values() if store.java_options)
    options = f"{_COMPILE_ALL} {_AVRO_LIMITS} {of_stores} -Duser.timezone=UTC"
    folders = scratch.of(settings.spark_local_dirs)
    local_dirs = ",".join(map(str, folders))
    # In quotes, for a folder's name may hold a space.
    own = f'-Dlog4j2.configurationFile={log_config} "-Dlog.file={log_file}" "-Djava.io.tmpdir={folders[0]}"'
    master = _master(settings)
    _reach(master)
    builder = SparkSession.builder.appName("contracts-streaming")
    configuration = {
        "spark.master": master,
        "spark.jars": settings.spark_jars,
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": f"{options} {own}",
        # Where a JVM runs already; ours gets it as a variable, which goes before.
        "spark.local.dir": local_dirs if os.environ.get("PYSPARK_GATEWAY_PORT") else "",
        "spark.executor.extraJavaOptions": options,
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.adaptive.enabled": "false",
        # Several events of one key in a batch are rare: sorting twice to drop them before the shuffle does not pay.
        "spark.sql.optimizer.windowGroupLimitThreshold": "-1",
        # Of events of one key that are kept in memory; 4,096 of a megabyte each would not fit.
        "spark.sql.windowExec.buffer.in.memory.threshold": "64",
        # Java's serializer holds on to what it has written, a hundred pieces of 4 MB, so that it may refer to it.
        "spark.serializer.objectStreamReset": "1",
        "spark.sql.codegen.hugeMethodLimit": str(_ONE_METHOD_UP_TO_BYTES),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.streaming.metricsEnabled": "false",
        # For ever, by default: and Kafka's admin client may never close while a question of its own is open (its
        # pull request 16422).  What the source has asked is answered, or given up, before that (`run.source`).
        "spark.sql.streaming.stopTimeout": "15s",
        "spark.redaction.regex": "(?i)secret|password|token|access[.]?key",
    }
    for store in STORES.values():
        configuration |= store.spark_options(settings)
    if master.startswith(_ON_THIS_MACHINE):
        configuration |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
        # Executors log as the driver does, each in its own folder of its worker.
        executors = f"{options} -Dlog4j2.configurationFile={log_config} -Dlog.file=executor.log"
        configuration["spark.executor.extraJavaOptions"] = executors
    configuration = {name: value for name, value in configuration.items() if value}
    for name, value in configuration.items():
        builder = builder.config(name, value)
    try:
        with _environment(SPARK_LOCAL_DIRS=local_dirs):
            gateway.launch(configuration, log_file)
        spark = builder.getOrCreate()
    except ConnectionError:  # of its JVM, which is gone: see `running`
        raise
    except (PySparkRuntimeError, OSError) as error:
        raise ConfigurationError(f"Spark does not start: {error}", where=master, fix=f"see {log_file}") from error
    except Py4JJavaError as error:
        raise _gone(master, settings) from error
    # Not before: it would stand on the JVM's command line, for every account of the machine to read.
    for store in STORES.values():
        for name, value in store.spark_secrets(settings).items():
            spark.conf.set(name, value)
    strict.install(spark)
    return spark


def _reach(master: str) -> None:
    """Spark itself would ask for a minute.  Raises ServiceError when no master of a standalone cluster listens."""
    addresses = [one.rpartition(":") for one in master.removeprefix("spark://").split(",")]
    if not master.startswith("spark://") or not all(port.isdigit() for _, _, port in addresses):
        return  # of the form of an address Spark says more
    for host, _, port in addresses:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
            return
        except OSError as error:
            why = error.strerror or str(error)
    raise ServiceError(why, where=f"Spark {master}", fix=_FIX, server="spark")


def _gone(master: str, settings: Settings) -> ServiceError:
    words = f"the cluster has ended the application, or started none of its executors; see {settings.spark_log_file}"
    return ServiceError(words, where=f"Spark {master}", fix=_FIX, server="spark")


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Those variables, for the time of a `with` block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _master(settings: Settings) -> str:
    """Empty where `spark-submit` has chosen: what is set here would go before its `--master`."""
    if settings.spark_master or os.environ.get("PYSPARK_GATEWAY_PORT"):
        return settings.spark_master
    # Tasks of a sink mostly wait for its server: with one a core, a slow store would stop the others.
    return f"local[{4 * (os.cpu_count() or 1)}]"
