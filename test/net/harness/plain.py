# SPDX-License-Identifier: Apache-2.0
"""Pods without any CNI plugin, routed by the kernel: what kube-proxy is compared on."""

import socket

from .namespace import Namespace
from .site import QUIET

MACS = "02:00:00:00:00:01", "02:00:00:00:00:02"  # of the node's end, and of the pod's
GATEWAYS = "169.254.1.1", "fe80::1"  # nobody has them: the neighbour is written down


class PlainPod(Namespace):
    """A namespace at the node's end of a veth pair, with the addresses given."""

    def __init__(self, node, name, ipv4, ipv6):
        super().__init__(f"{node.name}-{name}")
        self.node, self.pod_name, self.ipv4, self.ipv6 = node, name, ipv4, ipv6
        self.device = f"plain{len(node.pods)}"
        node.pods.append(self)
        self.sysctl(**QUIET)
        node.ip(f"link add {self.device} address {MACS[0]} type veth peer name eth0 "
                f"address {MACS[1]} netns {self.pid}",
                f"link set {self.device} up", f"route add {ipv4} dev {self.device}",
                f"route add {ipv6} dev {self.device}",
                *(f"neigh add {each} lladdr {MACS[1]} dev {self.device}" for each in (ipv4, ipv6)))
        self.ip(f"addr add {ipv4}/32 dev eth0", f"addr add {ipv6}/128 dev eth0 nodad",
                "link set eth0 up",
                *(f"neigh add {each} lladdr {MACS[0]} dev eth0" for each in GATEWAYS),
                *(f"route add {each} dev eth0" for each in GATEWAYS),
                *(f"route add default via {each} dev eth0" for each in GATEWAYS))

    def address(self, family):
        return self.ipv4 if family == socket.AF_INET else self.ipv6

    def delete(self):
        self.close()


def prepare(node):
    """A node that routes for its pods, and has no agent."""
    node.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
    return node
