# SPDX-License-Identifier: Apache-2.0
"""What the agent made is taken away by hand, piece by piece: it comes back, or it is said what to do."""

import contextlib
import json
import socket
import time

from harness import paths
from harness.flow import Flow
from harness.site import Site

WHAT = "pins, links, routes, addresses, sysctls, files deleted by hand under the agent, with traffic"
GLOBALS = "/sys/fs/bpf/tc/globals"
PATIENCE_SECONDS = 25  # 10 s until the next look, and a busy machine


def shell(node, script, check=False):
    return node.exec("sh", "-c", script, check=check).stdout


def audit(node):
    """All that should be the same after a repair: links, addresses, routes, programs, maps, files."""
    routes = [sorted((route["dst"], route.get("dev", ""), route.get("protocol", ""))
                     for route in json.loads(node.exec("ip", option, "-json", "route").stdout))
              for option in ("-4", "-6")]
    links = sorted(
        (link["ifname"], link["mtu"], tuple(sorted(
            (info["local"], info["prefixlen"]) for info in link["addr_info"]
            if info["scope"] == "global")))
        for link in json.loads(node.exec("ip", "-json", "addr").stdout))
    return {"links": links, "routes": routes,
            "maps": shell(node, f"ls {GLOBALS}"),
            "entries": {name: len(json.loads(shell(node, f"bpftool -j map dump pinned {GLOBALS}/{name}")
                                             or "[]"))
                        for name in ("cilium_lxc", "cilium_ipcache", "cilium_devices")},
            "pins": shell(node, "ls -R /sys/fs/bpf/cilium | grep -v '^/\\|^$' | grep -v '^[0-9a-f]*$'"),
            "sysctl": shell(node, "cat /proc/sys/net/ipv4/ip_forward "
                                  "/proc/sys/net/ipv6/conf/all/forwarding "
                                  "/proc/sys/net/ipv4/conf/cilium_host/rp_filter"),
            "files": shell(node, f"cd {node.state_dir} && find . -type f | grep -v 'cursor\|bpffs' | sort; "
                                 f"cd {node.lib_dir} && find . -type f | sort")}


def difference(before, after):
    return {key: (before[key], after[key]) for key in before if before[key] != after[key]}


def state(node):
    status, answer = node.request("GET", "/v1/healthz")
    return answer["cilium"]["state"]


class Case:
    """One harm: script does it, and it must be gone within PATIENCE_SECONDS, or the status must hold `told`."""

    def __init__(self, name, script, told=None, undo=None):
        self.name, self.script, self.told, self.undo = name, script, told, undo

    @staticmethod
    def repaired(node, mark):
        """What somebody put there may look like before: only the log knows."""
        return "repaired" in node.log()[mark:]


CASES = (
    Case("a pod's clsact qdisc", "tc qdisc del dev {lxc} clsact"),
    Case("a pod's filter", "tc filter del dev {lxc} ingress"),
    Case("address of cilium_host (IPv4)", "ip -4 addr flush dev cilium_host"),
    Case("address of cilium_host (IPv6)", "ip -6 addr flush dev cilium_host scope global"),
    Case("routes to the pods (IPv4)", "ip -4 route flush dev cilium_host"),
    Case("routes to the pods (IPv6)", "ip -6 route flush dev cilium_host proto 67"),
    Case("cilium_host", "ip link del cilium_host"),
    Case("cilium_net", "ip link del cilium_net"),
    Case("cilium_host set down", "ip link set cilium_host down"),
    Case("ip_forward off", "echo 0 >/proc/sys/net/ipv4/ip_forward"),
    Case("IPv6 forwarding off", "echo 0 >/proc/sys/net/ipv6/conf/all/forwarding"),
    Case("rp_filter of cilium_host on", "echo 1 >/proc/sys/net/ipv4/conf/cilium_host/rp_filter"),
    Case("pins of the device's links", "rm -r /sys/fs/bpf/cilium/devices"),
    Case("pins of the programs", "rm -r /sys/fs/bpf/cilium/programs"),
    Case("pin of one map", f"rm {GLOBALS}/cilium_lxc", told="restart"),
    Case("pins of all maps", f"rm {GLOBALS}/*", told="restart"),
    Case("all pins", "rm -r /sys/fs/bpf/tc /sys/fs/bpf/cilium", told="restart"),
    Case("the BPF file system unmounted", "umount -l /sys/fs/bpf", told="bpf",
         undo="mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf"),
    Case("another BPF file system over it", "mount -t bpf bpf /sys/fs/bpf", told="bpf",
         undo="umount /sys/fs/bpf"),
    Case("another's better route (IPv4)", "ip -4 route replace {v4} dev lo metric 0 proto static",
         told="File exists", undo="ip -4 route del {v4} dev lo"),
    Case("another's better route (IPv6)", "ip -6 route add {v6} dev lo metric 1 proto static",
         told="File exists", undo="ip -6 route del {v6} dev lo metric 1"),
    Case("the state directory", "rm -r {state}/*", told="restart"),
    Case("the lib directory", "rm -r {lib}/*", told="restart"),
    Case("the API socket's file", "rm {socket}", told="socket"),
)


def log_tells(node, mark, word):
    return any(word in line for line in node.log()[mark:].splitlines()
               if "level=warn" in line or "level=error" in line)


def told(node, mark, word):
    """Where it is said: "status", "log" or None."""
    with contextlib.suppress(OSError):
        if word in node.cli("status", "--verbose", check=False).stdout and state(node) != "Ok":
            return "status"
    return "log" if log_tells(node, mark, word) else None


def wait(what, seconds):
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        with contextlib.suppress(OSError, AssertionError, ValueError):
            if what():
                return round(time.monotonic() - begin, 1)
        time.sleep(0.2)
    return None


def one(soak, node, pods, case):
    a, b = pods
    before, mark = audit(node), len(node.log())
    words = {"lxc": a.endpoint()["status"]["networking"]["interface-name"], "v4": node.ipv4_range,
             "v6": node.ipv6_range, "state": node.state_dir, "lib": node.lib_dir,
             "socket": node.socket_path}
    flows = {"pod to pod": Flow("udp", a, b, b.ipv4, rate=200),
             "host to pod": Flow("udp", node, b, b.ipv6, rate=200),
             "pod to world": Flow("udp", a, node.site.far, "198.51.100.2", rate=200)}
    shell(node, case.script.format(**words))
    begin = time.monotonic()
    said = took = None

    def is_over():
        nonlocal said, took
        if case.told and state(node) != "Ok":
            said = told(node, mark, case.told)
        elif not difference(before, audit(node)) and (not case.undo or case.repaired(node, mark)):
            took = round(time.monotonic() - begin, 1)
        return said or took is not None

    wait(is_over, PATIENCE_SECONDS)
    if not said and took is None and case.told:
        said = told(node, mark, case.told)
    lost = []
    for name, flow in flows.items():
        result = flow.stop()
        if result["sent"] != result["received"]:
            lost.append(f"{name}: {result['sent'] - result['received']} of {result['sent']}")
    seen = (f"repaired after {took} s" if took is not None else
            f"told by the {said}" if said else "neither repaired nor told") + \
        (f"; lost {', '.join(lost)}" if lost else "; nothing lost")
    soak.check(case.name, took is not None or said, seen)
    if took is not None:
        return
    if case.undo:
        shell(node, case.undo.format(**words))
    if wait(lambda: not difference(before, audit(node)) and state(node) == "Ok", 12) is None:
        node.kill_agent()
        node.start_agent(wait=False)
        again = wait(lambda: not difference(before, audit(node)) and state(node) == "Ok", 20)
        soak.check(f"{case.name}: a restart mends it", again is not None,
                   "" if again is not None else str(difference(before, audit(node)))[:400])


def two_pods(node, known=()):
    """The pods that are known, if they still are endpoints; else new ones, after a harm that nothing mended."""
    with contextlib.suppress(AssertionError):
        if known and all(pod.endpoint() for pod in known):
            return known
    n = len(node.pods)
    return tuple(node.pod(f"p{n + i}", labels={"app": f"a{i}"}) for i in range(2))


def run(soak):
    site = Site()
    try:
        node = site.node(build=soak.build)
        pods = two_pods(node)
        for case in CASES:
            try:
                pods = two_pods(node, pods)
                one(soak, node, pods, case)
            except (AssertionError, OSError) as problem:
                soak.check(case.name, False, str(problem)[-300:].replace("\n", " "))
                if node.agent.poll() is not None:
                    node.start_agent(wait=False)
                    time.sleep(2)
        pods = two_pods(node, pods)
        for family in (socket.AF_INET, socket.AF_INET6):
            paths.check_all(node, pods[0], pods[1], family)
        new = node.pod("new", labels={"app": "new"})
        soak.check("a new pod is added at the end", bool(new.ipv4))
    finally:
        site.close()
