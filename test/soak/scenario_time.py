# SPDX-License-Identifier: Apache-2.0
"""Clocks jump by hours and years, both ways, while the agent runs and over restarts; the machine sleeps."""

import json
import pathlib
import re
import signal
import socket
import struct
import subprocess
import time

from harness import paths
from harness.flow import Flow
from harness.site import Site

WHAT = "clock jumps by hours and years, both ways, while it runs and over restarts; suspend"
HERE = pathlib.Path(__file__).resolve().parent
HOUR, YEAR = 3600, 365 * 86400
SECOND_NS = 1_000_000_000
SUSPEND_SECONDS = 30
# Of an address that is asked for with an expiration: src/agent/ipam.h.
EXPIRATION_SECONDS = 600
# What a duration or an age must never look like.
ABSURD = re.compile(r"(?<![\w.])-\d+(ms|s|m|h)|\d{5,}h")


class Clocks:
    """The shim, and what it adds to each clock, in seconds."""

    def __init__(self, site):
        self.library, self.path = site.tmp / "clock_shim.so", site.tmp / "clocks"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", self.library,
                        HERE / "clock_shim.c", "-ldl"], check=True)
        self.path.write_bytes(bytes(24))
        self.env = {"LD_PRELOAD": str(self.library), "CLOCK_SHIM": str(self.path)}

    def set(self, realtime=0, monotonic=0, boottime=0):
        with open(self.path, "r+b") as file:  # it is mapped: never truncated
            file.write(struct.pack("=3q", *(offset * SECOND_NS
                                            for offset in (realtime, monotonic, boottime))))


def status(node, clocks):
    """`cilium status --verbose` of a command line that has the agent's clocks."""
    return node.exec(node.program("cilium"), "status", "--verbose", env=clocks.env,
                     check=False).stdout


def absurd(text):
    return [line.strip() for line in text.splitlines() if ABSURD.search(line)]


def eventually(what, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return False


def healthy(node):
    try:
        code, answer = node.request("GET", "/v1/healthz")
    except OSError:
        return False
    return code == 200 and answer["cilium"]["state"] == "Ok"


def facts(node):
    """What no clock may change: endpoints, their identities and addresses."""
    return sorted((e["id"], e["status"]["identity"]["id"],
                   json.dumps(e["status"]["networking"]["addressing"]))
                  for e in node.request("GET", "/v1/endpoint")[1])


def generations(node):
    return node.exec("sh", "-c", f"cat {node.lib_dir}/state/generation.json").stdout


def use(soak, node, clocks, name):
    """A day's work in this time: add, change labels, delete, look."""
    pod = node.pod("guest", labels={"app": "one"})
    node.put_pod_manifest("guest", {"app": "two"})
    soak.check(f"{name}: labels change", eventually(
        lambda: "k8s:app=two" in json.dumps(pod.endpoint()), 10))
    log = json.dumps(node.request("GET", f"/v1/endpoint/{pod.endpoint()['id']}/log")[1])
    soak.check(f"{name}: the endpoint has a log", "timestamp" in log)
    pod.delete()
    (node.manifest_dir / "default-guest.yaml").unlink()
    soak.check(f"{name}: healthy", eventually(lambda: healthy(node), 15),
               node.cli("status", "--brief", check=False).stdout.strip()[:200])
    bad = absurd(status(node, clocks))
    soak.check(f"{name}: ages make sense", not bad, "; ".join(bad)[:300])


def in_use(node):
    answer = node.request("GET", "/v1/healthz")[1]
    return set(answer["ipam"]["allocations"])


def reservation(soak, node, clocks):
    """An address that nobody claims goes back after ten minutes of the clock that sleep does not stop."""
    begun = in_use(node)
    node.exec("curl", "-s", "--unix-socket", node.socket_path, "-X", "POST", "-H", "Expiration: true",
              "http://localhost/v1/ipam?family=ipv4&owner=soak")
    taken = in_use(node) - begun
    if not soak.check("an address is reserved", len(taken) == 1, str(taken)):
        return
    for offset in (YEAR, -YEAR):
        clocks.set(realtime=offset)
        time.sleep(1)
        soak.check(f"a jump of {offset // YEAR:+} year does not end it", taken <= in_use(node))
    node.kill_agent()
    node.start_agent(env=clocks.env)
    soak.check("nor does a restart", taken <= in_use(node))
    clocks.set()
    clocks.set(monotonic=EXPIRATION_SECONDS + 60, boottime=EXPIRATION_SECONDS + 60)
    soak.check("eleven minutes do", eventually(lambda: not taken & in_use(node), 20))


def suspend(soak, node, clocks, pods):
    flow = Flow("udp", *pods, pods[1].ipv4, rate=500)
    seconds = soak.count(SUSPEND_SECONDS, 12)
    node.agent.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    node.agent.send_signal(signal.SIGCONT)
    soak.check(f"stopped for {seconds} s: healthy again", eventually(lambda: healthy(node), 15))
    result = flow.stop()
    soak.check("and no packet lost", result["sent"] == result["received"], str(result))
    for name, jump in (("asleep for 8 h", dict(realtime=8 * HOUR, boottime=8 * HOUR)),
                       ("the monotonic clock jumps 8 h", dict(realtime=8 * HOUR, monotonic=8 * HOUR,
                                                             boottime=8 * HOUR))):
        clocks.set(**jump)
        use(soak, node, clocks, name)


def run(soak):
    site = Site()
    try:
        clocks = Clocks(site)
        node = site.node(build=soak.build, start=False)
        node.start_agent(env=clocks.env)
        a, b = node.pod("a", labels={"app": "a"}), node.pod("b", labels={"app": "b"})
        before, numbers = facts(node), generations(node)
        flow = Flow("tcp", a, b, b.ipv6, rate=500)
        reservation(soak, node, clocks)
        clocks.set()
        node.kill_agent()
        node.start_agent(env=clocks.env)
        for offset, name in ((HOUR, "+1 h"), (-HOUR, "-1 h"), (15 * YEAR, "+15 years"),
                             (-15 * YEAR, "-15 years"), (-int(time.time()) + 5, "1970"), (0, "back")):
            clocks.set(realtime=offset)
            use(soak, node, clocks, name)
            node.kill_agent()
            node.start_agent(env=clocks.env)
            soak.check(f"{name}: restart keeps ids, identities, addresses", facts(node) == before)
            use(soak, node, clocks, f"{name}, restarted")
        suspend(soak, node, clocks, (a, b))
        result = flow.stop()
        soak.check("no packet lost over all jumps", result["sent"] == result["received"], str(result))
        soak.check("generations never go back", int(json.loads(generations(node))["next"]) >=
                   int(json.loads(numbers)["next"]))
        clocks.set()
        for family in (socket.AF_INET, socket.AF_INET6):
            paths.check_all(node, a, b, family)
    finally:
        site.close()
