#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
make demo: a node with pods, and a world outside it, in namespaces of their own; nothing of the machine
is touched. Every figure shown is taken from traffic that really flows.
"""

import argparse
import os
import pathlib
import shutil
import socket
import sys
import time

import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "test/net"))

from harness import objects, observe, probe  # noqa: E402
from harness.flow import Flow  # noqa: E402
from harness.site import FAR, Site  # noqa: E402

FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}
SERVICE = {socket.AF_INET: "10.96.0.10", socket.AF_INET6: "fd00:96::10"}
STRANGER = "203.0.113.9"
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


def title(text):
    print(f"\n{BOLD}{text}{PLAIN}", flush=True)


def say(text):
    print(f"  {text}", flush=True)


def show(node, *argv, status=0):
    """Runs a command of the cilium program, which ends with status, and shows both."""
    print(f"  {DIM}$ cilium {' '.join(argv)}{PLAIN}")
    done = node.cli(*argv, check=False)
    assert done.returncode == status, done.stderr
    for line in done.stdout.splitlines():
        print(f"    {line}")
    sys.stdout.flush()


def machine():
    """What the demo must leave as it was: devices, routes and mounts of the machine itself."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return (sorted(os.listdir("/sys/class/net")), mounts.read(),
                pathlib.Path("/proc/net/route").read_text(encoding="ascii"),
                pathlib.Path("/proc/net/ipv6_route").read_text(encoding="ascii").count("\n"))


def start_agent(site, build):
    title("1. A node and its agent")
    say("The node has an address in a network with a router; behind it is a far host, the world:")
    node = site.node(start=False, build=build)
    say(f"  node {' and '.join(node.addresses.values())}, far host {' and '.join(FAR.values())}")
    shutil.copy(HERE / "shop.yaml", node.manifest_dir)
    start = time.monotonic()
    node.start_agent()
    say(f"agent ready after {(time.monotonic() - start) * 1000:.0f} ms, "
        "reading its manifests from a directory")
    return node


def start_pods(node):
    title("2. Pods from the manifests, each a command in a network namespace of its own")
    pods = {}
    with open(HERE / "shop.yaml", encoding="utf-8") as file:
        manifests = [each for each in yaml.safe_load_all(file) if each["kind"] == "Pod"]
    for manifest in manifests:
        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        pods[name] = node.run(name, namespace=namespace)
        print(f"  {DIM}$ cilium run --name {name} --namespace {namespace} -- …{PLAIN}")
        say(f"{name:7} has {pods[name].ipv4} and {pods[name].ipv6}")
    return pods


def exchange(client, server, address, what):
    """A ping and a TCP exchange; says who the server thinks it talks to."""
    family = probe.family_of(address)
    assert probe.ping(client, address)
    with probe.Server(server, family, probe.TCP) as listener:
        probe.talk(client, probe.TCP, address, listener.port)
        say(f"{what:15} {address:16} ping, TCP: ok; the server sees {listener.peers[0][0]}")


def talk(node, pods):
    title("3. Everyone talks to everyone")
    client, web = pods["client"], pods["web"]
    for family in FAMILIES.values():
        exchange(client, web, web.address(family), "pod to pod")
        exchange(client, node, node.addresses[family], "pod to host")
        exchange(node, web, web.address(family), "host to pod")
        exchange(client, node.site.far, FAR[family], "pod to world")
        exchange(node.site.far, web, web.address(family), "world to pod")
    say("The world sees the node's address: what leaves it is masqueraded.")


def balance(node, pods):
    title("4. A service: one address, and web and db behind it")
    shutil.copy(HERE / "service.yaml", node.manifest_dir)
    endpoints = [objects.endpoint(pods[name].address(family), "laptop")
                 for name in ("web", "db") for family in FAMILIES.values()]
    port = objects.port(80, target=8080)
    node.put_manifest("slices.yaml", *objects.slices("front", endpoints, [port], namespace="shop"))
    probe.eventually(lambda: "(active)" in node.cli("service", "list").stdout, 5, "it is in force")
    show(node, "service", "list")
    for family, address in SERVICE.items():
        servers = [probe.Server(pods[name], family, probe.TCP, port=8080) for name in ("web", "db")]
        with servers[0], servers[1]:
            for _ in range(20):
                probe.talk(pods["client"], probe.TCP, address, 80)
            say(f"20 connections to {address}: {len(servers[0].peers)} reached web, "
                f"{len(servers[1].peers)} db, from {servers[0].peers[0][0]}")
    show(node, "explain", "--from", "shop/client", "--to", SERVICE[socket.AF_INET], "--port", "80")


def explain_a_drop(node, pods):
    title("5. A packet that is not allowed, and why")
    db = pods["db"]
    db.ip(f"addr add {STRANGER}/32 dev lo")
    say(f"db sends from {STRANGER}, which is not its address:")
    with observe.monitor(node, "--type", "drop") as monitor:
        with db.socket(socket.AF_INET, probe.UDP) as liar:
            liar.bind((STRANGER, 0))
            liar.sendto(b"it was not me", (pods["web"].ipv4, 53))
        line = monitor.wait_line("Invalid source ip", STRANGER)
    print(f"  {DIM}$ cilium monitor --type drop{PLAIN}\n    {line}")


def reaches(client, server, address, port):
    """Whether a datagram gets there; between two pods of a node it has arrived when it is sent."""
    family = probe.family_of(address)
    with server.socket(family, probe.UDP) as listener, client.socket(family, probe.UDP) as sender:
        listener.bind(("", port))
        listener.setblocking(False)
        sender.sendto(b"?", (address, port))
        try:
            return bool(listener.recv(16))
        except BlockingIOError:
            return False


def isolate(node, pods):
    title("6. A policy: only the client reaches web, and only its port 8080")
    db, web = pods["db"], pods["web"]
    assert reaches(db, web, web.ipv4, 53)
    start = time.monotonic()
    shutil.copy(HERE / "policy.yaml", node.manifest_dir)
    while reaches(db, web, web.ipv4, 53):
        pass
    say(f"copied into the manifest directory; the first packet of db was refused "
        f"{(time.monotonic() - start) * 1000:.0f} ms later")
    show(node, "policy", "list")
    show(node, "explain", "--from", "shop/client", "--to", "shop/web", "--port", "8080")
    show(node, "explain", "--from", "shop/db", "--to", "shop/web", "--port", "8080", status=1)
    with observe.monitor(node, "--type", "drop") as monitor:
        for family in FAMILIES.values():
            assert not reaches(db, web, web.address(family), 53)
        line = monitor.wait_line("Policy denied", web.ipv6)
    print(f"  {DIM}$ cilium monitor --type drop{PLAIN}\n    {line}")
    (node.manifest_dir / "policy.yaml").unlink()
    while not reaches(db, web, web.ipv4, 53):
        pass
    say("taken out of the directory, it is as before")


def kill_the_agent(node, pods):
    title("7. kill -9, while a thousand packets a second flow")
    flows = [Flow("udp", pods["client"], node.site.far, FAR[family]) for family in FAMILIES.values()]
    for _ in range(3):
        time.sleep(1)
        node.kill_agent()
        time.sleep(1)
        node.start_agent()
    for name, flow in zip(FAMILIES, flows):
        result = flow.stop()
        lost = result["sent"] - result["received"]
        say(f"{name}: {result['sent']} sent, {lost} lost over three kills and restarts, "
            f"longest gap {result['gap_ms']:.1f} ms")
        assert lost == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="where the programs were built")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("demo: needs root, to make namespaces and load BPF programs")
    before = machine()
    site = Site()
    try:
        node = start_agent(site, pathlib.Path(options.build).resolve())
        pods = start_pods(node)
        talk(node, pods)
        title("What the node says about itself")
        show(node, "status")
        show(node, "endpoint", "list")
        balance(node, pods)
        explain_a_drop(node, pods)
        isolate(node, pods)
        kill_the_agent(node, pods)
    finally:
        site.close()
    title("8. Gone again")
    assert machine() == before, "the machine is not as it was"
    say("Devices, routes and mounts of this machine are as before.")
    say("Next: README.md has the first five minutes, docs/standalone.md everything.")


if __name__ == "__main__":
    main()
