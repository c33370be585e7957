# SPDX-License-Identifier: Apache-2.0
"""
A policy that changes while packets pass: each packet is judged by the old version or the new, live
connections by the newest, and what was isolated stays so while the agent is away. POLICY_CHANGES=10000
changes as often.
"""

import os
import socket
import threading

import pytest

from harness import observe, probe
from harness.policy_world import Prober
from harness.probe import TCP
from harness.site import FAR

CHANGES = int(os.environ.get("POLICY_CHANGES", "200"))
RESTARTS = 2
# What only the first version allows, only the second, neither, and both.
FIRST, SECOND, NEITHER, BOTH = 8001, 8002, 8003, 8004
EACH = 40
FILE = "policy.yaml"


def version(*ports, peers=None, extra=()):
    """Lets the ports of pod b be reached."""
    rule = {"toPorts": [{"ports": [{"port": str(port), "protocol": "ANY"} for port in ports]}]}
    if peers:
        rule.update(peers)
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
            "metadata": {"name": "b", "namespace": "default"},
            "spec": {"endpointSelector": {"matchLabels": {"app": "b"}}, "ingress": [rule, *extra]}}


def revision(node):
    return node.request("GET", "/v1/policy")[1]["revision"]


def change(node, manifest, name=FILE):
    """Puts the policy into force, and returns when it is."""
    before = revision(node)
    node.put_manifest(name, manifest)
    probe.eventually(lambda: revision(node) > before, what="the policy in force")


@pytest.fixture
def pods(node):
    """Two pods, and a prober of them and the world. b is under a policy."""
    pods = node.pod("a", {"app": "a"}), node.pod("b", {"app": "b"})
    change(node, version(FIRST, BOTH))
    with Prober(node, [*pods, node.site.far]) as prober:
        yield *pods, prober


def burst(a, b, far):
    """From inside and outside, both families, both protocols."""
    return [(origin, source, b, b.address(family), kind, port)
            for family in (socket.AF_INET, socket.AF_INET6)
            for origin, source in ((a, a.address(family)), (far, FAR[family]))
            for kind in ("tcp", "udp") for port in (FIRST, SECOND, NEITHER, BOTH)]



def check_burst(sent, arrived):
    """The numbers of packets that no version allows, and of those that both do, which went otherwise."""
    passed = [packet for packet in arrived if packet[5] == NEITHER]
    lost = [packet for packet in sent if packet[5] == BOTH and packet not in arrived]
    assert not passed, f"{len(passed)} packets passed that no version allows: {passed[:3]}"
    assert not lost, f"{len(lost)} packets are lost that every version allows: {lost[:3]}"
    return len(sent)


class Traffic(threading.Thread):
    """Bursts, one after the other, until it is closed."""

    def __init__(self, a, b, prober):
        super().__init__(daemon=True)
        self.packets, self.prober = burst(a, b, a.node.site.far), prober
        self.n_packets, self.error, self.is_closing = 0, None, False
        self.seen, self.last, self.n_bursts = set(), set(), 0
        self.start()

    def run(self):
        try:
            while not self.is_closing:
                # Each burst opens connections of its own: what was allowed before has no part in it.
                sent = [(*packet, 0, i) for i in range(EACH) for packet in self.packets]
                arrived = self.prober.send(sent)
                self.n_packets += check_burst(sent, arrived)
                self.n_bursts += 1
                self.last = {packet[5] for packet in arrived}
                self.seen |= self.last
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def wait_more(self):
        """Until a burst that begins from now on is over."""
        before = self.n_bursts
        probe.eventually(lambda: self.n_bursts > before + 1 or self.error, 30, what="traffic")

    def __enter__(self):
        self.wait_more()
        return self

    def __exit__(self, *_):
        self.is_closing = True
        self.join(timeout=60)
        if self.error:
            raise self.error


def test_each_packet_is_judged_by_one_version(node, pods):
    a, b, prober = pods
    with Traffic(a, b, prober) as traffic:
        for i in range(CHANGES):
            change(node, version(SECOND if i % 2 == 0 else FIRST, BOTH))
            assert not traffic.error, traffic.error
    # Both versions were met, or nothing was shown.
    assert traffic.seen == {FIRST, SECOND, BOTH}
    print(f"{traffic.n_packets} packets over {CHANGES} changes")


@pytest.mark.core
def test_isolated_pods_stay_isolated_without_an_agent(node, pods):
    """Each kill comes while a change is on its way."""
    a, b, prober = pods
    with Traffic(a, b, prober) as traffic:
        for i in range(RESTARTS):
            node.put_manifest(FILE, version(SECOND if i % 2 == 0 else FIRST, BOTH))
            node.kill_agent()
            traffic.wait_more()
            node.start_agent()
            traffic.wait_more()
            # In force since the start, whatever the kill left.
            assert traffic.last == {SECOND if i % 2 == 0 else FIRST, BOTH}
    print(f"{traffic.n_packets} packets over {RESTARTS} kills")


def test_an_upgrade_judges_every_packet(node, pods, upgrade_build):
    a, b, prober = pods
    with Traffic(a, b, prober) as traffic:
        for build in upgrade_build, node.build:
            node.stop_agent()
            node.build = build
            node.start_agent()
            traffic.wait_more()
    assert traffic.seen == {FIRST, BOTH}
    print(f"{traffic.n_packets} packets over an upgrade and back")


@pytest.mark.core
def test_a_live_connection_ends_with_its_rule(node, pods, family):
    a, b, prober = pods
    with probe.Server(b, family, TCP, port=FIRST) as server, \
            probe.connect(a, TCP, b.address(family), server.port) as client:
        assert probe.exchange(client, b"before") == b"before"
        change(node, version(SECOND, BOTH))
        client.settimeout(1)
        with pytest.raises(socket.timeout):
            probe.exchange(client, b"revoked")
        change(node, version(FIRST, BOTH))
        # What was sent meanwhile is sent again by the stack.
        client.settimeout(60)
        assert client.recv(64) == b"revoked"
        assert probe.exchange(client, b"after") == b"after"


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_the_next_packet_is_judged_anew(node, pods, family, kind):
    a, b, prober = pods
    packet = (a, a.address(family), b, b.address(family), kind, FIRST, 9999)
    # The first version is in force.
    for allowed in False, True, False, True:
        change(node, version(FIRST if allowed else SECOND, BOTH))
        assert prober.send([packet]) == ({packet} if allowed else set())


def filler(name, first, n):
    """A policy of n peers, each of which is an entry."""
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"endpointSelector": {"matchLabels": {"app": name}}, "ingress": [
                {"fromCIDR": [f"100.{first}.{i // 250}.{i % 250 + 1}/32" for i in range(n)],
                 "toPorts": [{"ports": [{"port": "1", "protocol": "TCP"}]}]}]}}


def test_what_does_not_fit_leaves_the_old_version(site):
    """Room for 4,096 entries of all endpoints; two policies of 2,500 are too many."""
    node = site.node(bpf_policy_map_max=256)
    a, b = node.pod("a", {"app": "a"}), node.pod("b", {"app": "b"})
    node.pod("c", {"app": "c"})
    change(node, version(FIRST, BOTH))
    change(node, filler("c", 64, 2500), "c.yaml")
    packets = [(a, a.ipv4, b, b.ipv4, "tcp", port) for port in (FIRST, SECOND, NEITHER, BOTH)]
    with Prober(node, [a, b]) as prober, observe.monitor(node, "--type", "agent") as shown:
        assert {packet[5] for packet in prober.send(packets)} == {FIRST, BOTH}
        wide = version(SECOND, BOTH)
        wide["spec"]["ingress"] += filler("b", 65, 2500)["spec"]["ingress"]
        change(node, wide)
        assert {packet[5] for packet in prober.send(packets)} == {FIRST, BOTH}
        probe.eventually(lambda: "rules of endpoint" in node.cli("status", check=False).stdout,
                         what="a status that says so")
        node.wait_log("Rules do not fit", "policies=CiliumNetworkPolicy/default/b")
        shown.wait_line("Policy does not fit", "CiliumNetworkPolicy/default/b")
        (node.manifest_dir / "c.yaml").unlink()
        shown.wait_line("Policy fits again", "CiliumNetworkPolicy/default/b", seconds=35)
        assert {packet[5] for packet in prober.send(packets)} == {SECOND, BOTH}
        probe.eventually(lambda: "rules of endpoint" not in node.cli("status", check=False).stdout,
                         what="a status without it")
        assert shown.text.count("Policy does not fit") == 1
