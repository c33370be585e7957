# SPDX-License-Identifier: Apache-2.0
"""Frames that no stack would send."""

import re
import socket

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from . import probe
from .site import FAR


def gateway_mac(pod, family):
    """The link-layer address of the pod's next hop, once it is known."""
    probe.ping(pod, FAR[family])
    table = pod.exec("ip", "neigh", "show", "dev", pod.ifname).stdout
    return re.search(r"lladdr (\S+)", table).group(1)


def inject(pod, family, packet):
    """Sends a frame from the pod's interface exactly as given."""
    with pod.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((pod.ifname, 0))
        source = probe.link_address(pod, pod.ifname)
        kind = 0x0800 if family == socket.AF_INET else 0x86DD
        frame = Ether(dst=gateway_mac(pod, family), src=source, type=kind)
        raw.send(bytes(frame / packet))


def datagram(family, source, destination, **fields):
    network = IP if family == socket.AF_INET else IPv6
    packet = network(src=source, dst=destination, **fields)
    return packet / UDP(sport=1234, dport=4321) / Raw(b"x" * 20)
