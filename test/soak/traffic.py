# SPDX-License-Identifier: Apache-2.0
"""Traffic of which every piece is accounted for: traffic.c along every kind of path of a node."""

import json
import os
import select
import socket
import subprocess

from harness.site import FAR

FAMILIES = [(socket.AF_INET, "IPv4"), (socket.AF_INET6, "IPv6")]


def paths_of(node, a, b):
    """(name, client, server, address, source that the server sees) of all kinds of paths with pods."""
    found = []
    for family, text in FAMILIES:
        far, outside = FAR[family], node.addresses[family]
        found += [
            (f"pod to pod {text}", a, b, b.address(family), a.address(family)),
            (f"pod to world {text}", a, node.site.far, far, outside),
            (f"other pod to world {text}", b, node.site.far, far, outside),
            (f"world to pod {text}", node.site.far, b, b.address(family), far),
        ]
    return found


class Traffic:
    """So many datagrams, each answered, and TCP connections a second, over all paths together."""

    def __init__(self, soak, paths, datagrams=10_000, connections=500):
        argv = [",".join((name, client.netns_path, server.netns_path, address, source,
                          str(datagrams // len(paths)), str(connections // len(paths))))
                for name, client, server, address, source in paths]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "nice", "-n", "-5",
             soak.build / "test/soak/traffic", *argv],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, AXONEME_TEST=paths[0][1].name))
        if not select.select([self.process.stdout], [], [], 10)[0] or \
                self.process.stdout.readline() != "ready\n":
            self.process.kill()
            raise AssertionError("the traffic does not get through")
        self.dropped = backlog_drops()

    def stop(self):
        """What became of it, a dict for each path."""
        self.process.terminate()
        output, _ = self.process.communicate(timeout=120)
        return json.loads(output)

    def check(self, soak, what):
        """Stops; nothing may be lost, doubled, or have come to somebody else."""
        results = self.stop()
        bad = [each for each in results if any(is_bad(each))]
        dropped = backlog_drops() - self.dropped

        def total(key):
            return sum(each[key] for each in results)

        worst = max(results, key=lambda each: each["gap_ms"])
        seconds = results[0]["seconds"]
        soak.check(f"{what}: every datagram answered, once, from where it should be",
                   total("sent") == total("received") > 0 and not total("wrong") + total("twice"),
                   f"{total('sent')} datagrams, {total('sent') / seconds:.0f} a second")
        soak.check(f"{what}: every connection reached the right end",
                   total("connections") == total("done") > 0 and not total("connections_wrong"),
                   f"{total('done')} connections, {total('done') / seconds:.0f} a second")
        soak.check(f"{what}: no segment sent twice", total("retransmitted") == 0,
                   f"{total('retransmitted')}")
        soak.figure(f"{what}: longest time without an answer",
                    f"{worst['gap_ms']:.0f} ms ({worst['name']})")
        for each in bad:
            soak.say(f"{each} (packets that the machine dropped for want of room: {dropped})")


def is_bad(result):
    return (result["sent"] != result["received"], result["wrong"], result["twice"],
            result["connections"] != result["done"], result["connections_wrong"],
            result["retransmitted"])


def backlog_drops():
    """Packets that CPUs of this machine, in any namespace, had no room for."""
    with open("/proc/net/softnet_stat", encoding="ascii") as rows:
        return sum(int(row.split()[1], 16) for row in rows)
