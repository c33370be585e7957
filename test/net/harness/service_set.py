# SPDX-License-Identifier: Apache-2.0
"""One service of each kind, and every question that clients can ask about them."""

import dataclasses

from . import probe
from .objects import port
from .service_site import FAMILIES, HOST_PORT, Question

CLIENTS = ("client1", "client2", "host1", "far")
INGRESS = {"IPv4": "203.0.113.{}", "IPv6": "2001:db8:9::{}"}
CLUSTER = {"IPv4": "172.20.0.{}", "IPv6": "fd00:20::{}"}
KINDS = {"TCP": probe.TCP, "UDP": probe.UDP}


@dataclasses.dataclass
class Kind:
    """number: the last part of its addresses, and of its node port 30000 + number."""
    name: str
    number: int
    servers: tuple = ("server1", "server2")
    target: int = 8080
    conditions: dict = dataclasses.field(default_factory=dict)
    type: str = "ClusterIP"
    has_ingress: bool = False
    external_ip: bool = False
    spec: dict = dataclasses.field(default_factory=dict)
    clients: tuple = CLIENTS
    extra: tuple = ()  # (server, conditions) that are not to be asked

    def addresses(self, pattern):
        return [text.format(self.number) for text in pattern.values()]

    def put(self, site):
        node_port = 30000 + self.number if self.type != "ClusterIP" else None
        ports = [port(80, self.target, protocol, node_port, protocol.lower()) for protocol in KINDS]
        endpoints = site.endpoints(*self.servers, **self.conditions)
        for server, conditions in self.extra:
            endpoints += site.endpoints(server, **conditions)
        spec = dict(self.spec, type=self.type)
        if self.external_ip:
            spec["externalIPs"] = self.addresses(INGRESS)
        if self.has_ingress:
            spec["ingress"] = self.addresses(INGRESS)
        site.put_service(self.name, self.addresses(CLUSTER), ports, endpoints, **spec)

    def targets(self, site):
        """(address, port) in both families."""
        for family, number in FAMILIES.items():
            yield CLUSTER[family].format(self.number), 80
            if self.has_ingress or self.external_ip:
                yield INGRESS[family].format(self.number), 80
            if self.type != "ClusterIP":
                for node in site.nodes:
                    yield node.addresses[number], 30000 + self.number

    def questions(self, site):
        for client in self.clients:
            for address, number in self.targets(site):
                for kind in KINDS.values():
                    yield Question(client, self.name, kind, address, number, frozenset(self.servers))


TERMINATING = dict(ready=False, serving=True, terminating=True)
LOCAL = {"externalTrafficPolicy": "Local"}
RANGES = ["198.51.100.0/24", "2001:db8:2::/64"]
OTHER_RANGES = ["198.18.0.0/15", "2001:db8:77::/64"]

KINDS_OF_SERVICE = [
    Kind("cluster", 1),
    Kind("nodeport", 2, type="NodePort"),
    Kind("nodeport-local", 3, servers=("server1",), type="NodePort", spec=LOCAL),
    Kind("balancer", 4, type="LoadBalancer", has_ingress=True),
    Kind("balancer-local", 5, servers=("server1",), type="LoadBalancer", has_ingress=True, spec=LOCAL),
    Kind("balancer-ranges", 6, type="LoadBalancer", has_ingress=True, clients=("far", "host1"),
         spec={"loadBalancerSourceRanges": RANGES}),
    Kind("balancer-denied", 7, type="LoadBalancer", has_ingress=True, clients=("far",),
         spec={"loadBalancerSourceRanges": OTHER_RANGES}),
    Kind("external", 8, external_ip=True),
    Kind("internal-local", 9, servers=("server2",), spec={"internalTrafficPolicy": "Local"}),
    Kind("nobody", 10, servers=(), type="NodePort"),
    Kind("host-network", 11, servers=("host1", "host2"), target=HOST_PORT, type="NodePort"),
    Kind("hairpin", 12, servers=("server1",), type="NodePort", clients=("server1",)),
    Kind("terminating", 13, servers=("server2",), conditions=TERMINATING, type="NodePort",
         extra=(("server1", dict(ready=False, serving=False)),)),
    Kind("half-ready", 14, servers=("server1",),
         extra=(("server2", TERMINATING), ("host2", dict(ready=False)))),
    Kind("other-target", 15, servers=("server1",), target=8081),
]


def put_all(site):
    """Until all of it is in force on both nodes."""
    for kind in KINDS_OF_SERVICE:
        kind.put(site)
    site.start()
    site.meet()
    last = KINDS_OF_SERVICE[-1]
    for address in last.addresses(CLUSTER):
        for client in "client1", "client2":
            site.until(client, address, 80, set(last.servers))


def all_questions(site):
    return [question for kind in KINDS_OF_SERVICE for question in kind.questions(site)]
