"""The number of Kafka and Cassandra nodes is fixed once the stack has data."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from avro_data_contracts.stack import ports
from avro_data_contracts.stack.errors import UsageError
from avro_data_contracts.stack.jars.pins import jar_sets
from avro_data_contracts.stack.shape import Shape, agreed
from avro_data_contracts.stack.site import Site
from avro_data_contracts.stack.stack import ALL_NAMES, EXTRAS, Stack
from contracts_tests.fixtures.clone import CLONE


def test_three_node_stack_keeps_its_node_count(tmp_path: Path) -> None:
    site = Site(tmp_path)
    shape = agreed(site, 3)
    shape.keep(site)
    assert agreed(site, 1).brokers == 1  # there is no data yet
    (site.folder("kafka") / "data").mkdir(parents=True)
    assert agreed(site, None) == agreed(site, 3) == Shape.of(site) == shape
    with pytest.raises(UsageError, match="belongs to Kafka with 3 nodes, not one node") as told:
        agreed(site, 1)
    assert "--dir" in str(told.value)


def test_secure_stack_stays_secure(tmp_path: Path) -> None:
    site = Site(tmp_path)
    agreed(site, secure=True).keep(site)
    assert agreed(site).secure
    (site.folder("kafka") / "data").mkdir(parents=True)
    assert agreed(site).secure
    plain = Site(tmp_path / "plain")
    (plain.folder("kafka") / "data").mkdir(parents=True)
    with pytest.raises(UsageError, match="belongs to Kafka with one node, not one node and accounts"):
        agreed(plain, secure=True)


def test_zookeeper_allows_only_one_node_and_no_accounts(tmp_path: Path) -> None:
    agreed(Site(tmp_path), zookeeper=True).keep(Site(tmp_path))
    names = [server.name for server in Stack.at(tmp_path).servers]
    assert names[:2] == ["zookeeper", "kafka"]
    for other in ({"brokers": 3}, {"secure": True}):
        with pytest.raises(UsageError, match="--zookeeper runs one Kafka node without accounts"):
            agreed(Site(tmp_path), **other)


def test_old_stack_without_a_shape_file_has_one_node(tmp_path: Path) -> None:
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    assert agreed(Site(tmp_path), None).brokers == 1
    with pytest.raises(UsageError):
        agreed(Site(tmp_path), 3)


def test_kafka_nodes_list_each_other_and_tolerate_one_failure(tmp_path: Path) -> None:
    site = Site(tmp_path)
    agreed(site, 3).keep(site)
    first, second, third = (server for server in Stack.at(tmp_path).servers if server.name.startswith("kafka"))
    for number, node in enumerate((first, second, third), 1):
        lines = node._properties().splitlines()
        assert f"node.id={number}" in lines
        assert "controller.quorum.voters=1@127.0.0.1:19093,2@127.0.0.1:19095,3@127.0.0.1:19097" in lines
        assert {"default.replication.factor=3", "min.insync.replicas=2"} <= set(lines)
        assert node.exports("stream") == {
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:19092,127.0.0.1:19094,127.0.0.1:19096"
        }


def test_cassandra_node_count_is_independent_of_kafka(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (site.folder("kafka") / "data").mkdir(parents=True)
    shape = agreed(site, cassandra_nodes=2)
    shape.keep(site)
    (site.folder("cassandra") / "data").mkdir(parents=True)
    assert agreed(site) == agreed(site, cassandra_nodes=2) == Shape.of(site) == shape
    with pytest.raises(UsageError, match="belongs to Cassandra with 2 nodes, not one node") as told:
        agreed(site, cassandra_nodes=1)
    assert "--dir" in str(told.value)
    with pytest.raises(UsageError, match="belongs to Kafka with one node, not 3 nodes"):
        agreed(site, 3)


def test_old_shape_file_means_one_cassandra_node(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write(tmp_path / "shape.json", {"brokers": 3, "secure": False, "zookeeper": False, "cluster_id": "abc"})
    (site.folder("cassandra") / "data").mkdir(parents=True)
    assert agreed(site) == Shape(brokers=3, cluster_id="abc")
    with pytest.raises(UsageError):
        agreed(site, cassandra_nodes=2)


def test_cassandra_nodes_share_ports_and_differ_in_address(tmp_path: Path) -> None:
    site = Site(tmp_path)
    agreed(site, cassandra_nodes=2).keep(site)
    first, second = (server for server in Stack.at(tmp_path).servers if server.name.startswith("cassandra"))
    assert (first.address, second.address) == ("127.0.0.1:19042", "127.0.0.2:19042")
    assert (first.depends_on, second.depends_on) == ((), ("cassandra",))
    for node, host in ((first, "127.0.0.1"), (second, "127.0.0.2")):
        found = yaml.safe_load(node._yaml())
        assert found["listen_address"] == found["rpc_address"] == host
        assert (found["native_transport_port"], found["storage_port"]) == (19042, 19043)
        assert found["seed_provider"][0]["parameters"] == [{"seeds": "127.0.0.1:19043"}]
        assert found["default_keyspace_rf"] == 2
        assert node.exports("stream")["CASSANDRA_HOSTS"] == "127.0.0.1:19042,127.0.0.2:19042"


def test_secure_stack_works_in_a_folder_with_a_space(tmp_path: Path) -> None:
    site = Site(tmp_path / "a folder")
    site.create()
    agreed(site, secure=True).keep(site)
    (postgres,) = (server for server in Stack.at(site.root).servers if server.name == "postgres")
    parameters = conninfo_to_dict(postgres.exports("stream")["POSTGRES_DSN"])
    assert (parameters["sslmode"], parameters["sslrootcert"]) == ("verify-full", str(site.authority))


def test_missing_second_loopback_address_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    ports.demand_host("cassandra-2")
    # Reserved for documentation (RFC 5737), so no machine has it.
    monkeypatch.setitem(ports._HOSTS, "cassandra-2", "192.0.2.1")
    with pytest.raises(UsageError, match="loopback interface does not have this address") as told:
        ports.demand_host("cassandra-2")
    assert str(told.value).startswith("cassandra-2 192.0.2.1: ")
    assert "ip address add" in str(told.value)


def test_every_possible_server_has_a_unique_name(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full = Stack(site, Stack.at(tmp_path).ports, agreed(site, 3, cassandra_nodes=2), extras=tuple(EXTRAS))
    assert sorted([*(server.name for server in full.servers), "zookeeper"]) == sorted(ALL_NAMES)


def test_console_of_a_stack_has_the_settings_of_who_started_it(tmp_path: Path) -> None:
    stack = Stack(Site(tmp_path / "stack"), ports.FIXED, Shape(), extras=("console",))
    stack.site.create()
    console = replace(
        stack.console, clients=lambda: {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "CHECKPOINT_DIR": "x"}
    )
    console.remember(
        {"CONTRACTS_DIR": "my/schemas", "LOG_FORMAT": "json", "HTTPS_PROXY": "socks5://h:1", "OTHER": "o"}, tmp_path
    )
    found = console.environment()
    assert found["CONTRACTS_DIR"] == str(tmp_path / "my" / "schemas")
    assert (found["KAFKA_BOOTSTRAP_SERVERS"], found["LOG_FORMAT"]) == ("127.0.0.1:1", "json")
    assert not {"HTTPS_PROXY", "OTHER"} & found.keys()
    words = console.command()
    assert words[words.index("--dir") + 1] == str(tmp_path / "stack" / "console")
    assert (console.address, console.exports("stream")) == ("http://127.0.0.1:18088", {})
    assert stack.logins() == [], "it does not run"


def test_docs_name_the_pinned_spark_packages() -> None:
    page = (CLONE / "docs" / "how-to" / "cluster.md").read_text()
    (named,) = re.findall(r"--packages (\S+)", page)
    (spark,) = (one for one in jar_sets() if one.name == "spark")
    # The token provider comes with the Kafka source.
    assert named.split(",") == [root for root in spark.roots if "token-provider" not in root]
