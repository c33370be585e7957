# SPDX-License-Identifier: Apache-2.0
"""The CNI plugin with a real agent: endpoints come and go, many at once and while the agent restarts."""

import concurrent.futures
import ipaddress
import socket
import subprocess
import time

import pytest

from harness import probe

VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]


def allocations(node):
    """Addresses that pods have, as the agent's status has it."""
    _, status = node.request("GET", "/v1/healthz")
    return {ip: owner for ip, owner in status["ipam"]["allocations"].items() if owner != "router"}


def endpoints(node):
    status, found = node.request("GET", "/v1/endpoint")
    assert status == 200
    return found


def assert_empty(node):
    assert not endpoints(node)
    assert not allocations(node)
    assert "lxc" not in node.exec("ip", "-br", "link").stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_life_of_a_pod(shared_node, version):
    pod = shared_node.sandbox(f"life-{version.replace('.', '-')}", cni_version=version).add()
    for family, network in ((socket.AF_INET, shared_node.ipv4_range),
                            (socket.AF_INET6, shared_node.ipv6_range)):
        assert ipaddress.ip_address(pod.address(family)) in ipaddress.ip_network(network)
        assert probe.ping(shared_node, pod.address(family))
        assert probe.ping(pod, shared_node.addresses[family])
    if version >= "0.4.0":
        assert pod.cni("CHECK", prevResult=pod.result) is None
    pod.cni("DEL")
    pod.cni("DEL")
    pod.close()
    assert_empty(shared_node)


def test_first_packet_goes_at_once(shared_node, family):
    """No duplicate address detection, no lost first packet: what follows ADD works."""
    one = shared_node.sandbox("first-one").add()
    two = shared_node.sandbox("first-two").add()
    started = time.monotonic()
    with probe.Server(two, family, probe.TCP) as server:
        probe.talk(one, probe.TCP, two.address(family), server.port)
    assert time.monotonic() - started < 0.95, "a lost packet is sent again after a second"
    one.delete()
    two.delete()


def test_a_pod_makes_no_noise(shared_node):
    """What the kernel of a pod sends by itself when the interface comes up is not dropped by us."""
    pod = shared_node.sandbox("quiet").add()
    time.sleep(1.5)
    statistics = pod.exec("cat", "/sys/class/net/eth0/statistics/tx_packets", check=False)
    sent = pod.exec("sh", "-c", "grep eth0 /proc/net/dev").stdout.split()[10]
    assert int(sent) <= 4, statistics.stdout
    pod.delete()


def test_labels_of_the_runtime_make_an_identity(shared_node):
    pod = shared_node.sandbox("labelled")
    pod.result = pod.cni("ADD", args={"cni": {"labels": [{"key": "app", "value": "web"}]}})
    assert "cni:app=web" in pod.endpoint()["status"]["labels"]["security-relevant"]
    pod.delete()


def test_a_wanted_address_and_a_taken_one(shared_node):
    wanted = str(ipaddress.ip_network(shared_node.ipv4_range)[77])
    pod = shared_node.sandbox("wanted")
    pod.result = pod.cni("ADD", runtimeConfig={"ips": [wanted]})
    assert pod.result["ips"][0]["address"] == f"{wanted}/32"
    other = shared_node.sandbox("second")
    answer = other.cni("ADD", check=False, runtimeConfig={"ips": [wanted]})
    assert answer["code"] == 101 and wanted in answer["msg"]
    outside = other.cni("ADD", check=False, runtimeConfig={"ips": ["203.0.113.9"]})
    assert "203.0.113.9" in outside["msg"]
    assert set(allocations(shared_node)) == {ip["address"].split("/")[0]
                                             for ip in pod.result["ips"]}
    pod.delete()
    other.delete()
    assert_empty(shared_node)


def test_a_failed_add_leaks_nothing(shared_node):
    pod = shared_node.sandbox("clash")
    pod.ip("link add eth0 type veth peer name eth1")
    for _ in range(5):
        assert pod.cni("ADD", check=False)["code"] == 101
    assert_empty(shared_node)
    pod.ip("link del eth0")
    pod.add().delete()
    assert_empty(shared_node)


def test_a_second_interface_of_a_pod(shared_node):
    pod = shared_node.sandbox("two-legs").add()
    first = pod.ipv4
    pod.ifname = "net1"
    # Two default routes would be the runtime's to arrange.
    pod.exec("sh", "-c", "ip route del default; ip -6 route del default")
    pod.add()
    assert pod.ipv4 != first and len(endpoints(shared_node)) == 2
    pod.cni("DEL")
    assert len(endpoints(shared_node)) == 1
    pod.ifname = "eth0"
    pod.delete()
    assert_empty(shared_node)


def test_exhaustion(site):
    node = site.node(ipv4_range="10.200.1.0/29", ipv6_range="fd00:200:1::/112")
    codes = []
    for i in range(8):
        answer = node.sandbox(f"p{i}").cni("ADD", check=False)
        codes.append(answer.get("code"))
    assert codes.count(None) >= 4 and codes[-1] == 102
    assert "10.200.1.0/29" in node.sandbox("last").cni("ADD", check=False)["msg"]
    # Both families or none: the IPv6 address of a refused ADD is given back.
    assert len(allocations(node)) == 2 * codes.count(None)
    for pod in node.pods:
        pod.delete()
    assert_empty(node)


def test_many_at_once(site):
    node = site.node()
    pods = [node.sandbox(f"many{i}") for i in range(135)]
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(135) as pool:
        list(pool.map(lambda pod: pod.add(), pods))
    print(f"135 ADDs at once: {time.monotonic() - started:.2f} s")
    addresses = {pod.ipv4 for pod in pods} | {pod.ipv6 for pod in pods}
    assert len(addresses) == 2 * 135
    assert addresses == set(allocations(node))
    assert len(endpoints(node)) == 135
    assert probe.ping(pods[0], pods[-1].ipv4) and probe.ping(pods[-1], pods[0].ipv6)
    with concurrent.futures.ThreadPoolExecutor(135) as pool:
        list(pool.map(lambda pod: pod.delete(), pods))
    assert_empty(node)


def test_agent_killed_while_pods_come_and_go(site):
    node = site.node()
    stop = time.monotonic() + 4

    def churn(number):
        n_rounds = 0
        while time.monotonic() < stop:
            pod = node.sandbox(f"churn{number}-{n_rounds}").add()
            assert probe.ping(node, pod.ipv4)
            pod.delete()
            n_rounds += 1
        return n_rounds

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        rounds = [pool.submit(churn, number) for number in range(4)]
        while time.monotonic() < stop - 1:
            time.sleep(0.3)
            node.kill_agent()
            node.start_agent(wait=False)
        n_rounds = [each.result() for each in rounds]
    assert min(n_rounds) >= 1
    node.wait_ready()
    probe.eventually(lambda: not endpoints(node) and not list(node.dir.glob("run/deleteQueue/*")),
                     what="no endpoint is left")
    probe.eventually(lambda: "lxc" not in node.exec("ip", "-br", "link").stdout, what="no interface is left")


def test_del_while_the_agent_is_down(site):
    node = site.node()
    stays, goes = node.pod("stays"), node.pod("goes")
    node.kill_agent()
    goes.cni("DEL")
    assert len(list(node.dir.glob("run/deleteQueue/*"))) == 1
    node.start_agent()
    left, = endpoints(node)
    assert left["status"]["external-identifiers"]["pod-name"] == "default/stays"
    assert not list(node.dir.glob("run/deleteQueue/*"))
    assert set(allocations(node)) == {stays.ipv4, stays.ipv6}
    assert probe.ping(node, stays.ipv4)


def test_addresses_work_when_the_plugin_has_answered(site):
    """While others keep the kernel's lock on network configuration: a worker of it needs the lock too."""
    node = site.node()
    others = [subprocess.Popen(["unshare", "-n", "sh", "-c", "while :; do ip link add va type veth "
                                "peer name vb; ip link del va; done"]) for _ in range(3)]
    try:
        for i in range(20):
            pod = node.sandbox(f"p{i}").add()
            with pod.socket(socket.AF_INET6, probe.UDP) as own:
                own.settimeout(10)
                own.bind(("::", 9))
                own.sendto(b"to myself", (pod.ipv6, 9))
                assert own.recv(100) == b"to myself"
    finally:
        for each in others:
            each.kill()
            each.wait()


def test_a_late_del_does_not_meet_the_next_container(site):
    """A DEL that was answered late leaves its file; the same name joins again; the agent restarts."""
    node = site.node()
    pod = node.sandbox("again").add()
    node.kill_agent()
    pod.cni("DEL")
    queued, = node.dir.glob("run/deleteQueue/*")
    text = queued.read_text()
    node.start_agent()
    queued.write_text(text)
    pod.add()
    node.kill_agent()
    node.start_agent()
    assert len(endpoints(node)) == 1
    assert probe.ping(node, pod.ipv4)


def test_a_namespace_that_goes_takes_its_endpoint_along(shared_node):
    """A container that died without DEL: the agent sees the interface go."""
    pod = shared_node.sandbox("crashed").add()
    assert len(endpoints(shared_node)) == 1
    pod.close()
    probe.eventually(lambda: not endpoints(shared_node), what="the endpoint is gone")
    assert not allocations(shared_node)


def queue_delete(node, pod):
    """What a plugin leaves that waited for the agent in vain."""
    queue = node.socket_path.parent / "deleteQueue"
    queue.mkdir(mode=0o700, exist_ok=True)
    queued = queue / f"{pod.result['interfaces'][0]['name']}.delete"
    queued.write_text(f"cni-attachment-id:{pod.container_id}:{pod.ifname}")
    return queued


def test_a_queued_delete_needs_no_restart(shared_node):
    """The agent was there, but held up for longer than a DEL waits."""
    pod = shared_node.sandbox("held-up").add()
    queued = queue_delete(shared_node, pod)
    probe.eventually(lambda: not endpoints(shared_node) and not queued.exists(), 15,
                     "the endpoint is gone")
    pod.delete()
    assert_empty(shared_node)


def test_a_queued_delete_means_what_was_before(shared_node):
    """DEL, unheard, and ADD for the same container: podman network reload."""
    pod = shared_node.sandbox("reloaded").add()
    queued = queue_delete(shared_node, pod)
    shared_node.exec("ip", "link", "del", queued.stem)
    pod.add()
    assert not queued.exists()
    assert [each["status"]["networking"]["interface-name"]
            for each in endpoints(shared_node)] == [queued.stem]
    pod.delete()
    assert_empty(shared_node)


def test_gc_and_status(shared_node):
    keep, drop = shared_node.sandbox("keep").add(), shared_node.sandbox("drop").add()
    shared_node.run("bystander")
    keep.cni_version = "1.1.0"
    assert keep.cni("STATUS") is None
    valid = [{"containerID": keep.container_id, "ifname": "eth0"}]
    assert keep.cni("GC", **{"cni.dev/valid-attachments": valid}) is None
    names = {each["status"]["external-identifiers"]["pod-name"] for each in endpoints(shared_node)}
    assert names == {"default/keep", "default/bystander"}
    for pod in (keep, drop, shared_node.pods[-1]):
        pod.delete()
    assert_empty(shared_node)


def test_add_right_after_a_start(site):
    node = site.node(start=False)
    pod = node.sandbox("early")
    node.start_agent(wait=False)
    pod.add()
    assert probe.ping(node, pod.ipv4) and probe.ping(node, pod.ipv6)
