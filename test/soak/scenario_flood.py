# SPDX-License-Identifier: Apache-2.0
"""
A pod that floods: half-open connections and a sweep of every UDP port, at a pod, at the host, at the world. What
others have open goes on, and the agent does not work harder for it.
"""

import flooding
import watch
from harness import observe, probe
from harness.flow import Flow
from harness.site import FAR, Site

WHAT = "SYN floods and UDP port sweeps from a pod; every port of the node's address taken"
N_FRAMES = 100_000  # of each kind at each victim
CPU_PERCENT_MAX = 50
NO_PORT = "No mapping for NAT masquerade"


def run(soak):
    log = watch.KernelLog()
    site = Site()
    try:
        node = site.node(build=soak.build)
        a, b, c = node.pod("a"), node.pod("b"), node.pod("c")
        victims = {"a pod": (b.ipv4, b.ipv6), "the host": flooding.pair(node.addresses),
                   "the world": flooding.pair(FAR)}
        flood_all(soak, node, (a, b, c), victims, "no monitor", [])
        flood_all(soak, node, (a, b, c), victims, "a monitor of drops", ["--type", "drop"])
        flood_all(soak, node, (a, b, c), victims, "a monitor of everything", ["-v"])
        take_all_ports(soak, node, a, b)
        soak.check("the agent is well", node.cli("status", "--brief").stdout.strip() == "OK")
    finally:
        site.close()
    soak.check("nothing in the kernel's log", not log.trouble(), "; ".join(log.trouble()[:3]))


def flood_all(soak, node, pods, victims, when, options):
    """Connections that are open before: between two pods, from a pod to the host, and to the world."""
    a, b, c = pods
    listener = watch.Listener(node, *options) if options else None
    flows = watch.Flows(b, c, rate=200)
    others = [Flow("tcp", b, node, node.addresses[family], rate=100) for family in probe.ANY]
    others += [Flow("tcp", b, node.site.far, FAR[family], rate=100) for family in probe.ANY]
    cpu, lost, n_taken, seconds = watch.Cpu(node.agent.pid), watch.lost_events(node), 0, 0
    for victim in victims.values():
        for kind in ("syn4", "syn6", "sweep4", "sweep6"):
            flood = flooding.from_pod(soak, a, kind, soak.count(N_FRAMES), world=victim)
            n_taken += flood.wait()
            seconds += flood.seconds
    percent = cpu.percent()
    soak.figure(f"{when}: frames", f"{n_taken}, {round(n_taken / seconds)} a second")
    soak.check(f"{when}: CPU of the agent is bounded", percent < CPU_PERCENT_MAX, f"{percent} %")
    flows.check(soak, when)
    results = [flow.stop() for flow in others]
    soak.check(f"{when}: connections to the host and the world lose nothing",
               all(result["sent"] == result["received"] for result in results),
               f"{sum(result['sent'] for result in results)} packets")
    if listener:
        lost = watch.lost_events(node) - lost
        alive = listener.stop()
        soak.check(f"{when}: it lives, and what it missed is counted",
                   alive and not listener.bad and (listener.n_lines > 0 or "drop" in options),
                   f"{listener.n_lines} lines, {lost} events lost")


def take_all_ports(soak, node, pod, other):
    """A node's address has 32,768 ports for one port of one peer; a pod may ask for more."""
    before, backlog = observe.metric(node, NO_PORT, "egress"), watch.backlog_losses()
    with observe.monitor(node, "--type", "drop") as monitor:
        n_taken = flooding.from_pod(soak, pod, "ports4", 60_000).wait()
        line = monitor.wait_line(NO_PORT, seconds=20)
    n_dropped = observe.metric(node, NO_PORT, "egress") - before
    backlog = watch.backlog_losses() - backlog
    # The search among ports that are all taken is slow: the kernel has no room for what waits for it.
    soak.check("all ports towards a peer taken: the rest is dropped and counted by its reason",
               n_dropped > 1000 and n_dropped + backlog >= n_taken - 32_768,
               f"{n_dropped} of {n_taken} dropped, {backlog} more by the kernel's backlog")
    soak.check("the monitor tells", NO_PORT in line, line[:120])
    with probe.Server(node.site.far, probe.family_of(FAR[2]), probe.TCP, FAR[2]) as listener:
        probe.talk(other, probe.TCP, FAR[2], listener.port)
    soak.check("another pod reaches another port", True)
