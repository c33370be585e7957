# SPDX-License-Identifier: Apache-2.0
"""
Services at the sockets of a node and of its pods: who connects or sends to a service talks to a back end from
then on, without a packet being translated.
"""

import contextlib
import errno
import json
import socket
import subprocess
import time

import pytest

from harness import objects, probe
from harness.probe import TCP, UDP

VIP = {socket.AF_INET: "172.20.0.10", socket.AF_INET6: "fd00:20::10"}
NODE_PORT = 30080
LINKS = "/sys/fs/bpf/cilium/socketlb/links/cgroup"
PORT = 8080
KINDS = {"TCP": TCP, "UDP": UDP}
KPR = {"kube_proxy_replacement": "true"}
SO_NETNS_COOKIE = 71


def has_netns_cookie():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        try:
            made.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
        except OSError:
            return False
    return True


# Without it the machine's first namespace is the host's, and a node of the tests is in another.
needs_netns_cookie = pytest.mark.skipif(not has_netns_cookie(), reason="Linux before 5.14: no SO_NETNS_COOKIE")


def ports(node_ports=False):
    return [objects.port(80, PORT, protocol, NODE_PORT if node_ports else None, protocol.lower())
            for protocol in KINDS]


def put_service(node, servers, name="web", **spec):
    """servers: namespaces, both families of each."""
    made = ports(spec.get("type") == "NodePort")
    endpoints = [objects.endpoint(server.address(family), f"node{server.node.index}")
                 for server in servers for family in VIP]
    node.put_manifest(f"{name}.yaml", objects.service(name, list(VIP.values()), made, **spec),
                      *objects.slices(name, endpoints, made))


@contextlib.contextmanager
def serving(*pods, port=PORT):
    with contextlib.ExitStack() as stack:
        yield {(pod, kind, family): stack.enter_context(
            probe.Server(pod, family, kind, pod.address(family), port))
               for pod in pods for kind in KINDS.values() for family in VIP}


def n_translated(node):
    """Sockets that programs remember."""
    dump = node.exec("bpftool", "-j", "map", "dump", "pinned",
                     "/sys/fs/bpf/tc/globals/cilium_lb_reverse_sk").stdout
    return len(json.loads(dump))


def wait_served(namespace, family):
    """Nothing is sent to the service before all of it is in force."""
    node = getattr(namespace, "node", namespace)
    probe.eventually(lambda: node.cli_json("service", "list") and all(
        each["status"].get("realized") for each in node.cli_json("service", "list")), what="the service is in force")
    assert reaches(namespace, TCP, VIP[family], 80)


def reaches(namespace, kind, address, port, timeout=5):
    try:
        probe.talk(namespace, kind, address, port, timeout=timeout)
    except OSError:
        return False
    return True


def links(node):
    """Ids of the pinned links, by program."""
    found = {}
    for name in node.exec("ls", LINKS, check=False).stdout.split():
        shown = node.exec("bpftool", "-j", "link", "show", "pinned", f"{LINKS}/{name}", check=False)
        if shown.returncode == 0:
            found[name] = json.loads(shown.stdout)["id"]
    return found


@pytest.fixture
def world(site):
    """A node with a server and a client, both pods."""
    def make(**config):
        node = site.node(cgroup=True, **{**KPR, **config})
        node.put_manifest("node.yaml", objects.node(node))
        return node, node.pod("server", {"app": "web"}), node.pod("client", {"app": "client"})
    return make


@pytest.mark.kernel
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_who_connects_sees_the_service(world, family, kind):
    node, server, client = world()
    put_service(node, [server])
    with serving(server) as servers:
        wait_served(client, family)
        for namespace in client, node, server:
            with probe.connect(namespace, kind, VIP[family], 80) as made:
                assert probe.exchange(made) == b"hello"
                assert made.getpeername()[:2] == (VIP[family], 80)
                if kind == UDP:
                    made.send(b"again")
                    assert made.recvfrom(100)[1][:2] == (VIP[family], 80)
        seen = {peer[0] for peer in servers[server, kind, family].peers}
        assert client.address(family) in seen
        # No packet of the client was translated: nothing of the service is in the connections.
        table = node.cli("bpf", "ct", "list", "global").stdout
        assert VIP[family] not in table


@pytest.mark.kernel
def test_datagrams_without_a_connection(world, family):
    node, server, client = world()
    put_service(node, [server])
    with serving(server):
        wait_served(client, family)
        for namespace in client, node:
            with namespace.socket(family, UDP) as made:
                made.settimeout(15)
                made.sendto(b"one", (VIP[family], 80))
                assert made.recvfrom(100)[1][:2] == (VIP[family], 80)
                # Of the back end by its own address it is told by that, whatever the socket did before.
                for address in (VIP[family], 80), (server.address(family), PORT):
                    made.connect(address)
                    assert made.getpeername()[:2] == address
                    made.send(b"two")
                    data, sender = made.recvfrom(100)
                    assert (data, sender[:2]) == (b"two", address)


@pytest.mark.kernel
def test_ipv4_on_ipv6_sockets(world):
    node, server, client = world()
    put_service(node, [server])
    vip = f"::ffff:{VIP[socket.AF_INET]}"
    with serving(server):
        wait_served(client, socket.AF_INET)
        for kind in KINDS.values():
            for namespace in client, node:
                with namespace.socket(socket.AF_INET6, kind) as made:
                    made.settimeout(15)
                    made.connect((vip, 80))
                    assert probe.exchange(made) == b"hello"
                    assert made.getpeername()[:2] == (vip, 80)


@pytest.mark.kernel
@needs_netns_cookie
def test_node_ports(world, family):
    """Of this node, of loopback from the host alone, and of another node, which need not be there."""
    node, server, client = world()
    other = {socket.AF_INET: "192.0.2.77", socket.AF_INET6: "2001:db8:1::77"}
    node.put_manifest("other.yaml", {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "node77"},
        "status": {"addresses": [{"type": "InternalIP", "address": each}
                                 for each in other.values()]}})
    put_service(node, [server], type="NodePort")
    loopback = "127.0.0.1" if family == socket.AF_INET else "::1"
    with serving(server):
        wait_served(client, family)
        for kind in KINDS.values():
            for namespace in client, node:
                assert reaches(namespace, kind, node.addresses[family], NODE_PORT)
                assert reaches(namespace, kind, other[family], NODE_PORT)
            assert reaches(node, kind, loopback, NODE_PORT)
            assert not reaches(client, kind, loopback, NODE_PORT)


@needs_netns_cookie
def test_only_the_host(world, family):
    node, server, client = world(bpf_lb_sock_hostns_only="true")
    put_service(node, [server])
    with serving(server):
        wait_served(node, family)
        with probe.connect(node, TCP, VIP[family], 80):
            assert n_translated(node) >= 1
            listed = node.cli("bpf", "socknat", "list").stdout
            front = VIP[family] if family == socket.AF_INET else f"[{VIP[family]}]"
            assert f" -> {front}:80 (revnat=" in listed
        probe.eventually(lambda: n_translated(node) == 0, what="sockets that are forgotten")
        # Packet by packet.
        with probe.connect(client, TCP, VIP[family], 80) as made:
            assert probe.exchange(made) == b"hello"
            assert n_translated(node) == 0


def test_switched_off(world, family):
    node, server, client = world(kube_proxy_replacement="false")
    put_service(node, [server])
    assert not links(node)
    with serving(server):
        wait_served(client, family)
        assert n_translated(node) == 0


@pytest.mark.kernel
def test_nobody_there(world, family):
    node, server, client = world()
    put_service(node, [])
    # An old kernel refuses the pod's packet, of which a connect() may learn with its second SYN only.
    seconds = 1 if has_netns_cookie() else 4

    def is_refused(namespace, port):
        started = time.monotonic()
        return (probe.refused(lambda: probe.talk(namespace, TCP, VIP[family], port,
                                                 timeout=2 * seconds))
                and time.monotonic() - started < seconds)

    for namespace in (client, node) if has_netns_cookie() else (client,):
        for port in 80, 81:
            probe.eventually(lambda: is_refused(namespace, port), what=f"a refusal of port {port}")


@needs_netns_cookie
def test_nobody_there_and_silence(world, family):
    node, server, client = world(service_no_backend_response="drop")
    put_service(node, [])

    def is_permitted():
        try:
            probe.talk(node, TCP, VIP[family], 80, timeout=1)
        except PermissionError:
            return False
        except OSError:
            return True
        return True

    probe.eventually(lambda: not is_permitted(), what="EPERM")
    with pytest.raises(TimeoutError):
        probe.talk(client, TCP, VIP[family], 80, timeout=1)


@needs_netns_cookie
def test_affinity_is_the_same_for_sockets_and_packets(site, family):
    """The pod's client is the same whichever way it comes: its address."""
    node = site.node(cgroup=True, **KPR)
    node.put_manifest("node.yaml", objects.node(node))
    pods = [node.pod(f"server{number}", {"app": "web"}) for number in range(6)]
    client = node.pod("client", {"app": "client"})
    put_service(node, pods, sessionAffinity="ClientIP")
    with serving(*pods) as servers:
        wait_served(client, family)

        def counts():
            return {pod: len(servers[pod, TCP, family].peers) for pod in pods}

        before = counts()
        for _ in range(10):
            probe.talk(client, TCP, VIP[family], 80)
        chosen = [pod for pod in pods if counts()[pod] != before[pod]]
        assert len(chosen) == 1
        node.kill_agent()
        node.configure(**KPR, bpf_lb_sock_hostns_only="true")
        node.start_agent()
        before = counts()
        for _ in range(10):
            probe.talk(client, TCP, VIP[family], 80)
        assert [pod for pod in pods if counts()[pod] != before[pod]] == chosen


@pytest.mark.kernel
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_sockets_of_a_removed_back_end_end(world, family, kind):
    node, server, client = world()
    put_service(node, [server])
    with serving(server):
        wait_served(client, family)
        made = [probe.connect(namespace, kind, VIP[family], 80) for namespace in (client, node)]
        direct = probe.connect(client, kind, server.address(family), PORT)
        for each in made + [direct]:
            assert probe.exchange(each) == b"hello"
        put_service(node, [])

        def has_ended(each):
            with contextlib.suppress(TimeoutError, BlockingIOError):
                each.settimeout(0.05)
                try:
                    return not each.recv(100)
                except OSError as error:
                    if error.errno in (errno.ECONNABORTED, errno.ECONNRESET):
                        return True
                    raise
            return False

        for each in made:
            probe.eventually(lambda one=each: has_ended(one), what="an end")
        direct.settimeout(15)
        assert probe.exchange(direct) == b"hello"
        for each in made + [direct]:
            each.close()
    node.wait_log("Sockets of removed back ends were ended")


def test_sockets_of_pods_go_on_where_that_is_wanted(world):
    node, server, client = world(bpf_lb_sock_terminate_pod_connections="false")
    put_service(node, [server])
    family = socket.AF_INET
    with serving(server):
        wait_served(client, family)
        made = {namespace: probe.connect(namespace, UDP, VIP[family], 80)
                for namespace in (client, node)}
        for each in made.values():
            assert probe.exchange(each) == b"hello"
        put_service(node, [])
        node.wait_log("Sockets of removed back ends were ended", "udp=1")
        made[client].settimeout(0.1)
        with pytest.raises(TimeoutError):
            made[client].recv(100)
        for each in made.values():
            each.close()


@pytest.mark.kernel
def test_a_killed_agent_and_its_successor_keep_everything(world, family):
    node, server, client = world()
    put_service(node, [server])
    with serving(server):
        wait_served(client, family)
        before = links(node)
        assert len(before) == 11
        made = probe.connect(client, TCP, VIP[family], 80)
        node.kill_agent()
        assert probe.exchange(made) == b"hello"
        for _ in range(20):
            probe.talk(client, TCP, VIP[family], 80)
        node.start_agent()
        assert links(node) == before, "the links are those from before"
        assert probe.exchange(made) == b"hello"
        assert made.getpeername()[:2] == (VIP[family], 80)
        made.close()


def test_a_restart_with_other_programs_leaves_no_gap(world):
    """Every connect() of a process that makes nothing else finds the service."""
    node, server, client = world()
    put_service(node, [server])
    script = f"""
import socket, sys, signal
n = 0
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
print("ready", flush=True)
while not stop:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.connect(("{VIP[socket.AF_INET]}", 80))
        made.settimeout(30)
        made.send(b"x")
        made.recv(10)
        n += 1
print(n, flush=True)
"""
    with serving(server):
        wait_served(client, socket.AF_INET)
        before = links(node)
        process = client.popen("python3", "-c", script, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        for timeout in 7000, 8000:
            node.kill_agent()
            node.configure(**KPR, bpf_ct_timeout_regular_tcp=f"{timeout}s")
            node.start_agent()
        assert links(node) == before, "updated in place"
        process.terminate()
        assert int(process.stdout.readline()) > 10
        assert process.wait(timeout=60) == 0


@pytest.mark.kernel
def test_drift_is_repaired(world):
    node, server, client = world()
    # The node's hierarchy begins at a cgroup namespace, as a container's does.
    assert "key=cgroup-root" in node.log()
    put_service(node, [server])
    with serving(server):
        wait_served(client, socket.AF_INET)
        before = links(node)
        connect = "cil_sock4_connect"
        node.exec("bpftool", "link", "detach", "id", before[connect])
        probe.eventually(lambda: links(node).get(connect, before[connect]) != before[connect],
                         seconds=30, what="a new link")
        assert reaches(client, TCP, VIP[socket.AF_INET], 80)


@pytest.mark.kernel
@needs_netns_cookie
def test_bind_is_refused(world, family):
    node, server, client = world()
    put_service(node, [server], type="NodePort")
    with serving(server):
        wait_served(node, family)
        assert reaches(node, TCP, node.addresses[family], NODE_PORT)
    for address in probe.ANY[family], node.addresses[family]:
        with node.socket(family, TCP) as made, pytest.raises(PermissionError):
            made.bind((address, NODE_PORT))
    with client.socket(family, TCP) as made:
        made.bind((probe.ANY[family], NODE_PORT))
    with node.socket(family, TCP) as made:
        made.bind((probe.ANY[family], NODE_PORT + 1))


@pytest.mark.kernel
def test_ports_are_reserved_and_everything_goes_with_cleanup(world):
    node, server, client = world()
    reserved = "/proc/sys/net/ipv4/ip_local_reserved_ports"
    assert node.exec("cat", reserved).stdout.strip() == "30000-32767"
    assert links(node)
    node.stop_agent()
    node.exec(node.program("cilium"), "cleanup", "-f", "--state-dir", node.state_dir,
              "--lib-dir", node.lib_dir)
    assert node.exec("cat", reserved).stdout.strip() == ""
    assert not links(node)
    assert not node.exec("ls", "/sys/fs/bpf/cilium", check=False).stdout
    assert "/run/cilium/cgroupv2" not in node.exec("cat", "/proc/self/mounts").stdout
