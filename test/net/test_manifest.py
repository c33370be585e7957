# SPDX-License-Identifier: Apache-2.0
"""The manifest directory: what is in it is in force, what is wrong with it is said."""

import json
import socket
import time

import pytest

from harness import probe
from harness.site import FAR

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: default
  labels: {{app: {app}}}
"""


def labels(pod):
    return pod.endpoint()["status"]["identity"]["labels"]


def identity(pod):
    return pod.endpoint()["status"]["identity"]["id"]


@pytest.mark.core
def test_label_change_changes_the_identity(node):
    pod = node.pod("web", labels={"app": "one"})
    first = identity(pod)
    assert "k8s:app=one" in labels(pod)
    node.put_pod_manifest("web", {"app": "two"})
    probe.eventually(lambda: "k8s:app=two" in labels(pod), what="new label")
    assert identity(pod) != first
    node.put_pod_manifest("web", {"app": "one"})
    probe.eventually(lambda: "k8s:app=one" in labels(pod), what="old label")
    assert identity(pod) == first, "the same labels have the same number"


def test_every_change_is_in_force(node):
    """How soon is measured by test/bench; here, that none of several in a row is overlooked."""
    pod = node.pod("web", labels={"app": "v0"})
    for number in range(1, 10):
        node.put_pod_manifest("web", {"app": f"v{number}"})
        probe.eventually(lambda: f"k8s:app=v{number}" in json.dumps(pod.endpoint()),
                         what=f"app=v{number}")


def cilium_node(*cidrs):
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": "node1"},
            "spec": {"ipam": {"podCIDRs": list(cidrs)}}}


def test_pod_cidrs_change(site):
    """The node's ranges become others: who has an address keeps it, who comes gets a new one."""
    node = site.node(ipv4_native_routing_cidr=None, ipv6_native_routing_cidr=None)
    old, other = node.pod("old"), node.pod("other")
    with probe.Server(other, socket.AF_INET, probe.TCP) as server, \
            probe.connect(old, probe.TCP, other.ipv4, server.port) as client:
        node.put_manifest("node.yaml", cilium_node("10.201.7.0/24", "fd00:201:7::/112"))
        probe.eventually(lambda: "10.201.7.1" in node.exec("ip", "addr").stdout, what="router")
        assert probe.exchange(client) == b"hello"
    shown = node.exec("ip", "addr", "show", "cilium_host").stdout
    assert "fd00:201:7::1/128" in shown and "10.200.1.1" not in shown
    new = node.pod("new")
    assert new.ipv4.startswith("10.201.7.") and new.ipv6.startswith("fd00:201:7::")
    for family in socket.AF_INET, socket.AF_INET6:
        for one, another in (old, new), (new, old), (old, other):
            assert probe.ping(one, another.address(family))
        for pod in old, new:
            assert probe.ping(node, pod.address(family))
            assert probe.ping(pod, node.addresses[family])
            assert probe.ping(pod, FAR[family])
    allocations = node.cli_json("status")["ipam"]["allocations"]
    node.kill_agent()
    node.start_agent()
    assert probe.ping(old, new.ipv4) and probe.ping(new, old.ipv6) and probe.ping(node, old.ipv4)
    assert node.cli_json("status")["ipam"]["allocations"] == allocations
    routes = node.exec("ip", "route").stdout
    assert f"{old.ipv4} dev cilium_host" in routes and "10.200.1.0/24" not in routes
    for pod in old, other:
        pod.delete()
    assert old.ipv4 not in node.exec("ip", "route").stdout
    assert old.ipv6 not in node.exec("ip", "-6", "route").stdout
    assert probe.ping(new, node.addresses[socket.AF_INET])


def test_same_labels_share_an_identity(node):
    one = node.pod("one", labels={"app": "same"})
    two = node.pod("two", labels={"app": "same"})
    three = node.pod("three", labels={"app": "other"})
    assert identity(one) == identity(two) != identity(three)


def test_pod_without_manifest_gets_an_endpoint(node):
    pod = node.pod("nameless")
    assert pod.endpoint()["status"]["state"] == "ready"


def test_several_documents_and_json(node):
    node.put_manifest("all.yaml", POD.format(name="one", app="first"),
                      POD.format(name="two", app="second"))
    node.put_manifest("three.json", json.dumps({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "three", "namespace": "default", "labels": {"app": "third"}}}))
    for name, app in ("one", "first"), ("two", "second"), ("three", "third"):
        assert f"k8s:app={app}" in labels(node.pod(name))


def test_namespace_labels_count(node):
    node.put_manifest("namespace.yaml", {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "default", "labels": {"team": "blue"}}})
    pod = node.pod("web", labels={"app": "one"})
    assert "k8s:io.cilium.k8s.namespace.labels.team=blue" in labels(pod)


BAD = {
    "syntax": ("kind: Pod\nmetadata: {name: web\nspec: [\n", ["bad.yaml"]),
    "unknown-kind": ("apiVersion: v1\nkind: Gadget\nmetadata: {name: x}\n",
                     ["bad.yaml", "Gadget"]),
    "bad-address": ("apiVersion: v1\nkind: Node\nmetadata: {name: node1}\n"
                    "spec:\n  podCIDR: 10.0.0.0/99\n",
                    ["bad.yaml", "5", "podCIDR", "10.0.0.0/99"]),
    "bad-label": (POD.format(name="web", app="[1]"), ["bad.yaml", "labels"]),
}


@pytest.mark.core
@pytest.mark.parametrize("case", BAD)
def test_bad_file_is_reported(node, case):
    """In the log and in the status, with file, line, field and reason; gone when the file is."""
    text, words = BAD[case]
    node.put_manifest("bad.yaml", text)
    node.wait_log(*words)
    status = node.cli("status", "--verbose", check=False).stdout
    assert all(word in status for word in words), status
    (node.manifest_dir / "bad.yaml").unlink()
    probe.eventually(lambda: "bad.yaml" not in node.cli("status", "--verbose").stdout)


@pytest.mark.core
def test_last_good_version_stays(node):
    pod = node.pod("web", labels={"app": "good"})
    name = "default-web.yaml"
    for broken in (POD.format(name="web", app="[1]"), "kind: Pod\nmetadata: {name: web", "\t\n: ["):
        node.put_manifest(name, broken)
        node.wait_log(name)
        assert "k8s:app=good" in labels(pod)
    node.put_pod_manifest("web", {"app": "mended"})
    probe.eventually(lambda: "k8s:app=mended" in labels(pod))


def test_half_written_file(node):
    """A file written slowly in place: the object is the last good one until the file is whole."""
    pod = node.pod("web", labels={"app": "good"})
    path = node.manifest_dir / "default-web.yaml"
    with open(path, "w", encoding="utf-8", buffering=1) as file:
        for line in POD.format(name="web", app="slow").splitlines(keepends=True):
            file.write(line)
            file.flush()
            time.sleep(0.05)
            assert {"k8s:app=good", "k8s:app=slow"} & set(labels(pod))
    probe.eventually(lambda: "k8s:app=slow" in labels(pod))


@pytest.mark.parametrize("kind", ["Node", "CiliumNode"])
def test_pod_ranges_of_the_node_manifest(site, kind):
    node = site.node(start=False)
    ranges = ["10.77.0.0/24", "fd00:77::/112"]
    spec = ({"podCIDR": ranges[0], "podCIDRs": ranges} if kind == "Node" else
            {"ipam": {"podCIDRs": ranges}})
    node.put_manifest("node.yaml", {
        "apiVersion": "v1" if kind == "Node" else "cilium.io/v2", "kind": kind,
        "metadata": {"name": "node1"}, "spec": spec})
    if kind == "Node":
        node.configure(ipam="kubernetes")
    node.start_agent()
    pod = node.pod("a")
    assert pod.ipv4.startswith("10.77.0.") and pod.ipv6.startswith("fd00:77::")
