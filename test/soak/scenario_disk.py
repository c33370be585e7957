# SPDX-License-Identifier: Apache-2.0
"""The disk of the state is full, read-only or fails, again and again, while pods come, change and go."""

import contextlib
import json
import socket
import time

from harness import paths
from harness.flow import Flow
from harness.site import Site

WHAT = "state on a full or read-only disk during 1,000 adds, deletes, label changes and kills"
N_OPERATIONS = 1000
HARMS = {
    "full": ("head -c 8M /dev/zero >{0}/filler || true", "rm -f {0}/filler"),
    "no-inodes": ("i=0; while touch {0}/filler$i; do i=$((i+1)); done 2>/dev/null || true",
                  "rm -f {0}/filler*"),
    "read-only": ("mount -o remount,ro {0}", "mount -o remount,rw {0}"),
}


class Pods:
    """What should be there, by what was answered."""

    def __init__(self, soak, node):
        self.soak, self.node, self.alive, self.n = soak, node, [], 0
        self.refused = self.unhelpful = 0

    def add(self):
        self.n += 1
        pod = self.node.sandbox(f"p{self.n}")
        # Every other one brings labels of its own, and needs a number that is on the disk.
        self.node.put_pod_manifest(pod.pod_name, {"app": f"a{self.n if self.n % 2 else 0}"})
        process = pod.start_cni("ADD")
        stdout, stderr = process.communicate(timeout=90)
        if process.returncode == 0:
            self.alive.append(pod.take_result(json.loads(stdout)))
            return
        self.refused += 1
        text = stdout + stderr
        self.unhelpful += not any(word in text for word in ("No space", "Read-only", "make room"))
        if self.unhelpful == 1:
            self.soak.say(text[-300:])
        self.remove(pod)

    def remove(self, pod):
        """DEL must succeed on any disk."""
        (self.node.manifest_dir / f"default-{pod.pod_name}.yaml").unlink(missing_ok=True)
        pod.delete()
        self.node.pods.remove(pod)

    def delete(self):
        if self.alive:
            self.remove(self.alive.pop(self.soak.random.randrange(len(self.alive))))

    def relabel(self):
        if self.alive:
            pod = self.soak.random.choice(self.alive)
            self.node.put_pod_manifest(pod.pod_name, {"app": f"r{self.soak.random.randrange(20)}"})


def healthy(node):
    with contextlib.suppress(OSError):
        code, answer = node.request("GET", "/v1/healthz")
        return code == 200 and answer["cilium"]["state"] == "Ok"
    return False


def wait(what, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return False


def restart(node):
    node.kill_agent()
    node.start_agent(wait=False)
    return wait(lambda: node.cli("status", "--brief", check=False).returncode == 0 or
                healthy(node), 20)


def left_over(node, pods):
    """Names of what is there and should not be, or the reverse."""
    endpoints = node.request("GET", "/v1/endpoint")[1]
    files = node.exec("sh", "-c", f"cd {node.state_dir}/state && ls -d [0-9]* | wc -l").stdout
    links = node.exec("sh", "-c", "ls /sys/class/net | grep -c ^lxc").stdout if pods.alive else "0"
    addresses = set(node.request("GET", "/v1/healthz")[1]["ipam"]["allocations"])
    mine = {address for pod in pods.alive for address in (pod.ipv4, pod.ipv6)}
    found = []
    for what, n in (("endpoints", len(endpoints)), ("files", int(files)), ("links", int(links))):
        if n != len(pods.alive):
            found.append(f"{n} {what} for {len(pods.alive)} pods")
    if mine - addresses:
        found.append(f"addresses not allocated: {mine - addresses}")
    if len(addresses) != len(mine) + 2:  # the router's
        found.append(f"{len(addresses)} addresses for {len(mine)} and the router's two")
    broken = node.exec("sh", "-c", f"find {node.state_dir} {node.lib_dir} -name '*.corrupt' "
                       "-o -name 'filler*'").stdout.split()
    return found + broken


def run(soak):
    site = Site()
    try:
        node = site.node(build=soak.build, start=False)
        for path in node.state_dir, node.lib_dir:
            node.exec("mount", "-t", "tmpfs", "-o", "size=1M,nr_inodes=400,mode=0755", "tmpfs", path)
        node.start_agent()
        a, b = node.pod("a", labels={"app": "kept"}), node.pod("b", labels={"app": "kept"})
        pods = Pods(soak, node)
        pods.alive += [a, b]
        flow = Flow("udp", a, b, b.ipv6, rate=500)
        kills = n_done = 0
        rounds = soak.count(N_OPERATIONS // 25, 2)
        for i in range(rounds):
            how = list(HARMS)[i % len(HARMS)]
            path = soak.random.choice((node.state_dir, node.lib_dir))
            for j in range(25):
                if j == 8:
                    node.exec("sh", "-c", HARMS[how][0].format(path))
                if j == 14 and i % 2:
                    kills += 1
                    soak.check(f"{how}: killed, a new agent serves", restart(node))
                if j == 20:
                    node.exec("sh", "-c", HARMS[how][1].format(path))
                action = soak.random.choice((pods.add, pods.add, pods.delete, pods.relabel))
                if len(pods.alive) > 12:
                    action = pods.delete
                while action == pods.delete and {a, b} >= set(pods.alive):
                    action = pods.add
                if action == pods.delete:
                    kept = [pods.alive.pop(0), pods.alive.pop(0)]
                    pods.delete()
                    pods.alive[:0] = kept
                else:
                    action()
                n_done += 1
        soak.check("healthy at the end", wait(lambda: healthy(node), 20))
        soak.figure("operations, refused, kills", (n_done, pods.refused, kills))
        soak.check("every refusal names the disk", not pods.unhelpful, pods.unhelpful)
        soak.check("nothing left over or missing", not left_over(node, pods), left_over(node, pods))
        node.kill_agent()
        node.start_agent()
        soak.check("nor after a restart", not left_over(node, pods), left_over(node, pods))
        try:
            result = flow.stop()
            soak.check("no packet lost", result["sent"] == result["received"], str(result))
        except ValueError:  # the sender ended with an error of its own: unreachable
            soak.check("no packet lost", False, "the flow broke: see standard error")
        for family in (socket.AF_INET, socket.AF_INET6):
            paths.check_all(node, a, b, family)
    finally:
        site.close()
