# SPDX-License-Identifier: Apache-2.0
"""The agent may die, stop, or be replaced: the traffic of running pods does not notice."""

import json
import os
import socket
import time
from random import Random

import pytest

from harness import paths, probe
from harness.flow import Flow
from harness.site import FAR

FAMILIES = [socket.AF_INET, socket.AF_INET6]
N_KILLS = int(os.environ.get("AXONEME_TEST_KILLS", "10"))


class Flows:
    """Steady traffic, TCP and UDP, both families, along every kind of path."""

    def __init__(self, node, from_host=True):
        a, b = node.pod("flow-a"), node.pod("flow-b")
        self.flows = []
        for family in FAMILIES:
            for kind in "udp", "tcp":
                self.flows += [Flow(kind, a, b, b.address(family), rate=500),
                               Flow(kind, a, node.site.far, FAR[family], rate=500)]
            if from_host:
                self.flows.append(Flow("udp", node, a, a.address(family), rate=250))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        results = [flow.stop() for flow in self.flows]
        if kind is None:
            assert all(each["sent"] == each["received"] > 0 for each in results), results


def summary(node):
    """What must be the same afterwards: id, identity, labels, addresses of every endpoint."""
    return sorted(
        (each["id"], each["status"]["identity"]["id"],
         tuple(sorted(each["status"]["identity"]["labels"])),
         tuple(sorted(each["status"]["networking"]["addressing"][0].items())))
        for each in node.cli_json("endpoint", "list"))


@pytest.mark.core
def test_kill_and_restart_loses_nothing(node):
    node.pod("labelled", labels={"app": "web"})
    with Flows(node):
        before = summary(node)
        for _ in range(N_KILLS):
            node.kill_agent()
            node.start_agent()
            assert summary(node) == before


def test_pods_change_between_clsact_and_tcx(node):
    """
    Nothing is lost but what the host's stack sends just then: a device transmits nothing while the kernel adds or
    removes a qdisc of it, clsact too, and what is to go out is dropped. What the programs deliver is not sent.
    """
    with Flows(node, from_host=False):
        for mode, shown in ("tcx", "TCX"), ("clsact", "Legacy TC"):
            node.kill_agent()
            node.configure(pod_attach_mode=mode)
            node.start_agent()
            assert f"Pods: {shown}" in node.cli("status", "--verbose").stdout
            for family in FAMILIES:
                assert probe.ping(node, node.pods[0].address(family))


def test_udp_at_a_thousand_a_second(node, family):
    """The figure of the budget, on the path with the most in it: masqueraded."""
    flow = Flow("udp", node.pod("a"), node.site.far, FAR[family], rate=1000)
    for _ in range(N_KILLS):
        node.kill_agent()
        node.start_agent()
    flow.assert_nothing_lost()


@pytest.mark.core
def test_stop_leaves_traffic_running(node, family):
    with Flows(node):
        assert node.stop_agent() == 0
        time.sleep(1)
        paths.check_all(node, *node.pods[:2], family)
        node.start_agent()


def test_new_connections_while_the_agent_is_dead(node, family):
    a, b = node.pod("a"), node.pod("b")
    node.kill_agent()
    paths.check_all(node, a, b, family)


def test_long_connection_survives_a_restart_idle(node, family):
    a = node.pod("a")
    with probe.Server(node.site.far, family, probe.TCP) as server:
        with probe.connect(a, probe.TCP, FAR[family], server.port) as client:
            probe.exchange(client, b"before")
            node.kill_agent()
            node.start_agent()
            assert probe.exchange(client, b"after") == b"after"


def test_upgrade_to_other_programs(node, upgrade_build):
    """A build whose programs differ replaces them in place, under traffic."""
    with Flows(node):
        before = programs(node)
        for build in upgrade_build, node.build, upgrade_build:
            node.build = build
            node.kill_agent()
            node.start_agent()
            after = programs(node)
            assert not before & after, "the old programs are still attached"
            before = after


def test_changed_map_size_keeps_connections(node, family):
    """Maps whose size the configuration changes are made anew, with what was in them."""
    pod = node.pod("a")
    with probe.Server(node.site.far, family, probe.TCP) as server:
        with probe.connect(pod, probe.TCP, FAR[family], server.port) as client:
            probe.exchange(client, b"before")
            node.kill_agent()
            node.configure(bpf_ct_global_tcp_max=20000, bpf_ct_global_any_max=10000,
                           bpf_nat_global_max=15000)
            node.start_agent()
            assert probe.exchange(client, b"after") == b"after"
        assert server.peers[0][0] == node.addresses[family]


def programs(node):
    """Ids of the programs attached to the node's devices."""
    shown = json.loads(node.exec("bpftool", "-j", "net", "show").stdout)[0]["tc"]
    return {each.get("prog_id", each.get("id")) for each in shown}


def test_pod_deleted_while_the_agent_is_dead(node, family):
    """DEL succeeds without an agent; the next one removes what is left and reuses nothing at once."""
    kept, gone = node.pod("kept"), node.pod("gone")
    address = gone.address(family)
    node.kill_agent()
    gone.delete()
    node.start_agent()
    probe.eventually(lambda: len(summary(node)) == 1, what="one endpoint left")
    assert node.pod("new").address(family) != address
    assert probe.ping(node, kept.address(family))


def test_namespace_gone_without_del(node):
    """The runtime died too: its interface is gone, and so is the endpoint after a restart."""
    pod = node.pod("a")
    node.kill_agent()
    pod.close()
    node.start_agent()
    probe.eventually(lambda: not summary(node), what="no endpoint left")


def test_no_address_twice_over_kills(node):
    """kill -9 at any time of an ADD: each address has one owner, and DEL gives all of them back."""
    random = Random(20)
    baseline = allocated(node)
    pods = []
    for number in range(40):
        pods.append(node.sandbox(f"p{number}"))
        call = pods[-1].start_cni("ADD")
        time.sleep(random.uniform(0, 0.03))
        node.kill_agent()
        node.start_agent()
        result = pods[-1].finish_cni(call, check=False)
        if call.returncode == 0:
            pods[-1].take_result(result)
    added = [pod for pod in pods if pod.result]
    assert added, "not one ADD got through"
    for family in FAMILIES:
        addresses = [pod.address(family) for pod in added]
        assert len(set(addresses)) == len(addresses), sorted(addresses)
        assert all(probe.ping(node, address) for address in addresses)
    for pod in pods:
        pod.delete()
    probe.eventually(lambda: allocated(node) == baseline, what="all addresses back")


def allocated(node):
    """Addresses that the agent counts as taken."""
    ipam = node.request("GET", "/v1/healthz")[1]["ipam"]
    return len(ipam.get("ipv4") or []), len(ipam.get("ipv6") or []), len(ipam["allocations"] or {})


POLICY = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {matchLabels: {app: closed}}}
"""


@pytest.mark.core
@pytest.mark.parametrize("how", ["value", "syntax"])
def test_bad_policy_isolates_over_a_restart(node, how):
    """The last good version outlives the agent; it follows the manifest once that is good, or gone."""
    a, closed = node.pod("a"), node.pod("closed", labels={"app": "closed"})

    def is_open():
        return any(a.exec("ping", "-c1", "-W0.3", address, check=False).returncode == 0
                   for address in (closed.ipv4, closed.ipv6))

    assert is_open()
    node.put_manifest("policy.yaml", POLICY)
    probe.eventually(lambda: not is_open(), what="isolation")
    kept = node.lib_dir / "state" / "policies"
    probe.eventually(lambda: list(kept.glob("*.json")), what="the kept policy")
    mark = len(node.log())
    node.put_manifest("policy.yaml", POLICY.replace("app: closed", "app: [1]")
                      if how == "value" else POLICY + "\t{")
    node.wait_log("Manifest refused", since=mark)
    for _ in range(2):
        node.kill_agent()
        node.start_agent(wait=False)
        probe.eventually(lambda: node.cli("status", "--brief", check=False).stdout)
        assert not is_open()
    node.put_manifest("policy.yaml", POLICY.replace("app: closed", "app: other"))
    probe.eventually(is_open, what="the mended policy")
    node.put_manifest("policy.yaml", POLICY)
    probe.eventually(lambda: not is_open(), what="isolation")
    (node.manifest_dir / "policy.yaml").unlink()
    probe.eventually(is_open, what="no policy")
    probe.eventually(lambda: not list(kept.glob("*.json")), what="nothing kept")
