# SPDX-License-Identifier: Apache-2.0
"""
Packets a second that a node hands on to a back end elsewhere, through one device and back out of it: what
kube-proxy's rules make of it, what cil_xdp_entry does, and a program that only turns frames round.
"""

import contextlib
import re
import socket
import subprocess

from harness import objects, plain, probe
from harness.kube_proxy import KubeProxy, NoKubeProxy
from harness.site import Site

ETHTOOL_SGRO = 0x2C
SOURCE, BACKEND, NODE_PORT = "198.51.100.9", "198.51.100.77", 30001
N_PACKETS = 60_000


def reference_rates(build, mode, rounds):
    """The service's only back end is beyond the world's router, whose frames the sender counts."""
    with contextlib.closing(Site()) as site:
        node = plain.prepare(site.node(start=False))
        ports = [objects.port(80, 8080, "UDP", NODE_PORT)]
        with contextlib.closing(KubeProxy(node, mode, "node1", list(node.addresses.values()))) as proxy:
            proxy.put_manifest("service", objects.service("web", ["172.20.0.1"], ports, type="NodePort"),
                               *objects.slices("web", [objects.endpoint(BACKEND)], ports))
            proxy.start()
            # Only then a veth device takes frames that a program sends.
            probe.set_features(node, "eth0", [ETHTOOL_SGRO], True)
            # The sender changes ports and no checksums; without this sysctl none of its packets is translated.
            node.exec("sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=0")
            node.ip(f"neigh replace 192.0.2.1 lladdr {probe.link_address(site.world, 'br0')} dev eth0 nud permanent")
            done = site.world.exec(build / "bpf/bench_forward", "node1", probe.link_address(node, "eth0"), SOURCE,
                                   node.addresses[socket.AF_INET], NODE_PORT, N_PACKETS, rounds,
                                   timeout=120)
    return [float(line) for line in done.stdout.split()]


def xdp_rates(build):
    """{what: (packets a second, of a bare reflector's)}: the best of many interleaved rounds."""
    done = subprocess.run([build / "bpf/bench_xdp"], capture_output=True, text=True, check=True)
    return {name: (float(rate), float(part)) for name, rate, part in re.findall(
        r"^(.*\S) +(\d+) packets/s +([\d.]+) of bare$", done.stdout, re.MULTILINE)}


def run(report, build, rounds):
    rates = xdp_rates(build)
    for name, (rate, part) in rates.items():
        if name != "bare XDP_TX":
            report.add(f"XDP, {name} / bare XDP_TX", [part], 0.5, True, note=f"{rate / 1e6:.2f} M packets/s")
    for name, mode in ("B2", "iptables"), ("B3", "nftables"):
        try:
            forwarded = reference_rates(build, mode, rounds)
        except NoKubeProxy as error:
            print(f"{name} is left out: {error}", flush=True)
            continue
        best = max(forwarded)
        for what in "SNAT, TCP", "DSR, IPIP":
            report.add(f"XDP, {what} / {name} forwarding", [rates[what][0] / best], 4, True,
                       note=f"{name} {best / 1e6:.2f} M packets/s, best of {len(forwarded)}")
