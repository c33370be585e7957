# SPDX-License-Identifier: Apache-2.0
"""
Maps with more to hold than they have room for. The programs' maps (connections, translations, fragments) forget
what was not used for longest; those that the agent fills refuse what is too much.
"""

import json
import socket
import subprocess
import time

import flooding
import watch
from harness import probe
from harness.flow import Flow
from harness.site import FAR, Site

WHAT = "conntrack, NAT and fragments with twice what they hold, ipcache with more than it holds"
SMALL = {"bpf_ct_global_tcp_max": 4096, "bpf_ct_global_any_max": 4096, "bpf_nat_global_max": 4096,
         "bpf_fragments_map_max": 256}
SWEPT = ("ct_tcp_global", "ct_any_global", "snat_external", "frag_datagrams")
N_IDLE = 100  # connections of each kind that say nothing while the maps overflow
FULL = "The map is full"  # in the status, with what to do
N_FILES = 4  # of 25,000 nodes each: a document of 100,000 is refused
FAMILIES = (socket.AF_INET, socket.AF_INET6)


def run(soak):
    log = watch.KernelLog()
    oversubscribe(soak, "small", SMALL)
    if soak.scale >= 1:
        oversubscribe(soak, "default size", {})
    too_many_nodes(soak)
    soak.check("nothing in the kernel's log", not log.trouble(), "; ".join(log.trouble()[:3]))


# The programs' maps.

class Idle:
    """TCP connections that were used once, and are used again when the maps have been full."""

    def __init__(self, client, server, family, address):
        self.server = probe.Server(server, family, probe.TCP, address)
        self.clients = [probe.connect(client, probe.TCP, address, self.server.port)
                        for _ in range(N_IDLE)]
        for each in self.clients:
            probe.exchange(each)

    def count_lost(self):
        lost = 0
        for each in self.clients:
            try:
                each.settimeout(3)
                lost += probe.exchange(each) != b"hello"
            except OSError:
                lost += 1
            each.close()
        self.server.close()
        return lost


def metric(node, name):
    """{label text: value} of a metric, read as Prometheus would get it from the agent."""
    status, rows = node.request("GET", "/v1/metrics")
    assert status == 200
    return {next(iter(row["labels"].values())): row["value"] for row in rows if row["name"] == name}


def pressure(node):
    found = metric(node, "cilium_bpf_map_pressure")
    return {name: found.get(name, 0) for name in SWEPT}


def sizes(node):
    return metric(node, "cilium_bpf_map_capacity")


def oversubscribe(soak, name, config):
    site = Site()
    try:
        node = site.node(build=soak.build, **config)
        a, b, c = node.pod("a"), node.pod("b"), node.pod("c")
        size = sizes(node)
        soak.figure(f"{name}: room in the maps", {each: int(size[each]) for each in SWEPT})
        idle = {f"{'IPv4' if family == socket.AF_INET else 'IPv6'} to {what}":
                Idle(b, server, family, address)
                for family in FAMILIES
                for what, server, address in (("a pod", c, c.address(family)),
                                              ("the world", site.far, FAR[family]))}
        flows = watch.Flows(b, c, rate=200)
        outward = [Flow("tcp", b, site.far, FAR[family], rate=100) for family in FAMILIES]
        fill(soak, name, node, a, size)
        told(soak, name, node)
        flows.check(soak, name)
        results = [flow.stop() for flow in outward]
        soak.check(f"{name}: masqueraded connections in use lose nothing",
                   all(result["sent"] == result["received"] for result in results),
                   f"{sum(result['sent'] for result in results)} packets")
        for what, connections in idle.items():
            lost = connections.count_lost()
            soak.check(f"{name}: idle connections, {what}: go on", not lost, f"{lost} of {N_IDLE} lost")
        open_new(soak, name, node, b, c)
        restart(soak, name, node, b, c)
    finally:
        site.close()


def fill(soak, name, node, pod, size):
    """Twice what the largest has room for, with more than one address of the world."""
    for kind, which in (("syn4", "ct_tcp_global"), ("syn6", "ct_tcp_global"), ("udp4", "ct_any_global"),
                        ("udp6", "ct_any_global"), ("fragment4", "frag_datagrams"),
                        ("fragment6", "frag_datagrams")):
        flood = flooding.from_pod(soak, pod, kind, int(2 * size[which]))
        n_taken = flood.wait()
        soak.figure(f"{name}: {kind}, connections a second", round(n_taken / flood.seconds))
    drops = node.cli("bpf", "metrics", "list").stdout
    soak.say("\n      ".join(line for line in drops.splitlines() if "Forwarded" not in line))


def told(soak, name, node):
    """Who asks which map is full is told, at once."""
    seen = pressure(node)
    soak.check(f"{name}: the metric bpf_map_pressure tells which maps are full",
               all(value > 0.8 for which, value in seen.items() if which != "frag_datagrams"),
               {each: round(value, 2) for each, value in seen.items()})
    try:
        line = node.wait_log("cilium_ct_tcp_global", "full", seconds=30)
    except AssertionError:
        line = ""
    soak.check(f"{name}: the log tells, and what to do", "bpf-ct-global-tcp-max" in line, line[:200])
    start = time.monotonic()
    n_listed = len(node.cli("bpf", "ct", "list", "global", timeout=300).stdout.splitlines())
    soak.check(f"{name}: 'bpf ct list global' works", n_listed > 1000,
               f"{n_listed} connections in {time.monotonic() - start:.1f} s")


def open_new(soak, name, node, client, server):
    """Both ways, each family."""
    for family in FAMILIES:
        for target, address in ((server, server.address(family)), (node.site.far, FAR[family])):
            with probe.Server(target, family, probe.TCP, address) as listener:
                for _ in range(20):
                    probe.talk(client, probe.TCP, address, listener.port)
    soak.check(f"{name}: new connections work", True)


def restart(soak, name, node, *pods):
    flows = watch.Flows(*pods, rate=200)
    for what, change in (("killed", {}), ("of half the size", {"bpf_ct_global_tcp_max": 2048}),
                         ("of twice the size", {"bpf_ct_global_tcp_max": 8192})):
        if change and name != "small":
            factor = 0.5 if "half" in what else 2
            change = {"bpf_ct_global_tcp_max": int(sizes(node)["ct_tcp_global"] * factor)}
        node.kill_agent()
        if change:
            node.configure(**{**SMALL, **change} if name == "small" else change)
        start = time.monotonic()
        node.start_agent()
        soak.figure(f"{name}: agent {what} with full maps, seconds until it is well",
                    round(time.monotonic() - start, 2))
    flows.check(soak, f"{name}, restarts")


# The agent's maps.

def node_manifest(first, count, n_addresses):
    """CiliumNodes with IPv4 and IPv6 addresses, as one JSON list."""
    items = []
    for i in range(first, first + count):
        addresses = [{"type": "InternalIP", "ip": f"{100 + j}.{i >> 16}.{i >> 8 & 255}.{i & 255}"}
                     for j in range(n_addresses - 1)]
        addresses.append({"type": "InternalIP", "ip": f"fd77::{i >> 16:x}:{i & 0xffff:x}"})
        items.append({"apiVersion": "cilium.io/v2", "kind": "CiliumNode",
                      "metadata": {"name": f"far-{i}"}, "spec": {"addresses": addresses}})
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def failing(node):
    """What the status says; nothing while an agent that starts has no time for it."""
    try:
        return node.cli("status", "--verbose", check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


def settled(node, what, condition, seconds):
    start = time.monotonic()
    probe.eventually(condition, seconds, what)
    return round(time.monotonic() - start, 1)


def too_many_nodes(soak):
    """100,000 nodes of six addresses: 600,000 rows for an ipcache of 512,000."""
    site = Site()
    try:
        node = site.node(build=soak.build)
        a, b = node.pod("a"), node.pod("b")
        flows = watch.Flows(a, b, rate=100)
        for i in range(N_FILES):
            node.put_manifest(f"nodes-{i}.json", node_manifest(i * 25_000, 25_000, 6))
        soak.figure("ipcache: 600,000 rows, seconds until the map is full and that is told",
                    settled(node, "full", lambda: FULL in failing(node), 180))
        text = probe.eventually(lambda: FULL in failing(node) and failing(node), 60, "status")
        soak.check("ipcache: status names the map, the error and the next step",
                   "cilium_ipcache" in text and FULL in text,
               next((line.strip() for line in text.splitlines() if FULL in line), "")[:160])
        node.kill_agent()
        node.start_agent(wait=False)
        soak.figure("ipcache: restart while it is full, seconds until the API answers that",
                    settled(node, "answer", lambda: FULL in failing(node), 120))
        c = node.pod("c")
        soak.check("ipcache: a new pod", probe.ping(c, b.ipv4), c.ipv4)
        for i in range(N_FILES):
            (node.manifest_dir / f"nodes-{i}.json").unlink()
        soak.figure("ipcache: fewer nodes, seconds until all is well",
                    settled(node, "well", lambda: node.cli("status", "--brief", check=False)
                            .stdout.strip() == "OK", 120))
        flows.check(soak, "ipcache")
    except AssertionError as error:
        soak.check("ipcache: told and recovered", False, str(error)[:300])
    finally:
        site.close()
