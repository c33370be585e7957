# SPDX-License-Identifier: Apache-2.0
"""
What the conformance suite of Kubernetes asks of NetworkPolicy: three namespaces of three pods, each of
which tries each other one on two ports by TCP and UDP over both families, before and after changes of
policies, of pods' labels and of namespaces' labels.
"""

import copy
import socket

import pytest

from harness import probe
from harness.policy_world import Prober
from harness.site import FAR, Site

V4, V6 = socket.AF_INET, socket.AF_INET6
NAMES = [(namespace, pod) for namespace in "xyz" for pod in "abc"]
KINDS = [(kind, port) for kind in ("tcp", "udp") for port in (80, 81)]
# The address of somebody outside, beside FAR, of whom an exception speaks.
OTHER = {V4: "198.51.100.7", V6: "2001:db8:2::7"}
BLOCK = {V4: "198.51.100.0/24", V6: "2001:db8:2::/64"}


class Cluster:
    def __init__(self, node):
        self.node, self.labels = node, {}
        node.site.far.ip("addr add 198.51.100.7/24 dev eth0",
                         "addr add 2001:db8:2::7/64 dev eth0 nodad")
        for namespace in "xyz":
            self.put_namespace(namespace)
        self.pods = {}
        for namespace, name in NAMES:
            self.put_pod(namespace, name)
            self.pods[namespace, name] = node.sandbox(name, namespace).add()

    def put_namespace(self, name, **labels):
        self.node.put_manifest(f"namespace-{name}.yaml", {
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"ns": name, **labels}}})

    def put_pod(self, namespace, name, **labels):
        ports = [{"name": f"serve-{port}-{kind}", "containerPort": port, "protocol": kind.upper()}
                 for kind, port in KINDS]
        self.node.put_manifest(f"pod-{namespace}-{name}.yaml", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": {"pod": name, **labels}},
            "spec": {"nodeName": f"node{self.node.index}",
                     "containers": [{"name": "main", "ports": ports}]}})

    def reset(self):
        for path in self.node.manifest_dir.glob("policy-*.yaml"):
            path.unlink()
        for namespace in "xyz":
            self.put_namespace(namespace)
        for namespace, name in NAMES:
            self.put_pod(namespace, name)

    def table(self):
        """{(from, to, kind, port, family)} of all that gets through between pods."""
        packets = {}
        for origin in NAMES:
            for target in NAMES:
                if origin == target:
                    continue
                for kind, port in KINDS:
                    for family in V4, V6:
                        source, destination = self.pods[origin], self.pods[target]
                        packets[source, source.address(family), destination,
                                destination.address(family), kind, port] = (
                                    origin, target, kind, port, family)
        arrived = self.prober.send(list(packets))
        return {packets[packet] for packet in arrived}, set(packets.values())

    def expect(self, allowed):
        """Within seconds, twice in a row, what gets through is what allowed(from, to, kind, port) says."""
        wrong = []

        def holds():
            got, every = self.table()
            wrong[:] = sorted(
                (question, "passed" if question in got else "stopped") for question in every
                if bool(allowed(*question[:4])) != (question in got))
            return not wrong

        for _ in range(2):
            try:
                probe.eventually(holds, 4)
            except AssertionError:
                shown = "\n".join(map(str, wrong[:20]))
                raise AssertionError(f"{len(wrong)} are judged otherwise:\n{shown}") from None

    def outside(self, pod, kind="udp", port=80):
        """Whom of those outside the pod reaches, by address, and who of them reaches it."""
        pod, far = self.pods[pod], self.node.site.far
        out = {(pod, None, far, addresses[family], kind, port): addresses[family]
               for addresses in (FAR, OTHER) for family in (V4, V6)}
        into = {(far, addresses[family], pod, pod.address(family), kind, port): addresses[family]
                for addresses in (FAR, OTHER) for family in (V4, V6)}
        arrived = self.prober.send([*out, *into])
        return {out[packet] for packet in arrived & set(out)}, \
            {into[packet] for packet in arrived & set(into)}


@pytest.fixture(scope="module")
def running():
    site = Site()
    try:
        made = Cluster(site.node())
        with Prober(made.node, [*made.pods.values(), site.far]) as prober:
            made.prober = prober
            yield made
        print(made.node.log())
    finally:
        site.close()


@pytest.fixture
def cluster(running):
    running.reset()
    running.expect(lambda *_: True)
    return running


def put(cluster, namespace, name, spec):
    document = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"podSelector": {}, **copy.deepcopy(spec)}}
    cluster.node.put_manifest(f"policy-{namespace}-{name}.yaml", document)


def remove(cluster, namespace, name):
    (cluster.node.manifest_dir / f"policy-{namespace}-{name}.yaml").unlink()


def pods(**labels):
    return {"podSelector": {"matchLabels": labels}}


def of_namespace(**labels):
    return {"namespaceSelector": {"matchLabels": labels}}


def is_in(key, *values, operator="In"):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def ingress(*peers, ports=None):
    rule = {**({"from": list(peers)} if peers else {}), **({"ports": ports} if ports else {})}
    return {"policyTypes": ["Ingress"], "ingress": [rule]}


def egress(*peers, ports=None):
    rule = {**({"to": list(peers)} if peers else {}), **({"ports": ports} if ports else {})}
    return {"policyTypes": ["Egress"], "egress": [rule]}


XA, XB, XC, YA, YB = ("x", "a"), ("x", "b"), ("x", "c"), ("y", "a"), ("y", "b")
TO_XA = pods(pod="a")

# name: (specs of policies in namespace x, what may pass)
SCENARIOS = {
    "deny ingress": ([{"policyTypes": ["Ingress"]}], lambda f, t, k, p: t[0] != "x"),
    "deny ingress, no types": ([{}], lambda f, t, k, p: t[0] != "x"),
    "deny egress": ([{"policyTypes": ["Egress"]}], lambda f, t, k, p: f[0] != "x"),
    "deny all": ([{"policyTypes": ["Ingress", "Egress"]}],
                 lambda f, t, k, p: "x" not in (f[0], t[0])),
    "egress rules, no types": ([{"egress": [{"to": [pods(pod="b")]}]}],
                               lambda f, t, k, p: t[0] != "x" and f[0] != "x"),
    "pods of the namespace": ([{**TO_XA, **ingress(pods(pod="b"))}],
                              lambda f, t, k, p: t != XA or f == XB),
    "all pods of the namespace": ([{**TO_XA, **ingress({"podSelector": {}})}],
                                  lambda f, t, k, p: t != XA or f[0] == "x"),
    "another namespace": ([{**TO_XA, **ingress(of_namespace(ns="y"))}],
                          lambda f, t, k, p: t != XA or f[0] == "y"),
    "all namespaces": ([ingress({"namespaceSelector": {}})], lambda *_: True),
    "pods by expression": (
        [{**TO_XA, **ingress({"podSelector": is_in("pod", "a", "b")})}],
        lambda f, t, k, p: t != XA or f == XB),
    "namespaces by expression": (
        [{**TO_XA, **ingress({"namespaceSelector": is_in("ns", "y", operator="NotIn")})}],
        lambda f, t, k, p: t != XA or f[0] in "xz"),
    "subject by expression": ([{"podSelector": is_in("pod", "a", operator="NotIn")}],
                              lambda f, t, k, p: t[0] != "x" or t == XA),
    "pods or namespaces": ([{**TO_XA, **ingress(pods(pod="b"), of_namespace(ns="y"))}],
                           lambda f, t, k, p: t != XA or f == XB or f[0] == "y"),
    "pods and namespaces": (
        [{**TO_XA, **ingress({**pods(pod="b"), **of_namespace(ns="y")})}],
        lambda f, t, k, p: t != XA or f == YB),
    "many pods and namespaces": (
        [{**TO_XA, **ingress({"podSelector": is_in("pod", "b", "c"),
                              "namespaceSelector": is_in("ns", "x", operator="NotIn")})}],
        lambda f, t, k, p: t != XA or (f[0] in "yz" and f[1] in "bc")),
    "name of a namespace": (
        [{**TO_XA, **ingress(of_namespace(**{"kubernetes.io/metadata.name": "z"}))}],
        lambda f, t, k, p: t != XA or f[0] == "z"),
    "a port": ([{**TO_XA, **ingress(of_namespace(ns="y"), ports=[{"port": 81}])}],
               lambda f, t, k, p: t != XA or (f[0] == "y" and (k, p) == ("tcp", 81))),
    "a port of UDP": ([{**TO_XA, **ingress(ports=[{"port": 80, "protocol": "UDP"}])}],
                      lambda f, t, k, p: t != XA or (k, p) == ("udp", 80)),
    "a protocol": ([{**TO_XA, **ingress(ports=[{"protocol": "UDP"}])}],
                   lambda f, t, k, p: t != XA or k == "udp"),
    "SCTP is not TCP": ([{**TO_XA, **ingress(ports=[{"port": 80, "protocol": "SCTP"}])}],
                        lambda f, t, k, p: t != XA),
    "a range of ports": (
        [{**TO_XA, **ingress(ports=[{"port": 81, "endPort": 90, "protocol": "TCP"}])}],
        lambda f, t, k, p: t != XA or (k, p) == ("tcp", 81)),
    "a named port": ([{**TO_XA, **ingress(ports=[{"port": "serve-81-tcp"}])}],
                     lambda f, t, k, p: t != XA or (k, p) == ("tcp", 81)),
    "a named port of another protocol": (
        [{**TO_XA, **ingress(ports=[{"port": "serve-81-udp"}])}], lambda f, t, k, p: t != XA),
    "a named port of a namespace": (
        [{**TO_XA, **ingress(of_namespace(ns="x"),
                             ports=[{"port": "serve-80-udp", "protocol": "UDP"}])}],
        lambda f, t, k, p: t != XA or (f[0] == "x" and (k, p) == ("udp", 80))),
    "a named port of egress": (
        [{**TO_XA, **egress(of_namespace(ns="y"), ports=[{"port": "serve-80-tcp"}])}],
        lambda f, t, k, p: f != XA or (t[0] == "y" and (k, p) == ("tcp", 80))),
    "ingress adds up": (
        [{**TO_XA, **ingress(of_namespace(ns="x"), ports=[{"port": 80}])},
         {**TO_XA, **ingress(of_namespace(ns="y"), ports=[{"port": 81}])}, {}],
        lambda f, t, k, p: t[0] != "x" or t == XA and (f[0], k, p) in (("x", "tcp", 80),
                                                                     ("y", "tcp", 81))),
    "allow all over deny all": ([{}, ingress()], lambda *_: True),
    "egress over deny all": ([{"policyTypes": ["Egress"]}, egress()], lambda *_: True),
    "egress to pods": ([{**TO_XA, **egress({**pods(pod="b"), **of_namespace(ns="y")})}],
                       lambda f, t, k, p: f != XA or t == YB),
    "egress of a port": ([{**TO_XA, **egress(of_namespace(ns="y"), ports=[{"port": 80}])}],
                         lambda f, t, k, p: f != XA or (t[0] == "y" and (k, p) == ("tcp", 80))),
    "ingress and egress": (
        [{**TO_XA, **ingress(of_namespace(ns="y")), **egress(of_namespace(ns="z")),
          "policyTypes": ["Ingress", "Egress"]}],
        lambda f, t, k, p: (t != XA or f[0] == "y") and (f != XA or t[0] == "z")),
    "both ends": ([{**TO_XA, **egress(pods(pod="b"))}, {**pods(pod="b"), **ingress(pods(pod="c"))}],
                  lambda f, t, k, p: (f != XA or t == XB) and (t != XB or f == XC)),
    "nobody": ([{**TO_XA, "policyTypes": ["Ingress"], "ingress": [{"from": [pods(pod="none")]}]}],
               lambda f, t, k, p: t != XA),
    "not selected": ([pods(pod="none")], lambda *_: True),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(cluster, name):
    specs, allowed = SCENARIOS[name]
    for i, spec in enumerate(specs):
        put(cluster, "x", f"p{i}", spec)
    cluster.expect(allowed)
    # It goes as it came.
    cluster.reset()
    cluster.expect(lambda *_: True)


def test_a_policy_changes(cluster):
    put(cluster, "x", "p", {})
    cluster.expect(lambda f, t, k, p: t[0] != "x")
    put(cluster, "x", "p", ingress(of_namespace(ns="y")))
    cluster.expect(lambda f, t, k, p: t[0] != "x" or f[0] == "y")
    put(cluster, "x", "p", {**TO_XA, **ingress(of_namespace(ns="z"), ports=[{"port": 81}])})
    cluster.expect(lambda f, t, k, p: t != XA or (f[0], k, p) == ("z", "tcp", 81))
    put(cluster, "x", "p", egress(of_namespace(ns="x")))
    cluster.expect(lambda f, t, k, p: f[0] != "x" or t[0] == "x")


def test_a_peer_gets_and_loses_a_label(cluster):
    put(cluster, "x", "p", {**TO_XA, **ingress({**of_namespace(ns="y"), **pods(role="client")})})
    cluster.expect(lambda f, t, k, p: t != XA)
    cluster.put_pod("y", "b", role="client")
    cluster.expect(lambda f, t, k, p: t != XA or f == YB)
    cluster.put_pod("y", "b", role="other")
    cluster.expect(lambda f, t, k, p: t != XA)


def test_a_subject_gets_and_loses_a_label(cluster):
    put(cluster, "x", "p", pods(isolated="yes"))
    cluster.expect(lambda *_: True)
    cluster.put_pod("x", "a", isolated="yes")
    cluster.expect(lambda f, t, k, p: t != XA)
    cluster.put_pod("x", "a")
    cluster.expect(lambda *_: True)


def test_a_namespace_gets_and_loses_a_label(cluster):
    put(cluster, "x", "p", {**TO_XA, **ingress(of_namespace(team="blue"))})
    cluster.expect(lambda f, t, k, p: t != XA)
    cluster.put_namespace("y", team="blue")
    cluster.expect(lambda f, t, k, p: t != XA or f[0] == "y")
    cluster.put_namespace("y")
    cluster.put_namespace("z", team="blue")
    cluster.expect(lambda f, t, k, p: t != XA or f[0] == "z")


def test_a_policy_goes_others_stay(cluster):
    put(cluster, "x", "deny", {})
    put(cluster, "x", "allow", ingress(of_namespace(ns="y")))
    cluster.expect(lambda f, t, k, p: t[0] != "x" or f[0] == "y")
    remove(cluster, "x", "allow")
    cluster.expect(lambda f, t, k, p: t[0] != "x")
    remove(cluster, "x", "deny")
    cluster.expect(lambda *_: True)


def test_a_named_port_moves(cluster):
    put(cluster, "x", "p", {**TO_XA, **ingress(ports=[{"port": "web"}])})
    cluster.expect(lambda f, t, k, p: t != XA)
    path = cluster.node.manifest_dir / "pod-x-a.yaml"
    for port in 80, 81:
        cluster.put_pod("x", "a")
        text = path.read_text()
        cluster.node.put_manifest(path.name, text.replace(f"serve-{port}-tcp", "web"))
        cluster.expect(lambda f, t, k, p, port=port: t != XA or (k, p) == ("tcp", port))


def blocks(excepted):
    return [{"ipBlock": {"cidr": BLOCK[family],
                         **({"except": [f"{OTHER[family]}/{32 if family == V4 else 128}"]}
                            if excepted else {})}} for family in (V4, V6)]


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_blocks_of_addresses(cluster, kind):
    far, other = set(FAR.values()), set(OTHER.values())
    every = far | other

    def expect(out, into):
        probe.eventually(lambda: cluster.outside(XA, kind) == (out, into), what="outside")

    expect(every, every)
    put(cluster, "x", "p", {**TO_XA, **egress(*blocks(False))})
    expect(every, every)
    cluster.expect(lambda f, t, k, p: f != XA)
    put(cluster, "x", "p", {**TO_XA, **egress(*blocks(True))})
    expect(far, every)
    put(cluster, "x", "q", {**TO_XA, **ingress(*blocks(True))})
    expect(far, far)
    # What one policy excepts another may allow.
    put(cluster, "x", "r", {**TO_XA, **egress(*blocks(False), ports=[{"protocol": kind.upper()}])})
    expect(every, far)
    remove(cluster, "x", "p")
    remove(cluster, "x", "r")
    expect(every, far)
    put(cluster, "x", "q", TO_XA)
    expect(every, set())


def test_answers_need_no_rule(cluster):
    """A connection that a pod opens is answered, though nobody may open one to it."""
    put(cluster, "x", "p", {**TO_XA, **egress(), "policyTypes": ["Ingress", "Egress"]})
    cluster.expect(lambda f, t, k, p: t != XA)
    for family in V4, V6:
        for kind in probe.TCP, probe.UDP:
            with probe.Server(cluster.pods[YA], family, kind, port=80):
                probe.talk(cluster.pods[XA], kind, cluster.pods[YA].address(family), 80)
        assert probe.ping(cluster.pods[XA], cluster.pods[YA].address(family))
        assert not probe.ping(cluster.pods[YA], cluster.pods[XA].address(family), seconds=1)
