# SPDX-License-Identifier: Apache-2.0
"""
A load balancer of its own (bpf-lb-only) with XDP on its device, in front of machines that are no nodes:

    far, a client ── world ── node 1, the load balancer
                       └───── server1, server2
"""

import contextlib
import json
import os
import socket
import time

import pytest

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from harness import objects, observe, probe, xdp_pass
from harness.decap import Decapsulator
from harness.namespace import Namespace
from harness.node import READY_SECONDS
from harness.site import FAR, Site
from harness.whoami import REFUSED, SILENT, Answer, Conversation, Whoami, ask

PORT = 8080
VIPS = {socket.AF_INET: "203.0.113.80", socket.AF_INET6: "2001:db8:9::80"}
CLUSTER_IPS = ["172.20.0.80", "fd00:20::80"]
KINDS = {"tcp": probe.TCP, "udp": probe.UDP}


class Balancer:
    def __init__(self, **config):
        self.site, self.servers, self.link = Site(), {}, -1
        try:
            self._make(config)
        except BaseException:
            self.close()
            raise

    def _make(self, config):
        self.node = self.site.node(start=False, bpf_lb_only=True, bpf_lb_acceleration="native",
                                   bpf_lb_algorithm="maglev", bpf_lb_maglev_table_size=251,
                                   **config)
        # Frames must come as they would on a wire.
        for namespace, device in ((self.site.far, "eth0"), (self.node, "eth0"),
                                  (self.site.world, "far0")):
            probe.set_offload(namespace, device, False)
        self.link = xdp_pass.attach(self.site.world, "node1")
        self.servers = {name: self._server(name, 100 + number)
                        for number, name in enumerate(("server1", "server2"), 1)}
        self.site.world.ip(*(f"route add {vip} via {self.node.addresses[family]}"
                             for family, vip in VIPS.items()))
        self.node.start_agent()
        self.put_service("server1", "server2")

    def _server(self, name, last):
        server = Namespace(f"{self.site.prefix}-{name}")
        server.addresses = {socket.AF_INET: f"192.0.2.{last}",
                            socket.AF_INET6: f"2001:db8:1::{last}"}
        server.sysctl(ipv6__conf__all__accept_dad=0, ipv6__conf__default__accept_dad=0)
        self.site.world.ip(f"link add {name} type veth peer name eth0 netns {server.pid}",
                           f"link set {name} master br0 up")
        server.ip(f"addr add 192.0.2.{last}/24 dev eth0",
                  f"addr add 2001:db8:1::{last}/64 dev eth0 nodad", "link set eth0 up",
                  "route add default via 192.0.2.1", "route add default via 2001:db8:1::1")
        probe.set_offload(server, "eth0", False)
        Whoami(server, name, PORT)
        return server

    def put_service(self, *names):
        ports = [objects.port(PORT, PORT, kind.upper(), None, kind) for kind in KINDS]
        endpoints = [objects.endpoint(address) for name in names
                     for address in self.servers[name].addresses.values()]
        self.node.put_manifest("service.yaml",
                               objects.service("balanced", CLUSTER_IPS, ports, type="LoadBalancer",
                                               ingress=list(VIPS.values())),
                               *objects.slices("balanced", endpoints, ports))

    def ask(self, kind, family, **kwargs):
        return ask(self.site.far, kind, VIPS[family], PORT, **kwargs)

    def all_answer(self):
        """Waits until both servers answer by every way."""
        for family in VIPS:
            for kind in KINDS.values():
                probe.eventually(lambda: {getattr(self.ask(kind, family), "server", None)
                                          for _ in range(12)} == set(self.servers), 10, "all answer")

    def close(self):
        if hasattr(self, "node"):
            print(self.node.log())
        for server in self.servers.values():
            server.close()
        if self.link >= 0:
            os.close(self.link)
        self.site.close()


@contextlib.contextmanager
def balancer(**config):
    made = Balancer(**config)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def direct():
    with balancer(bpf_lb_mode="dsr", bpf_lb_dsr_dispatch="ipip") as made:
        for server in made.servers.values():
            Decapsulator(server, *VIPS.values())
        made.all_answer()
        yield made


@pytest.fixture(scope="module")
def snat():
    with balancer(bpf_lb_mode="snat") as made:
        made.all_answer()
        yield made


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.mark.kernel
def test_program_is_in_the_driver(direct):
    link = json.loads(direct.node.exec("ip", "-json", "-d", "link", "show", "dev", "eth0").stdout)[0]
    assert link["xdp"]["mode"] == 1 and link["xdp"]["prog"]["name"].startswith("cil_xdp_entry")


def test_direct_return(direct, family, kind):
    """Both servers answer the client, whose address they see, by themselves."""
    answers = {direct.ask(kind, family) for _ in range(30)}
    assert answers == {Answer(name, FAR[family]) for name in direct.servers}


@pytest.mark.kernel
def test_direct_return_takes_its_way(direct, family, kind):
    """To the server in a packet of the balancer's; back past the balancer, whose kernel sees neither."""
    node, ipv6 = direct.node, family == socket.AF_INET6
    with contextlib.ExitStack() as stack:
        seen = stack.enter_context(probe.capture(node, "eth0", f"host {FAR[family]}"))
        came = [stack.enter_context(probe.capture(server, "eth0", "ip6 proto 41" if ipv6 else "ip proto 4"))
                for server in direct.servers.values()]
        for _ in range(10):
            assert isinstance(direct.ask(kind, family), Answer)
        assert not seen(), "XDP has left packets to the kernel"
        packets = [packet for each in came for packet in each()]
    assert len(packets) >= 10
    for packet in packets:
        outer = packet[Ether].payload
        assert outer.src == node.addresses[family]
        assert isinstance(outer.payload, IPv6 if ipv6 else IP)
        assert (outer.payload.src, outer.payload.dst) == (FAR[family], VIPS[family])


@pytest.mark.kernel
def test_snat(snat, family, kind):
    """The servers see the balancer."""
    answers = {snat.ask(kind, family) for _ in range(30)}
    assert answers == {Answer(name, snat.node.addresses[family]) for name in snat.servers}


@pytest.mark.kernel
def test_snat_of_known_connections_is_done_in_xdp(snat, family, kind):
    node = snat.node
    with Conversation(snat.site.far, kind, VIPS[family], PORT) as conversation:
        first = conversation.ask()
        with probe.capture(node, "eth0", f"host {FAR[family]}") as seen:
            assert {conversation.ask() for _ in range(20)} == {first}
            assert not seen(), "XDP has left packets to the kernel"


@pytest.mark.kernel
def test_nobody_is_there(snat, family, kind):
    """What has to be answered by an error is left to tc."""
    snat.put_service()
    try:
        # An error that comes while connect() still has the socket counts with the next SYN.
        probe.eventually(lambda: snat.ask(kind, family, timeout=3) == REFUSED, 5)
    finally:
        snat.put_service(*snat.servers)
        snat.all_answer()


@pytest.mark.parametrize("mode", ["direct", "snat"])
def test_agent_is_killed_under_load(mode, request, family):
    """Programs, maps and links stay: nobody notices."""
    made = request.getfixturevalue(mode)
    with Conversation(made.site.far, probe.TCP, VIPS[family], PORT) as conversation:
        first = conversation.ask()
        made.node.kill_agent()
        for _ in range(20):
            assert conversation.ask() == first
            assert isinstance(made.ask(probe.UDP, family), Answer)
            assert isinstance(made.ask(probe.TCP, family), Answer)
        made.node.start_agent(wait=False)
        deadline, n = time.monotonic() + READY_SECONDS, 0
        while n < 50 or not is_ready(made.node):
            assert conversation.ask() == first
            assert isinstance(made.ask(probe.TCP, family), Answer)
            n += 1
            assert time.monotonic() < deadline
    made.node.wait_ready()
    test_program_is_in_the_driver(made)


def is_ready(node):
    try:
        return node.request("GET", "/v1/healthz")[0] == 200
    except OSError:
        return False


def test_drops_are_reported(snat, family):
    """By the monitor with reason and service, in the agent's log with the device too."""
    address = CLUSTER_IPS[family == socket.AF_INET6]
    snat.site.world.ip(f"route replace {address} via {snat.node.addresses[family]}")
    with observe.monitor(snat.node, "--type", "drop") as monitor:
        assert ask(snat.site.far, probe.UDP, address, PORT, timeout=0.2) == SILENT
        monitor.wait_line("Is a ClusterIP", FAR[family], "service default/balanced", address)
    index = json.loads(snat.node.exec("ip", "-json", "link", "show", "dev", "eth0").stdout)[0]["ifindex"]
    words = "Is a ClusterIP", FAR[family], "default/balanced", f"ifindex={index} "
    probe.eventually(lambda: any(all(word in line for word in words)
                                 for line in snat.node.log().splitlines()))
