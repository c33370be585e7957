# SPDX-License-Identifier: Apache-2.0
"""
A site: a world with nodes plugged into it.

    node 1 eth0 192.0.2.11 2001:db8:1::11 ─┐
    node 2 eth0 192.0.2.12 2001:db8:1::12 ─┴─ br0 192.0.2.1 2001:db8:1::1 [world, a router]
                                                      far0 198.51.100.1 2001:db8:2::1
                                                        │
                                                [far] eth0 198.51.100.2 2001:db8:2::2
"""

import contextlib
import os
import re
import shutil
import socket
import time

from . import patience
from .namespace import Namespace, marked_processes, temporary_directory
from .node import Node

WORLD = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8:1::1"}
FAR = {socket.AF_INET: "198.51.100.2", socket.AF_INET6: "2001:db8:2::2"}
FAR_ROUTER = {socket.AF_INET: "198.51.100.1", socket.AF_INET6: "2001:db8:2::1"}
SANITIZER = re.compile(r"(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:")
QUIET = dict(ipv6__conf__all__accept_dad=0, ipv6__conf__default__accept_dad=0,
             ipv6__conf__default__accept_ra=0)
# Every ICMP error is sent: one that is held back would look like silence.
TALKATIVE = dict(ipv4__icmp_ratelimit=0, ipv6__icmp__ratelimit=0)


class Site:
    _count = 0

    def __init__(self):
        Site._count += 1
        self.prefix = f"axo{os.getpid()}-{Site._count}"
        self.tmp = temporary_directory(self.prefix)
        self.nodes = []
        self.world = Namespace(f"{self.prefix}-world")
        self.far = Namespace(f"{self.prefix}-far")
        self.world.sysctl(**QUIET, **TALKATIVE, ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
        self.far.sysctl(**QUIET)
        self.world.ip(
            "link add br0 type bridge forward_delay 0 mcast_snooping 0", "link set br0 up",
            "addr add 192.0.2.1/24 dev br0", "addr add 2001:db8:1::1/64 dev br0 nodad",
            f"link add far0 type veth peer name eth0 netns {self.far.pid}",
            "addr add 198.51.100.1/24 dev far0", "addr add 2001:db8:2::1/64 dev far0 nodad",
            "link set far0 up")
        self.far.ip(
            "addr add 198.51.100.2/24 dev eth0", "addr add 2001:db8:2::2/64 dev eth0 nodad",
            "link set eth0 up", "route add default via 198.51.100.1",
            "route add default via 2001:db8:2::1")

    def node(self, index=None, start=True, build=None, cgroup=False, **config):
        """A node; node(start=True) also starts its agent and waits for it."""
        index = index or len(self.nodes) + 1
        # Programs on sockets would be those of the whole machine.
        cgroup |= any(config.get(key) == "true" for key in ("kube_proxy_replacement", "bpf_lb_sock"))
        node = Node(self, index, config, build, cgroup)
        self.nodes.append(node)
        node.addresses = {socket.AF_INET: f"192.0.2.{10 + index}",
                          socket.AF_INET6: f"2001:db8:1::{10 + index}"}
        node.sysctl(**QUIET, **TALKATIVE)
        self.world.ip(f"link add node{index} type veth peer name eth0 netns {node.pid}",
                      f"link set node{index} master br0 up")
        node.ip(f"addr add 192.0.2.{10 + index}/24 dev eth0",
                f"addr add 2001:db8:1::{10 + index}/64 dev eth0 nodad", "link set eth0 up",
                "route add default via 192.0.2.1", "route add default via 2001:db8:1::1")
        # Pods can be reached from outside by their own addresses.
        self.world.ip(f"route add {node.ipv4_range} via 192.0.2.{10 + index}",
                      f"route add {node.ipv6_range} via 2001:db8:1::{10 + index}")
        if start:
            node.start_agent()
        return node

    def join_nodes(self):
        """Each node reaches the others' pods without the world's router."""
        for node in self.nodes:
            node.ip(*(f"route replace {prefix} via {other.addresses[family]}"
                      for other in self.nodes if other is not node
                      for family, prefix in ((socket.AF_INET, other.ipv4_range),
                                             (socket.AF_INET6, other.ipv6_range))))

    def close(self):
        """Takes all of it down, also where one thing fails; fails if something survived or a sanitizer spoke up."""
        reports = []
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.tmp)
            stack.callback(lambda: reports.extend(
                line for node in self.nodes for line in node.log().splitlines() if SANITIZER.search(line)))
            for each in self.far, self.world, *reversed(self.nodes):
                stack.callback(each.close)
        deadline = time.monotonic() + patience.stretch(5)
        while (left := marked_processes(self.prefix)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not left, f"processes outlived their site: {left}"
        assert not reports, reports
