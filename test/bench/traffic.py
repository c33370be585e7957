# SPDX-License-Identifier: Apache-2.0
"""
Throughput and rates over three paths, taken in turns: B0, two namespaces joined by a veth pair; B1,
the same routed through a third one by the kernel; and two pods.
"""

import contextlib
import socket
import statistics
import subprocess

from harness.namespace import Namespace
from harness.site import QUIET

FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}
KINDS = ("stream", "rr", "crr")
# No TIME_WAIT: the client would run out of ports, and that is not what is measured.
CLIENT = dict(ipv4__tcp_max_tw_buckets=0, ipv4__ip_local_port_range="'1024 65535'")


class Path:
    """A client, a server on the first core, and the server's addresses."""

    def __init__(self, tool, client, server, addresses):
        self.tool, self.client, self.server, self.addresses = tool, client, server, addresses
        client.sysctl(**CLIENT)
        process = server.popen(tool, "serve", 0, stdout=subprocess.PIPE, text=True)
        sink, echo = process.stdout.readline().split()
        self.ports = {"stream": sink, "rr": echo, "crr": echo}

    def measure(self, kind, family, client_cpu, milliseconds):
        done = self.client.exec(self.tool, kind, client_cpu, self.addresses[family],
                                self.ports[kind], milliseconds)
        return float(done.stdout)


@contextlib.contextmanager
def bare_veth(tool, prefix):
    with contextlib.ExitStack() as stack:
        a, b = (stack.enter_context(contextlib.closing(Namespace(f"{prefix}-b0{x}")))
                for x in "ab")
        a.sysctl(**QUIET)
        b.sysctl(**QUIET)
        a.ip(f"link add eth0 type veth peer name eth0 netns {b.pid}",
             "addr add 10.9.0.1/24 dev eth0", "addr add fd09::1/64 dev eth0 nodad",
             "link set eth0 up")
        b.ip("addr add 10.9.0.2/24 dev eth0", "addr add fd09::2/64 dev eth0 nodad",
             "link set eth0 up")
        yield Path(tool, a, b, {"IPv4": "10.9.0.2", "IPv6": "fd09::2"})


@contextlib.contextmanager
def routed(tool, prefix):
    with contextlib.ExitStack() as stack:
        a, b, router = (stack.enter_context(contextlib.closing(Namespace(f"{prefix}-b1{x}")))
                        for x in "abr")
        router.sysctl(**QUIET, ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
        for number, end in ((1, a), (2, b)):
            end.sysctl(**QUIET)
            router.ip(f"link add e{number} type veth peer name eth0 netns {end.pid}",
                      f"addr add 10.9.{number}.1/24 dev e{number}",
                      f"addr add fd09:{number}::1/64 dev e{number} nodad",
                      f"link set e{number} up")
            end.ip(f"addr add 10.9.{number}.2/24 dev eth0",
                   f"addr add fd09:{number}::2/64 dev eth0 nodad", "link set eth0 up",
                   f"route add default via 10.9.{number}.1",
                   f"route add default via fd09:{number}::1")
        yield Path(tool, a, b, {"IPv4": "10.9.2.2", "IPv6": "fd09:2::2"})


def pods(tool, client, server):
    return Path(tool, client, server, {"IPv4": server.ipv4, "IPv6": server.ipv6})


def sample(paths, rounds, milliseconds):
    """{(path, kind, family, cores): [rate of each round]}; one value of everything each round."""
    rates = {}
    for path in paths.values():  # neighbours resolved, caches warm
        for family in FAMILIES:
            path.measure("rr", family, 0, 50)
    for number in range(rounds):
        order = list(paths.items())
        order = order[number % len(order):] + order[:number % len(order)]
        for kind in KINDS:
            for family in FAMILIES:
                for cores in (1, 2):
                    for name, path in order:
                        rate = path.measure(kind, family, cores - 1, milliseconds)
                        rates.setdefault((name, kind, family, cores), []).append(rate)
    return rates


def ratios(rates, over, under):
    return [a / b for a, b in zip(rates[over], rates[under])]


def report(into, rates):
    names = {"stream": "TCP stream", "rr": "TCP request/response",
             "crr": "TCP connect+request+close"}
    budgets = {("stream", 1): 0.97, ("stream", 2): 0.97, ("rr", 1): 0.95, ("rr", 2): 0.97,
               ("crr", 1): 0.95, ("crr", 2): 0.95}
    for kind in KINDS:
        for cores in (1, 2):
            where = "same core" if cores == 1 else "two cores"
            for family in FAMILIES:
                key = (kind, family, cores)
                into.add(f"{names[kind]} / B0, {where}, {family}",
                         ratios(rates, ("pods", *key), ("B0", *key)), budgets[kind, cores], True,
                         note=f"{scale(statistics.median(rates[('pods', *key)]), kind)}")
            into.add(f"{names[kind]}, {where}, IPv6 / IPv4",
                     ratios(rates, ("pods", kind, "IPv6", cores), ("pods", kind, "IPv4", cores)),
                     0.95, True)
    for cores in (1, 2):
        for family in FAMILIES:
            key = ("crr", family, cores)
            into.add(f"TCP connect+request+close / B1, "
                     f"{'same core' if cores == 1 else 'two cores'}, {family}",
                     ratios(rates, ("pods", *key), ("B1", *key)), 1.2, True)


def scale(rate, kind):
    return f"{rate * 8 / 1e9:.1f} Gbit/s" if kind == "stream" else f"{rate / 1000:.1f} k/s"
