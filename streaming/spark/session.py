"""The Spark session of the stream: jars, memory, time zone, and Spark's log in a file of its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import offset_watch
from avro_data_contracts.streaming.decode import compiled, strict
from avro_data_contracts.streaming.sinks import masks, prepared
from avro_data_contracts.streaming.spark import gateway, scratch
from avro_data_contracts.streaming.stores.known import STORES

# A broken body may claim a string of 2 GiB, or as many items, and Avro would allocate them before it reads them.  The
# strict reader (`decode.strict`) finds such a body first; no record is this large.
_MOST = 64 * 1024 * 1024
_AVRO_LIMITS = " ".join(
    f"-Dorg.apache.avro.limits.{one}.maxLength={_MOST}" for one in ("bytes", "string", "collectionItems")
)

# Spark generates one method for a record, and Java never compiles a method of more than 8,000 bytes: with a dozen
# fields to check, decoding took twice as long.
_COMPILE_ALL = "-XX:-DontCompileHugeMethods"
# Some 45 fields.  Java's second compiler gives up on a longer method, and Spark then generates many small ones.  They
# are slower than one well-compiled method, so HotSpot's own limit of 8,000 bytes would cost more than it gains.
_ONE_METHOD_UP_TO_BYTES = 32_000

_CHECKPOINT_FILES = "org.apache.spark.sql.execution.streaming.FileSystemBasedCheckpointFileManager"

# While nothing comes, Java gives memory back that it needed before.  Milliseconds between two looks.
_GIVE_MEMORY_BACK = "-XX:G1PeriodicGCInterval=60000"

# What is left of a JVM without memory may wait forever; without it, the process ends and says so (see `running`).
_END_WITHOUT_MEMORY = "-XX:+ExitOnOutOfMemoryError"

# Names that PySpark and our own code look up for each column or batch.  Java searches every jar for a class
# `java.lang.functions`, `org` or `org.apache`, for example, which is a tenth of the time of a small batch.
_SQL = "org.apache.spark.sql"
_LOOKED_UP = (
    *("functions", "PythonUtils", "SparkSession"),
    *(f"{_SQL}.functions", f"{_SQL}.Column", f"{_SQL}.SparkSession", f"{_SQL}.avro.functions"),
    *(f"{_SQL}.types.ObjectType", f"{_SQL}.types.DataType", f"{_SQL}.expressions.Window"),
    *(f"{_SQL}.catalyst.expressions.Literal", f"{_SQL}.catalyst.expressions.objects.Invoke"),
    *("org.apache.spark.storage.StorageLevel", "datacontracts.StrictReader"),
)

# What Spark refuses to start with, and what it adds to a size.
_LEAST_MEMORY = 450 << 20
_SHIFTS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}

# Masters whose executors reach the driver at the loopback address.
_ON_THIS_MACHINE = ("local", "spark://127.0.0.1:")
_FIX = "check that master and workers are up (`make status`), and read their logs; or correct SPARK_MASTER"


@contextmanager
def running(settings: Settings) -> Iterator[SparkSession]:
    """Yield a session from `start`, and stop it at the end unless it existed before.

    Raises ServiceError when its JVM dies, even during the start.
    """
    shared, spark = SparkContext._active_spark_context is not None, None
    try:
        spark = start(settings)
        yield spark
    except (Py4JError, ConnectionError) as error:
        if isinstance(error, Py4JJavaError):  # the JVM has answered
            if spark is not None and spark.sparkContext._jsc.sc().isStopped():
                raise _gone(str(spark.sparkContext.master), settings) from error
            raise
        words = "its JVM has ended: it was killed, or out of memory"
        fix = (
            f"see {settings.spark_log_file} and SPARK_DRIVER_MEMORY; run it again, and it continues where it stopped"
        )
        raise ServiceError(words, where="Spark", fix=fix, server="spark") from error
    finally:
        if spark is not None and not shared:
            with suppress(Py4JError, ConnectionError):
                spark.stop()


def start(settings: Settings) -> SparkSession:
    """Start a session on `settings.spark_master`, or on the master of the `spark-submit` that started the process.

    Raises:
        ConfigurationError: Java is missing, or Spark does not start.
        ServiceError: Spark's cluster does not answer, or does not accept the application.
    """
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        raise ConfigurationError(
            "Spark needs Java, which was not found",
            where="JAVA_HOME",
            fix='eval "$(python -m avro_data_contracts.stack env)" sets the packaged one; '
            "`make stream` does so itself",
        )
    check_memory(settings.spark_driver_memory)
    log_file = settings.spark_log_file.absolute()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    log_config = Path(__file__).with_name("log4j2.properties").as_uri()
    of_stores = " ".join(store.java_options for store in STORES.values() if store.java_options)
    options = f"{_COMPILE_ALL} {_AVRO_LIMITS} {of_stores} -Duser.timezone=UTC"
    folders = scratch.of(settings.spark_local_dirs)
    local_dirs = ",".join(map(str, folders))
    # In quotes, because a folder's name may contain a space.
    own = f'-Dlog4j2.configurationFile={log_config} "-Dlog.file={log_file}" "-Djava.io.tmpdir={folders[0]}"'
    master = _master(settings)
    _reach(master)
    builder = SparkSession.builder.appName("contracts-streaming")
    configuration = {
        "spark.master": master,
        "spark.jars": settings.spark_jars,
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": f"{_END_WITHOUT_MEMORY} {_GIVE_MEMORY_BACK} {options} {own}",
        # For a JVM that runs already; ours gets it as an environment variable, which wins.
        "spark.local.dir": local_dirs if os.environ.get("PYSPARK_GATEWAY_PORT") else "",
        "spark.executor.extraJavaOptions": options,
        # Spark creates it for the SQL of a view, by default in the working folder.
        "spark.sql.warehouse.dir": f"{folders[0]}/warehouse",
        "spark.sql.session.timeZone": "UTC",
        # See `packed`: a day of the year 1 is written as it is.
        "spark.sql.avro.datetimeRebaseModeInWrite": "CORRECTED",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.adaptive.enabled": "false",
        # Several events of one key in a batch are rare: sorting twice to drop them before the shuffle does not pay.
        "spark.sql.optimizer.windowGroupLimitThreshold": "-1",
        # Events of one key that Spark keeps in memory; the default, 4,096, would not fit at a megabyte each.
        "spark.sql.windowExec.buffer.in.memory.threshold": "64",
        # Java's serializer keeps what it has written, by default a hundred pieces of 4 MB, to refer back to it.
        "spark.serializer.objectStreamReset": "1",
        "spark.sql.codegen.hugeMethodLimit": str(_ONE_METHOD_UP_TO_BYTES),
        # Compiled plans that are kept; the default, 100, is enough for some ten queries, and a plan that is not among
        # them is compiled again for each batch.
        "spark.sql.codegen.cache.maxEntries": "2000",
        "spark.scheduler.mode": "FAIR",  # see `run.pools`
        # Between two looks at a topic that has nothing new, with STREAM_INTERVAL.  Without it, see `offset_watch`.
        "spark.sql.streaming.pollingDelay": "200",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.streaming.metricsEnabled": "false",
        # The default is no limit, and Kafka's admin client may never close while one of its requests is open (Kafka's
        # pull request 16422).  The source's requests are answered or given up before this limit (`run.source`).
        "spark.sql.streaming.stopTimeout": "15s",
        # The default manager starts some forty processes (`readlink`) for each batch.  On a local disk, both write a
        # temporary file, look whether the name is taken, and rename.
        "spark.sql.streaming.checkpointFileManagerClass": _CHECKPOINT_FILES,
        "spark.redaction.regex": "(?i)secret|password|token|access[.]?key",
    }
    for store in STORES.values():
        configuration |= store.spark_options(settings)
    if master.startswith(_ON_THIS_MACHINE):
        configuration |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
        # Executors log as the driver does, each in its own folder on its worker.
        executors = f"{options} -Dlog4j2.configurationFile={log_config} -Dlog.file=executor.log"
        configuration["spark.executor.extraJavaOptions"] = executors
    configuration = {name: value for name, value in configuration.items() if value}
    for name, value in configuration.items():
        builder = builder.config(name, value)
    try:
        with _environment(SPARK_LOCAL_DIRS=local_dirs):
            gateway.launch(configuration, log_file)
        spark = builder.getOrCreate()
    except ConnectionError:  # its JVM is gone: see `running`
        raise
    except (PySparkRuntimeError, OSError) as error:
        raise ConfigurationError(f"Spark does not start: {error}", where=master, fix=f"see {log_file}") from error
    except Py4JJavaError as error:
        raise _gone(master, settings) from error
    # Not earlier: they would be on the JVM's command line, where every account of the machine can read them.
    for store in STORES.values():
        for name, value in store.spark_secrets(settings).items():
            spark.conf.set(name, value)
    of_drivers = {offset_watch.BASE: offset_watch.SOURCE}
    for store in STORES.values():
        of_drivers |= store.java
    compiled.install(spark, [strict.SOURCE, prepared.SOURCE, masks.SOURCE], of_drivers)
    _look_up_once(spark._jvm, _LOOKED_UP)
    return spark


def check_memory(said: str) -> None:
    """Raise ConfigurationError if Spark would not start with a heap of that size (`2g`), or is not a size."""
    found = re.fullmatch(r"(\d+)([kmgt]?)b?", said.strip().lower())
    if found is None or int(found[1]) << _SHIFTS[found[2]] < _LEAST_MEMORY:
        raise ConfigurationError(
            f"SPARK_DRIVER_MEMORY is {said!r}",
            where="environment",
            fix=f"write a size of {_LEAST_MEMORY >> 20}m or more, for example 2g",
        )


def _look_up_once(jvm: Any, names: Iterable[str]) -> None:
    """Keep the classes and packages, which Py4J looks up each time that they are named."""
    for name in names:
        found = jvm
        for part in name.split("."):
            setattr(found, part, getattr(found, part))
            found = getattr(found, part)


def _reach(master: str) -> None:
    """Raise ServiceError when no master of a standalone cluster listens.  Spark itself would retry for a minute."""
    addresses = [one.rpartition(":") for one in master.removeprefix("spark://").split(",")]
    if not master.startswith("spark://") or not all(port.isdigit() for _, _, port in addresses):
        return  # Spark has the better message for a malformed address
    for host, _, port in addresses:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
            return
        except OSError as error:
            why = error.strerror or str(error)
    raise ServiceError(why, where=f"Spark {master}", fix=_FIX, server="spark")


def _gone(master: str, settings: Settings) -> ServiceError:
    words = f"the cluster ended the application, or started none of its executors; see {settings.spark_log_file}"
    return ServiceError(words, where=f"Spark {master}", fix=_FIX, server="spark")


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set the variables during a `with` block."""
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
    """Return the master; empty when `spark-submit` has chosen one, as a value here would override its `--master`."""
    if settings.spark_master or os.environ.get("PYSPARK_GATEWAY_PORT"):
        return settings.spark_master
    # Tasks of a sink mostly wait for its server: with one a core, a slow store would stop the others.
    return f"local[{4 * (os.cpu_count() or 1)}]"
