# SPDX-License-Identifier: Apache-2.0
"""ICMP errors reach the pod whose connection they are about, through masquerading too."""

import socket
import time

import pytest

from harness import probe
from harness.site import FAR, WORLD

UNREACHABLE_PORT = {socket.AF_INET: (3, 3), socket.AF_INET6: (1, 4)}


@pytest.mark.core
def test_traceroute_names_every_hop(node, family):
    """First the node, then the routers of the world, then the destination."""
    pod = node.pod("a")
    found = probe.hops(pod, FAR[family])
    assert found[-2:] == [WORLD[family], FAR[family]], found
    assert len(found) == 3 and found[0], found


def test_traceroute_from_outside_to_a_pod(node, family):
    pod = node.pod("a")
    found = probe.hops(node.site.far, pod.address(family))
    assert found[-1] == pod.address(family), found
    assert node.addresses[family] in found, found


@pytest.mark.core
@pytest.mark.parametrize("where", ["pod", "host", "world"])
def test_closed_udp_port_is_refused(node, family, where):
    pod, other = node.pod("a"), node.pod("b")
    address = {"pod": other.address(family), "host": node.addresses[family],
               "world": FAR[family]}[where]
    with probe.connect(pod, probe.UDP, address, 9) as client:
        assert probe.refused(lambda: probe.exchange(client))


@pytest.mark.parametrize("where", ["pod", "host", "world"])
def test_closed_tcp_port_is_refused(node, family, where):
    pod, other = node.pod("a"), node.pod("b")
    address = {"pod": other.address(family), "host": node.addresses[family],
               "world": FAR[family]}[where]
    assert probe.refused(lambda: probe.connect(pod, probe.TCP, address, 9))


def test_error_names_the_real_offender(node, family):
    with node.pod("a").socket(family, probe.UDP) as client:
        probe.enable_errors(client, family)
        client.connect((FAR[family], 9))
        client.send(b"x")
        kind, code, address = probe.icmp_error(client)
    assert (kind, code) == UNREACHABLE_PORT[family]
    assert address == FAR[family]


def narrow(site, family, mtu=1400):
    """The link between the world's router and the far host carries less than the others."""
    site.world.ip(f"link set far0 mtu {mtu}")
    site.far.ip(f"link set eth0 mtu {mtu}")
    return mtu


@pytest.mark.core
def test_too_big_reaches_the_pod(node, family):
    """Path MTU discovery by UDP: EMSGSIZE, and the socket knows the MTU of the path."""
    mtu = narrow(node.site, family)
    pod = node.pod("a")
    with probe.Server(node.site.far, family, probe.UDP) as server:
        client = probe.connect(pod, probe.UDP, FAR[family], server.port, timeout=0.2)
        with client:
            level, discover, query = (
                (socket.IPPROTO_IP, probe.IP_MTU_DISCOVER, probe.IP_MTU)
                if family == socket.AF_INET else
                (socket.IPPROTO_IPV6, probe.IPV6_MTU_DISCOVER, probe.IPV6_MTU))
            client.setsockopt(level, discover, probe.IP_PMTUDISC_DO)
            deadline = time.monotonic() + 15
            while client.getsockopt(level, query) > mtu and time.monotonic() < deadline:
                try:
                    client.send(b"x" * 1440)
                    client.recv(2048)
                except OSError:
                    pass
            assert client.getsockopt(level, query) == mtu


@pytest.mark.core
def test_tcp_through_a_narrow_link(node, family):
    """Both ways: the pod must hear "too big", and so must the far side."""
    narrow(node.site, family)
    pod = node.pod("a")
    with probe.Server(node.site.far, family, probe.TCP) as server:
        probe.talk(pod, probe.TCP, FAR[family], server.port, payload=b"z" * 300_000, timeout=50)


def test_outside_learns_a_pods_smaller_mtu(site, family):
    """Too big for the pods' devices: the node says so to the sender outside."""
    node = site.node(mtu=1300)
    pod = node.pod("a")
    with probe.Server(pod, family, probe.TCP) as server:
        probe.talk(site.far, probe.TCP, pod.address(family), server.port, payload=b"z" * 300_000,
                   timeout=50)


def test_neighbours_of_a_pod(node, family):
    """Address resolution: what the pod asks for it gets, and the entries are usable."""
    pod, other = node.pod("a"), node.pod("b")
    assert probe.ping(pod, other.address(family))
    table = pod.exec("ip", "neigh", "show", "dev", pod.ifname).stdout
    assert "FAILED" not in table and "INCOMPLETE" not in table, table


def test_a_pod_knows_its_router_however_long_it_was_idle(node, family):
    """The kernel makes sure of neighbours that it has not used; here it does within a second, not within minutes."""
    pod, other = node.pod("a"), node.pod("b")
    version = "ipv4" if family == socket.AF_INET else "ipv6"
    settings = {"base_reachable_time_ms": 100, "delay_first_probe_time": 0, "retrans_time_ms": 100}
    for each in pod, other:
        each.sysctl(**{f"{version}__neigh__{each.ifname}__{name}": value for name, value in settings.items()})
    with probe.Server(other, family, probe.UDP) as server:
        for _ in range(4):
            probe.talk(pod, probe.UDP, other.address(family), server.port)
            time.sleep(0.8)
            for each in pod, other:
                table = each.exec("ip", "neigh", "show", "dev", each.ifname).stdout
                assert "FAILED" not in table and "INCOMPLETE" not in table, table
