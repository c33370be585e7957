# SPDX-License-Identifier: Apache-2.0
"""Container runtimes: cnitool with chained plugins, containerd and Podman, each on a node of its own."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest

from harness import probe
from harness.site import WORLD

CNITOOL_VERSION = "v1.3.0"
REFERENCE_PLUGINS = pathlib.Path("/usr/lib/cni")
# What runtimes take for granted of a machine, made anew in the node's mount namespace.
MACHINE = """
mount --bind {conf} /etc/cni/net.d
mount -t tmpfs tmpfs /opt
mkdir -p /opt/cni/bin /var/lib/cni
cp {reference}/* /opt/cni/bin
cp {plugin} /opt/cni/bin/cilium-cni
mount -t tmpfs tmpfs /var/lib/cni
mount -t tmpfs tmpfs /run
mkdir /run/lock
if grep -q '^[1-9]' /proc/self/cgroup; then
	mount -t tmpfs tmpfs /sys/fs/cgroup
	sed -n 's/^[1-9][0-9]*:\\([^:]*\\):.*/\\1/p' /proc/self/cgroup | while read -r controllers; do
		directory=/sys/fs/cgroup/${{controllers#name=}}
		mkdir -p $directory
		mount -t cgroup -o $controllers cgroup $directory
	done
else
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
"""
CONTAINERD = """
version = 2
root = "{dir}/root"
state = "{dir}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{dir}/sock"
"""


def configuration(node, version="1.0.0", *chained):
    return {"cniVersion": version, "name": "cilium", "plugins": [
        {"type": "cilium-cni", "socket-path": str(node.socket_path)}, *chained]}


PORTMAP = {"type": "portmap", "capabilities": {"portMappings": True}}
BANDWIDTH = {"type": "bandwidth", "capabilities": {"bandwidth": True}}


class Machine:
    """A node with configuration and plugins where runtimes look for them."""

    def __init__(self, site, **config):
        if not REFERENCE_PLUGINS.is_dir():
            pytest.skip("containernetworking-plugins is not installed")
        self.node = site.node(**config)
        self.conf = self.node.dir / "net.d"
        self.conf.mkdir()
        os.makedirs("/etc/cni/net.d", exist_ok=True)
        self.node.exec("sh", "-e", stdin=MACHINE.format(
            conf=self.conf, reference=REFERENCE_PLUGINS, plugin=self.node.program("cilium-cni")))
        self.rootfs = self._make_rootfs()

    def configure(self, *args):
        (self.conf / "05-cilium.conflist").write_text(json.dumps(configuration(self.node, *args)))

    def _make_rootfs(self):
        rootfs = self.node.dir / "rootfs"
        for name in ("bin", "dev", "etc", "proc", "run", "sys", "tmp"):
            (rootfs / name).mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), rootfs / "bin/busybox")
        for name in ("sh", "sleep", "ip", "nc"):
            (rootfs / "bin" / name).symlink_to("busybox")
        return rootfs

    def endpoints(self):
        return self.node.request("GET", "/v1/endpoint")[1]


@pytest.fixture
def machine(site):
    return Machine(site)


# cnitool.

@pytest.fixture(scope="session")
def cnitool():
    """The runtime of the CNI project itself, built once into a cache."""
    found = shutil.which("cnitool")
    if found:
        return found
    path = pathlib.Path.home() / ".cache/axoneme" / f"cnitool-{CNITOOL_VERSION}" / "cnitool"
    if not path.exists():
        go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
        if not go:
            pytest.skip("neither cnitool nor go is installed")
        subprocess.run([go, "install", "github.com/containernetworking/cni/cnitool@"
                        + CNITOOL_VERSION], check=True, timeout=300,
                       env={**os.environ, "GOBIN": str(path.parent)})
    return str(path)


class Tool:
    def __init__(self, path, machine, capabilities=None, args=""):
        self.path, self.machine = path, machine
        self.env = {"NETCONFPATH": str(machine.conf), "CNI_PATH": "/opt/cni/bin",
                    "CNI_ARGS": args, "CAP_ARGS": json.dumps(capabilities or {})}

    def __call__(self, verb, pod, check=True):
        done = self.machine.node.exec(self.path, verb, "cilium", pod.netns_path, check=check,
                                      env=self.env)
        return json.loads(done.stdout) if verb == "add" and not done.returncode else done


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_cnitool(machine, cnitool, version):
    machine.configure(version)
    tool = Tool(cnitool, machine, args="IgnoreUnknown=1;K8S_POD_NAME=web;K8S_POD_NAMESPACE=shop")
    pod = machine.node.sandbox("tool")
    result = tool("add", pod)
    assert result["cniVersion"] == version
    assert probe.ping(machine.node, result["ips"][0]["address"].split("/")[0])
    identifiers = machine.endpoints()[0]["status"]["external-identifiers"]
    assert identifiers["pod-name"] == "shop/web"
    if version >= "0.4.0":
        tool("check", pod)
    if version >= "1.1.0":
        tool("status", pod)
        # cnitool has no attachment to call valid but this one's.
        tool("gc", pod)
    tool("del", pod)
    tool("del", pod)
    assert not machine.endpoints()


@pytest.mark.parametrize("version", ["0.3.1", "1.0.0"])
def test_portmap(machine, cnitool, family, version):
    machine.configure(version, PORTMAP)
    ports = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
    tool = Tool(cnitool, machine, {"portMappings": ports})
    pod = machine.node.sandbox("mapped")
    tool("add", pod)
    with probe.Server(pod, family, probe.TCP, port=80) as server:
        world = machine.node.site.world
        own = probe.talk(world, probe.TCP, machine.node.addresses[family], 8080, payload=b"x" * 5000)
        assert server.peers[0] == tuple(own)
    # No check: portmap 1.1.1 looks for the IPv4 rules of a pod with both families among IPv6's.
    tool("del", pod)
    assert not machine.endpoints()
    rules = machine.node.exec("sh", "-c", "iptables-save -t nat; ip6tables-save -t nat").stdout
    assert "dport 8080" not in rules


def transfer_seconds(receiver, sender, address, n_bytes):
    """How long it takes to send so much over TCP."""
    with receiver.socket(probe.family_of(address), probe.TCP) as listener:
        listener.bind((address, 0))
        listener.listen()
        with probe.connect(sender, probe.TCP, address, listener.getsockname()[1]) as client:
            server, _ = listener.accept()
            with server:
                client.settimeout(30)
                server.settimeout(30)
                started = time.monotonic()
                pid = os.fork()
                if not pid:
                    with contextlib.suppress(OSError):
                        client.sendall(b"x" * n_bytes)
                    os._exit(0)
                left = n_bytes
                while left:
                    left -= len(server.recv(min(left, 65536)))
                os.waitpid(pid, 0)
                return time.monotonic() - started


LIMIT = 20_000_000  # bit/s
LIMITED_MEGABITS = 60  # generous: the burst alone is 2 Mbit
FREE_MEGABITS = 200  # what a busy machine does without a limit, and more than any limited one


def megabits(receiver, sender, address, n_bytes=2_000_000):
    return n_bytes * 8 / transfer_seconds(receiver, sender, address, n_bytes) / 1e6


def assert_limited(receiver, sender, address):
    rate = megabits(receiver, sender, address)
    assert rate < LIMITED_MEGABITS


def assert_free(receiver, sender, address):
    """The best of some, as the machine may be busy."""
    assert any(megabits(receiver, sender, address) > FREE_MEGABITS for _ in range(5))


def add_limited(cnitool, machine, *directions):
    """(pod with the limits, pod without, call of cnitool)"""
    limits = {}
    for direction in directions:
        limits |= {f"{direction}Rate": LIMIT, f"{direction}Burst": LIMIT // 10}
    machine.configure("1.0.0", BANDWIDTH)
    tool = Tool(cnitool, machine, {"bandwidth": limits})
    pod, other = machine.node.sandbox("limited"), machine.node.pod("free")
    result = tool("add", pod)
    pod.ipv4, pod.ipv6 = (ip["address"].split("/")[0] for ip in result["ips"])
    tool("check", pod)
    return pod, other, tool


QUEUED, VIA_STACK = 0x0200, 0x0400  # as in abi/endpoint.h


def has_flag(node, address, flag):
    """Whether the programs have been told so of the endpoint."""
    for line in node.cli("bpf", "endpoint", "list").stdout.splitlines():
        if line.split()[:1] == [f"{address}:0"]:
            return int(line.split("flags=")[1].split()[0], 16) & flag == flag
    return False


@pytest.mark.parametrize("config", [{}, {"enable_endpoint_routes": True},
                                    {"enable_host_legacy_routing": True}],
                         ids=["bpf-routing", "endpoint-routes", "legacy-routing"])
def test_bandwidth_into_a_pod(site, cnitool, family, config):
    """The plugin puts a queue on the host's side of the pod."""
    machine = Machine(site, **config)
    pod, other, tool = add_limited(cnitool, machine, "ingress")
    seen = VIA_STACK if "enable_endpoint_routes" in config else QUEUED
    probe.eventually(lambda: has_flag(machine.node, pod.ipv4, seen), what="the queue is seen")
    assert_limited(pod, other, pod.address(family))
    assert_limited(pod, machine.node, pod.address(family))
    assert_limited(pod, site.world, pod.address(family))
    assert_free(other, pod, other.address(family))
    assert_free(other, machine.node, other.address(family))
    tool("del", pod)


@pytest.mark.parametrize("config", [{}, {"enable_endpoint_routes": True}],
                         ids=["bpf-routing", "endpoint-routes"])
def test_bandwidth_out_of_a_pod(site, cnitool, family, config):
    """The plugin sends what the pod sends by another device, on which there is a queue."""
    machine = Machine(site, pod_attach_mode="tcx", **config)
    pod, other, tool = add_limited(cnitool, machine, "ingress", "egress")
    probe.eventually(lambda: has_flag(machine.node, pod.ipv4, VIA_STACK),
                     what="the filters are seen")
    assert_limited(other, pod, other.address(family))
    assert_limited(machine.node, pod, machine.node.addresses[family])
    assert_limited(site.world, pod, WORLD[family])
    assert_limited(pod, other, pod.address(family))
    assert_limited(pod, site.world, pod.address(family))
    tool("del", pod)


def test_bandwidth_over_restarts(site, cnitool, family):
    """
    Nobody tells the next agent: it sees for itself. And it may be one that would attach to pods in
    another way, for which the plugin's qdisc leaves no room.
    """
    machine = Machine(site, pod_attach_mode="tcx")
    node = machine.node
    pod, other, _ = add_limited(cnitool, machine, "egress")
    probe.eventually(lambda: has_flag(node, pod.ipv4, VIA_STACK), what="the filters are seen")
    assert "Pods: TCX" in node.cli("status", "--verbose").stdout
    for mode in ("tcx", "clsact"):
        node.kill_agent()
        node.configure(pod_attach_mode=mode)
        node.start_agent()
        assert has_flag(node, pod.ipv4, VIA_STACK)
        assert_limited(other, pod, other.address(family))
        assert_free(pod, other, pod.address(family))
    assert "Pods: Legacy TC" in node.cli("status", "--verbose").stdout
    filters = node.exec("tc", "filter", "show", "dev", other.endpoint()["status"]["networking"]
                        ["interface-name"], "ingress").stdout
    assert "cil_from_container" in filters


# Runtimes.

def test_containerd(machine, family):
    if not shutil.which("containerd"):
        pytest.skip("containerd is not installed")
    machine.configure()
    node, directory = machine.node, machine.node.dir / "containerd"
    directory.mkdir()
    (directory / "config.toml").write_text(CONTAINERD.format(dir=directory))
    with open(directory / "log", "wb") as log:
        daemon = node.popen("containerd", "--config", directory / "config.toml", stdout=log,
                            stderr=log)
    probe.eventually((directory / "sock").exists, what="containerd listens")
    container = node.popen("ctr", "--address", directory / "sock", "run", "--rm", "--cni",
                           "--rootfs", machine.rootfs, "web", "/bin/sh", "-c",
                           "ip -4 addr show eth0; sleep 30", stdout=subprocess.PIPE, text=True)
    endpoint, = probe.eventually(machine.endpoints, seconds=20, what="the endpoint")
    addressing, = endpoint["status"]["networking"]["addressing"]
    address = addressing["ipv4" if family == socket.AF_INET else "ipv6"]
    assert endpoint["status"]["external-identifiers"]["container-id"] == "default-web"
    assert probe.ping(node, address) and probe.ping(node.pod("peer"), address)
    node.exec("ctr", "--address", directory / "sock", "task", "kill", "-s", "KILL", "web")
    container.wait(timeout=20)
    assert addressing["ipv4"] in container.stdout.read()
    assert [each["status"]["external-identifiers"]["pod-name"] for each in machine.endpoints()] == \
        ["default/peer"]
    daemon.terminate()
    daemon.wait(timeout=20)


def test_podman(machine, family):
    if not shutil.which("podman"):
        pytest.skip("podman is not installed")
    machine.configure("0.4.0")
    node, directory = machine.node, machine.node.dir / "podman"
    podman = ["podman", "--root", directory / "root", "--runroot", directory / "runroot",
              "--tmpdir", directory / "tmp", "--cgroup-manager", "cgroupfs", "--network-backend",
              "cni", "--runtime", "runc"]
    limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
    node.exec(*podman, "run", "--detach", "--name", "web", "--network", "cilium", *limits,
              "--rootfs", machine.rootfs, "/bin/sleep", "60", timeout=60)
    endpoint, = machine.endpoints()
    addressing, = endpoint["status"]["networking"]["addressing"]
    address = addressing["ipv4" if family == socket.AF_INET else "ipv6"]
    assert probe.ping(node, address)
    peer = node.pod("peer")
    with probe.Server(peer, family, probe.TCP) as server:
        answer = node.exec(*podman, "exec", "--interactive", "web", "/bin/nc", "-w", "2",
                           peer.address(family), server.port, stdin="hello")
        assert answer.stdout == "hello"
    node.exec(*podman, "rm", "--force", "--time", "0", "web", timeout=60)
    assert [each["status"]["external-identifiers"]["pod-name"] for each in machine.endpoints()] == \
        ["default/peer"]
