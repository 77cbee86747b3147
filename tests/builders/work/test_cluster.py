"""Which Ray cluster a job uses: what is no address, and what does not answer, is told in time."""

import importlib.util
import socket
import sys

import pytest

from builders.work import cluster
from builders.work.cluster import Cluster, Node, find_cluster
from nbzero.errors import MissingPackageError, UsageError

needs_ray = pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="needs pip install '.[ray]'")
ASKED = ("RAY_USAGE_STATS_ENABLED", "RAY_OVERRIDE_JOB_RUNTIME_ENV", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """No cluster is named; what asking for one puts into the environment goes with the test."""
    for name in ASKED:
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    said = r"--engine ray needs ray, which cannot be imported .*: pip install '.\[ray\]'"
    with pytest.raises(MissingPackageError, match=said):
        find_cluster(None, None)


def test_nodes_of_several_kinds_have_room():
    nodes = [Node(cpus=8, cards=1), Node(cpus=2, cards=2), Node(cpus=4, cards=0)]
    assert [Cluster("auto", nodes).room(part) for part in (0, 1, 0.5, 0.3, 0.1)] == [14, 3, 4, 5, 10]


@needs_ray
def test_a_cluster_of_this_machine_has_room_for_the_workers(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    made = find_cluster("local", 3)
    assert [node.cpus for node in made.nodes] == [3] and made.room(0) == 3
    monkeypatch.delenv("RAY_ADDRESS")
    assert find_cluster(None, None).room(0) >= 1


@needs_ray
@pytest.mark.parametrize("address", ["head", "head:", ":6379", "ray://head:10001", "head:0", "head:70000"])
def test_an_address_that_is_none_is_told(address):
    with pytest.raises(UsageError, match=r"^Ray address .*; it is HOST:PORT of the cluster's head, auto "):
        find_cluster(address, None)


@needs_ray
def test_an_address_where_nobody_listens_is_told_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    said = rf"no Ray cluster answers at 127\.0\.0\.1:{port} \(Connection refused\); --address or RAY_ADDRESS"
    with pytest.raises(UsageError, match=said):
        find_cluster(f"127.0.0.1:{port}", None)


@needs_ray
def test_an_address_that_says_nothing_is_told_in_time(monkeypatch):
    assert cluster.ANSWER_S < 15
    monkeypatch.setattr(cluster, "ANSWER_S", 2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(UsageError, match=rf"no Ray cluster answers at {address} \(no answer in 2 s\)"):
            find_cluster(None, None)


@needs_ray
def test_what_ray_says_of_a_cluster_that_it_cannot_join_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # where it looks for a cluster of this machine
    said = r"no Ray cluster answers at auto \(ConnectionError: Could not find any running Ray instance\."
    with pytest.raises(UsageError, match=said):
        find_cluster("auto", None)
