# SPDX-License-Identifier: Apache-2.0
"""Agents that start on the state of another are refused, and the first does not notice."""

import json
import socket

from harness import paths
from harness.flow import Flow
from harness.site import Site

WHAT = "a second agent on the same state, again and again, while packets flow"
N_AGENTS = 50


def programs(node):
    """What the kernel has of the first agent: ids of programs and maps."""
    found = json.loads(node.exec("bpftool", "-j", "net", "show").stdout)
    maps = node.exec("sh", "-c", "ls /sys/fs/bpf/tc/globals").stdout
    return json.dumps(found, sort_keys=True), maps


def run(soak):
    site = Site()
    try:
        node = site.node(build=soak.build)
        a, b = node.pod("a"), node.pod("b")
        flow = Flow("udp", a, b, b.address(socket.AF_INET), rate=1000)
        before = programs(node)
        refused = [refuse(node) for _ in range(soak.count(N_AGENTS))]
        result = flow.stop()
        soak.check("each refused, and told by whom", all(refused), f"{len(refused)} agents")
        soak.check("programs and maps as before", programs(node) == before)
        soak.check("no packet lost", result["sent"] == result["received"] > 0,
                   f"{result['sent']} packets")
        soak.check("the first agent serves", node.cli("status", "--brief").returncode == 0)
        for family in (socket.AF_INET, socket.AF_INET6):
            paths.check_all(node, a, b, family)
    finally:
        site.close()


def refuse(node):
    done = node.exec(node.program("cilium-agent"), "--config-dir", node.config_dir, check=False)
    return done.returncode != 0 and f"{node.agent.pid}" in done.stderr
