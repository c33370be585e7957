# SPDX-License-Identifier: Apache-2.0
"""
Random and mutated frames: through each program under BPF_PROG_TEST_RUN, where every one is judged
(bpf/test/fuzz_frame.c, fuzz_maps.c), and live, from a pod and from the world, while two other pods talk.
"""

import os
import subprocess
import time

import flooding
import watch
from harness import paths, probe
from harness.site import Site

WHAT = "random and mutated frames of every kind, under BPF_PROG_TEST_RUN and live"
N_JUDGED = 10_000_000
N_LIVE = 2_000_000  # from each side


def run(soak):
    log = watch.KernelLog()
    judge(soak)
    live(soak)
    soak.check("nothing in the kernel's log", not log.trouble(), "; ".join(log.trouble()[:3]))


def judge(soak):
    """One process a CPU, each with programs, maps and a seed of its own."""
    n_processes = os.cpu_count()
    each = soak.count(N_JUDGED) // n_processes
    started = [subprocess.Popen(
        ["nice", soak.build / "bpf/bpf_test"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=dict(os.environ, BPF_TEST_FILTER="random frames", BPF_FUZZ_FRAMES=str(each),
                 BPF_FUZZ_SEED=str(soak.random.randrange(1, 1 << 31))))
        for _ in range(n_processes)]
    outputs = [process.communicate()[0] for process in started]
    good = all(process.returncode == 0 and f"{each} frames" in output
               for process, output in zip(started, outputs))
    if not good:
        soak.say("\n".join(output[-4000:] for output in outputs))
    soak.check("under BPF_PROG_TEST_RUN: every frame judged rightly, counted, maps and events sane",
               good, f"{each * n_processes} frames")


def live(soak):
    site = Site()
    try:
        node = site.node(build=soak.build)
        a, b, c = node.pod("a"), node.pod("b"), node.pod("c")
        pid, cpu = node.agent.pid, watch.Cpu(node.agent.pid)
        listeners = [watch.Listener(node, "-j"), watch.Listener(node, "-v", "--hex")]
        flows = watch.Flows(b, c)
        for name, flood in (
                ("pod", lambda: flooding.from_pod(soak, a, "random", soak.count(N_LIVE), other=b)),
                ("world", lambda: flooding.from_world(soak, node, "random", soak.count(N_LIVE), a))):
            flood = flood()
            n_taken = flood.wait()
            soak.figure(f"frames from the {name}", f"{n_taken}, {round(n_taken / flood.seconds)} a second")
        flows.check(soak, "live")
        soak.figure("CPU of the agent meanwhile, two monitors open", f"{cpu.percent()} %")
        check_monitors(soak, node, listeners)
        soak.check("the agent lives, and is well",
                   node.agent.poll() is None and node.agent.pid == pid and
                   node.cli("status", "--brief").stdout.strip() == "OK")
        check_connections(soak, node, (a, b, c))
        recover(soak, node, b, c)
    finally:
        site.close()


def check_monitors(soak, node, listeners):
    lost = watch.lost_events(node)
    alive = [listener.stop() for listener in listeners]
    soak.check("monitors live, each line valid UTF-8 (and JSON with -j), no control characters",
               all(alive) and not any(listener.bad for listener in listeners),
               "; ".join(str(listener.bad[:2]) for listener in listeners if listener.bad) or
               f"{sum(listener.n_lines for listener in listeners)} lines, {lost} events lost and counted")


def recover(soak, node, *pods):
    """Frames under random addresses of a link leave the kernel neighbours that it waits for, 3 s each."""
    start = time.monotonic()
    for pod in pods:
        for family in probe.ANY:
            probe.eventually(lambda: probe.ping(node, pod.address(family), seconds=1), 60, "ping")
    soak.figure("seconds until the node reaches its pods again", round(time.monotonic() - start, 1))
    for family in probe.ANY:
        paths.check_all(node, *pods, family)


def check_connections(soak, node, pods):
    """Every entry belongs to a pod that is there, or to the node where that needs another port."""
    owners = [(pod.ipv4, pod.ipv6) for pod in pods] + [flooding.pair(node.addresses)]
    known = [text for ipv4, ipv6 in owners for text in (f"{ipv4}:", f"[{ipv6}]:")]
    entries = node.cli("bpf", "ct", "list", "global").stdout.splitlines()
    foreign = [entry for entry in entries if not any(text in entry for text in known)]
    soak.check("each connection in the maps is a pod's", not foreign and entries,
               foreign[:1] or f"{len(entries)} connections")
