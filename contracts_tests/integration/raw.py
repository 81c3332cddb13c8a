"""Records as no client of Python sends them: librdkafka itself, header names of any bytes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import confluent_kafka

from contracts_tests.integration.conftest import Pipeline

_PARTITION, _VALUE, _MESSAGE_FLAGS, _TIMESTAMP, _HEADERS, _TOPIC = 3, 4, 7, 8, 10, 1
_COPY = 2


def send(pipeline: Pipeline, value: bytes, headers: Sequence[tuple[bytes, bytes]], timestamp: int = 0) -> None:
    """One record into the contract's topic, partition 0, and waits until Kafka has it."""
    [file] = Path(confluent_kafka.__file__).parent.parent.glob("confluent_kafka.libs/librdkafka*")
    library = ctypes.CDLL(str(file))
    for name in ("conf_new", "new", "headers_new"):
        getattr(library, f"rd_kafka_{name}").restype = ctypes.c_void_p
    text, void, size = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_ssize_t
    said = ctypes.create_string_buffer(512)
    configuration = library.rd_kafka_conf_new()
    servers = pipeline.settings.kafka_bootstrap_servers.encode()
    library.rd_kafka_conf_set(void(configuration), b"bootstrap.servers", servers, said, 512)
    client = library.rd_kafka_new(0, void(configuration), said, 512)
    assert client, said.value
    own = library.rd_kafka_headers_new(ctypes.c_size_t(len(headers)))
    for name, content in headers:
        library.rd_kafka_header_add(void(own), text(name), size(len(name)), text(content), size(len(content)))
    number = ctypes.c_int
    error = library.rd_kafka_producev(
        void(client),
        *(number(_TOPIC), text(pipeline.contract.topic.encode()), number(_PARTITION), ctypes.c_int32(0)),
        *(number(_MESSAGE_FLAGS), number(_COPY), number(_VALUE), text(value), ctypes.c_size_t(len(value))),
        *(number(_TIMESTAMP), ctypes.c_int64(timestamp), number(_HEADERS), void(own), number(0)),
    )
    assert error == 0
    assert library.rd_kafka_flush(void(client), 15_000) == 0
    library.rd_kafka_destroy(void(client))
