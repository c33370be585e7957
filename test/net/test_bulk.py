# SPDX-License-Identifier: Apache-2.0
"""Much data and big packets: segmentation offload, fragments, checksums."""

import hashlib
import socket
import threading

import pytest
from scapy.layers.inet import IP, TCP as TcpHeader, UDP as UdpHeader
from scapy.layers.inet6 import IPv6

from harness import probe
from harness.site import FAR

N_BYTES = 200_000_000
BLOCK = bytes(range(256)) * 1024  # of a length that no segment size divides


def transfer(sender, receiver, address, n_bytes=N_BYTES):
    """Sends over TCP and compares what arrives, by hash."""
    listener = receiver.socket(probe.family_of(address), probe.TCP)
    listener.bind((probe.ANY[probe.family_of(address)], 0))
    listener.listen(1)
    listener.settimeout(10)
    arrived = hashlib.blake2b()

    def receive():
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(30)
            while data := connection.recv(1 << 20):
                arrived.update(data)

    thread = threading.Thread(target=receive)
    thread.start()
    sent = hashlib.blake2b()
    with listener, probe.connect(sender, probe.TCP, address, listener.getsockname()[1]) as client:
        client.settimeout(30)
        for start in range(0, n_bytes, len(BLOCK)):
            block = BLOCK[:min(len(BLOCK), n_bytes - start)]
            client.sendall(block)
            sent.update(block)
        client.shutdown(socket.SHUT_WR)
        thread.join(timeout=60)
    assert sent.digest() == arrived.digest()


@pytest.mark.parametrize("where", ["pod", "host", "world"])
def test_bulk_tcp_out(node, family, where):
    pod, other = node.pod("a"), node.pod("b")
    receiver, address = {"pod": (other, other.address(family)),
                         "host": (node, node.addresses[family]),
                         "world": (node.site.far, FAR[family])}[where]
    transfer(pod, receiver, address)


@pytest.mark.parametrize("where", ["host", "world"])
def test_bulk_tcp_in(node, family, where):
    pod = node.pod("a")
    transfer(node if where == "host" else node.site.far, pod, pod.address(family))


@pytest.mark.core
@pytest.mark.parametrize("n_bytes", [3000, 20000, 60000])
@pytest.mark.parametrize("where", ["pod", "host", "world"])
def test_fragments_both_ways(node, family, where, n_bytes):
    """A datagram larger than the MTU and its echo, which is fragmented on the way back."""
    pod, other = node.pod("a"), node.pod("b")
    server, address = {"pod": (other, other.address(family)),
                       "host": (node, node.addresses[family]),
                       "world": (node.site.far, FAR[family])}[where]
    with probe.Server(server, family, probe.UDP, address) as echo:
        probe.talk(pod, probe.UDP, address, echo.port, payload=BLOCK[:n_bytes])


def test_large_pings(node, family):
    assert probe.ping(node.pod("a"), FAR[family], "-s", "8000", count=3)


def wrong_checksums(packets, layer):
    """Packets whose checksum is not what their bytes say."""
    found = []
    for packet in packets:
        network = IP if IP in packet else IPv6
        copy = network(bytes(packet[network]))
        # scapy fills in what is deleted.
        expected = network(bytes(copy))
        del expected[layer].chksum
        if network is IP:
            del expected[IP].chksum
        expected = network(bytes(expected))
        same = expected[layer].chksum == copy[layer].chksum
        if network is IP:
            same = same and expected[IP].chksum == copy[IP].chksum
        if not same:
            found.append(packet.summary())
    return found


@pytest.mark.core
@pytest.mark.parametrize("kind", [probe.TCP, probe.UDP], ids=["tcp", "udp"])
def test_checksums_on_the_wire(node, family, kind):
    """What leaves the node, masqueraded, is right to the bit: seen with offloads off."""
    pod = node.pod("a")
    probe.set_offload(node, "eth0", False)
    layer = TcpHeader if kind == probe.TCP else UdpHeader
    with probe.Server(node.site.far, family, kind) as server, \
            probe.capture(node.site.far, "eth0", f"dst port {server.port}") as seen:
        for n_bytes in 1, 2, 3, 700, 1399:
            probe.talk(pod, kind, FAR[family], server.port, payload=BLOCK[:n_bytes])
        packets = seen()
    assert len(packets) >= 5
    assert not wrong_checksums(packets, layer)


def test_hop_limit_goes_down_once_per_hop(node, family):
    """Two routers lie between a pod and the far host: the node and the world."""
    pod = node.pod("a")
    with probe.capture(node.site.far, "eth0", "icmp or icmp6") as seen:
        assert probe.ping(pod, FAR[family], "-t", "64")
        packets = [packet for packet in seen() if packet.haslayer(IP) or packet.haslayer(IPv6)]
    source = node.addresses[family]
    limits = {packet[IP].ttl if family == socket.AF_INET else packet[IPv6].hlim
              for packet in packets
              if (packet[IP] if family == socket.AF_INET else packet[IPv6]).src == source}
    assert limits == {62}
