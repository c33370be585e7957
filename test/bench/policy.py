# SPDX-License-Identifier: Apache-2.0
"""What policy costs: how soon a change is in force, what many policies take in time and memory."""

import contextlib
import json
import socket
import time

import traffic
from measure import quantile

PORTS = (5001, 5002)
# A change that takes longer is a failure of the measurement, not a figure.
PATIENCE_SECONDS = 10
# What has not arrived by then is refused: part of the figures below.
LATE_SECONDS = 0.001


def policy(name, selector, **rules):
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"endpointSelector": {"matchLabels": selector}, **rules}}


def world_prefixes(n):
    """So many addresses of the world, each of which gets an identity of its own."""
    return [f"198.{18 + i // 65536}.{i // 256 % 256}.{i % 256}/32" for i in range(n)]


def allow_port(port):
    return policy("switch", {"app": "web"}, ingress=[
        {"fromEndpoints": [{}], "toPorts": [{"ports": [{"port": str(port), "protocol": "UDP"}]}]}])


class Prober:
    """Datagrams from one pod to another, port by port, each with a number of its own."""

    def __init__(self, client, server):
        self.address = server.ipv4
        self.sender = client.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receivers, self.count = {}, 0
        for port in PORTS:
            receiver = server.socket(socket.AF_INET, socket.SOCK_DGRAM)
            receiver.bind(("", port))
            receiver.settimeout(LATE_SECONDS)
            self.receivers[port] = receiver

    def passes(self, port):
        """It mostly has arrived when it is sent; under load a moment later."""
        self.count += 1
        self.sender.sendto(b"%d" % self.count, (self.address, port))
        try:
            while int(self.receivers[port].recv(16)) != self.count:
                pass
            return True
        except TimeoutError:
            return False

    def until(self, port, wanted):
        """Milliseconds until datagrams to the port pass, or no longer do."""
        begin = time.monotonic()
        while self.passes(port) != wanted:
            assert time.monotonic() - begin < PATIENCE_SECONDS, f"port {port} never changed"
        return (time.monotonic() - begin) * 1000

    def close(self):
        for one in (self.sender, *self.receivers.values()):
            one.close()


def changes(node, prober, n):
    """From the rename of the manifest: until what it allows passes, what it no longer does not."""
    took = []
    node.put_manifest("switch.yaml", allow_port(PORTS[0]))
    prober.until(PORTS[1], False)
    for number in range(n):
        old, new = PORTS[number % 2], PORTS[(number + 1) % 2]
        begin = time.monotonic()
        node.put_manifest("switch.yaml", allow_port(new))
        prober.until(new, True)
        took.append((time.monotonic() - begin) * 1000)
        assert not prober.passes(old), "both versions of a policy at once"
    (node.manifest_dir / "switch.yaml").unlink()
    return took


def isolations(node, prober, n):
    """From the rename of the first policy that selects a pod until nothing reaches it."""
    took = []
    for _ in range(n):
        prober.until(PORTS[0], True)
        begin = time.monotonic()
        node.put_manifest("isolate.yaml", policy("isolate", {"name": "server"}, ingress=[{}]))
        prober.until(PORTS[0], False)
        took.append((time.monotonic() - begin) * 1000)
        (node.manifest_dir / "isolate.yaml").unlink()
    return took


def report_changes(report, node, n_pods, n_identities):
    pods = [node.pod(f"web{i}", labels={"app": "web", "number": str(i)}) for i in range(n_pods - 2)]
    client = node.pod("client", labels={"app": "web", "name": "client"})
    server = node.pod("server", labels={"app": "web", "name": "server"})
    with contextlib.closing(Prober(client, server)) as prober:
        isolated = isolations(node, prober, 50)
        # Every pod knows every prefix: each rule set has as many peers as there are identities.
        node.put_manifest("prefixes.yaml", policy("prefixes", {"app": "web"}, ingress=[
            {"fromCIDR": world_prefixes(n_identities - n_pods)}], enableDefaultDeny={
                "ingress": False}))
        took = changes(node, prober, 200)
    what = f"{len(pods) + 2} endpoints × {n_identities:,} identities"
    report.add(f"Policy written to first packet judged, p99 of {len(took)}, {what}",
               [quantile(took, 0.99)], 10, False, " ms", note=f"median {quantile(took, 0.5):.1f} ms")
    report.add(f"First isolation of a pod, p99 of {len(isolated)}", [quantile(isolated, 0.99)], 10,
               False, " ms", note=f"median {quantile(isolated, 0.5):.1f} ms")


def many_policies(n):
    """Each selects the pods of the measurement and allows them something; one allows all it needs."""
    yield policy("p-all", {"app": "web"}, ingress=[{"fromEndpoints": [{}]}],
                 egress=[{"toEndpoints": [{}]}])
    for i in range(n - 1):
        yield policy(f"p-{i}", {"app": "web"}, ingress=[
            {"fromEndpoints": [{"matchLabels": {"app": f"peer{i % 250}"}}],
             "toPorts": [{"ports": [{"port": str(1000 + i), "protocol": "TCP"}]}]}])


def web_pods(node):
    return [node.pod(name, labels={"app": "web", "name": name}) for name in ("a", "b")]


def report_throughput(report, tool, free, loaded, rounds, milliseconds):
    """Two nodes in turns: one without any policy, one with 1,000."""
    paths = {"free": traffic.pods(tool, *web_pods(free)),
             "loaded": traffic.pods(tool, *web_pods(loaded))}
    put_and_wait(loaded, "policies.yaml", *many_policies(1000))
    rates = traffic.sample(paths, rounds, milliseconds)
    names = {"stream": "TCP stream", "rr": "TCP request/response", "crr": "TCP connect+request+close"}
    for kind, name in names.items():
        for family in traffic.FAMILIES:
            report.add(f"{name}, 1,000 policies / none, same core, {family}",
                       traffic.ratios(rates, ("loaded", kind, family, 1),
                                      ("free", kind, family, 1)), 0.98, True)


def put_and_wait(node, name, *documents, seconds=120):
    """Until all that was written is in force."""
    before = node.request("GET", "/v1/policy")[1]["revision"]
    node.put_manifest(name, *documents)
    since = time.monotonic()
    while node.request("GET", "/v1/policy")[1]["revision"] < before + len(documents):
        assert time.monotonic() - since < seconds, "the policies never come into force"
        time.sleep(0.01)
    return time.monotonic() - since


def cluster(n_pods, n_identities, n_policies):
    """Manifests of other nodes' pods, and of policies about them."""
    for i in range(n_pods):
        yield {"apiVersion": "v1", "kind": "Pod",
               "metadata": {"name": f"pod{i}", "namespace": "default",
                            "labels": {"app": f"app{i % n_identities}"}},
               "spec": {"nodeName": "another"},
               "status": {"podIP": f"10.{128 + i // 65536}.{i // 256 % 256}.{i % 256}"}}
    for i in range(n_policies):
        yield policy(f"policy{i}", {"app": f"app{i % n_identities}"}, ingress=[
            {"fromEndpoints": [{"matchLabels": {"app": f"app{(i + 7) % n_identities}"}}],
             "toPorts": [{"ports": [{"port": str(1000 + i), "protocol": "TCP"}]}]}])


def n_entries(node, name):
    dump = node.exec("bpftool", "-j", "map", "dump", "pinned", f"/sys/fs/bpf/tc/globals/{name}",
                     timeout=120)
    return len(json.loads(dump.stdout))


def report_sharing(report, node, n_pods=100, n_peers=16_000):
    """100 endpoints under one policy of 16,000 prefixes: how many entries that takes."""
    for i in range(n_pods):
        node.pod(f"web{i}", labels={"app": "web"})
    seconds = put_and_wait(node, "prefixes.yaml", policy("prefixes", {"app": "web"}, egress=[
        {"toCIDR": world_prefixes(n_peers)}]))
    entries = n_entries(node, "cilium_policy_peer") + n_entries(node, "cilium_policy_class")
    report.add(f"{n_pods} endpoints share {n_peers:,} policy entries / separate copies",
               [entries / (n_pods * n_peers)], 0.02, False, note=f"{entries:,} entries, in force after {seconds:.1f} s")
