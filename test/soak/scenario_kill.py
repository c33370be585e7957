# SPDX-License-Identifier: Apache-2.0
"""The agent is killed, in service and at every moment of its start, and nobody's packet is lost."""

import os
import pathlib
import statistics
import time

import audit
from harness.site import Site
from traffic import Traffic, paths_of

WHAT = "kill -9, again and again, under 10,000 datagrams and 500 new connections a second"
N_KILLS = 100
N_STOPS = 30
N_CHANGES = 30
# An agent that has nothing to load is ready well within this; one that has, about then.
START_SECONDS = 0.3
CHANGES = [{"pod_attach_mode": "tcx"}, {}, {"bpf_ct_global_tcp_max": 20000}, {},
           {"bpf_nat_global_max": 30000, "enable_endpoint_routes": "true"}, {},
           {"enable_host_legacy_routing": "true"}, {}]


class Killer:
    def __init__(self, soak, node):
        self.soak, self.node = soak, node
        self.start_ms = []

    def start(self):
        """An agent as soon as possible; measures until it serves."""
        before = time.monotonic()
        self.node.start_agent()
        self.start_ms.append(1000 * (time.monotonic() - before))

    def kill_while_it_starts(self, seconds=START_SECONDS):
        self.node.start_agent(wait=False)
        time.sleep(self.soak.random.uniform(0, seconds))
        self.node.kill_agent()

    def in_service(self):
        for _ in range(self.soak.count(N_KILLS)):
            self.node.kill_agent()
            self.start()

    def while_starting(self):
        self.node.kill_agent()
        for _ in range(self.soak.count(N_KILLS)):
            self.kill_while_it_starts()
        self.start()

    def stopping(self):
        """SIGTERM; every third time killed while it stops."""
        for i in range(self.soak.count(N_STOPS)):
            self.node.agent.terminate()
            if i % 3 == 2:
                time.sleep(self.soak.random.uniform(0, 0.02))
                self.node.agent.kill()
            self.node.agent.wait(timeout=10)
            self.start()

    def other_configuration(self, is_killed=False):
        """New programs, or new maps, or both, each time."""
        for i in range(self.soak.count(N_CHANGES, least=len(CHANGES))):
            self.node.kill_agent()
            self.node.configure(**CHANGES[i % len(CHANGES)])
            if is_killed:
                self.kill_while_it_starts(2 * START_SECONDS)
            self.start()
        self.node.kill_agent()
        self.node.configure()
        self.start()

    def killed_while_taking_over(self):
        self.other_configuration(is_killed=True)

    def other_version(self):
        """As the other configuration, with what AXONEME_UPGRADE_BUILD built."""
        builds = [pathlib.Path(os.environ["AXONEME_UPGRADE_BUILD"]).resolve(), self.node.build]
        for i in range(2 * self.soak.count(N_CHANGES / 2)):
            self.node.kill_agent()
            self.node.build = builds[i % 2]
            self.kill_while_it_starts(2 * START_SECONDS)
            self.start()


def run(soak):
    site = Site()
    try:
        node = site.node(build=soak.build)
        pods = [node.pod(name, labels={"app": name}) for name in ("a", "b")]
        before = audit.common(node)
        killer = Killer(soak, node)
        phases = [("killed in service", killer.in_service),
                  ("killed while it starts", killer.while_starting),
                  ("SIGTERM", killer.stopping),
                  ("other configuration", killer.other_configuration),
                  ("killed while taking over", killer.killed_while_taking_over)]
        if "AXONEME_UPGRADE_BUILD" in os.environ:
            phases.append(("other version", killer.other_version))
        for name, phase in phases:
            harm(soak, node, name, phase, killer)
        problems = audit.audit(node, pods, before)
        soak.check("the audit finds nothing", not problems, "; ".join(problems))
    finally:
        site.close()


def harm(soak, node, name, phase, killer):
    a, b = node.pods
    traffic = Traffic(soak, paths_of(node, a, b))
    killer.start_ms = []
    try:
        phase()
    except BaseException:
        traffic.process.kill()
        traffic.process.wait()
        raise
    soak.figure(f"{name}: until the agent serves again",
                f"median {statistics.median(killer.start_ms):.0f} ms, "
                f"most {max(killer.start_ms):.0f} ms, of {len(killer.start_ms)}")
    traffic.check(soak, name)
