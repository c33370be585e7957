# SPDX-License-Identifier: Apache-2.0
"""How long whole CNI calls take, beside the reference plugins ptp and host-local."""

import json
import subprocess

from harness.namespace import Namespace

REFERENCE = "/usr/lib/cni/ptp"


class Caller:
    """Calls plugins in a node's namespaces through cni_time; keeps what is to be deleted."""

    def __init__(self, tool, node):
        self.tool, self.node = tool, node
        self.configs = {"cilium": self._write("cilium", {"type": "cilium-cni"}),
                        "reference": self._write("reference", {
                            "type": "ptp", "ipam": {
                                "type": "host-local", "dataDir": str(node.dir / "host-local"),
                                "ranges": [[{"subnet": "10.77.0.0/16"}]]}})}
        self.plugins = {"cilium": node.program("cilium-cni"), "reference": REFERENCE}
        self.count = 0
        self.namespaces = []

    def _write(self, name, config):
        path = self.node.dir / f"{name}.conf"
        path.write_text(json.dumps({"cniVersion": "1.0.0", "name": name, **config}))
        return path

    def call(self, calls, mode="wait"):
        """calls: (command, plugin, container, namespace). Milliseconds of each, all good."""
        lines = [f"{command} {self.plugins[plugin]} {container} {namespace.netns_path} "
                 f"{self.configs[plugin]} {mode}" for command, plugin, container, namespace in calls]
        done = subprocess.run([self.tool, str(self.node.pid)], input="\n".join(lines) + "\n",
                              text=True, capture_output=True, timeout=300,
                              env={**self.node._env(self.node.environment())})
        results = [line.split() for line in done.stdout.splitlines()]
        assert done.returncode == 0 and len(results) == len(calls), done.stderr
        assert all(status == "0" for status, _ in results), done.stderr
        return [int(nanoseconds) / 1e6 for _, nanoseconds in results]

    def containers(self, n):
        names = [f"bench{self.count + i}" for i in range(n)]
        self.count += n
        made = [(name, Namespace(f"{self.node.name}-{name}")) for name in names]
        self.namespaces += [namespace for _, namespace in made]
        return made

    def close(self):
        for namespace in self.namespaces:
            namespace.close()

    def add(self, plugin, containers, mode="wait"):
        return self.call([("ADD", plugin, *container) for container in containers], mode)

    def delete(self, plugin, containers):
        times = self.call([("DEL", plugin, *container) for container in containers])
        for _, namespace in containers:
            namespace.close()
        return times


def interleaved(caller, n):
    """ADD and DEL of n containers by each plugin, in turns of ten."""
    times = {"cilium": ([], []), "reference": ([], [])}
    for number in range(0, n, 10):
        for plugin in sorted(times, reverse=number % 20 == 0):
            containers = caller.containers(10)
            times[plugin][0].extend(caller.add(plugin, containers))
            times[plugin][1].extend(caller.delete(plugin, containers))
    return times


def together(caller, n):
    """n ADDs at once. Milliseconds until the last is done; none may be refused."""
    containers = caller.containers(n)
    times = caller.add("cilium", containers, "together")
    return max(times), containers
