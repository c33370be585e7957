# SPDX-License-Identifier: Apache-2.0
"""The harness itself, without an agent: what a later failure must not be blamed on."""

import os

import pytest

from harness import probe
from harness.site import FAR, FAR_ROUTER, WORLD, Site
from scapy.layers.inet import UDP


def test_node_reaches_the_world(site, family):
    node = site.node(start=False)
    assert probe.ping(node, WORLD[family])
    with probe.Server(site.far, family, probe.TCP) as server:
        assert probe.talk(node, probe.TCP, FAR[family], server.port)[0] == node.addresses[family]
        assert server.peers[0][0] == node.addresses[family]


def test_hops_names_the_routers(site, family):
    node = site.node(start=False)
    assert probe.hops(node, FAR[family]) == [WORLD[family], FAR[family]]
    assert FAR_ROUTER[family]


def test_capture_sees_packets_as_on_a_wire(site, family):
    node = site.node(start=False)
    probe.set_offload(node, "eth0", False)
    with probe.Server(site.far, family, probe.UDP) as server, \
            probe.capture(site.far, "eth0", f"udp dst port {server.port}") as seen:
        probe.talk(node, probe.UDP, FAR[family], server.port, b"seen")
        packets = seen()
    assert len(packets) == 1
    assert bytes(packets[0][UDP].payload) == b"seen"


def test_site_leaves_nothing_behind():
    site = Site()
    node = site.node(start=False)
    node.popen("sleep", "1000")
    pids = [node.pid, site.world.pid, site.far.pid]
    tmp = site.tmp
    site.close()
    assert not tmp.exists()
    for pid in pids:
        assert not os.path.exists(f"/proc/{pid}")


def test_sockets_of_a_node_with_a_cgroup(family):
    site = Site()
    node = site.node(start=False, cgroup=True)
    with probe.Server(site.far, family, probe.UDP) as server:
        assert probe.talk(node, probe.UDP, FAR[family], server.port)[0] == node.addresses[family]
    assert node.exec("cat", "/proc/self/cgroup").stdout.splitlines()[-1] == "0::/"
    pids = [int(pid) for pid in node.exec("cat", "/sys/fs/cgroup/cgroup.procs").stdout.split()]
    assert len(pids) >= 3, "its holder, what makes its sockets, and cat"
    path = node.cgroup.path
    site.close()
    assert not path.exists()


def test_waiting_outlasts_whatever_is_raised(monkeypatch):
    """What is raised meanwhile is no failure, but is told when it never ends."""
    raised = iter([ConnectionRefusedError(), KeyError("x"), AssertionError(), IndexError(), StopIteration()])

    def condition():
        for error in raised:
            raise error
        return "done"

    assert probe.eventually(condition) == "done"
    monkeypatch.setattr(probe.patience, "FACTOR", 1)
    with pytest.raises(AssertionError, match="the end not true within 0.1 s") as told:
        probe.eventually(lambda: {}["missing"], 0.1, "the end")
    assert isinstance(told.value.__cause__, KeyError)


def test_capture_keeps_what_it_has_seen(site, family):
    with probe.Server(site.far, family, probe.UDP) as server, \
            probe.capture(site.far, "eth0", f"udp dst port {server.port}") as seen:
        for n in 1, 2:
            probe.talk(site.world, probe.UDP, FAR[family], server.port, b"seen")
            assert len(seen()) == n


def test_site_goes_though_a_node_does_not(monkeypatch):
    site = Site()
    node = site.node(start=False)
    close = node.close

    def failing():
        close()
        raise RuntimeError("no end")

    monkeypatch.setattr(node, "close", failing)
    with pytest.raises(RuntimeError, match="no end"):
        site.close()
    assert not site.tmp.exists()
    for pid in site.world.pid, site.far.pid:
        assert not os.path.exists(f"/proc/{pid}")
