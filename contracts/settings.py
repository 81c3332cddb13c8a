"""The settings: from flags, then the environment, then `.env`, then the defaults of the embedded stack."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from avro_data_contracts.contracts import environment, project
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.logs import Format


class Settings(BaseModel):
    """Every address, credential and limit that the packages read.  Frozen; `load` creates them, once, at the edge of
    the process.

    Each field comes from the environment variable with its name in capitals (`kafka_bootstrap_servers` from
    `KAFKA_BOOTSTRAP_SERVERS`), and each secret from the file that `…_FILE` names, if that is set.  The defaults are
    the addresses of `python -m stack up`; `python -m stack env` prints its generated passwords.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    contracts_dir: Path = Field(project.SCHEMAS, description="The folder of the contracts.")

    kafka_bootstrap_servers: str = Field("127.0.0.1:19092", description="Comma-separated host:port.")
    kafka_max_block_ms: int = Field(30_000, gt=0, description="How long a client waits for the broker, ms.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    kafka_sasl_username: str = ""
    kafka_sasl_password: str = Field("", repr=False)
    kafka_ssl_ca_file: str = Field(
        "", description="PEM file of the brokers' certificate authority; empty: the system's."
    )
    schema_registry_url: str = Field("http://127.0.0.1:18081/apis/ccompat/v7", description="Base URL, Confluent API.")
    schema_registry_user: str = Field("", description="Basic authentication; empty for none.")
    schema_registry_password: str = Field("", repr=False)
    schema_registry_ca_file: str = Field("", description="PEM file, as in KAFKA_SSL_CA_FILE.")
    schema_registry_timeout_s: FiniteFloat = Field(10.0, gt=0, description="Per request, seconds.")
    schema_registry_retry_for_s: FiniteFloat = Field(
        30, ge=0, description="How long to retry while the registry is busy (429, no leader), seconds."
    )
    schema_registry_parallel: int = Field(16, ge=1, le=256, description="Maximum of parallel requests.")
    schema_registry_keep_tags: bool = Field(False, description="Keep tags that were added in the registry.")

    cassandra_hosts: str = Field("127.0.0.1:19042", description="Comma-separated host or host:port.")
    cassandra_username: str = ""
    cassandra_password: str = Field("", repr=False)
    cassandra_ca_file: str = Field("", description="PEM file of the nodes' certificate authority; empty: no TLS.")
    postgres_dsn: str = Field(
        "postgresql://127.0.0.1:15432/contracts", repr=False, description="URL form: postgresql://user:pw@host/db"
    )
    postgres_password: str = Field("", repr=False, description="The password, if POSTGRES_DSN has none.")

    mask_key: str = Field(
        "", repr=False, description="The key of the masks that hash: a secret of at least 16 bytes, always the same."
    )

    datasource_url: str = Field(
        "http://127.0.0.1:18000/api/",
        description="The source API, for a contract whose records come from one.",
    )
    datasource_default_url: str = Field(
        "",
        description="What the stack set DATASOURCE_URL to: while both are equal, a contract keeps its own URL.",
    )
    datasource_timeout_s: FiniteFloat = Field(10.0, gt=0, description="Per request, seconds.")
    datasource_retries: int = Field(5, ge=0, description="Retries after the first attempt.")

    spark_master: str = Field("", description="Spark's master URL; empty: this machine, four tasks per core.")
    spark_jars: str = Field(
        "", description="Comma-separated jars of the sources and sinks; empty: they are on the class path."
    )
    spark_driver_memory: str = "2g"
    spark_log_file: Path = Field(Path(".stack/logs/spark.log"), description="The file for Spark's own log.")
    spark_local_dirs: str = Field(
        ".stack/scratch", description="Comma-separated folders for what does not fit into memory."
    )
    stream_max_per_batch: int = Field(100_000, gt=0, description="Maximum of records in one micro-batch.")
    stream_interval: FiniteFloat = Field(
        0, ge=0, description="How often a batch may start, seconds; 0: as soon as the last one is written."
    )
    stream_small_batch: int = Field(
        2_000, ge=0, description="Up to so many records, a batch is written without Spark's connectors; 0: never."
    )
    stream_retry_for_s: FiniteFloat = Field(300, ge=0, description="How long to retry while a server fails, seconds.")
    stream_write_timeout_s: FiniteFloat = Field(
        600, gt=0, description="How long one batch may take in one sink, seconds."
    )
    stream_metrics_port: int = Field(0, ge=0, le=65535, description="The port for Prometheus; 0: none.")
    stream_metrics_host: str = Field("127.0.0.1", description="The address on which that port listens.")
    checkpoint_dir: Path = Field(
        Path(".stack/checkpoints"), description="Checkpoints: a folder for each topic and sink."
    )
    log_format: Format = Field(
        "auto", description="Format of log lines; auto: colours in a terminal, logfmt (key=value) elsewhere."
    )
    airflow_owner: str = Field("data-platform", min_length=1, description="Owner of the DAGs.")
    airflow_retry_delay_s: FiniteFloat = Field(
        60, gt=0, description="Delay before a task's second attempt, seconds; it doubles with each attempt."
    )

    @model_validator(mode="before")
    @classmethod
    def _password_in_dsn(cls, given: dict[str, Any]) -> dict[str, Any]:
        dsn = given.get("postgres_dsn") or cls.model_fields["postgres_dsn"].default
        password = given.get("postgres_password")
        return {**given, "postgres_dsn": _with_password(dsn, password)} if password else given


def _with_password(dsn: str, password: str) -> str:
    if "://" not in dsn:
        quoted = password.replace("\\", r"\\").replace("'", r"\'")
        return dsn if re.search(r"(^|\s)password\s*=", dsn) else f"{dsn} password='{quoted}'"
    try:
        parts = urlsplit(dsn)
        if parts.password or "password" in parse_qs(parts.query):
            return dsn
    except ValueError:  # PostgreSQL's library says what is wrong with it
        return dsn
    mark = "" if dsn.endswith(("?", "&")) else "&" if "?" in dsn else "?"
    return f"{dsn}{mark}password={quote(password, safe='')}"


#: Fields with a password or a key.
_SECRETS: Final = tuple(name for name, field in Settings.model_fields.items() if not field.repr)


def load(**flags: Any) -> Settings:
    """Load the settings.  `flags` that are not None win over the environment, then `.env`, then `contracts.toml` (for
    `contracts_dir`), then the defaults.

    Raises:
        ConfigurationError: a value is invalid; the message names the variable.
    """
    told = environment.told()
    given: dict[str, Any] = {name: told[name] for name in Settings.model_fields if name in told}
    given |= {name: value for name in _SECRETS if (value := environment.secret(name, told))}
    given |= {name: value for name, value in flags.items() if value is not None}
    given["contracts_dir"] = project.contracts_dir(flags.get("contracts_dir"))
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        raise ConfigurationError(
            f"{name}: {first['msg']}", where="environment", fix=f"set {name}, or remove it to use the default"
        ) from None
