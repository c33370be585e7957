# SPDX-License-Identifier: Apache-2.0
"""What somebody else removes from the kernel comes back, and the log says so."""

import json

import pytest

from harness import paths, probe

SECONDS = 15
GLOBALS = "/sys/fs/bpf/tc/globals"


def endpoint_device(pod):
    return pod.endpoint()["status"]["networking"]["interface-name"]


def filters(node, device, side):
    return "bpf" in node.exec("tc", "filter", "show", "dev", device, side).stdout


@pytest.mark.core
def test_filter_of_a_pod(node, family):
    pod, other = node.pod("a"), node.pod("b")
    device, mark = endpoint_device(pod), len(node.log())
    assert filters(node, device, "ingress")
    node.exec("tc", "filter", "del", "dev", device, "ingress")
    probe.eventually(lambda: filters(node, device, "ingress"), SECONDS, "filter")
    node.wait_log("repaired", since=mark)
    paths.check_all(node, pod, other, family)


def test_qdisc_of_a_pod(node, family):
    pod, other = node.pod("a"), node.pod("b")
    device = endpoint_device(pod)
    node.exec("tc", "qdisc", "del", "dev", device, "clsact")
    probe.eventually(lambda: filters(node, device, "ingress"), SECONDS, "filter")
    paths.check_all(node, pod, other, family)


def routes(node, family_option):
    """(destination, device); what the kernel makes with each address is not ours."""
    return {(route["dst"], route.get("dev")) for route in json.loads(
        node.exec("ip", family_option, "-json", "route", "show").stdout)
        if route.get("protocol") != "kernel"}


@pytest.mark.parametrize("option", ["-4", "-6"])
def test_route(node, option):
    node.pod("a")
    mark = len(node.log())
    before = routes(node, option)
    ours = sorted(route for route in before if str(route[1]).startswith("cilium"))
    assert ours, before
    for destination, device in ours:
        node.exec("ip", option, "route", "del", destination, "dev", device)
    probe.eventually(lambda: routes(node, option) >= set(ours), SECONDS, "routes")
    node.wait_log("repaired", since=mark)


def entries(node, name):
    return {tuple(entry["key"]): tuple(entry["value"]) for entry in json.loads(
        node.exec("bpftool", "-j", "map", "dump", "pinned", f"{GLOBALS}/{name}").stdout)}


@pytest.mark.core
@pytest.mark.parametrize("name", ["cilium_lxc", "cilium_lxc_device", "cilium_ipcache",
                                  "cilium_devices"])
def test_map_entries(node, name):
    """All entries of a map are deleted; a resync puts back exactly what was there."""
    node.pod("a")
    before, mark = entries(node, name), len(node.log())
    assert before
    for key in before:
        node.exec("bpftool", "map", "delete", "pinned", f"{GLOBALS}/{name}", "key", *key)
    probe.eventually(lambda: entries(node, name) == before, 60, "entries")
    node.wait_log("repaired", since=mark)


def test_foreign_map_entry_is_removed(node):
    """An entry that no plan wants goes."""
    node.pod("a")
    before = entries(node, "cilium_ipcache")
    key, value = next(iter(before.items()))
    foreign = key[:-1] + (f"0x{(int(key[-1], 16) + 77) % 256:02x}",)
    node.exec("bpftool", "map", "update", "pinned", f"{GLOBALS}/cilium_ipcache", "key", *foreign,
              "value", *value)
    probe.eventually(lambda: entries(node, "cilium_ipcache") == before, 60, "foreign entry gone")


@pytest.mark.core
def test_host_device(node, family):
    """cilium_host itself is deleted, and with it its addresses and routes."""
    pod, other = node.pod("a"), node.pod("b")
    mark = len(node.log())
    node.exec("ip", "link", "del", "cilium_host")
    probe.eventually(lambda: node.exec("ip", "link", "show", "cilium_host", check=False)
                     .returncode == 0, SECONDS, "cilium_host")
    node.wait_log("repaired", since=mark, seconds=SECONDS)
    probe.eventually(lambda: probe.ping(pod, node.addresses[family], seconds=1), SECONDS, "ping")
    paths.check_all(node, pod, other, family)


def test_index_of_the_host_device_is_taken(node, family):
    """Another device has the number that the programs know cilium_host by: they are made anew."""
    pod = node.pod("a")
    index = int(node.exec("cat", "/sys/class/net/cilium_host/ifindex").stdout)
    node.ip("link del cilium_host", f"link add thief index {index} type veth")
    probe.eventually(lambda: node.exec("ip", "link", "show", "cilium_host", check=False)
                     .returncode == 0, SECONDS, "cilium_host")
    assert int(node.exec("cat", "/sys/class/net/cilium_host/ifindex").stdout) != index
    node.wait_log("another device has the index", seconds=SECONDS)
    probe.eventually(lambda: probe.ping(pod, node.addresses[family], seconds=1), SECONDS, "ping")
    paths.check_all(node, pod, node.pod("b"), family)
