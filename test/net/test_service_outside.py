# SPDX-License-Identifier: Apache-2.0
"""What clients outside get: whose address the server sees, which way the answers take, what errors tell."""

import contextlib
import socket
import time

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from harness import observe, probe
from harness.objects import port
from harness.service_set import CLUSTER, INGRESS, KINDS
from harness.service_site import ServiceSite
from harness.site import FAR
from harness.whoami import QUIET_SECONDS, REFUSED, SILENT, Answer, Conversation

UNREACHABLE = {socket.AF_INET: (3, 3), socket.AF_INET6: (1, 4)}
FAMILY_NAME = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}


def put(site, name, number, servers, target=8080, kinds=tuple(KINDS), **spec):
    """A LoadBalancer service with everything; number: of its addresses and its node port."""
    ports = [port(80, target, kind, 30000 + number, kind.lower()) for kind in kinds]
    site.put_service(name, [text.format(number) for text in CLUSTER.values()], ports,
                     site.endpoints(*servers), type="LoadBalancer",
                     ingress=[text.format(number) for text in INGRESS.values()], **spec)


@pytest.fixture(scope="module")
def site():
    with contextlib.closing(ServiceSite(kube_proxy_replacement=True)) as made:
        put(made, "near", 1, ["server1"])
        put(made, "away", 2, ["server2"])
        put(made, "near-local", 3, ["server1"], externalTrafficPolicy="Local")
        put(made, "nobody", 4, [])
        put(made, "sticky", 5, ["server1", "server2"], sessionAffinity="ClientIP",
            sessionAffinityConfig={"clientIP": {"timeoutSeconds": 2}})
        put(made, "closed", 6, ["server1"], loadBalancerSourceRanges=["198.18.0.0/15", "2001:db8:77::/64"])
        put(made, "tcp-only", 7, ["server1"], kinds=("TCP",))
        made.meet()
        made.until("far", made.nodes[0].addresses[socket.AF_INET], 30007, {"server1"})
        made.until("far", made.nodes[1].addresses[socket.AF_INET6], 30007, {"server1"})
        yield made
        for node in made.nodes:
            print(node.log())


@pytest.fixture(scope="module", params=["opt"])
def dsr_site(request):
    with contextlib.closing(ServiceSite(kube_proxy_replacement=True, bpf_lb_mode="dsr",
                                        bpf_lb_dsr_dispatch=request.param)) as made:
        put(made, "away", 2, ["server2"])
        made.meet()
        for node in made.nodes:
            for address in node.addresses.values():
                made.until("far", address, 30002, {"server2"})
        yield made
        for node in made.nodes:
            print(node.log())


@pytest.fixture(params=list(KINDS))
def kind(request):
    return KINDS[request.param]


def front_ends(site, number, family):
    """Of the service with that number: node 1's port, and the balancer's address."""
    return [(site.nodes[0].addresses[family], 30000 + number),
            (INGRESS[FAMILY_NAME[family]].format(number), 80)]


@pytest.mark.kernel
def test_client_is_seen_where_the_server_is_near(site, family, kind):
    for number in 1, 3:
        for target in front_ends(site, number, family):
            assert site.ask("far", kind, *target) == Answer("server1", "far")


@pytest.mark.kernel
def test_node_is_seen_where_the_server_is_away(site, family, kind):
    """Its answers must come back the same way."""
    for target in front_ends(site, 2, family):
        assert site.ask("far", kind, *target) == Answer("server2", "host1")


def test_conversations_go_on(site, family, kind):
    for number in 1, 2:
        for target in front_ends(site, number, family):
            with Conversation(site.namespaces["far"], kind, *target) as client:
                assert len({client.ask().server for _ in range(20)}) == 1


def test_large_transfers(site, family):
    """Many segments, in both directions, through the node and back."""
    node, server = site.nodes[0], site.namespaces["server2"]
    with probe.Server(server, family, probe.TCP, port=8099) as listener:
        site.put_service("large", [text.format(20) for text in CLUSTER.values()],
                         [port(80, listener.port, "TCP", 30020)], site.endpoints("server2"),
                         type="NodePort")
        payload = bytes(range(256)) * 4096
        probe.eventually(lambda: probe.talk(site.namespaces["far"], probe.TCP, node.addresses[family], 30020),
                         what="the service serves")
        probe.talk(site.namespaces["far"], probe.TCP, node.addresses[family], 30020, payload)
    site.remove("large.yaml")


@pytest.mark.kernel
def test_nobody_answers_with_an_error(site, family):
    """No back end at all; and with externalTrafficPolicy Local, none at this node."""
    for node, number in (site.nodes[0], 4), (site.nodes[1], 3):
        target = node.addresses[family], 30000 + number
        assert site.ask("far", probe.TCP, *target) == REFUSED
        with probe.connect(site.namespaces["far"], probe.UDP, *target) as client:
            probe.enable_errors(client, family)
            client.send(b"?\n")
            assert probe.icmp_error(client) == (*UNREACHABLE[family], target[0])


def test_unused_port_of_a_service_address(site, family):
    address = INGRESS[FAMILY_NAME[family]].format(7)
    assert site.ask("far", probe.TCP, address, 80) == Answer("server1", "far")
    assert site.ask("far", probe.TCP, address, 81) == REFUSED
    with probe.connect(site.namespaces["far"], probe.UDP, address, 80) as client:
        probe.enable_errors(client, family)
        client.send(b"?\n")
        assert probe.icmp_error(client) == (*UNREACHABLE[family], address)


def test_source_ranges(site, family, kind):
    node, reason = site.nodes[0], "Denied by LB src range check"
    before = observe.metric(node, reason, "ingress")
    _, balancer = front_ends(site, 6, family)
    assert site.ask("far", kind, *balancer, timeout=QUIET_SECONDS) == SILENT
    assert observe.metric(node, reason, "ingress") > before


def test_cluster_address_is_not_for_outside(site, family, kind):
    assert site.ask("far", kind, CLUSTER[FAMILY_NAME[family]].format(1), 80, timeout=QUIET_SECONDS) == SILENT


def test_affinity(site, family, kind):
    """A client keeps its server, and chooses anew when it was away for longer than the timeout."""
    target = front_ends(site, 5, family)[0]
    chosen, n_judged = set(), 0
    for _ in range(40):  # the other one is missed once in 10^11 times
        begin = time.monotonic()
        answers = {site.ask("far", kind, *target).server for _ in range(10)}
        # The table counts whole seconds: of the two of the timeout one is sure.
        if time.monotonic() - begin < 1:
            assert len(answers) == 1, answers
            n_judged += 1
        chosen |= answers
        if len(chosen) == 2 and n_judged:
            break
        time.sleep(3.2)
    assert chosen == {"server1", "server2"} and n_judged


def packets(capture):
    """(source, destination) of the packets that carry an answer, as names of lines."""
    found = set()
    for packet in capture:
        assert isinstance(packet, Ether)
        network = packet.getlayer(IP) or packet.getlayer(IPv6)
        if network:
            found.add((network.src, network.dst))
    return found


@pytest.mark.kernel
def test_dsr_returns_from_the_server_to_the_client(dsr_site, family, kind):
    """Seen at both nodes' devices: the request comes by node 1, the answer leaves node 2 as node 1's."""
    site = dsr_site
    front, far = site.nodes[0].addresses[family], FAR[family]
    with contextlib.ExitStack() as stack:
        seen = [stack.enter_context(probe.capture(node, "eth0", f"host {far}")) for node in site.nodes]
        with Conversation(site.namespaces["far"], kind, front, 30002) as client:
            assert {client.ask() for _ in range(5)} == {Answer("server2", far)}
        first, second = (packets(each()) for each in seen)
    assert (far, front) in first
    assert (front, far) not in first, "the answer came back by node 1"
    assert (front, far) in second


def test_dsr_large_answer(dsr_site, family):
    site = dsr_site
    with Conversation(site.namespaces["far"], probe.TCP, site.nodes[0].addresses[family], 30002) as client:
        client.socket.sendall(b"?\n" * 20_000)
        n_bytes = 0
        while n_bytes < 20_000 * len("server2 x 1\n"):
            data = client.socket.recv(65536)
            assert data, f"the connection ended after {n_bytes} bytes"
            n_bytes += len(data)


def test_dsr_near_server_is_the_same(dsr_site, family, kind):
    assert dsr_site.ask("far", kind, dsr_site.nodes[1].addresses[family], 30002) == Answer("server2", "far")


def test_host_ports(site, family, kind):
    """hostPort of a pod at its own node, from outside, from the node, from a pod elsewhere."""
    node, server = site.nodes[0], site.namespaces["server1"]
    kind_name = "TCP" if kind == probe.TCP else "UDP"
    site.put("default-hostport.yaml", {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "server1", "namespace": "default", "labels": {"name": "server1"}},
        "spec": {"nodeName": "node1", "containers": [{"name": "main", "ports": [
            {"containerPort": 8080, "hostPort": 8500, "protocol": kind_name}]}]},
        "status": {"podIP": server.ipv4, "podIPs": [{"ip": server.ipv4}, {"ip": server.ipv6}]}})
    (node.manifest_dir / "default-server1.yaml").unlink(missing_ok=True)
    address = node.addresses[family]
    try:
        probe.eventually(lambda: isinstance(site.ask("far", kind, address, 8500), Answer),
                         what=f"hostPort of {kind_name}")
        site.settle()
        for client in "far", "host1", "client1", "client2":
            assert getattr(site.ask(client, kind, address, 8500), "server", None) == "server1", client
    finally:
        node.put_pod_manifest("server1", {"name": "server1"})
        site.remove("default-hostport.yaml")


def test_service_removed(site, family, kind):
    put(site, "short", 30, ["server1"])
    target = site.nodes[0].addresses[family], 30030
    site.until("far", *target, {"server1"}, kind)
    site.remove("short.yaml")
    probe.eventually(lambda: site.ask("far", kind, *target) == REFUSED)


def test_hairpin(site, family, kind):
    """A pod that reaches itself through its service; at sockets there is nothing to be hidden."""
    address = CLUSTER[FAMILY_NAME[family]].format(1)
    assert site.ask("server1", kind, address, 80).server == "server1"


@pytest.mark.kernel
def test_hairpin_of_packets(family, kind, packet_site):
    """Without sockets: the pod must not see its own address as a peer's, or it would answer itself."""
    answer = packet_site.ask("server1", kind, CLUSTER[FAMILY_NAME[family]].format(1), 80)
    assert answer.server == "server1" and answer.peer != "server1"


@pytest.mark.kernel
def test_pods_without_sockets(family, kind, packet_site):
    """kube-proxy-replacement off: ClusterIP of pods' packets, near and away, with the pod's own address."""
    for number, server in (1, "server1"), (2, "server2"):
        address = CLUSTER[FAMILY_NAME[family]].format(number)
        assert packet_site.ask("client1", kind, address, 80) == Answer(server, "client1")
        with Conversation(packet_site.namespaces["client1"], kind, address, 80) as client:
            assert {client.ask().server for _ in range(10)} == {server}


@pytest.fixture(scope="module")
def packet_site():
    with contextlib.closing(ServiceSite()) as made:
        put(made, "near", 1, ["server1"])
        put(made, "away", 2, ["server2"])
        made.meet()
        made.until("client1", CLUSTER["IPv4"].format(2), 80, {"server2"})
        made.until("client1", CLUSTER["IPv6"].format(2), 80, {"server2"})
        yield made
        for node in made.nodes:
            print(node.log())
