# SPDX-License-Identifier: Apache-2.0
"""cilium monitor and its socket: who listens sees every event, or is told how many are missing."""

import json
import os
import re
import signal
import socket
import struct
import threading

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from harness import observe, patience, probe
from harness.inject import datagram, gateway_mac, inject
from harness.site import FAR

pytestmark = pytest.mark.core

HEADER = struct.Struct("=HHIQ")  # of src/observe/monitor_message.h
HELLO, EVENT, LOST, SUBSCRIBE, AGENT = range(5)
DROPS, TRACES, AGENTS = 1, 2, 4
PORT = 4321
STRANGER = {socket.AF_INET: "203.0.113.9", socket.AF_INET6: "2001:db8:bad::9"}
NOBODY = {socket.AF_INET: "10.200.1.200", socket.AF_INET6: "fd00:200:1::f0f0"}


class Listener:
    """A listener that reads when it is told to."""

    def __init__(self, node, kinds=DROPS | TRACES):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(25)
        self.socket.connect(str(node.socket_path.parent / "monitor1_2.sock"))
        self.events = self.lost = 0
        self.socket.send(HEADER.pack(2, SUBSCRIBE, 0, kinds))
        kind, self.ring_bytes = self._take()
        assert kind == HELLO

    def _take(self):
        data = self.socket.recv(4096)
        if not data:
            return None, 0
        version, kind, _, n = HEADER.unpack(data[:HEADER.size])
        assert version == 2
        self.events += kind == EVENT
        self.lost += n if kind == LOST else 0
        return kind, n

    def drain(self, seconds=2):
        """Reads until nothing has come for a while."""
        self.socket.settimeout(seconds)
        try:
            while self._take()[0] is not None:
                pass
        except TimeoutError:
            pass

    def close(self):
        self.socket.close()


def provoke(pod, count=1):
    """Packets that are dropped, each of them with an event."""
    frame = bytes(Ether(dst=gateway_mac(pod, socket.AF_INET), src="02:00:00:00:00:07") /
                  datagram(socket.AF_INET, STRANGER[socket.AF_INET], FAR[socket.AF_INET]))
    with pod.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((pod.ifname, 0))
        for _ in range(count):
            raw.send(frame)


def records(monitor, count, seconds=patience.stretch(5)):
    """The first JSON objects that a monitor prints."""
    def found():
        return [json.loads(line) for line in monitor.text.split("\n")[:-1]]

    monitor.read_until(lambda: len(found()) >= count, seconds)
    return found()


# Listeners.

def test_slow_listener_is_told_what_it_lost(node):
    pod = node.pod("a")
    gateway_mac(pod, socket.AF_INET)
    node.request("PATCH", "/v1/config", {"options": {"TraceNotification": "false"}})
    slow, fast = Listener(node), Listener(node)
    reader = threading.Thread(target=fast.drain, args=(3,))
    reader.start()
    provoke(pod, 20000)
    reader.join()
    slow.drain()
    provoke(pod)  # the gap is told in front of the next event
    slow.drain()
    fast.drain()
    assert slow.lost > 0 and slow.events > 1000, (slow.events, slow.lost)
    assert slow.events + slow.lost == fast.events + fast.lost
    status = node.request("GET", "/v1/healthz")[1]["nodeMonitor"]
    assert status["lost"] == slow.lost + fast.lost and status["unknown"] == 0
    assert f"{status['lost']} events lost" in node.cli("status").stdout
    for each in slow, fast:
        each.close()


def test_listeners_do_not_mind_each_other(node):
    pod = node.pod("a")
    options = ("-t", "drop", "-j")
    with observe.monitor(node, *options) as one, observe.monitor(node, *options) as two:
        with observe.monitor(node, *options) as three:
            provoke(pod, 5)
            seen = [records(each, 5) for each in (one, two, three)]
            assert seen[0] == seen[1] == seen[2] and len(seen[0]) == 5
        provoke(pod)
        assert len(records(one, 6)) == len(records(two, 6)) == 6


def test_listeners_beyond_the_limit_are_turned_away(node):
    listeners = [Listener(node) for _ in range(64)]

    def greeting():
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(25)
            client.connect(str(node.socket_path.parent / "monitor1_2.sock"))
            try:
                client.send(HEADER.pack(2, SUBSCRIBE, 0, DROPS))
                return client.recv(100)
            except (BrokenPipeError, ConnectionResetError):
                return b""

    assert greeting() == b""
    for each in listeners:
        each.close()
    assert probe.eventually(greeting, what="there is room again")


def test_listener_that_vanishes_while_it_is_told(node):
    """Only a message that cannot be sent shows that it has gone: in the midst of telling it."""
    for name in ("a", "b"):
        listener = Listener(node, AGENTS)
        assert listener._take()[0] == AGENT  # it is subscribed
        listener.socket.shutdown(socket.SHUT_RD)
        assert node.pod(name).ipv4
        probe.eventually(lambda: listeners(node) == 0, what="it is forgotten")
        listener.close()
    with observe.monitor(node, "-t", "agent", "-j") as monitor:
        node.pod("c")
        assert any("c" in str(each) for each in records(monitor, 4))


def listeners(node):
    text = node.request("GET", "/v1/debuginfo")[1]["subsystem"]["monitor"]
    return int(text.split()[0])


def test_traces_are_made_only_for_listeners(node):
    """What costs nothing while nobody looks."""
    a, b = node.pod("a"), node.pod("b")

    assert not traces_are_on(node)
    with observe.monitor(node, "-t", "trace", "-j") as monitor:
        probe.eventually(lambda: traces_are_on(node), what="traces are on")
        assert probe.ping(a, b.ipv4)
        assert records(monitor, 1)[0]["type"] == "trace"
    probe.eventually(lambda: not traces_are_on(node), what="traces are off again")


def traces_are_on(node):
    text = node.exec("bpftool", "-j", "map", "dump", "pinned",
                     "/sys/fs/bpf/tc/globals/cilium_runtime_config").stdout
    return json.loads(text)[0]["formatted"]["value"]["trace_events"]


def test_who_wants_no_traces_pays_for_none(node):
    """-t drop costs nothing but drops, and a killed monitor nothing at all."""
    pod = node.pod("a")
    with observe.monitor(node, "-t", "drop,agent", "-j") as drops:
        provoke(pod)
        assert [each["type"] for each in records(drops, 2)] == ["agent", "drop"]
        assert not traces_are_on(node)
        with observe.monitor(node, "-t", "trace") as traces:
            probe.eventually(lambda: traces_are_on(node), what="traces are on")
            traces.process.kill()
            probe.eventually(lambda: not traces_are_on(node), what="traces are off again")
        mute = Listener(node, kinds=0)
        provoke(pod)
        records(drops, 3)
        mute.drain(0.2)
        assert mute.events == 0
        mute.close()


def test_many_come_and_go(node):
    """A thousand listeners, one after the other, leave nothing behind."""
    pod = node.pod("a")
    node.request("GET", "/v1/healthz")
    before = len(os.listdir(f"/proc/{node.agent.pid}/fd"))
    for _ in range(1000):
        Listener(node, DROPS | TRACES | AGENTS).close()
    provoke(pod)
    probe.eventually(lambda: len(os.listdir(f"/proc/{node.agent.pid}/fd")) <= before,
                     what="descriptors are closed")
    assert not traces_are_on(node)
    with observe.monitor(node, "-t", "drop") as monitor:
        provoke(pod)
        monitor.wait_line("xx drop")


def test_nonsense_of_a_listener_is_forgotten(node):
    pod = node.pod("a")
    listener = Listener(node, DROPS)
    for junk in b"x", b"\0" * 16, HEADER.pack(2, 99, 0, 7), HEADER.pack(1, SUBSCRIBE, 0, 7), \
            HEADER.pack(2, SUBSCRIBE, 0, 2**64 - 1) + b"more", os.urandom(5000):
        listener.socket.send(junk)
    provoke(pod)
    listener.drain()
    assert listener.events >= 1 and node.agent.poll() is None
    listener.close()


def test_a_monitor_too_many_says_so(node):
    listeners = [Listener(node, DROPS) for _ in range(64)]
    done = node.cli("monitor", check=False)
    assert done.returncode == 1 and "turns listeners away" in done.stderr
    for each in listeners:
        each.close()


def test_agent_events(node):
    """What the agent does: as lines and as JSON, with Cilium's members."""
    with observe.monitor(node, "-t", "agent") as lines, \
            observe.monitor(node, "-t", "agent", "-j") as shown:
        started, = records(shown, 1)
        assert started["subtype"] == "Cilium agent started"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z",
                            started["message"]["time"])
        pod = node.pod("web", labels={"app": "web"})
        endpoint = pod.endpoint()
        labels = endpoint["status"]["identity"]["labels"]
        identity = endpoint["status"]["identity"]["id"]
        created = records(shown, 5)[1:]
        kinds = [each["subtype"] for each in created]
        assert sorted(kinds) == ["Endpoint created", "Endpoint regenerated",
                                 "IPCache entry upserted", "IPCache entry upserted"]
        assert kinds.index("Endpoint created") < kinds.index("Endpoint regenerated")
        by = {each["subtype"]: each["message"] for each in created}
        assert by["Endpoint created"]["id"] == endpoint["id"]
        assert by["Endpoint created"]["pod-name"] == "web"
        assert by["Endpoint created"]["namespace"] == "default"
        assert set(labels) <= set(by["Endpoint regenerated"]["labels"])
        cidrs = {each["message"]["cidr"]: each["message"] for each in created
                 if each["subtype"].startswith("IPCache")}
        assert set(cidrs) == {pod.ipv4 + "/32", pod.ipv6 + "/128"}
        assert cidrs[pod.ipv4 + "/32"] == {
            "cidr": pod.ipv4 + "/32", "id": identity, "encrypt-key": 0, "namespace": "default",
            "pod-name": "web"}
        # Other labels: another identity.
        node.put_pod_manifest("web", {"app": "other"})
        changed = records(shown, 8)[5:]
        assert {each["subtype"] for each in changed} == {"Endpoint regenerated",
                                                         "IPCache entry upserted"}
        new = pod.endpoint()["status"]["identity"]["id"]
        assert all((each["message"]["id"], each["message"]["old-id"]) == (new, identity)
                   for each in changed if "cidr" in each["message"])
        pod.delete()
        gone = records(shown, 11)[8:]
        assert sorted(each["subtype"] for each in gone) == [
            "Endpoint deleted", "IPCache entry deleted", "IPCache entry deleted"]
        assert lines.wait_line(">> Endpoint created: {", '"pod-name":"web"')
        assert lines.wait_line(">> IPCache entry deleted: {", pod.ipv6)


def test_a_restart_is_seen_in_the_stream(node):
    with observe.monitor(node, "-t", "agent", "-j") as shown:
        first, = records(shown, 1)
        node.kill_agent()
        node.start_agent()
        both = records(shown, 2)
        assert both[1]["subtype"] == "Cilium agent started"
        assert both[1]["message"]["time"] > first["message"]["time"]
        node.pod("a")
        assert len(records(shown, 6)) == 6


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_monitor_outlives_the_agent(node, how):
    pod = node.pod("a")
    with observe.monitor(node, "-t", "drop", "-j") as monitor:
        provoke(pod)
        assert len(records(monitor, 1)) == 1
        node.kill_agent() if how == "kill" else node.stop_agent()
        node.start_agent()
        monitor.wait_listening()
        provoke(pod)
        assert records(monitor, 2)[-1]["reason"] == "Invalid source ip"


def test_monitor_ends_by_a_signal_and_by_a_closed_pipe(node):
    for number in signal.SIGINT, signal.SIGTERM:
        with observe.monitor(node) as monitor:
            monitor.process.send_signal(number)
            assert monitor.process.wait(timeout=60) in (-number, 128 + number, 0)
    assert node.agent.poll() is None


# Which events.

def test_filters(node):
    a, b, c = (node.pod(name) for name in "abc")
    ids = [pod.endpoint()["id"] for pod in (a, b, c)]
    cases = {("--from", ids[0]): lambda each: each["source"] == ids[0],
             ("--to", ids[0]): lambda each: each["dstID"] == ids[0],
             ("--related-to", ids[0]): lambda each: ids[0] in (each["source"], each["dstID"]),
             ("--from", ids[0], "--to", ids[2]):
                 lambda each: each["source"] == ids[0] or each["dstID"] == ids[2],
             ("--from", f"{ids[0]},{ids[1]}"): lambda each: each["source"] in ids[:2],
             ("-t", "drop"): lambda each: each["type"] == "drop",
             ("-t", "trace"): lambda each: each["type"] == "trace",
             ("--from", "default/a"): lambda each: each["source"] == ids[0],
             ("--related-to", "b"): lambda each: ids[1] in (each["source"], each["dstID"]),
             ("--to", f"ipv4:{c.ipv4}"): lambda each: each["dstID"] == ids[2],
             ("-t", "policy-verdict"): lambda each: each["type"] == "policy-verdict",
             ("-t", "drop,trace"): lambda each: each["type"] in ("drop", "trace"),
             (): lambda each: True}
    monitors = {argv: observe.Monitor(node, "-j", *map(str, argv)) for argv in cases}
    for source, target in (a, b), (b, c), (c, a):
        assert probe.ping(source, target.ipv4)
    for pod in a, b:
        provoke(pod)
    # Up to the last drop, of which each of the others shows a part; what stacks send later does not matter.
    everything = []
    while not everything or (everything[-1]["type"], everything[-1].get("source")) != ("drop", ids[1]):
        n_seen = len(everything) + 1
        everything = records(monitors[()], n_seen)[:n_seen]
        assert len(everything) == n_seen, everything[-5:]
    assert everything[0]["type"] == "agent" and everything[0]["subtype"] == "Cilium agent started"
    everything = everything[1:]
    assert {each["type"] for each in everything} == {"drop", "policy-verdict", "trace"}
    for argv, passes in cases.items():
        wanted = [each for each in everything if passes(each)]
        assert 0 < len(wanted), argv
        if not argv:
            continue
        assert records(monitors[argv], len(wanted))[:len(wanted)] == wanted, argv
        monitors[argv].close()


@pytest.mark.parametrize("argv, word", [
    (["-t", "nonsense"], "nonsense"), (["--from", "x"], "--from"), (["--to", "70000"], "--to"),
    (["--related-to", "-1"], "--related-to"), (["--from", "no/such"], "no/such"),
    (["-t", "agent", "--from", "1"], "agent"), (["-t", "l7"], "nothing to listen to"),
     (["--nonsense"], "--nonsense"),
    (["extra"], "extra"), (["--monitor-socket", "/no/such"], "/no/such")])
def test_bad_use(shared_node, argv, word):
    done = shared_node.cli("monitor", *argv, check=False)
    assert done.returncode == 1 and not done.stdout
    assert "Error: " in done.stderr and word in done.stderr


# How they look.

def test_forms(node):
    """One line, a block with the layers, a block with the bytes, JSON."""
    pod = node.pod("a")
    identifier = pod.endpoint()["id"]
    with observe.monitor(node, "-t", "drop") as line, observe.monitor(node, "-v") as block, \
            observe.monitor(node, "--hex", "-t", "drop") as dump, \
            observe.monitor(node, "-j", "-t", "drop") as record, \
            observe.monitor(node, "-n", "-t", "drop") as numeric:
        provoke(pod)
        connection = f"{STRANGER[socket.AF_INET]}:1234 -> {FAR[socket.AF_INET]}:{PORT} udp"
        assert re.fullmatch(
            r"xx drop \(Invalid source ip\) flow 0x[0-9a-f]+ to endpoint 0, ifindex \d+, "
            rf"file bpf/\S+:\d+, , identity \S+->\S+: {re.escape(connection)}",
            line.wait_line("xx drop"))
        head = block.wait_line("DROP:")
        assert re.fullmatch(rf"CPU \d\d: MARK 0x[0-9a-f]+ FROM {identifier} DROP: 62 bytes, "
                            r"reason Invalid source ip, identity \S+->\S+, to endpoint 0", head)
        assert int(head[4:6]) < os.cpu_count()
        assert "SrcPort=1234" in block.wait_line("UDP") and "-" * 78 in block.text
        assert dump.wait_line("00000000  ") and dump.wait_line("00000030  ")
        shown, = records(record, 1)
        assert shown["type"] == "drop" and shown["source"] == identifier and shown["bytes"] == 62
        assert 0 <= shown["cpu"] < os.cpu_count() and shown["File"].startswith("bpf/")
        assert shown["summary"]["l3"] == {"src": STRANGER[socket.AF_INET],
                                          "dst": FAR[socket.AF_INET]}
        assert shown["summary"]["l4"] == {"src": "1234", "dst": str(PORT)}
        assert re.search(r"identity \d+->\d+:", numeric.wait_line("xx drop"))


# Every reason that a pod can provoke.

@pytest.fixture(scope="module")
def sender(shared_node):
    made = shared_node.pod("sender")
    yield made
    made.delete()


def ip_of(pod, family, **fields):
    network = IP if family == socket.AF_INET else IPv6
    return network(src=pod.address(family), dst=FAR[family], **fields)


PROVOKED = {
    "foreign-source": ("Invalid source ip", lambda pod, family: datagram(
        family, STRANGER[family], FAR[family])),
    "stale-address": ("Stale or unroutable IP", lambda pod, family: datagram(
        family, pod.address(family), NOBODY[family])),
    "unknown-protocol": ("CT: Unknown L4 protocol", lambda pod, family: ip_of(
        pod, family, **{"proto" if family == socket.AF_INET else "nh": 253}) / Raw(b"x" * 40)),
    "truncated": ("CT: Truncated or invalid header", lambda pod, family: ip_of(
        pod, family, **{"proto" if family == socket.AF_INET else "nh": 6}) / Raw(b"x" * 7)),
    "longer-than-it-is": ("Invalid packet", lambda pod, family: ip_of(
        pod, family, **{"len" if family == socket.AF_INET else "plen": 9000}) / UDP() / Raw(b"x")),
    "no-first-fragment": (
        "First logical datagram fragment not found",
        lambda pod, family: (ip_of(pod, family, id=7, frag=100, proto=17) / Raw(b"x" * 40)
                             if family == socket.AF_INET else
                             ip_of(pod, family) / IPv6ExtHdrFragment(nh=17, offset=100, id=7) /
                             Raw(b"x" * 40))),
}
PROVOKED4 = {
    "header-too-short": ("Invalid packet", lambda pod: ip_of(pod, socket.AF_INET, ihl=4) / UDP()),
    "version-6": ("Invalid packet", lambda pod: ip_of(pod, socket.AF_INET, version=6) / UDP()),
}
PROVOKED6 = {
    "many-extensions": ("Invalid IPv6 extension header", lambda pod: extension_chain(pod, 9)),
    "cut-extension": ("Invalid IPv6 extension header", lambda pod: ip_of(
        pod, socket.AF_INET6, nh=60) / Raw(b"\x11\x20")),
    "version-4": ("Invalid packet", lambda pod: ip_of(pod, socket.AF_INET6, version=4) / UDP()),
}


def extension_chain(pod, count):
    """More extension headers than anybody needs."""
    packet = ip_of(pod, socket.AF_INET6)
    for _ in range(count):
        packet = packet / IPv6ExtHdrDestOpt()
    return packet / UDP()


def check_reason(pod, family, reason, packet):
    """The packet is dropped, counted and shown, by its reason and as the pod's."""
    node = pod.node
    identifier = pod.endpoint()["id"]
    before = observe.metric(node, reason, "egress")
    with observe.monitor(node, "-t", "drop", "-j", "--from", str(identifier)) as monitor:
        inject(pod, family, packet)
        shown, = records(monitor, 1)
    assert shown["reason"] == reason and shown["source"] == identifier, shown
    assert observe.metric(node, reason, "egress") == before + 1


@pytest.mark.parametrize("case", PROVOKED)
def test_reasons(sender, family, case):
    reason, make = PROVOKED[case]
    check_reason(sender, family, reason, make(sender, family))


@pytest.mark.parametrize("case", PROVOKED4)
def test_reasons_ipv4(sender, case):
    reason, make = PROVOKED4[case]
    check_reason(sender, socket.AF_INET, reason, make(sender))


@pytest.mark.parametrize("case", PROVOKED6)
def test_reasons_ipv6(sender, case):
    reason, make = PROVOKED6[case]
    check_reason(sender, socket.AF_INET6, reason, make(sender))


@pytest.mark.parametrize("reason, layer", [
    ("Unsupported L2 protocol", Ether(type=0x88B5) / Raw(b"x" * 50)),
    ("VLAN traffic disallowed by VLAN filter", Ether() / Dot1Q(vlan=7) / IP() / UDP()),
    ("Invalid packet", Ether(type=0x0806) / Raw(b"x" * 6)),
    ("Invalid source ip", Ether() / ARP(op=2, psrc="10.200.1.1")),
], ids=["ethertype", "vlan", "short-arp", "foreign-arp"])
def test_reasons_below_ip(sender, reason, layer):
    node, pod = sender.node, sender
    before = observe.metric(node, reason, "egress")
    frame = layer.copy()
    frame.dst = gateway_mac(pod, socket.AF_INET)
    with observe.monitor(node, "-t", "drop") as monitor, \
            pod.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((pod.ifname, 0))
        raw.send(bytes(frame))
        monitor.wait_line(f"xx drop ({reason})")
    assert observe.metric(node, reason, "egress") == before + 1


def test_expected_noise_is_counted_and_not_shown(sender):
    """What stacks send of themselves is nothing to report."""
    before = observe.metric(sender.node, "IGMP handled", "egress")
    with observe.monitor(sender.node, "-t", "drop", "-j") as monitor:
        inject(sender, socket.AF_INET, ip_of(sender, socket.AF_INET, proto=2) / Raw(b"x" * 8))
        provoke(sender)
        assert records(monitor, 1)[0]["reason"] == "Invalid source ip"
    assert observe.metric(sender.node, "IGMP handled", "egress") == before + 1
