#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Prints every budget of speed and memory beside what was measured. Nothing fails on a figure.

    test/bench/run.py [--build DIR] [--rounds N] [--only traffic,joining,...] [--write]
"""

import argparse
import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/net"))

import forwarding  # noqa: E402
import joining  # noqa: E402
import policy  # noqa: E402
import services  # noqa: E402
import traffic  # noqa: E402
from harness import objects  # noqa: E402
from harness.node import PROGRAMS  # noqa: E402
from harness.site import Site  # noqa: E402
from measure import Report, quantile, rss_mb  # noqa: E402

FILLED = 500_000


class Bench:
    def __init__(self, options):
        self.build = pathlib.Path(options.build).resolve()
        self.rounds = options.rounds
        self.milliseconds = options.milliseconds
        self.levels = [int(level) for level in options.services.split(",")]
        self.report = Report()

    def tool(self, name):
        return str(self.build / "test/bench" / name)

    @contextlib.contextmanager
    def node(self, **config):
        with contextlib.closing(Site()) as site:
            yield site.node(build=self.build, **config)

    def run_traffic(self):
        with self.node() as node, contextlib.ExitStack() as stack:
            paths = {"B0": stack.enter_context(traffic.bare_veth(self.tool("load"), node.name)),
                     "B1": stack.enter_context(traffic.routed(self.tool("load"), node.name)),
                     "pods": traffic.pods(self.tool("load"), node.pod("a"), node.pod("b"))}
            traffic.report(self.report, traffic.sample(paths, self.rounds, self.milliseconds))

    def run_packet(self):
        values = {}
        for _ in range(self.rounds):
            done = subprocess.run([self.build / "bpf/bench_packet"], capture_output=True, text=True,
                                  check=True)
            for name, ns in re.findall(r"^(.*\S) +(\d+) ns", done.stdout, re.MULTILINE):
                values.setdefault(name, []).append(int(ns))
        for family in traffic.FAMILIES:
            ours = values[f"pod to pod, established, {family}"]
            least = values[f"and connection and endpoint, {family}"]
            self.report.add(f"Established TCP packet, {family}", ours, 130, False, " ns")
            self.report.add(f"… / parse, connection and endpoint alone, {family}",
                            [a / b for a, b in zip(ours, least)], 1.6, False)
            self.report.add(f"Opening TCP packet, {family}",
                            values[f"pod to pod, opening, {family}"], 1000, False, " ns")

    def caller(self, node):
        return contextlib.closing(joining.Caller(self.tool("cni_time"), node))

    def run_joining(self):
        with self.node() as node, self.caller(node) as caller:
            times = joining.interleaved(caller, 200)
            self._report_adds("CNI ADD", times)
            node.stop_agent()
            node.start_agent()
            times = joining.interleaved(caller, 20)
            self._report_adds("CNI ADD, 20 right after an agent start", times)
            last_ms, containers = joining.together(caller, 135)
            self.report.add("135 ADDs at once, until the last", [last_ms / 1000], 3, False, " s")
            caller.delete("cilium", containers)

    def _report_adds(self, what, times):
        ours, reference = times["cilium"][0], times["reference"][0]
        for name, part in (("median", 0.5), ("p99", 0.99)):
            a, b = quantile(ours, part), quantile(reference, part)
            self.report.add(f"{what}, {name} / ptp + host-local", [a / b], 1, False,
                            note=f"{a:.1f} / {b:.1f} ms")

    def run_conntrack(self):
        """ADD and DEL with an empty and with a full table, in turns on two nodes."""
        with contextlib.ExitStack() as stack:
            empty, full = (stack.enter_context(self.node(bpf_ct_global_tcp_max=2 * FILLED))
                           for _ in range(2))
            full.exec(self.tool("ct_fill"), "/sys/fs/bpf/tc/globals/cilium_ct_tcp_global", FILLED,
                      timeout=120)
            callers = [stack.enter_context(self.caller(node)) for node in (empty, full)]
            adds, deletes = ([], []), ([], [])
            for _ in range(self.rounds):
                for number, caller in enumerate(callers):
                    containers = caller.containers(10)
                    adds[number].append(quantile(caller.add("cilium", containers), 0.5))
                    deletes[number].append(quantile(caller.delete("cilium", containers), 0.5))
            for what, values in (("ADD", adds), ("DEL", deletes)):
                self.report.add(f"CNI {what}, {FILLED:,} connections / none",
                                [b / a for a, b in zip(*values)], 1.1, False,
                                note=f"{quantile(values[1], 0.5):.1f} ms with them")

    def run_agent(self):
        cold, warm, few, many = [], [], [], []
        for _ in range(self.rounds):
            with self.node(start=False) as node, self.caller(node) as caller:
                cold.append(self._start_ms(node))
                for number in range(5):
                    node.pod(f"few{number}")
                few.append(rss_mb(node))
                containers = caller.containers(95)
                caller.add("cilium", containers)
                many.append(rss_mb(node))
                node.stop_agent()
                warm.append(self._start_ms(node))
                caller.delete("cilium", containers)
        self.report.add("Agent RSS, 5 pods", few, 12, False, " MB")
        self.report.add("Agent RSS, 100 endpoints", many, 20, False, " MB")
        self.report.add("Cold start until everything is in force", cold, 500, False, " ms")
        self.report.add("Warm start with 100 endpoints", warm, 300, False, " ms")

    @staticmethod
    def _start_ms(node):
        start = time.monotonic()
        node.start_agent()
        return (time.monotonic() - start) * 1000

    def run_manifest(self):
        """From the rename of the file to a REST answer that shows the change."""
        with self.node() as node:
            pod = node.pod("web", labels={"app": "v0"})
            path, took = f"/v1/endpoint/pod-name:default:{pod.pod_name}", []
            for number in range(1, 101):
                start = time.monotonic()
                node.put_pod_manifest("web", {"app": f"v{number}"})
                while f'"k8s:app=v{number}"' not in str(node.request("GET", path)[1]).replace(
                        "'", '"'):
                    pass
                took.append((time.monotonic() - start) * 1000)
        self.report.add("Manifest written to change in force, seen through REST", took, 10, False,
                        " ms", note=f"p99 {quantile(took, 0.99):.1f} ms")

    def run_derive(self):
        """Rule sets of policies: 10,000 identities, 1,000 policies, 500 of them of one endpoint."""
        values = {}
        for _ in range(self.rounds):
            done = subprocess.run([self.tool("policy_derive")], capture_output=True, text=True,
                                  check=True)
            for name, median in re.findall(r"^(.*\S) +([\d.]+) +[\d.]+ ms", done.stdout, re.MULTILINE):
                values.setdefault(name, []).append(float(median))
        for name, budget in (("initial", 1000), ("one more identity", 1),
                             ("one more endpoint of 500 policies", 1),
                             ("one policy of 500 changes", 20), ("one more policy", 20)):
            self.report.add(f"Rule sets derived, CPU: {name}", values[name], budget, False, " ms")

    def run_policy(self):
        with self.node() as node:
            policy.report_changes(self.report, node, 100, 1000)
        with self.node() as node:
            policy.report_sharing(self.report, node)
        with self.node() as free, self.node() as loaded:
            policy.report_throughput(self.report, self.tool("load"), free, loaded, self.rounds,
                                     self.milliseconds)
        with self.node(start=False) as node:
            objects.put_list(node, "cluster.json", policy.cluster(50_000, 250, 500))
            node.start_agent()
            self.report.add("Agent RSS, 50,000 pods, 250 identities, 500 policies",
                            [rss_mb(node)], 50, False, " MB")

    def run_services(self):
        services.run(self.report, self.tool("load"), self.build, self.levels, self.rounds,
                     self.milliseconds)

    def run_forwarding(self):
        forwarding.run(self.report, self.build, self.rounds)

    def run_size(self):
        sizes = {}
        with tempfile.TemporaryDirectory() as directory:
            for name, folder in PROGRAMS.items():
                stripped = pathlib.Path(directory) / name
                subprocess.run(["strip", "-o", stripped, self.build / folder / name], check=True)
                sizes[name] = stripped.stat().st_size / 1e6
        note = ", ".join(f"{name} {size:.2f}" for name, size in sizes.items())
        self.report.add("All programs, stripped", [sum(sizes.values())], 10, False, " MB",
                        note=note)


def main():
    parts = [name.removeprefix("run_") for name in dir(Bench) if name.startswith("run_")]
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default=ROOT / "build")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--milliseconds", type=int, default=300, help="of each traffic measurement")
    parser.add_argument("--only", default=",".join(parts), help=",".join(parts))
    parser.add_argument("--services", default=",".join(map(str, services.LEVELS)),
                        help="numbers of services that connections are measured with")
    parser.add_argument("--write", action="store_true", help="put the table into the document")
    options = parser.parse_args()

    bench = Bench(options)
    for part in options.only.split(","):
        getattr(bench, f"run_{part}")()
    print("\n" + bench.report.markdown())
    if options.write:
        bench.report.write(ROOT / "docs/performance.md")


if __name__ == "__main__":
    main()
