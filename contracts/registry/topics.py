"""The only code that creates and changes topics; it also reads their state."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from functools import cached_property
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    ResourceType,
)

from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.registry.plan import TopicState
from avro_data_contracts.contracts.settings import Settings

UNREACHABLE = (
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError.REQUEST_TIMED_OUT,
)


class Topics:
    """Topics of one cluster.

    It connects when it is first asked.  Every method raises `ServiceError` when no broker answers within
    KAFKA_MAX_BLOCK_MS, `Refused`, with the broker's words, when it refuses, and `ConfigurationError` when none is
    configured.
    """

    def __init__(self, settings: Settings) -> None:
        self.bootstrap = settings.kafka_bootstrap_servers
        self.timeout_s = settings.kafka_max_block_ms / 1000
        # The errors that the client reports while it retries.
        self._told: deque[KafkaError] = deque(maxlen=20)
        self._settings = settings

    @property
    def configured(self) -> bool:
        """Whether there is a broker to ask."""
        return bool(self.bootstrap.strip())

    @cached_property
    def _admin(self) -> AdminClient:
        configuration: dict[str, Any] = {
            **kafka.client(self._settings),
            "log_level": 0,
            "socket.connection.setup.timeout.ms": 5000,
            "error_cb": self._told.append,
        }
        return AdminClient(configuration)

    def close(self) -> None:
        """End the client's threads and connections; the next question starts another client."""
        self.__dict__.pop("_admin", None)

    def read(self, names: Iterable[str]) -> dict[str, TopicState | None]:
        """Return the state by topic name; None for a topic that does not exist."""
        wanted = list(names)
        if not wanted:
            return {}
        found = self._heard_anew().topics
        there = [name for name in wanted if name in found]
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in there]
        futures = self._admin.describe_configs(resources, request_timeout=self.timeout_s) if resources else {}
        described = {resource.name: self._described(future) for resource, future in futures.items()}
        configs = {name: config for name, config in described.items() if config is not None}
        return {
            name: TopicState(
                partitions=len(found[name].partitions),
                replication_factor=min((len(p.replicas) for p in found[name].partitions.values()), default=0),
                config={
                    key: entry.value
                    for key, entry in configs[name].items()
                    if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
                },
            )
            if name in configs
            else None
            for name in wanted
        }

    def _heard_anew(self) -> ClusterMetadata:
        """Read the metadata of the cluster.

        The client sends requests about topics to the controller that it last heard of.  It would wait for a dead one
        for minutes, so it asks again first.
        """
        self._told.clear()
        try:
            return self._admin.list_topics(timeout=self.timeout_s)
        except KafkaException as error:
            self._admin.poll(0)  # calls `error_cb`
            raise self._error(error, "list topics") from None

    def _described(self, future: Future[Any]) -> Any:
        """The result; None if the asked broker does not know a topic that another broker knows."""
        try:
            return self._result(future, "describe topics")
        except Refused as error:
            if error.code == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise

    def id_of(self, name: str) -> str:
        """Return the topic's id, URL-safe base64; it differs between clusters, and after a new creation."""
        self._heard_anew()
        futures = self._admin.describe_topics(TopicCollection([name]), request_timeout=self.timeout_s)
        found = str(self._result(futures[name], f"describe topic {name}").topic_id)
        return found.replace("+", "-").replace("/", "_")

    def setting(self, name: str, key: str) -> str:
        """Return the effective value of a setting of the topic, which may be the broker's default."""
        resource = ConfigResource(ResourceType.TOPIC, name)
        return str(self._result(self._admin.describe_configs([resource])[resource], "describe topics")[key].value)

    def create(self, name: str, partitions: int, replication_factor: int, config: Mapping[str, str]) -> None:
        """Create a topic unless it exists; `replication_factor` -1 is the broker's default."""
        self._create(name, partitions, replication_factor, config, only_try=False)

    def try_create(self, name: str, partitions: int, replication_factor: int, config: Mapping[str, str]) -> None:
        """Like `create`, but the broker only says whether it would."""
        self._create(name, partitions, replication_factor, config, only_try=True)

    def set_config(self, name: str, values: Mapping[str, str]) -> None:
        """Set these settings of a topic, and leave all others unchanged."""
        self._set_config(name, values, only_try=False)

    def try_config(self, name: str, values: Mapping[str, str]) -> None:
        """Like `set_config`, but the broker only says whether it would."""
        self._set_config(name, values, only_try=True)

    def _create(
        self, name: str, partitions: int, replication_factor: int, config: Mapping[str, str], *, only_try: bool
    ) -> None:
        self._heard_anew()
        topic = NewTopic(name, partitions, replication_factor, config=dict(config))
        futures = self._admin.create_topics(
            [topic], operation_timeout=self.timeout_s, request_timeout=self.timeout_s, validate_only=only_try
        )
        try:
            self._result(futures[name], f"create topic {name}")
        except Refused as error:
            if error.code != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    def _set_config(self, name: str, values: Mapping[str, str], *, only_try: bool) -> None:
        self._heard_anew()
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in values.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        futures = self._admin.incremental_alter_configs(
            [resource], request_timeout=self.timeout_s, validate_only=only_try
        )
        self._result(futures[resource], f"configure topic {name}")

    def _result(self, future: Future[Any], doing: str) -> Any:
        try:
            # The client gives up by itself; this is in case it does not.
            return future.result(timeout=self.timeout_s + 5)
        except KafkaException as error:
            raise self._error(error, doing) from None
        except NoAnswer:
            raise self._error(KafkaException(KafkaError(KafkaError._TIMED_OUT)), doing) from None

    def _error(self, error: KafkaException, doing: str) -> ServiceError:
        cause: KafkaError = error.args[0]
        where = f"Kafka {self.bootstrap}"
        shut_out = [one.str() for one in self._told if one.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL)]
        if cause.code() in UNREACHABLE and shut_out:
            return ServiceError(
                f"refused the account or the TLS connection ({doing}: {shut_out[0]})",
                where=where,
                fix="correct KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD or KAFKA_SSL_CA_FILE",
                server="kafka",
            )
        if cause.code() in UNREACHABLE:
            return ServiceError(
                f"no broker answered within {self.timeout_s:g} s ({doing}: {cause.str()})",
                where=where,
                fix="start it (`make up`), or set KAFKA_BOOTSTRAP_SERVERS; in a new terminal, "
                '`eval "$(python -m avro_data_contracts.stack env)"` sets it for a stack that is up',
                server="kafka",
            )
        return Refused(
            f"refused to {doing}: {cause.str()}",
            where=where,
            fix="correct the contract",
            server="kafka",
            code=cause.code(),
        )
