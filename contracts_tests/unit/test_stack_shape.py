"""How many nodes Kafka has is decided once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stack.errors import UsageError
from stack.pins import jar_sets
from stack.shape import Shape, agreed
from stack.site import Site
from stack.stack import ALL_NAMES, EXTRAS, Stack

CLONE = Path(__file__).parents[2]


def test_what_was_made_for_three_nodes_stays_so(tmp_path: Path) -> None:
    site = Site(tmp_path)
    shape = agreed(site, 3)
    shape.keep(site)
    assert agreed(site, 1).brokers == 1  # nothing is there yet
    (site.folder("kafka") / "data").mkdir(parents=True)
    assert agreed(site, None) == agreed(site, 3) == Shape.of(site) == shape
    with pytest.raises(UsageError, match="of Kafka with 3 nodes, not one node") as told:
        agreed(site, 1)
    assert "--dir" in str(told.value)


def test_what_is_secure_stays_so(tmp_path: Path) -> None:
    site = Site(tmp_path)
    agreed(site, secure=True).keep(site)
    assert agreed(site).secure
    (site.folder("kafka") / "data").mkdir(parents=True)
    assert agreed(site).secure
    plain = Site(tmp_path / "plain")
    (plain.folder("kafka") / "data").mkdir(parents=True)
    with pytest.raises(UsageError, match="of Kafka with one node, not one node and accounts"):
        agreed(plain, secure=True)


def test_zookeeper_goes_with_one_node_and_without_accounts(tmp_path: Path) -> None:
    agreed(Site(tmp_path), zookeeper=True).keep(Site(tmp_path))
    names = [server.name for server in Stack.at(tmp_path).servers]
    assert names[:2] == ["zookeeper", "kafka"]
    for other in ({"brokers": 3}, {"secure": True}):
        with pytest.raises(UsageError, match="with ZooKeeper there is one node of Kafka, and no accounts"):
            agreed(Site(tmp_path), **other)


def test_a_stack_from_before_there_was_a_choice_has_one_node(tmp_path: Path) -> None:
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    assert agreed(Site(tmp_path), None).brokers == 1
    with pytest.raises(UsageError):
        agreed(Site(tmp_path), 3)


def test_nodes_name_each_other_and_keep_one_copy_in_reserve(tmp_path: Path) -> None:
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


def test_every_server_that_there_can_be_has_a_name_of_its_own(tmp_path: Path) -> None:
    site = Site(tmp_path)
    full = Stack(site, Stack.at(tmp_path).ports, agreed(site, 3), extras=tuple(EXTRAS))
    assert sorted([*(server.name for server in full.servers), "zookeeper"]) == sorted(ALL_NAMES)


def test_the_page_names_the_packages_that_are_pinned() -> None:
    page = (CLONE / "docs" / "cluster.md").read_text()
    (named,) = re.findall(r"--packages (\S+)", page)
    (spark,) = (one for one in jar_sets() if one.name == "spark")
    # The token provider comes with the Kafka source.
    assert named.split(",") == [root for root in spark.roots if "token-provider" not in root]
