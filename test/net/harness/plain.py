# SPDX-License-Identifier: Apache-2.0
"""Pods without any CNI plugin, routed by the kernel: what kube-proxy is compared on."""

import socket

from .namespace import Namespace
from .site import QUIET


class PlainPod(Namespace):
    """A namespace at the node's end of a veth pair, with the addresses given."""

    def __init__(self, node, name, ipv4, ipv6):
        super().__init__(f"{node.name}-{name}")
        self.node, self.pod_name, self.ipv4, self.ipv6 = node, name, ipv4, ipv6
        self.device = f"plain{len(node.pods)}"
        node.pods.append(self)
        self.sysctl(**QUIET)
        node.ip(f"link add {self.device} type veth peer name eth0 netns {self.pid}",
                f"link set {self.device} up", f"route add {ipv4} dev {self.device}",
                f"route add {ipv6} dev {self.device}",
                f"addr add fe80::1/64 dev {self.device} nodad")
        # The node answers for every neighbour of the pod.
        node.sysctl(**{f"ipv4__conf__{self.device}__proxy_arp": 1})
        self.ip(f"addr add {ipv4}/32 dev eth0", f"addr add {ipv6}/128 dev eth0 nodad",
                "addr add fe80::2/64 dev eth0 nodad", "link set eth0 up",
                "route add 169.254.1.1 dev eth0", "route add default via 169.254.1.1",
                "route add default via fe80::1 dev eth0")

    def address(self, family):
        return self.ipv4 if family == socket.AF_INET else self.ipv6

    def delete(self):
        self.close()


def prepare(node):
    """A node that routes for its pods, and has no agent."""
    node.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
    return node
