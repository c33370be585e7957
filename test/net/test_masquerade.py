# SPDX-License-Identifier: Apache-2.0
"""Whose address the world sees."""

import json
import socket

import pytest

from harness import probe
from harness.site import FAR, WORLD

FAR_RANGE = {socket.AF_INET: "198.51.100.0/24", socket.AF_INET6: "2001:db8:2::/64"}


def peer_of(pod, family, kind=probe.TCP, source=None):
    """(own, seen): the pod's address and port, and what a server far away sees of them."""
    with probe.Server(pod.node.site.far, family, kind) as server:
        own = probe.talk(pod, kind, FAR[family], server.port, source=source)
        return own, server.peers[0]


@pytest.mark.core
@pytest.mark.parametrize("kind", [probe.TCP, probe.UDP], ids=["tcp", "udp"])
def test_world_sees_the_node(node, family, kind):
    own, seen = peer_of(node.pod("a"), family, kind)
    assert seen[0] == node.addresses[family] != own[0]


def test_native_routing_cidr_is_not_masqueraded(site, family):
    """Destinations in the range are reached with the pod's own address."""
    key = "ipv4_native_routing_cidr" if family == socket.AF_INET else "ipv6_native_routing_cidr"
    node = site.node(**{key: FAR_RANGE[family]})
    own, seen = peer_of(node.pod("a"), family)
    assert own == seen


def test_masquerading_off(site, family):
    node = site.node(enable_ipv4_masquerade=False, enable_ipv6_masquerade=False)
    own, seen = peer_of(node.pod("a"), family)
    assert own == seen


def test_ip_masq_agent_ranges(site, family):
    """ip-masq-agent's file: nonMasqueradeCIDRs in it go out unchanged, all else is masqueraded."""
    path = site.tmp / "ip-masq-agent"
    path.write_text(f"nonMasqueradeCIDRs:\n- {FAR_RANGE[family]}\nmasqLinkLocal: false\n")
    node = site.node(enable_ip_masq_agent=True, ip_masq_agent_config_path=path)
    pod = node.pod("a")
    own, seen = peer_of(pod, family)
    assert own == seen
    with probe.Server(site.world, family, probe.UDP) as server:
        probe.talk(pod, probe.UDP, WORLD[family], server.port)
        assert server.peers[0][0] == node.addresses[family]


@pytest.mark.parametrize("kind", [probe.TCP, probe.UDP], ids=["tcp", "udp"])
def test_same_source_port_of_two_pods(node, family, kind):
    """Both connections live at once: the node gives one of them another port."""
    a, b = node.pod("a"), node.pod("b")
    with probe.Server(node.site.far, family, kind) as server:
        first = probe.connect(a, kind, FAR[family], server.port,
                              source=(a.address(family), 40000))
        second = probe.connect(b, kind, FAR[family], server.port,
                               source=(b.address(family), 40000))
        with first, second:
            for payload in b"one", b"two", b"three":
                assert probe.exchange(first, payload) == payload
                assert probe.exchange(second, payload[::-1]) == payload[::-1]
        assert len(set(server.peers)) == 2
        assert {address for address, _ in server.peers} == {node.addresses[family]}


def test_pings_of_two_pods_at_once(node, family):
    """Echo identifiers are translated as ports are."""
    pods = [node.pod("a"), node.pod("b")]
    pings = [pod.popen("ping", "-n", "-q", "-e", "77", "-i", "0.01", "-c", "50", FAR[family])
             for pod in pods]
    assert [each.wait(timeout=60) for each in pings] == [0, 0]


def test_node_keeps_its_own_ports(node, family):
    """A connection of the node itself keeps its source port though a pod already uses it."""
    pod = node.pod("a")
    with probe.Server(node.site.far, family, probe.TCP) as server:
        source = (pod.address(family), 50001)
        with probe.connect(pod, probe.TCP, FAR[family], server.port, source=source) as of_pod, \
                probe.connect(node, probe.TCP, FAR[family], server.port,
                              source=(node.addresses[family], 50001)) as of_node:
            assert probe.exchange(of_pod, b"pod") == b"pod"
            assert probe.exchange(of_node, b"node") == b"node"
            assert probe.exchange(of_pod, b"again") == b"again"


def entries(node, name):
    """Keys and values of a map that counts connections."""
    shown = node.exec("bpftool", "-j", "map", "dump", "pinned",
                      f"/sys/fs/bpf/tc/globals/{name}").stdout
    return len(json.loads(shown))


def test_dead_connections_are_swept(site, family):
    """Expired connections go, and their translations with them; a live one keeps both."""
    node = site.node(conntrack_gc_interval="1s", bpf_ct_timeout_regular_any="5s")
    pod = node.pod("a")
    with probe.Server(site.far, family, probe.TCP) as server, \
            probe.connect(pod, probe.TCP, FAR[family], server.port) as client:
        probe.exchange(client)
        with probe.Server(site.far, family, probe.UDP) as datagrams:
            for _ in range(30):
                probe.talk(pod, probe.UDP, FAR[family], datagrams.port)
        assert entries(node, "cilium_snat_external") >= 31
        assert entries(node, "cilium_ct_any_global") >= 30
        probe.eventually(lambda: entries(node, "cilium_snat_external") == 1, seconds=20,
                         what="translations swept")
        assert entries(node, "cilium_ct_any_global") == 0
        assert entries(node, "cilium_ct_tcp_global") == 1
        assert probe.exchange(client, b"still") == b"still"
        assert {address for address, _ in server.peers} == {node.addresses[family]}


def test_many_connections_to_one_destination(node, family):
    """Thousands of flows to one far port, each with a port of its own."""
    pod = node.pod("a")
    n_flows = 4000
    with probe.Server(node.site.far, family, probe.UDP) as server:
        for _ in range(n_flows):
            with probe.connect(pod, probe.UDP, FAR[family], server.port) as client:
                probe.exchange(client, b"x")
        assert len(server.peers) == n_flows
        assert {address for address, _ in server.peers} == {node.addresses[family]}
