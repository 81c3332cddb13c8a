"""The settings that servers which run our own code inherit from whoever starts them."""

from __future__ import annotations

from collections.abc import Mapping

#: Settings of the project, connections, proxies.
_NAMES = (
    *(
        "KAFKA_",
        "SCHEMA_REGISTRY_",
        "CASSANDRA_",
        "POSTGRES_",
        "DATASOURCE_",
        "SPARK_",
        "STREAM_",
        "ALERT_",
        "SOURCE_",
    ),
    *(
        "CONTRACTS_DIR",
        "CHECKPOINT_DIR",
        "MASK_KEY",
        "LOG_FORMAT",
        "AIRFLOW_OWNER",
        "AIRFLOW_RETRY_",
        "AIRFLOW_CONN_",
    ),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
)


def of(environment: Mapping[str, str | None]) -> dict[str, str]:
    """Return the variables that are handed on, except a SOCKS proxy: no Python client here speaks SOCKS, and
    Airflow's own crashes on one even when it calls only this machine."""
    return {
        name: value
        for name, value in environment.items()
        if value and name.upper().startswith(_NAMES) and not (name.upper().endswith("_PROXY") and _is_socks(value))
    }


def _is_socks(proxy: str) -> bool:
    return proxy.partition("://")[0].lower().startswith("socks")
