# SPDX-License-Identifier: Apache-2.0
"""
Policies on a running node against the judge of test/policy: its random worlds, its verdicts, and packets
by the thousand.
"""

import json
import socket
import subprocess

from . import patience, probe
from .site import FAR

V4, V6 = socket.AF_INET, socket.AF_INET6
PROTOCOLS = {"tcp": 6, "udp": 17}
PORTS = {"tcp": (1, 53, 79, 80, 81, 443, 444, 8079, 8080, 8085, 8090, 8091, 65535),
         "udp": (53, 80, 443, 8080, 8091)}
# Of whom prefixes, groups and services of the generated policies speak.
STRANGERS = {V4: ("198.51.100.7", "198.51.100.200"), V6: ("2001:db8:2::7",)}


def tool(node, name):
    return str(node.build / "test/policy" / name)


def generate(node, seed):
    done = subprocess.run([tool(node, "policy"), "generate", str(seed)], check=True, text=True,
                          capture_output=True)
    return json.loads(done.stdout)


def judge(node, world, questions):
    """For each [from, to, protocol, port]: whether the packet may pass."""
    done = subprocess.run([tool(node, "policy"), "judge"], check=True, text=True, capture_output=True,
                          input=json.dumps({"world": world, "questions": questions}))
    return json.loads(done.stdout)


class Prober:
    """Sends packets between namespaces, and tells which arrive."""

    def __init__(self, node, namespaces):
        self.places = {id(namespace): i for i, namespace in enumerate(namespaces)}
        self.process = subprocess.Popen(
            [tool(node, "policy-probe"), *(namespace.netns_path for namespace in namespaces)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def send(self, packets):
        """
        packets: (from, source or None, to, destination, protocol, port[, source port, ...]). Without a
        source port, or with 0, each opens something. The set of those that arrived.
        """
        for origin, source, target, destination, protocol, port, *source_port in packets:
            self.process.stdin.write(
                f"send {self.places[id(origin)]} {source or '-'} {self.places[id(target)]} "
                f"{destination} {protocol} {port} {source_port[0] if source_port else 0}\n")
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "policy-probe ended"
        return {packets[int(number)] for number in line.split()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=patience.stretch(10))
        self.process.stdout.close()


class Party:
    """Somebody with addresses: name is how the judge calls it, or None where it goes by address."""

    def __init__(self, namespace, addresses, name=None):
        self.namespace, self.addresses, self.name = namespace, addresses, name

    def called(self, family):
        return self.name or self.addresses[family]


def of_kind(world, *kinds):
    return [thing for thing in world["objects"] if thing["kind"] in kinds]


class PolicyWorld:
    """A node whose pods are those of a generated world."""

    def __init__(self, node, seed):
        self.node, self.n_applied = node, 0
        self.world = generate(node, seed)
        self.pods = of_kind(self.world, "Pod")
        for family, addresses in STRANGERS.items():
            bits = "24" if family == V4 else "64 nodad"
            node.site.far.ip(*(f"addr add {address}/{bits.split()[0]} dev eth0 "
                               f"{' '.join(bits.split()[1:])}" for address in addresses))
        for pod in self.pods:
            pod["spec"]["nodeName"] = f"node{node.index}"
        self.put(self.world)
        parties = []
        for pod in self.pods:
            namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
            made = node.pod(f"{name}", namespace=namespace)
            parties.append(Party(made, {V4: made.ipv4, V6: made.ipv6}, f"{namespace}/{name}"))
        self.endpoints = [{"pod": party.name, "ipv4": party.addresses[V4],
                           "ipv6": party.addresses[V6]} for party in parties]
        self.inside = parties
        self.host = Party(node, dict(node.addresses), "host")
        self.outside = [self.host]
        for i, address in enumerate(STRANGERS[V4]):
            addresses = {V4: address}
            if i < len(STRANGERS[V6]):
                addresses[V6] = STRANGERS[V6][i]
            self.outside.append(Party(node.site.far, addresses))
        self.outside.append(Party(node.site.far, dict(FAR)))

    def namespaces(self):
        return [*(party.namespace for party in self.inside), self.node, self.node.site.far]

    def put(self, world):
        """Brings the world's manifests into force. Pods stay those of the first."""
        self.n_applied += 1
        marker = f"marker{self.n_applied}"
        objects = [thing for thing in world["objects"] if thing["kind"] != "Pod"] + self.pods + [{
            "apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
            "metadata": {"name": marker, "namespace": "default"},
            "spec": {"endpointSelector": {"matchLabels": {"app": "nobody"}}, "ingress": [{}]}}]
        self.world = {**world, "objects": objects}
        self.node.put_manifest("world.yaml", *objects)
        probe.eventually(
            lambda: marker in json.dumps(self.node.request("GET", "/v1/policy")[1]),
            what=f"{marker} in force")

    def packets(self, random, share):
        """Packets of all pairs and both families, a share of all kinds."""
        pairs = [(a, b) for a in self.inside + self.outside for b in self.inside + self.outside
                 if a is not b and {a, b} & {*self.inside, self.host}]
        for origin, target in pairs:
            for family in V4, V6:
                if family not in origin.addresses or family not in target.addresses:
                    continue
                kinds = [(kind, port) for kind, ports in PORTS.items() for port in ports]
                for kind, port in [*kinds, ("icmp", 0)]:
                    if random.random() < share:
                        yield origin, target, family, kind, port

    def check(self, prober, packets):
        """Sends the packets, and compares with the judge. Returns how many; what differs fails."""
        packets = list(packets)
        world = {**self.world, "endpoints": self.endpoints}
        questions, sent = [], []
        for origin, target, family, kind, port in packets:
            protocol = PROTOCOLS.get(kind) or (1 if family == V4 else 58)
            number = port if kind != "icmp" else 8 if family == V4 else 128
            questions.append([origin.called(family), target.called(family), protocol, number])
            # The host's own address is the kernel's choice, which knows the way.
            source = None if origin.name else origin.addresses[family]
            sent.append((origin.namespace, source, target.namespace, target.addresses[family], kind,
                         port))
        expected = judge(self.node, world, questions)
        arrived = prober.send(sent)
        wrong = [i for i, packet in enumerate(sent) if (packet in arrived) != expected[i]]
        lost = [i for i in wrong if expected[i]]
        # A neighbour that was not known yet may have cost the first packets: they get another chance.
        if lost:
            again = prober.send([sent[i] for i in lost])
            wrong = [i for i in wrong if not expected[i] or sent[i] not in again]
        assert not wrong, self.describe(world, questions, expected, wrong)
        return len(packets)

    def describe(self, world, questions, expected, wrong):
        lines = [f"{len(wrong)} of {len(questions)} packets are judged otherwise:"]
        lines += [f"{questions[i]}: the judge says {'allow' if expected[i] else 'deny'}"
                  for i in wrong[:20]]
        return "\n".join([*lines, json.dumps({"config": world["config"], "endpoints": self.endpoints}),
                          *map(json.dumps, world["objects"])])
