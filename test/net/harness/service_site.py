# SPDX-License-Identifier: Apache-2.0
"""
Two nodes with the same services in force, by our agents or by kube-proxy:

    client1 server1 [node 1, host1]      client2 server2 [node 2, host2]      far, a client outside

server1 and server2 are pods that listen on SERVER_PORTS, host1 and host2 are programs of the nodes' host
network on HOST_PORT. All say who they are and whom they see.
"""

import contextlib
import dataclasses
import socket
import time

from . import objects, patience, plain, probe
from .kube_proxy import KubeProxy
from .site import Site, TALKATIVE
from .whoami import Answer, Whoami, ask

SERVER_PORTS = (8080, 8081)
HOST_PORT = 8090
# Addresses of services that the world's router leads to node 1.
OUTSIDE = {"172.20.0.0/16", "203.0.113.0/24", "fd00:20::/64", "2001:db8:9::/64"}
FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}


@dataclasses.dataclass(frozen=True)
class Question:
    """A client that speaks to an address; servers: who could answer at most."""
    client: str
    service: str
    kind: int
    address: str
    port: int
    servers: frozenset

    def __str__(self):
        kind = "TCP" if self.kind == probe.TCP else "UDP"
        return f"{self.client} → {self.service} at {self.address} port {self.port}/{kind}"


class ServiceSite:
    """mode: None, our agents, or a mode of kube-proxy."""

    def __init__(self, mode=None, **config):
        self.site, self.mode, self.proxies, self.config = Site(), mode, [], config
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def _make(self):
        self.nodes = [self._node(number) for number in (1, 2)]
        self.namespaces = {"far": self.site.far}
        for number, node in enumerate(self.nodes, 1):
            self.namespaces.update({f"host{number}": node,
                                    f"client{number}": self._pod(node, f"client{number}", 21),
                                    f"server{number}": self._pod(node, f"server{number}", 22)})
        self.site.join_nodes()
        self.site.far.sysctl(**TALKATIVE)
        self.site.world.ip(*(f"route add {prefix} via {self.nodes[0].addresses[family]}"
                             for prefix in OUTSIDE
                             for family in [probe.family_of(prefix)]))
        self.servers = [Whoami(self.namespaces[f"server{n}"], f"server{n}", *SERVER_PORTS)
                        for n in (1, 2)]
        self.servers += [Whoami(self.namespaces[f"host{n}"], f"host{n}", HOST_PORT) for n in (1, 2)]
        if not self.mode:
            self.put("nodes.yaml", *map(objects.node, self.nodes))

    def _node(self, number):
        if not self.mode:
            return self.site.node(cgroup=True, **self.config)
        node = plain.prepare(self.site.node(start=False))
        self.proxies.append(KubeProxy(node, self.mode, f"node{number}",
                                      list(node.addresses.values()), **self.config))
        return node

    def _pod(self, node, name, last):
        if not self.mode:
            return node.pod(name, labels={"name": name})
        return plain.PlainPod(node, name, f"10.200.{node.index}.{last}",
                              f"fd00:200:{node.index}::{last}")

    def put(self, name, *documents):
        """A manifest of both nodes."""
        for node in self.proxies or self.nodes:
            node.put_manifest(name, *documents)

    def start(self):
        """With kube-proxy: after the manifests are put. Ours runs already."""
        for proxy in self.proxies:
            proxy.start()

    def meet(self):
        """Every neighbour is known: no first packet is late for that."""
        for family in FAMILIES.values():
            for client in "client1", "client2", "host1", "host2":
                for server in "server1", "server2":
                    assert probe.ping(self.namespaces[client], self.address(server, family))
            for node in self.nodes:
                assert probe.ping(self.site.far, node.addresses[family])

    def close(self):
        with contextlib.closing(self.site), contextlib.ExitStack() as stack:
            for proxy in self.proxies:
                stack.callback(proxy.close)

    def address(self, name, family):
        namespace = self.namespaces[name]
        if name.startswith("host"):
            return namespace.addresses[family]
        return namespace.address(family)

    def endpoints(self, *names, **conditions):
        """Of a slice: the servers in both families."""
        return [objects.endpoint(self.address(name, family), f"node{name[-1]}", **conditions)
                for name in names for family in FAMILIES.values()]

    def name_of(self, address):
        """Who has an address."""
        for name, namespace in self.namespaces.items():
            if name == "far":
                continue
            if address in (self.address(name, family) for family in FAMILIES.values()):
                return name
        for node in self.nodes:  # the node's own address among its pods'
            if address in (f"10.200.{node.index}.1", f"fd00:200:{node.index}::1"):
                return f"host{node.index}"
        return "far" if address in ("198.51.100.2", "2001:db8:2::2") else address

    def put_service(self, name, cluster_ips, ports, endpoints, **spec):
        self.put(f"{name}.yaml", objects.service(name, cluster_ips, ports, **spec),
                 *objects.slices(name, endpoints, ports))

    def remove(self, name):
        for node in self.nodes if not self.mode else ():
            (node.manifest_dir / name).unlink()
        for proxy in self.proxies:
            proxy.remove_manifest(name)

    def ask(self, client, kind, address, port, **kwargs):
        """An answer with names for addresses, or whoami.REFUSED or SILENT."""
        answer = ask(self.namespaces[client], kind, address, port, **kwargs)
        if isinstance(answer, Answer):
            return Answer(answer.server, self.name_of(answer.peer))
        return answer

    def answers(self, question, most=400):
        """All different answers; ends early when every server has been seen."""
        found = set()
        for number in range(most if len(question.servers) > 1 else 2):
            found.add(self.ask(question.client, question.kind, question.address, question.port))
            servers = {answer.server for answer in found if isinstance(answer, Answer)}
            if (servers == question.servers and number > 0) or not servers:
                break
        return found

    def settle(self):
        """Until our agents have come to the end of the change whose first effect was seen: only then they answer."""
        for node in self.nodes if not self.mode else ():
            node.request("GET", "/v1/healthz")

    def servers_seen(self, client, kind, address, port, n=40):
        """What n new connections see: servers, REFUSED, SILENT. One of two is missed once in 10^11 times."""
        return {getattr(answer, "server", answer)
                for answer in (self.ask(client, kind, address, port) for _ in range(n))}

    def until(self, client, address, port, servers, kind=probe.TCP, seconds=10):
        """Waits until exactly these servers answer, as far as many questions tell."""
        question = Question(client, "", kind, address, port, frozenset(servers))
        deadline = time.monotonic() + patience.stretch(seconds)
        while True:
            found = self.answers(question)
            if {getattr(answer, "server", answer) for answer in found} == set(servers):
                self.settle()
                return found
            assert time.monotonic() < deadline, f"{question}: {found}, not {servers}"
            time.sleep(0.02)
