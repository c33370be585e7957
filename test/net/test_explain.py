# SPDX-License-Identifier: Apache-2.0
"""
cilium explain: what it says is what happens, and it changes nothing. POLICY_SEED=N begins the random worlds there.
"""

import json
import os
import random
import re
import secrets
import socket

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.utils import wrpcap

from harness import observe, policy_shop, probe
from harness.policy_shop import KEY, WEB, connects, number, wait_rule
from harness.policy_world import PolicyWorld, Prober, generate
from harness.site import FAR

V4, V6 = socket.AF_INET, socket.AF_INET6
FLAG = {V4: "-4", V6: "-6"}
REMOTE = {"apiVersion": "v1", "kind": "Pod",
          "metadata": {"name": "far", "namespace": "shop", "labels": {"app": "front"}},
          "spec": {"nodeName": "node9", "containers": [{"name": "c", "image": "x"}]},
          "status": {"podIP": "10.200.9.9",
                     "podIPs": [{"ip": "10.200.9.9"}, {"ip": "fd00:200:9::9"}]}}
# What an explanation could have changed.
MAPS = ("cilium_ct_tcp_global", "cilium_ct_any_global", "cilium_snat_external", "cilium_frag_datagrams",
        "cilium_metrics", "cilium_drop_sites", "cilium_policy_endpoint", "cilium_policy_peer",
        "cilium_policy_class", "cilium_lxc", "cilium_ipcache", "cilium_runtime_config")


def explain(node, *argv, status=0):
    done = node.cli("explain", *map(str, argv), check=False)
    print(done.stdout + done.stderr)
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.fixture
def shop(site):
    node = policy_shop.make(site)
    yield node
    print(node.log())


# Who, and by which rule.


@pytest.mark.core
def test_allowed(shop, family):
    text = explain(shop, "--from", "shop/front", "--to", "shop/web", "--port", 82, FLAG[family]).stdout
    identity = shop.front.endpoint()["status"]["identity"]["id"]
    lines = text.splitlines()
    assert re.fullmatch(r"packet +\S+:50000 -> \S+:82 tcp SYN", lines[0])
    assert lines[1] == (f"from        shop/front {shop.front.address(family)}, endpoint "
                        f"{number(shop.front)} of this node, identity {identity} (k8s:app=front)")
    assert lines[2].startswith(f"to          shop/web {shop.web.address(family)}, endpoint "
                               f"{number(shop.web)} of this node, identity ")
    assert re.fullmatch(r"program +cil_from_container on lxc\w+", lines[3])
    assert lines[4] == "connection  none yet: the rules are asked"
    assert "no policy selects the endpoint for egress: everything is allowed" in text
    assert f"ingress     allowed: the rules of shop/web, asked about identity {identity}\n" in text
    assert ", of CiliumNetworkPolicy shop/web\n" in text
    assert f"identity {identity} has an entry of its own\n" in text
    assert "the entry for TCP 80 to 87 decides, which holds 82\n" in text
    assert re.search(r"allowed by rule CiliumNetworkPolicy shop/web spec.ingress\[0\] "
                     r"\(\S+/web.yaml:\d+\)\n +log: shop team\n", text)
    assert text.endswith("result      allowed: goes into the pod\n")
    assert connects(shop.front, shop.web, family, 82, 10)


@pytest.mark.core
def test_denied(shop, family):
    """By a rule, by none, and by one that asks for a part that is not there."""
    pair = ("--from", number(shop.front), "--to", number(shop.web), FLAG[family])
    text = explain(shop, *pair, "--port", 443, status=1).stdout
    assert "denied by rule CiliumNetworkPolicy shop/web spec.ingressDeny[0] (" in text
    assert re.search(r"result +dropped: Policy denied by denylist \(181\), bpf/lib/policy.h:\d+\n", text)
    assert "A deny rule beats every allow rule" in text
    text = explain(shop, *pair, "--port", 90, status=1).stdout
    assert ("no rule of CiliumNetworkPolicy shop/web matches; CiliumNetworkPolicy shop/web selects the "
            "endpoint for ingress, so what no rule allows is denied\n") in text
    assert "says nothing of TCP 90: what it says of all else counts" in text
    assert re.search(r"To allow it, add an ingress rule for identity \d+ and TCP 90 to a policy that "
                     r"selects shop/web\.\n", text)
    text = explain(shop, *pair, "--port", 8080, status=1).stdout
    assert "rule CiliumNetworkPolicy shop/web spec.ingress[1] (" in text
    assert "allows it only behind a proxy, which does not run here" in text
    assert "spec.ingress[1].toPorts[0]: L7 rules" in text and "(180)" in text
    for port in 443, 90, 8080:
        assert not connects(shop.front, shop.web, family, port)
    for protocol in "udp", "sctp":
        text = explain(shop, *pair, "--port", 80, "--protocol", protocol, status=1).stdout
        assert protocol in text.splitlines()[0]


def test_icmp(shop, family):
    pair = ("--from", "shop/front", "--to", "shop/web", FLAG[family], "--protocol", "icmp")
    text = explain(shop, *pair).stdout
    assert "EchoRequest" in text and "spec.ingress[2]" in text
    explain(shop, *pair, "--icmp-type", "EchoRequest")
    explain(shop, *pair, "--icmp-type", 13 if family == V4 else 139, status=1)
    assert probe.ping(shop.front, shop.web.address(family))
    explain(shop, "--from", "shop/web", "--to", "shop/front", "--protocol", "icmp", FLAG[family])


@pytest.mark.core
def test_host_and_world(shop, family):
    far = FAR[family]
    text = explain(shop, "--from", "host", "--to", "shop/web", "--port", 80, FLAG[family], status=1).stdout
    assert "cil_from_host on cilium_host" in text and ", this node, identity 1 (reserved:host)" in text
    assert "has no entry of its own: what is said of all others counts" in text
    assert "that is the same for all protocols and ports" in text
    text = explain(shop, "--from", "shop/web", "--to", "host", "--port", 80, FLAG[family]).stdout
    assert text.endswith("result      allowed: goes to the node itself\n")
    text = explain(shop, "--from", far, "--to", "shop/web", "--port", 80, status=1).stdout
    assert "cil_from_netdev on eth0" in text and f"{far}, outside, identity" in text
    text = explain(shop, "--from", "shop/web", "--to", far, "--port", 80).stdout
    assert text.endswith("result      allowed: goes out through the device\n")
    text = explain(shop, "--from", "host", "--to", far, "--port", 80).stdout
    assert "cil_to_netdev on eth0" in text and text.endswith("goes out through the device\n")
    text = explain(shop, "--from", far, "--to", "host", "--port", 80).stdout
    assert "cil_from_netdev on eth0" in text and text.endswith("goes to the node's stack\n")
    text = explain(shop, "--from", "shop/web", "--to", "localhost", "--port", 80, "-4").stdout
    assert "to          localhost 127.0.0.1" in text


def test_host_firewall(site, family):
    node = site.node(start=False)
    node.configure(enable_host_firewall="true")
    node.start_agent()
    node.put_manifest("host.yaml", {
        "apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": "host"},
        "spec": {"nodeSelector": {}, "egress": [{"toEntities": ["cluster"]}],
                 "ingress": [{"fromEntities": ["world"],
                              "toPorts": [{"ports": [{"port": "22", "protocol": "TCP"}]}]}]}})
    wait_rule(node, "CiliumClusterwideNetworkPolicy/host")
    pair = ("--from", FAR[family], "--to", "host")
    text = explain(node, *pair, "--port", 22).stdout
    assert "ingress     allowed: the rules of host, asked about identity" in text
    assert "allowed by rule CiliumClusterwideNetworkPolicy host spec.ingress[0] (" in text
    explain(node, *pair, "--port", 23, status=1)
    text = explain(node, "--from", "host", "--to", FAR[family], "--port", 23, status=1).stdout
    assert "egress      denied: the rules of host" in text


def test_legacy_routing(site, family):
    """What another program judges behind the node's stack is told at once."""
    node = site.node(enable_host_legacy_routing="true")
    node.pod("web", {"app": "web"}, "shop")
    node.put_manifest("web.yaml", WEB)
    wait_rule(node, KEY)
    explain(node, "--from", FAR[family], "--to", "shop/web", "--port", 80, status=1)


# When something has changed, or is missing.


def test_connection(shop, family):
    """One that is there passes unasked; when the rules change it is judged again."""
    with probe.Server(shop.web, family, probe.TCP, port=80), \
            probe.connect(shop.front, probe.TCP, shop.web.address(family), 80) as client:
        probe.exchange(client)
        port = client.getsockname()[1]
        there = ("--from", "shop/front", "--to", "shop/web", "--port", 80, "--source-port", port,
                 FLAG[family])
        back = ("--from", "shop/web", "--to", "shop/front", "--source-port", 80, "--port", port,
                FLAG[family])
        text = explain(shop, *there).stdout
        assert "connection  known and allowed before by the rules in force" in text
        text = explain(shop, *back).stdout
        assert "; this is a packet of who answers" in text and "spec.ingress[0]" in text
        changed = json.loads(json.dumps(WEB))
        del changed["spec"]["ingress"][0]["toPorts"][0]["ports"][0]["endPort"]
        changed["spec"]["ingress"][0]["toPorts"][0]["ports"][0]["port"] = "81"
        shop.put_manifest("web.yaml", changed)
        probe.eventually(
            lambda: shop.cli("explain", *map(str, there), check=False).returncode == 1,
            what="the rule is another")
        text = explain(shop, *there, status=1).stdout
        assert "known, but rules or identities have changed since: the rules are asked again" in text
        text = explain(shop, *back, status=1).stdout
        assert "ingress     denied: the rules of shop/web" in text


def test_masqueraded(shop, family):
    """An answer comes to an address of the node, and is told to go to the pod."""
    far = FAR[family]
    with probe.Server(shop.site.far, family, probe.TCP, port=8000), \
            probe.connect(shop.web, probe.TCP, far, 8000) as client:
        probe.exchange(client)
        text = explain(shop, "--from", far, "--source-port", 8000, "--to", shop.addresses[family],
                       "--port", client.getsockname()[1]).stdout
    assert ", this node, identity 1 (reserved:host)\n" in text
    assert f"answers a masqueraded connection: of shop/web, endpoint {number(shop.web)}\n" in text
    assert "; this is a packet of who answers" in text and text.endswith("goes into the pod\n")


def test_audit_and_open(shop):
    pair = ("--from", "shop/front", "--to", "shop/web", "--port", 90)
    shop.cli("endpoint", "config", str(number(shop.web)), "PolicyAuditMode=Enabled")
    text = explain(shop, *pair).stdout
    assert "ingress     would be denied, but is only audited: the rules of shop/web" in text
    (shop.manifest_dir / "web.yaml").unlink()
    wait_rule(shop, KEY, there=False)
    text = explain(shop, *pair).stdout
    assert "no policy selects the endpoint for ingress: everything is allowed" in text
    shop.cli("config", "PolicyEnforcement=always")
    shop.cli("endpoint", "config", str(number(shop.web)), "PolicyAuditMode=default")
    text = explain(shop, *pair, status=1).stdout
    assert 'no policy selects the endpoint, and egress is enforced for it' in text


def test_other_node(shop, family):
    shop.put_manifest("far.yaml", REMOTE)
    probe.eventually(lambda: "10.200.9.9" in shop.cli("ip", "list").stdout, what="the pod is known")
    text = explain(shop, "--from", "shop/far", "--to", "shop/web", "--port", 80, FLAG[family]).stdout
    assert "from        shop/far " in text and ", a pod of another node, identity " in text
    assert "Only this node's half is judged: ask the same on the node of the source\n" in text
    text = explain(shop, "--from", "shop/web", "--to", "shop/far", "--port", 80, FLAG[family]).stdout
    assert "ask the same on the node of the destination\n" in text
    explain(shop, "--from", "shop/far", "--to", "shop/web", "--port", 90, FLAG[family], status=1)


@pytest.mark.core
def test_dead_agent(shop, family):
    pair = ("--from", number(shop.front), "--to", number(shop.web), FLAG[family])
    known = explain(shop, *pair, "--port", 80).stdout
    shop.kill_agent()
    done = explain(shop, *pair, "--port", 80)
    assert "Names, policies and labels are not known: " in done.stderr
    assert re.search(r"allowed by rule \d+\n", done.stdout)
    assert done.stdout.splitlines()[0] == known.splitlines()[0]
    text = explain(shop, *pair, "--port", 90, status=1).stdout
    assert "no rule allows it; which policies select the endpoint is not known here" in text
    done = explain(shop, "--from", "shop/front", "--to", pair[3], "--port", 80, status=2)
    assert "name the endpoint by its number" in done.stderr


def test_nobody_to_ask(site):
    """Where no programs are, or others than ours, nothing is guessed."""
    node = site.node(start=False)
    argv = ("--from", "host", "--to", "192.0.2.200", "--port", 1)
    assert "cilium_lxc" in explain(node, *argv, status=2).stderr
    node.start_agent()
    explain(node, *argv)
    programs = "/sys/fs/bpf/cilium/programs"
    node.exec("sh", "-e", stdin=f"cd {programs}\nmv $(ls) {'0' * 64}\n")
    assert "are not those of this version" in explain(node, *argv, status=2).stderr


def test_usage(shop):
    for argv, words in (
            ([], "expected --from and --to"),
            (["--from", "host", "--to", "host", "--port", "1"], "no program sees it"),
            (["--from", "shop/none", "--to", "host", "--port", "1"], "no pod that this node knows of"),
            (["--from", "no-such.invalid", "--to", "host", "--port", "1"],
             "nor a name that can be looked up"),
            (["--from", "60000", "--to", "host", "--port", "1"], "there is no endpoint 60000"),
            (["--from", "host", "--to", "10.200.1.2"], "expected --port"),
            (["--from", "host", "--to", "10.200.1.2", "--port", "x"], "expected 0 to 65535"),
            (["--from", "host", "--to", "10.200.1.2", "-6", "--port", "1"], "has no IPv6 address"),
            (["--from", "10.0.0.1", "--to", "fd00::1", "--port", "1"], "no address of the same family"),
            (["--from", "host", "--to", "1.2.3.4", "--protocol", "gre"], "expected tcp, udp"),
            (["--from", "host", "--to", "1.2.3.4", "--protocol", "icmp", "--icmp-type", "Hello"],
             "the name of a message"),
            (["--from", "host", "--from-packet", "x"], "goes with none of"),
            (["--from-packet", "/etc/hostname"], "/etc/hostname"),
            (["--from-packet", "/nowhere"], "/nowhere")):
        done = explain(shop, *argv, status=2)
        assert words in done.stderr, done.stderr


# Captures.


def packet_of(family, src, dst, kind, port):
    ip = IP(src=src, dst=dst) if family == V4 else IPv6(src=src, dst=dst)
    if kind == "icmp":
        return ip / (ICMP(type=8, id=7) if family == V4 else ICMPv6EchoRequest(id=7))
    return ip / (TCP(sport=50000, dport=port, flags="S") if kind == "tcp"
                 else UDP(sport=50000, dport=port))


def write_capture(path, packets, ethernet=False):
    """A pcap of the link type Ethernet, or raw."""
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    wrpcap(str(path), [ether / packet if ethernet else packet for packet in packets],
           linktype=1 if ethernet else 101)


@pytest.mark.parametrize("ethernet", [True, False])
def test_capture(shop, ethernet, family):
    path = shop.dir / "some.pcap"
    front, web = shop.front.address(family), shop.web.address(family)
    packets = [packet_of(family, front, web, "tcp", 80), packet_of(family, front, web, "tcp", 90),
               packet_of(family, FAR[family], web, "udp", 53),
               packet_of(family, web, FAR[family], "icmp", 0)]
    if ethernet:
        packets.insert(1, ARP())
    write_capture(path, packets, ethernet)
    done = explain(shop, "--from-packet", path, status=1)
    assert done.stdout.count("packet      ") == 4
    assert ("1 packets are not IP" in done.stderr) == ethernet
    answers = json.loads(explain(shop, "--from-packet", path, "-o", "json", status=1).stdout)
    assert [answer["result"]["allowed"] for answer in answers] == [True, False, False, True]
    assert answers[1]["judgements"][1]["verdict"] == "default-deny"
    assert answers[1]["judgements"][1]["policies"][0]["policy"] == KEY
    assert answers[0]["judgements"][1]["rule"]["path"] == "spec.ingress[0]"
    done = explain(shop, "--from-packet", path, "--count", 1)
    assert done.stdout.count("packet      ") == 1 and "--count for more" in done.stderr


def test_capture_that_is_cut(shop, family):
    """Of a packet that is longer than any device takes the head is there, and is enough."""
    path = shop.dir / "some.pcap"
    whole = bytes(packet_of(family, shop.front.address(family), shop.web.address(family), "udp", 80) /
                  (b"x" * 9000))
    head = b"".join(n.to_bytes(size, "little") for n, size in
                    ((0xa1b2c3d4, 4), (2, 2), (4, 2), (0, 4), (0, 4), (65535, 4), (101, 4)))
    record = b"".join(n.to_bytes(4, "little") for n in (0, 0, 96, len(whole)))
    path.write_bytes(head + record + whole[:96])
    text = explain(shop, "--from-packet", path, status=1).stdout
    assert ", cut in the capture\n" in text and "(133)" in text


# That it is the truth, and leaves nothing.


def contents(node):
    """Each pinned map, byte for byte."""
    return {name: node.exec("bpftool", "-j", "map", "dump", "pinned",
                            f"/sys/fs/bpf/tc/globals/{name}").stdout for name in MAPS}


@pytest.mark.core
def test_leaves_nothing(shop):
    """Not a byte of a map is another one, and no event is made."""
    path = shop.dir / "some.pcap"
    write_capture(path, [packet_of(family, pod.address(family), to, kind, port)
                         for family in (V4, V6) for pod in (shop.front, shop.web)
                         for to in (shop.web.address(family), FAR[family], shop.addresses[family])
                         for kind, port in (("tcp", 80), ("tcp", 90), ("udp", 53), ("icmp", 0))])

    def changes_nothing():
        before = contents(shop)
        explain(shop, "--from-packet", path, "--count", 100, status=1)
        explain(shop, "--from", "host", "--to", "shop/web", "--port", 80, status=1)
        explain(shop, "--from", FAR[V4], "--to", "shop/web", "--port", 80, status=1)
        return contents(shop) == before

    with observe.monitor(shop) as monitor:
        # The node's own chatter may change a counter meanwhile: then once more.
        assert any(changes_nothing() for _ in range(5))
        # An event of a packet that is sent comes behind those of the ones that were not.
        assert not connects(shop.front, shop.web, V4, 99)
        monitor.wait_line(":99 tcp SYN")
        assert ":50000 ->" not in monitor.text


def source_towards(namespace, family, address):
    """The address under which the namespace talks to another."""
    with namespace.socket(family, socket.SOCK_DGRAM) as way:
        way.connect((address, 9))
        return way.getsockname()[0]


def check_random(node, world, chance, share):
    """Explains random packets, then sends them. How many, and how many arrived."""
    described, sent = [], []
    for origin, target, family, kind, port in world.packets(chance, share):
        address = target.addresses[family]
        source = source_towards(node, family, address) if origin.name == "host" \
            else origin.addresses[family]
        described.append(packet_of(family, source, address, kind, port))
        sent.append((origin.namespace, None if origin.name else source, target.namespace, address,
                     kind, port))
    path = node.dir / "random.pcap"
    write_capture(path, described)
    done = node.cli("explain", "--from-packet", path, "--count", str(len(described)), "-o", "json",
                    check=False)
    answers = json.loads(done.stdout)
    assert len(answers) == len(sent)
    with Prober(node, world.namespaces()) as prober:
        arrived = prober.send(sent)
        # A neighbour that was not known yet may have cost the first packets.
        arrived |= prober.send([packet for packet in sent if packet not in arrived])
    wrong = [answer for packet, answer in zip(sent, answers)
             if answer["result"]["allowed"] != (packet in arrived)]
    assert not wrong, f"{len(wrong)} of {len(sent)}: {json.dumps(wrong[:3], indent=1)}"
    return len(sent), len(arrived)


@pytest.mark.parametrize("n", range(3))
def test_random_policies(site, n):
    first = os.environ.get("POLICY_SEED")
    # The first ones are the same each time; the last is another.
    seed = int(first) + n if first else secrets.randbelow(1 << 31) if n == 2 else n + 21
    print(f"POLICY_SEED={seed}")
    node = site.node(start=False)
    config = generate(node, seed)["config"]
    node.configure(**{key.replace("-", "_"): value for key, value in config.items()})
    node.start_agent()
    world = PolicyWorld(node, seed)
    n_sent, n_arrived = check_random(node, world, random.Random(seed), 0.2)
    print(f"{n_sent} packets, {n_arrived} arrived")
    assert n_sent > 300 and (n == 2 or n_arrived)
