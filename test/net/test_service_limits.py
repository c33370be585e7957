# SPDX-License-Identifier: Apache-2.0
"""More connections than there is room for: those that are open go on, what is lost is counted."""

import contextlib
import random
import socket

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from harness import observe, probe
from harness.objects import port
from harness.service_set import CLUSTER
from harness.service_site import ServiceSite
from harness.whoami import SILENT, Conversation

N_KEPT = 1000
TABLE = 16_384
N_ROUNDS = 20
NO_PORT = "No mapping for NAT masquerade"
N_PORTS = 1024  # above the range of node ports


@pytest.fixture(scope="module")
def site():
    with contextlib.closing(ServiceSite(
            kube_proxy_replacement=True, bpf_ct_global_tcp_max=TABLE,
            # The host keeps its ports to connect from, though they are all in that range.
            node_port_range=f"30000,{65535 - N_PORTS}",
            enable_auto_protect_node_port_range=False)) as made:
        for name, number, servers in ("near", 1, ["server1"]), ("both", 2, ["server1", "server2"]):
            ports = [port(80, 8080, kind, 30000 + number, kind.lower()) for kind in ("TCP", "UDP")]
            made.put_service(name, [text.format(number) for text in CLUSTER.values()], ports,
                             made.endpoints(*servers), type="NodePort")
        made.meet()
        for address in made.nodes[0].addresses.values():
            made.until("far", address, 30002, {"server1", "server2"})
        yield made
        for node in made.nodes:
            print(node.log())


class Flood:
    """First packets of connections that nobody finishes, from all addresses beside far's, to node 1."""

    def __init__(self, site, family, kind, port_number):
        self.site, self.family, self.random = site, family, random.Random(8)
        node = site.nodes[0]
        network = IP if family == socket.AF_INET else IPv6
        transport = TCP(sport=1, dport=port_number, flags="S") if kind == probe.TCP else \
            UDP(sport=1, dport=port_number)
        source = "198.51.100.9" if family == socket.AF_INET else "2001:db8:2::9"
        self.frame = bytearray(bytes(
            Ether(src="02:00:00:00:00:99", dst=probe.link_address(node, "eth0")) /
            network(src=source, dst=node.addresses[family]) / transport / (b"x" * 8)))
        self.address_at = 14 + (15 if family == socket.AF_INET else 23)
        self.port_at = 14 + (20 if family == socket.AF_INET else 40)
        self.raw = site.site.world.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.raw.bind(("node1", 0))

    def send(self, n):
        """Each from an address and a port of its own; no header checksum is asked for on the way."""
        for _ in range(n):
            self.frame[self.address_at] = self.random.randrange(10, 250)
            self.frame[self.port_at:self.port_at + 2] = self.random.randrange(1024, 65536).to_bytes(2, "big")
            with contextlib.suppress(OSError):
                self.raw.send(self.frame)

    def close(self):
        self.raw.close()


def kept(site, stack, kind, target, n):
    return [stack.enter_context(Conversation(site.namespaces["far"], kind, *target)) for _ in range(n)]


def answer_of(client):
    """Who answers, None: nobody does. A datagram that comes right behind a flood may be lost before any program."""
    for _ in range(1 if client.socket.type == probe.TCP else 3):
        with contextlib.suppress(OSError):
            return client.ask().server
    return None


def ask_all(clients, servers):
    """How many no longer speak to the same server; they are not asked again."""
    lost = 0
    for i, client in enumerate(clients):
        if client is None:
            continue
        answer = answer_of(client)
        if servers[i] not in (None, answer):
            clients[i], lost = None, lost + 1
        servers[i] = answer
    return lost


def test_table_of_connections_is_full(site, family):
    """
    A node's table has two entries for a connection to a service. Twice as many half-open ones as there is room for,
    while 1,000 that are open speak twenty times: at most one of those is lost.
    """
    target = site.nodes[0].addresses[family], 30002
    with contextlib.ExitStack() as stack:
        clients = kept(site, stack, probe.TCP, target, N_KEPT)
        servers = [None] * N_KEPT
        ask_all(clients, servers)
        flood = stack.enter_context(contextlib.closing(Flood(site, family, probe.TCP, 30001)))
        lost = 0
        for _ in range(N_ROUNDS):
            flood.send(TABLE // N_ROUNDS)
            lost += ask_all(clients, servers)
        assert lost <= N_KEPT / 1000, f"{lost} of {N_KEPT} connections were lost"
    assert site.ask("far", probe.TCP, *target) != SILENT


def test_ports_of_nat_are_exhausted(site, family):
    """A node has 1,024 ports for a back end elsewhere; who has one keeps it, the rest is counted."""
    node = site.nodes[0]
    target = node.addresses[family], 30002
    before = sum(observe.metric(node, NO_PORT, way) for way in ("ingress", "egress"))
    with contextlib.ExitStack() as stack:
        clients = kept(site, stack, probe.UDP, target, 100)
        servers = [None] * len(clients)
        ask_all(clients, servers)
        assert set(servers) == {"server1", "server2"}
        flood = stack.enter_context(contextlib.closing(Flood(site, family, probe.UDP, 30002)))
        flood.send(4 * N_PORTS)
        assert ask_all(clients, servers) == 0
        probe.eventually(lambda: sum(observe.metric(node, NO_PORT, way)
                                     for way in ("ingress", "egress")) - before > N_PORTS / 2)
    # Clients of back ends on this node need no port.
    assert site.ask("far", probe.UDP, node.addresses[family], 30001).server == "server1"
