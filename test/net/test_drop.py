# SPDX-License-Identifier: Apache-2.0
"""What must not pass does not, is counted by reason, and is shown with its reason."""

import socket

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from harness import observe, probe
from harness.inject import datagram, gateway_mac, inject
from harness.site import FAR

STRANGER = {socket.AF_INET: "203.0.113.9", socket.AF_INET6: "2001:db8:bad::9"}


@pytest.mark.core
def test_foreign_source_is_dropped_counted_and_shown(node, family):
    pod = node.pod("a")
    packet = datagram(family, STRANGER[family], FAR[family])
    before = observe.metric(node, "Invalid source ip", "egress")
    with observe.monitor(node, "--type", "drop") as monitor, \
            probe.capture(node.site.far, "eth0", "port 4321") as seen:
        inject(pod, family, packet)
        line = monitor.wait_line("Invalid source ip", STRANGER[family], FAR[family])
        assert not seen(), "the packet got out"
    assert "drop" in line
    assert observe.metric(node, "Invalid source ip", "egress") == before + 1


def test_another_pods_address_is_a_foreign_source(node, family):
    pod, other, target = node.pod("a"), node.pod("b"), node.pod("c")
    before = observe.metric(node, "Invalid source ip", "egress")
    inject(pod, family, datagram(family, other.address(family), target.address(family)))
    probe.eventually(lambda: observe.metric(node, "Invalid source ip", "egress") == before + 1)


def test_source_check_can_be_switched_off(site, family):
    node = site.node(enable_source_ip_verification=False, enable_ipv4_masquerade=False,
                     enable_ipv6_masquerade=False)
    pod = node.pod("a")
    with probe.capture(site.far, "eth0", "port 4321") as seen:
        inject(pod, family, datagram(family, STRANGER[family], FAR[family]))
        probe.eventually(lambda: len(seen()) == 1, what="one packet")


@pytest.mark.parametrize("reason, fields", [
    ("Invalid packet", {"ihl": 4}),
    ("Invalid packet", {"len": 19}),
    ("CT: Unknown L4 protocol", {"proto": 253}),
], ids=["short-header", "short-length", "protocol-253"])
def test_malformed_ipv4(node, reason, fields):
    pod = node.pod("a")
    before = observe.metric(node, reason, "egress")
    inject(pod, socket.AF_INET, datagram(socket.AF_INET, pod.ipv4, FAR[socket.AF_INET], **fields))
    probe.eventually(lambda: observe.metric(node, reason, "egress") == before + 1)


def test_truncated_transport_header(node, family):
    pod = node.pod("a")
    network = (IP(src=pod.ipv4, dst=FAR[family], proto=17) if family == socket.AF_INET else
               IPv6(src=pod.ipv6, dst=FAR[family], nh=17))
    reason = "CT: Truncated or invalid header"
    before = observe.metric(node, reason, "egress")
    inject(pod, family, network / Raw(b"\x01\x02\x03"))
    probe.eventually(lambda: observe.metric(node, reason, "egress") == before + 1)


def test_unknown_ethertype(node):
    pod = node.pod("a")
    before = observe.metric(node, "Unsupported L2 protocol", "egress")
    with pod.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((pod.ifname, 0))
        raw.send(bytes(Ether(dst=gateway_mac(pod, socket.AF_INET), type=0x88B5) / Raw(b"x" * 50)))
    probe.eventually(
        lambda: observe.metric(node, "Unsupported L2 protocol", "egress") == before + 1)


def test_monitor_shows_new_connections(node, family):
    pod, other = node.pod("a", labels={"app": "a"}), node.pod("b", labels={"app": "b"})
    ids = [each.endpoint()["status"]["identity"]["id"] for each in (pod, other)]
    with observe.monitor(node, "--type", "trace") as monitor, \
            probe.Server(other, family, probe.TCP) as server:
        probe.talk(pod, probe.TCP, other.address(family), server.port)
        line = monitor.wait_line("-> endpoint", "state new", "tcp SYN")
    assert f"identity {ids[0]}->{ids[1]} " in line
    assert pod.address(family) in line and other.address(family) in line
