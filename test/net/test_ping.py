# SPDX-License-Identifier: Apache-2.0
"""cilium ping: replies, who the destination is, and why there is no reply."""

import re
import signal
import socket

import pytest
from harness.site import FAR

pytestmark = pytest.mark.core

NOBODY = {socket.AF_INET: "10.200.1.200", socket.AF_INET6: "fd00:200:1::f0f0"}


def ping(node, *argv, check=False):
    return node.cli("ping", *map(str, argv), check=check)


def quick(node, *argv):
    return ping(node, "-c", 2, "-i", "0.05", *argv)


def test_pods_hosts_and_world(node, family):
    """From the node and from inside a pod, by their addresses; with who they are."""
    a = node.pod("a", labels={"app": "front"})
    b = node.pod("b", labels={"app": "back"})
    number, other = a.endpoint()["id"], b.endpoint()["id"]
    identity = b.endpoint()["status"]["identity"]["id"]
    for source in (), ("--endpoint", number):
        done = quick(node, b.address(family), *source)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"endpoint {other} of this node (default/b), identity {identity} (" in done.stdout
        assert "k8s:app=back" in done.stdout
        assert "2 packets transmitted, 2 received, 0% packet loss" in done.stdout
        assert len(re.findall(r"64 bytes from \S+: icmp_seq=\d ttl=6\d time=[\d.]+ ms",
                              done.stdout)) == 2
        assert re.search(r"rtt min/avg/max/mdev = [\d./]+ ms", done.stdout)
    host = quick(node, node.addresses[family], "--endpoint", number)
    assert host.returncode == 0 and "this node, identity 1 (reserved:host)" in host.stdout
    world = quick(node, FAR[family], "--endpoint", number)
    assert world.returncode == 0 and "(reserved:world" in world.stdout


def test_names_are_resolved(node):
    done = quick(node, "localhost", "-4")
    assert done.returncode == 0 and "PING 127.0.0.1 " in done.stdout
    done = ping(node, "no-such-name.invalid")
    assert done.returncode == 2 and "no-such-name.invalid" in done.stderr


def test_a_drop_is_explained(node, family):
    """An address that nobody has, from inside a pod: the datapath says what and where."""
    a = node.pod("a")
    number = a.endpoint()["id"]
    done = quick(node, NOBODY[family], "--endpoint", number, "-W", "0.3")
    assert done.returncode == 1, done.stdout + done.stderr
    drops = re.findall(r"xx icmp_seq=(\d): request dropped on this node: Stale or unroutable IP "
                       rf"\(bpf/lib/\S+:\d+\), from endpoint {number}", done.stdout)
    assert drops == ["1", "2"], done.stdout
    assert done.stdout.count("to an address of the containers' range that no container has") == 1
    assert "+2 drops, 100% packet loss" in done.stdout
    # Somebody else's drops are not shown.
    again = quick(node, node.addresses[family], "--endpoint", number)
    assert again.returncode == 0 and "xx" not in again.stdout


def test_a_silent_destination(node, family):
    """The pod's own firewall: nothing was dropped here, and that is said."""
    a = node.pod("a")
    tool = "iptables" if family == socket.AF_INET else "ip6tables"
    protocol = "icmp" if family == socket.AF_INET else "icmpv6"
    kind = "--icmp-type" if family == socket.AF_INET else "--icmpv6-type"
    a.exec(tool, "-A", "INPUT", "-p", protocol, kind, "echo-request", "-j", "DROP")
    done = quick(node, a.address(family), "-W", "0.2")
    assert done.returncode == 1 and "100% packet loss" in done.stdout
    assert "datapath dropped none of them" in done.stdout


def test_errors_are_shown(node, family):
    """An ICMP error comes back: who sent it, and what it says."""
    a = node.pod("a")
    a.exec("ip", "-6" if family == socket.AF_INET6 else "-4", "route", "add", "unreachable",
           "203.0.113.0/24" if family == socket.AF_INET else "2001:db8:77::/48")
    target = "203.0.113.7" if family == socket.AF_INET else "2001:db8:77::7"
    done = quick(node, target, "--endpoint", a.endpoint()["id"], "-W", "0.2")
    assert done.returncode == 2 and "icmp_seq=1 not sent: " in done.stdout
    # The far side has no such address and says so.
    site = node.site
    site.far.exec("ip", "-6" if family == socket.AF_INET6 else "-4", "route", "add", "prohibit",
                  "198.18.7.0/24" if family == socket.AF_INET else "2001:db8:88::/48")
    target = "198.18.7.9" if family == socket.AF_INET else "2001:db8:88::9"
    done = quick(node, target, "--endpoint", a.endpoint()["id"], "-W", "0.5")
    if "DestinationUnreachable" not in done.stdout:
        pytest.skip("the site routes this elsewhere")
    assert done.returncode == 1 and "+2 errors" in done.stdout


def test_without_an_agent(node, family):
    """The maps say who it is, as far as they know; drops cannot be seen, and that is said."""
    a, b = node.pod("a"), node.pod("b", labels={"app": "back"})
    number = a.endpoint()["id"]
    node.kill_agent()
    done = quick(node, b.address(family), "--endpoint", number)
    assert done.returncode == 0
    assert "of this node, identity" in done.stdout and "labels not known" in done.stdout
    assert "Drops are not seen: nobody listens on " in done.stderr
    lost = quick(node, NOBODY[family], "--endpoint", number, "-W", "0.2")
    assert lost.returncode == 1 and "Start the agent" in lost.stdout


def test_interrupted_it_sums_up(node):
    process = node.popen(node.program("cilium"), "ping", "127.0.0.1", "-c", "1000",
                         env=node.environment(), stdout=-1, text=True)
    assert "PING" in process.stdout.readline()
    while "icmp_seq=1" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert "received, 0% packet loss" in text and process.returncode == 0


def test_sizes_and_fast_ones(node, family):
    a = node.pod("a")
    for size in 0, 1, 1400, 8000:
        done = quick(node, a.address(family), "-s", size)
        assert done.returncode == 0 and f"{size + 8} bytes from" in done.stdout, done.stdout
    done = ping(node, a.address(family), "-c", 100, "-i", "0.002")
    assert "100 received" in done.stdout


@pytest.mark.parametrize("argv, word", [
    ((), "DESTINATION"), (("1.1.1.1", "-c", "0"), "--count"), (("1.1.1.1", "-i", "x"), "interval"),
    (("1.1.1.1", "-i", "0.0001"), "interval"), (("1.1.1.1", "-W", "-1"), "timeout"),
    (("1.1.1.1", "-c", "70000"), "--count"), (("1.1.1.1", "-s", "70000"), "--size"),
    (("1.1.1.1", "--endpoint", "4711"), "no endpoint 4711"), (("1.1.1.1", "-4", "-6"), "exclude"),
    (("1.1.1.1", "--endpoint", "65536"), "--endpoint")])
def test_bad_use(shared_node, argv, word):
    done = ping(shared_node, *argv)
    assert done.returncode in (1, 2) and word in done.stderr and not done.stdout
