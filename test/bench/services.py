# SPDX-License-Identifier: Apache-2.0
"""
Services: new connections over more and more of them, changes of a back end, what a load costs; beside
kube-proxy (B2: iptables, B3: nftables) on nodes of their own.
"""

import contextlib
import ipaddress
import json
import pathlib
import socket
import statistics
import subprocess
import time

import chart
import traffic
from harness import objects, plain, probe
from harness.kube_proxy import KubeProxy, NoKubeProxy
from harness.site import Site
from measure import quantile, rss_mb

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEVELS = (1, 100, 1_000, 10_000, 30_000)
N_BACKENDS = 4
N_USED = 4  # services that the connections go to: half of all rules lie before them, on average
FIRST_PORT, PORTS_A_PROCESS = 10_000, 15_000  # service i is served at port FIRST_PORT + i of each back end
FIRST = {"IPv4": "172.20.0.1", "IPv6": "fd00:20::1"}
CLIENT_CPU, SERVER_CPU, PATIENCE_SECONDS = 0, 0, 300
REFERENCES = {"B2": "iptables", "B3": "nftables"}
# kube-proxy takes minutes to write the rules of 30,000 services: once is enough.
MOST_OF_REFERENCE = {"IPv4": LEVELS[-1], "IPv6": 1_000}


def service_address(family, number):
    return str(ipaddress.ip_address(FIRST[family]) + number)


class Rig:
    """A node with a client pod and four servers that serve every service."""

    def __init__(self, tool, stack, cgroup=None):
        self.tool = tool
        self.site = stack.enter_context(contextlib.closing(Site()))
        self.make_node(stack)
        self.client, self.servers = self.make_pod("client", 9), []
        self.client.sysctl(**traffic.CLIENT)
        for number in range(N_BACKENDS):
            server = self.make_pod(f"server{number}", 10 + number)
            self.servers.append(server)
            for first in range(FIRST_PORT, FIRST_PORT + LEVELS[-1], PORTS_A_PROCESS):
                process = server.popen(tool, "serve", SERVER_CPU, first, PORTS_A_PROCESS,
                                       stdout=subprocess.PIPE, text=True)
                assert process.stdout.readline() == "ready\n"

    def services(self, family, begin, end):
        """Objects of services begin … end-1."""
        addresses = [server.address(traffic.FAMILIES[family]) for server in self.servers]
        for number in range(begin, end):
            ports = [objects.port(80, FIRST_PORT + number)]
            name = f"{family.lower()}-{number}"
            yield objects.service(name, [service_address(family, number)], ports)
            yield from objects.slices(name, [objects.endpoint(each) for each in addresses], ports)

    def until_served(self, family, number):
        """Seconds until the service answers from now on."""
        begin = time.monotonic()
        while True:
            try:
                with probe.connect(self.client, probe.TCP, service_address(family, number), 80,
                                   timeout=0.5) as client:
                    probe.exchange(client, b"x")
                return time.monotonic() - begin
            except OSError:
                assert time.monotonic() - begin < PATIENCE_SECONDS, "the service never answers"
                time.sleep(0.01)

    def rate(self, family, milliseconds, n=1, used=1):
        """
        New connections a second: connect, one byte there and back, close. To so many of n services, evenly
        spread among them; it takes memory to listen, so many servers are slower than few, whoever balances.
        """
        stride = n // used
        done = self.client.exec(self.tool, "crr", CLIENT_CPU, service_address(family, stride // 2), 80,
                                milliseconds, used, stride)
        return float(done.stdout)

    def direct_rate(self, family, milliseconds):
        address = self.servers[0].address(traffic.FAMILIES[family])
        done = self.client.exec(self.tool, "crr", CLIENT_CPU, address, FIRST_PORT, milliseconds)
        return float(done.stdout)


class OurRig(Rig):
    PROBE_SECONDS = 0

    def make_node(self, _):
        self.node = self.site.node(build=self.build, cgroup=True, kube_proxy_replacement=True,
                                   **self.config)

    def __init__(self, tool, stack, build, **config):
        self.build, self.config = build, config
        super().__init__(tool, stack)

    def make_pod(self, name, _):
        return self.node.pod(name)

    def put(self, name, services):
        objects.put_list(self.node, f"{name}.json", services)

    def settle(self, family, number):
        return self.until_served(family, number)


class ReferenceRig(Rig):
    PROBE_SECONDS = 0.001  # so that no source port comes again while the kernel remembers it

    def __init__(self, tool, stack, mode):
        self.mode = mode
        super().__init__(tool, stack)

    def make_node(self, stack):
        self.node = plain.prepare(self.site.node(start=False))
        self.proxy = stack.enter_context(contextlib.closing(KubeProxy(
            self.node, self.mode, "node1", list(self.node.addresses.values()))))

    def make_pod(self, name, last):
        return plain.PlainPod(self.node, name, f"10.200.1.{last}", f"fd00:200:1::{last}")

    def put(self, name, services):
        services = list(services)
        self.since = time.time()
        self.proxy.put_manifest(name, {"kind": "List", "items": services})

    def settle(self, family, number):
        begin = time.monotonic()
        if self.proxy.process:
            self.proxy.wait_synced(self.since)
        else:
            self.proxy.start()
        self.until_served(family, number)
        return time.monotonic() - begin


class Rigs:
    """one: ours, with one service for ever; ours, B2, B3: with more and more."""

    def __init__(self, tool, build, stack):
        self.one = OurRig(tool, stack, build)
        self.growing = {"ours": OurRig(tool, stack, build)}
        for name, mode in REFERENCES.items():
            try:
                self.growing[name] = ReferenceRig(tool, stack, mode)
            except NoKubeProxy as error:
                print(f"{name} is left out: {error}", flush=True)

    def grown(self, family, n):
        """The rigs that are to have so many services."""
        return {name: rig for name, rig in self.growing.items()
                if name not in REFERENCES or n <= MOST_OF_REFERENCE[family]}

    def grow(self, family, before, after):
        """More services everywhere. Seconds until the last one is served, by rig."""
        took = {}
        for name, rig in self.grown(family, after).items():
            rig.put(f"{family}-{after}", rig.services(family, before, after))
            took[name] = rig.settle(family, after - 1)
            print(f"{after:,} services, {family}, {name}: served after {took[name]:.2f} s", flush=True)
        return took

    def sample(self, family, n, rounds, milliseconds):
        """{path: rates}; "one" and "direct" beside the others, in turns."""
        paths = {"one": lambda: self.one.rate(family, milliseconds),
                 "direct": lambda: self.one.direct_rate(family, milliseconds)}
        for name, rig in self.grown(family, n).items():
            paths[name] = lambda rig=rig: rig.rate(family, milliseconds, n, min(n, N_USED))
            if n > N_USED:
                paths[f"all {name}"] = lambda rig=rig: rig.rate(family, milliseconds, n, n)
        rates = {name: [] for name in paths}
        for measure in paths.values():
            measure()  # neighbours resolved, caches warm
        for number in range(rounds):
            order = list(paths)
            order = order[number % len(order):] + order[:number % len(order)]
            for name in order:
                rates[name].append(paths[name]())
        return rates


def per_round(rates, over, under):
    return [a / b for a, b in zip(rates[over], rates[under])]


def scale(values):
    return f"{statistics.median(values) / 1000:.1f} k/s"


def report_rates(report, family, n, rates, is_last):
    what = f"New connections by ClusterIP, {n:,} service{'s' if n > 1 else ''} of 4"
    for name in REFERENCES:
        if name in rates and (n == 1 or is_last):
            budget = 1.1 if n == 1 else 3 if name == "B2" else 1.1
            report.add(f"{what} / {name}, {family}", per_round(rates, "ours", name), budget, True,
                       note=f"{scale(rates['ours'])}, {name} {scale(rates[name])}")
        if f"all {name}" in rates and is_last:
            report.add(f"… to all of them at random / {name}, {family}",
                       per_round(rates, "all ours", f"all {name}"), 3 if name == "B2" else 1.1, True,
                       note=f"{scale(rates['all ours'])}, {name} {scale(rates[f'all {name}'])}")
    if n == 1:
        report.add(f"New connections by ClusterIP / direct to the pod, {family}",
                   per_round(rates, "one", "direct"), 0.97, True, note=scale(rates["direct"]))
    else:
        report.add(f"{what} / 1 service, {family}", per_round(rates, "ours", "one"), 0.97, True,
                   note=f"to all of them at random {statistics.median(per_round(rates, 'all ours', 'one')):.2f}")


LABELS = {"ours": "Axoneme", "B2": "kube-proxy iptables", "B3": "kube-proxy nftables"}


def curves(report, rigs, family, levels, rounds, milliseconds):
    lines, before = {}, 0
    rigs.one.put(family, rigs.one.services(family, 0, 1))
    rigs.one.settle(family, 0)
    for n in levels:
        rigs.grow(family, before, n)
        before = n
        rates = rigs.sample(family, n, rounds, milliseconds)
        report_rates(report, family, n, rates, n == levels[-1])
        for name in rigs.grown(family, n):
            lines.setdefault(LABELS[name], {})[n] = [rate / 1000 for rate in rates[name]]
    chart.Chart(f"New connections by ClusterIP, {family}, client and server on one core",
                "services of 4 back ends", "thousand a second", lines).write(
                    ROOT / f"docs/performance/connections-{family.lower()}.svg")


def report_kept(report, rig, rounds, milliseconds):
    """One connection, requests and answers: through the service, and directly to the pod."""
    for family, number in traffic.FAMILIES.items():
        sides = {"service": (service_address(family, 0), 80),
                 "direct": (rig.servers[0].address(number), FIRST_PORT)}
        rates = {name: [] for name in sides}
        for turn in range(rounds + 1):
            for name in sorted(sides, reverse=turn % 2 == 0):
                done = rig.client.exec(rig.tool, "rr", CLIENT_CPU, *sides[name], milliseconds)
                if turn:
                    rates[name].append(float(done.stdout))
        report.add(f"Kept connection by ClusterIP / direct to the pod, {family}",
                   per_round(rates, "service", "direct"), 1, True, note=scale(rates["service"]))


class Change:
    """A service whose back end moves between two of the servers; asked by UDP until the new one answers."""

    NAME, ADDRESS = "moving", {"IPv4": "172.21.0.1"}

    def __init__(self, rig):
        self.rig, self.receivers, self.count = rig, [], 0
        for server in rig.servers[:2]:
            receiver = server.socket(socket.AF_INET, socket.SOCK_DGRAM)
            receiver.bind(("", FIRST_PORT))
            receiver.setblocking(False)
            self.receivers.append(receiver)

    def objects(self, number):
        ports = [objects.port(80, FIRST_PORT, "UDP")]
        server = self.rig.servers[number].ipv4
        return [objects.service(self.NAME, [self.ADDRESS["IPv4"]], ports),
                *objects.slices(self.NAME, [objects.endpoint(server)], ports)]

    def arrives(self, number):
        """Whether a datagram of a new socket reaches the server; it mostly has when it is sent."""
        self.count += 1
        with contextlib.suppress(OSError), \
                self.rig.client.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            # A port of its own for each: the kernel's connection tracking remembers those that were.
            client.bind(("", 1024 + self.count % 64_000))
            client.sendto(b"%d" % self.count, (self.ADDRESS["IPv4"], 80))
        try:
            while int(self.receivers[number].recv(16)) != self.count:
                pass
            return True
        except BlockingIOError:
            return False

    def run(self, n):
        """Milliseconds from the change to the first datagram that the new back end gets."""
        took = []
        self.rig.put(self.NAME, self.objects(0))
        self.wait(0)
        for turn in range(1, n + 1):
            begin = time.monotonic()
            self.rig.put(self.NAME, self.objects(turn % 2))
            self.wait(turn % 2)
            took.append((time.monotonic() - begin) * 1000)
        return took

    def wait(self, number):
        begin = time.monotonic()
        while not self.arrives(number):
            assert time.monotonic() - begin < PATIENCE_SECONDS, "the change never comes into force"
            time.sleep(self.rig.PROBE_SECONDS)

    def close(self):
        for receiver in self.receivers:
            receiver.close()


def report_changes(report, rigs, n_services):
    what = f"One back end changed with {n_services:,} services, written to in force"
    medians = {}
    for name, rig in rigs.growing.items():
        with contextlib.closing(Change(rig)) as change:
            took = change.run(200 if name == "ours" else 5)
        medians[name] = quantile(took, 0.5)
        if name == "ours":
            report.add(f"{what}, p99 of {len(took)}", [quantile(took, 0.99)], 10, False, " ms",
                       note=f"median {medians[name]:.2f} ms")
        else:
            report.add(f"{what}, median, {name} / ours", [medians[name] / medians["ours"]], 10, True,
                       note=f"{name} {medians[name]:.0f} ms, most {max(took):.0f} ms")


def report_load(report, tool, build, family, n):
    """A node to itself: the time that a file of so many services takes, and the memory afterwards."""
    with contextlib.ExitStack() as stack:
        rig = OurRig(tool, stack, build)
        before = rss_mb(rig.node)
        begin = time.monotonic()
        rig.put("load", rig.services(family, 0, n))
        written = time.monotonic() - begin
        begin = time.monotonic()
        rig.settle(family, n - 1)
        report.add(f"{n:,} services of 4, {family}: file in place to all in force",
                   [time.monotonic() - begin], 3, False, " s", note=f"{written:.1f} s to write the file")
        report.add(f"Agent RSS, {n:,} services of 4, {family}", [rss_mb(rig.node)], 80, False, " MB",
                   note=f"{before:.0f} MB before")


def report_maps(report, tool, rounds):
    """The reconciler alone against the kernel: test/bench/lb_maps.c."""
    values = [json.loads(subprocess.run([tool], capture_output=True, text=True, check=True).stdout)
              for _ in range(rounds)]

    def column(name):
        return [each[name] for each in values]

    what = f"{values[0]['services']:,} services of 4 into the kernel's maps"
    report.add(what, column("load_ms"), 1000, False, " ms")
    for name, key in ("more", "backend_more_p99_ms"), ("less", "backend_less_p99_ms"):
        report.add(f"… one back end {name}, p99", column(key), 1, False, " ms")
    report.add("… one table of Maglev changed, p99", column("table_change_p99_ms"), 1, False, " ms")


def run(report, tool, build, levels, rounds, milliseconds):
    most = levels[-1]
    report_maps(report, build / "test/bench/lb_maps", min(rounds, 3))
    report_load(report, tool, build, "IPv4", most)
    with contextlib.ExitStack() as stack:
        rigs = Rigs(tool, build, stack)
        for family in traffic.FAMILIES:
            curves(report, rigs, family, levels, rounds, milliseconds)
        report_kept(report, rigs.one, rounds, milliseconds)
        report_changes(report, rigs, most)
