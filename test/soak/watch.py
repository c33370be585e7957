# SPDX-License-Identifier: Apache-2.0
"""
What a scenario keeps an eye on: the kernel's log, the agent's time on the CPU, monitors that are read all the
time, and flows whose losses must be explained.
"""

import json
import os
import re
import socket
import subprocess
import threading
import time

from harness.flow import Flow

TROUBLE = re.compile(r"BUG:|WARNING:|Oops|general protection|Call Trace|soft lockup|rcu.*stall|UBSAN|KASAN|"
                     r"hw csum failure|refcount_t|segfault|unregister_netdevice")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
TICKS = os.sysconf("SC_CLK_TCK")


class KernelLog:
    """Lines of the machine's kernel log that tell of trouble, since it was made."""

    def __init__(self):
        self.start = time.clock_gettime(time.CLOCK_BOOTTIME)

    def trouble(self):
        found = []
        for line in subprocess.run(["dmesg"], capture_output=True, text=True, check=True,
                                   errors="replace").stdout.splitlines():
            stamp = re.match(r"\[\s*([0-9.]+)\]", line)
            if stamp and float(stamp.group(1)) >= self.start and TROUBLE.search(line):
                found.append(line)
        return found


class Cpu:
    """Part of one CPU that a process has used since it was made."""

    def __init__(self, pid):
        self.pid, self.start, self.before = pid, time.monotonic(), self._seconds(pid)

    @staticmethod
    def _seconds(pid):
        fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def percent(self):
        return round(100 * (self._seconds(self.pid) - self.before) /
                     (time.monotonic() - self.start), 1)


class Listener:
    """`cilium monitor` whose every line is read and judged, as fast as they come."""

    def __init__(self, node, *options):
        self.n_lines, self.bad, self.is_json = 0, [], "-j" in options
        self.process = node.popen(node.program("cilium"), "monitor", *options,
                                  env=node.environment(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.stderr = b""
        while b"Press Ctrl-C" not in self.stderr:
            line = self.process.stderr.readline()
            if not line:
                raise AssertionError(f"monitor did not start: {self.stderr!r}")
            self.stderr += line
        self.threads = [threading.Thread(target=work, daemon=True)
                        for work in (self._read_lines, self._read_complaints)]
        for thread in self.threads:
            thread.start()

    def _read_lines(self):
        for line in self.process.stdout:
            self.n_lines += 1
            if len(self.bad) < 5 and not self._is_good(line):
                self.bad.append(line)

    def _is_good(self, line):
        try:
            text = line.decode()
            if self.is_json:
                json.loads(text)
        except ValueError:
            return False
        return not CONTROL.search(text)

    def _read_complaints(self):
        for line in self.process.stderr:
            self.stderr = (self.stderr + line)[-65536:]

    def stop(self):
        """True when it still ran. Its last line may be half a line."""
        alive = self.process.poll() is None
        self.process.terminate()
        self.process.wait(timeout=30)
        for thread in self.threads:
            thread.join(timeout=30)
        return alive


def udp_losses(namespace):
    """Datagrams that the namespace's own sockets had no room for: whoever should read them did not run."""
    text = namespace.exec("cat", "/proc/net/snmp", "/proc/net/snmp6").stdout
    heads, values = [line.split() for line in text.splitlines() if line.startswith("Udp:")]
    lost = int(dict(zip(heads, values))["RcvbufErrors"])
    return lost + sum(int(line.split()[1]) for line in text.splitlines()
                      if line.startswith("Udp6RcvbufErrors"))


def backlog_losses():
    """Packets that a CPU of this machine had no room for in its backlog."""
    return sum(int(line.split()[1], 16) for line in open("/proc/net/softnet_stat"))


class Flows:
    """UDP and TCP of both families between two pods; what is lost must be explained."""

    def __init__(self, client, server, rate=500):
        self.ends = (client, server)
        self.flows = {f"{kind} {'IPv4' if family == socket.AF_INET else 'IPv6'}":
                      Flow(kind, client, server, server.address(family), rate)
                      for kind in ("udp", "tcp") for family in (socket.AF_INET, socket.AF_INET6)}
        self.before = self._explained()

    def _explained(self):
        return sum(udp_losses(end) for end in self.ends) + backlog_losses()

    def check(self, soak, when):
        results = {name: flow.stop() for name, flow in self.flows.items()}
        explained = self._explained() - self.before
        sent = sum(result["sent"] for result in results.values())
        lost = {name: result["sent"] - result["received"] for name, result in results.items()}
        tcp = [name for name in lost if name.startswith("tcp") and lost[name]]
        udp = sum(n for name, n in lost.items() if name.startswith("udp"))
        soak.check(f"{when}: flows of two other pods unharmed", not tcp and udp <= explained,
                   f"{sent} packets, {sum(lost.values())} lost"
                   f"{''.join(f' ({name}: {n})' for name, n in lost.items() if n)}, "
                   f"{explained} for want of CPU; "
                   f"longest gap {max(result['gap_ms'] for result in results.values()):.0f} ms")


def lost_events(node):
    """What the agent counts as lost on the way to monitors."""
    return (node.cli_json("status").get("nodeMonitor") or {}).get("lost", 0)
