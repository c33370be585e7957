# SPDX-License-Identifier: Apache-2.0
"""Where frames come from: test/soak/flood.c, in a pod or at the node's device."""

import json
import socket
import subprocess
import time

from harness import probe
from harness.inject import gateway_mac
from harness.site import FAR, WORLD

NOBODY = ("10.200.1.250", "fd00:200:1::fffa")


def own_mac(namespace, device):
    return json.loads(namespace.exec("ip", "-json", "link", "show", "dev", device).stdout)[0]["address"]


class Flood:
    """Frames of a kind (see flood.c) from device in namespace; places: six (IPv4, IPv6), as frame_place."""

    def __init__(self, soak, namespace, device, kind, count, macs, places):
        self.process = namespace.popen(
            "nice", soak.build / "test/soak/flood", device, kind, str(count),
            str(soak.random.randrange(1, 1 << 31)), *macs, *(place[0] for place in places),
            *(place[1] for place in places), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        self.start = time.monotonic()

    def wait(self, seconds=3600):
        """How many frames the kernel took."""
        stdout, stderr = self.process.communicate(timeout=seconds)
        if self.process.returncode:
            raise AssertionError(f"flood: {stderr}")
        self.seconds = time.monotonic() - self.start
        return int(stdout)


def pair(addresses):
    return (addresses[socket.AF_INET], addresses[socket.AF_INET6])


def from_pod(soak, pod, kind, count, world=None, other=None):
    """world: whom a series goes to, else the far host."""
    router = probe.eventually(lambda: gateway_mac(pod, socket.AF_INET))
    places = [(pod.ipv4, pod.ipv6), (other.ipv4, other.ipv6) if other else NOBODY,
              pair(pod.node.addresses), ("10.200.1.1", "fd00:200:1::1"), world or pair(FAR), NOBODY]
    return Flood(soak, pod, pod.ifname, kind, count, (own_mac(pod, pod.ifname), router), places)


def from_world(soak, node, kind, count, pod, world=None):
    device = f"node{node.index}"
    places = [pair(FAR), (pod.ipv4, pod.ipv6), pair(node.addresses), pair(WORLD),
              world or (pod.ipv4, pod.ipv6), NOBODY]
    return Flood(soak, node.site.world, device, kind, count,
                 (own_mac(node.site.world, device), own_mac(node, "eth0")), places)
