# SPDX-License-Identifier: Apache-2.0
"""How the agent says how it is: cilium status, probes, the service manager."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import probe

PORT = 9879
HOSTS = ["127.0.0.1", "::1"]


def ask(node, path, host="127.0.0.1", method="GET", headers=None, timeout=10):
    """(status, body) of the health port."""
    with node.entered():
        connection = http.client.HTTPConnection(host, PORT, timeout=timeout)
        connection.connect()
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def status(node):
    """The status as JSON, also where the command says by its exit code that all is not well."""
    return json.loads(node.cli("status", "-o", "json", check=False).stdout)


def controller(node, name):
    return {each["name"]: each for each in status(node)["controllers"]}[name]


def is_failing(node, name):
    return controller(node, name)["status"]["consecutive-failure-count"] > 0


# Probes.


@pytest.mark.core
@pytest.mark.parametrize("host", HOSTS)
def test_probes_answer_on_both_families(shared_node, host):
    for headers in ({}, {"brief": "true"}, {"require-k8s-connectivity": "false"}):
        code, text = ask(shared_node, "/healthz", host, headers=headers)
        assert code == 200 and text.startswith("Ok: ") and text.count("\n") == 1
    assert ask(shared_node, "/readyz", host)[0] == 200
    code, text = ask(shared_node, "/livez", host)
    assert code == 200 and "loop turned" in text
    assert ask(shared_node, "/nonsense", host)[0] == 404
    assert ask(shared_node, "/healthz", host, "POST")[0] == 405
    assert ask(shared_node, "/healthz", host, "HEAD") == (200, "")


def test_another_port_and_none(site):
    node = site.node(agent_health_port=9880)
    with pytest.raises(ConnectionRefusedError):
        ask(node, "/healthz")
    node.stop_agent()
    node.configure(agent_health_port=0)
    node.start_agent()
    with pytest.raises(ConnectionRefusedError):
        ask(node, "/healthz")
    assert "health-port" not in node.cli("status", "--verbose").stdout


@pytest.mark.parametrize("host", HOSTS)
def test_port_of_somebody_else_is_taken_when_it_is_free(site, host):
    node = site.node(start=False)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with node.socket(family, socket.SOCK_STREAM) as other:
        if family == socket.AF_INET6:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((host, PORT))
        other.listen()
        node.start_agent(wait=False)
        probe.eventually(lambda: node.socket_path.exists() and is_failing(node, "health-port"), 10,
                         "the port is missed")
        text = node.cli("status").stdout
        assert f"{PORT}: Address already in use" in text and "1 job(s) fail" in text
    probe.eventually(lambda: not is_failing(node, "health-port"), 30, "the port is had")
    assert ask(node, "/healthz", host)[0] == 200


def test_without_ipv6_the_port_is_ipv4s(site):
    node = site.node(start=False, enable_ipv6=False)
    node.sysctl(ipv6__conf__lo__disable_ipv6=1)
    node.start_agent()
    assert ask(node, "/healthz")[0] == 200
    assert not is_failing(node, "health-port")


def test_stopped_agent_refuses(site):
    node = site.node()
    node.stop_agent()
    with pytest.raises(ConnectionRefusedError):
        ask(node, "/livez")


def test_readiness_while_starting(site):
    """A named pipe as a manifest is refused, so large manifests it is."""
    node = site.node(start=False)
    pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d, labels: {a: b}}\n"
    (node.manifest_dir / "many.yaml").write_text("".join(pod % i for i in range(60000)))
    node.start_agent(wait=False)
    seen = {}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and seen.get("/readyz", [0])[-1] != 200:
        for path in ("/readyz", "/healthz", "/livez"):
            with contextlib.suppress(ConnectionRefusedError):
                code, text = ask(node, path)
                seen.setdefault(path, []).append(code)
                if code == 503:
                    assert "starting: " in text, text
    assert seen["/readyz"][0] == seen["/healthz"][0] == 503, seen
    assert seen["/readyz"][-1] == 200, seen
    assert set(seen["/livez"]) == {200}, seen


def is_traced(node):
    text = pathlib.Path(f"/proc/{node.agent.pid}/status").read_text()
    return re.search(r"^TracerPid:\s+0$", text, re.M) is None


def test_probe_does_not_wait_for_a_loop_that_is_held_up(site):
    """The loop's thread is made to wait 2 s before each answer that it sends."""
    node = site.node()
    tracer = node.popen("strace", "-q", "-o", "/dev/null", "-p", node.agent.pid, "-e",
                        "trace=sendto,sendmsg", "-e",
                        "inject=sendto,sendmsg:delay_enter=2000000:when=1")
    try:
        probe.eventually(lambda: is_traced(node), 10, "strace has the agent")
        asking = node.popen(node.program("cilium"), "config", "get", "debug",
                            env=node.environment(), stdout=subprocess.DEVNULL)
        while asking.poll() is None:
            assert ask(node, "/livez")[0] == 200
    finally:
        tracer.terminate()
    probe.eventually(lambda: ask(node, "/healthz")[0] == 200, 60, "the loop turns again")
    loop = status(node)["axoneme"]["loop"]
    assert loop["max-lag-seconds"] > 1
    assert re.search(r"Event loop: +longest hold-up \S+ \(.* ago\)",
                     node.cli("status", "--verbose").stdout)


# Failing objects and jobs.


@pytest.mark.core
def test_foreign_route_is_told_and_forgotten(site, family):
    node = site.node(start=False)
    prefix = node.ipv4_range if family == socket.AF_INET else node.ipv6_range
    option = "-4" if family == socket.AF_INET else "-6"
    node.exec("ip", option, "route", "add", prefix, "dev", "eth0")
    node.start_agent(wait=False)
    probe.eventually(lambda: node.socket_path.exists() and status(node)["axoneme"]["failing-objects"],
                     10, "the route fails")
    failing, = status(node)["axoneme"]["failing-objects"]
    assert failing["reconciler"] == "routes" and failing["error"] == "File exists"
    assert failing["errno"] == "EEXIST" and f"{option} route show {prefix}" in failing["next-step"]
    answer = node.cli("status", check=False)
    assert answer.returncode == 0, "a warning is no failure"
    for word in (prefix, "File exists", failing["since"], "tries", failing["next-step"]):
        assert word in answer.stdout
    assert "1 object(s) cannot be applied" in answer.stdout
    assert is_failing(node, "reconcile-routes")
    assert re.search(r"reconcile-routes .*File exists", answer.stdout)
    assert "error: controller reconcile-routes" in node.cli("status", "--brief").stdout
    assert ask(node, "/healthz") [0] == 200 and ask(node, "/readyz")[0] == 200
    node.exec("ip", option, "route", "del", prefix, "dev", "eth0")
    probe.eventually(lambda: status(node)["cilium"]["state"] == "Ok", 40, "the route is in force")
    assert "Failing objects" not in node.cli("status", "--verbose").stdout
    assert node.cli("status", "--brief").stdout == "OK\n"
    assert controller(node, "reconcile-routes")["status"]["failure-count"] > 0


def test_read_only_bpffs_is_told(site):
    """Links of a device that appears cannot be pinned."""
    node = site.node(start=False, devices="eth0,dev0")
    node.start_agent(wait=False)
    probe.eventually(lambda: node.cli("status", check=False).returncode == 0, 10, "it is ready")
    assert status(node)["cilium"]["state"] == "Warning"
    assert 'devices: "dev0" names no device of this node' in node.cli("status").stdout
    node.wait_log("do not fit together", "dev0")
    node.exec("mount", "-o", "remount,ro", "/sys/fs/bpf")
    node.ip("link add dev0 type veth peer name peer0", "link set dev0 up", "link set peer0 up",
            "addr add 198.51.100.7/24 dev dev0")
    # Nor can the links that are there be read: they are not taken for those of somebody else.
    node.exec("tc", "qdisc", "add", "dev", "eth0", "clsact")  # so that it looks
    probe.eventually(lambda: {"dev0", "eth0"} <= {
        word for failing in status(node)["axoneme"]["failing-objects"]
        for word in failing["object"].split()}, 20, "attaching fails")
    for failing in status(node)["axoneme"]["failing-objects"]:
        assert failing["errno"] == "EROFS" and "remount,rw" in failing["next-step"]
    node.wait_log("A problem of the node is solved", "dev0", seconds=15)
    node.exec("mount", "-o", "remount,rw", "/sys/fs/bpf")
    probe.eventually(lambda: status(node)["cilium"]["state"] == "Ok", 40, "the programs are in force")


def test_unreadable_directory_fails_its_job(site):
    node = site.node()
    hidden = node.dir / "hidden"
    node.manifest_dir.rename(hidden)
    probe.eventually(lambda: is_failing(node, "manifest-directory"), 10, "the directory is missed")
    assert "manifests is not there" in node.cli("status").stdout
    hidden.rename(node.manifest_dir)
    probe.eventually(lambda: status(node)["cilium"]["state"] == "Ok", 10, "it is back")


HANGING_DISK = """
#include <unistd.h>
#include <stdlib.h>
/* While the file is there the disk does not answer. */
int fdatasync(int fd)
{
	while (access(getenv("HANGING_DISK"), F_OK) == 0)
		usleep(10000);
	return fsync(fd);
}
"""


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a compiler")
def test_disk_that_hangs_makes_a_job_stale(site, tmp_path):
    """Its helper thread waits; everything else goes on, and the status says what does not."""
    (tmp_path / "disk.c").write_text(HANGING_DISK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "disk.so", tmp_path / "disk.c"],
                   check=True)
    node = site.node(start=False)
    node.start_agent(env={"LD_PRELOAD": str(tmp_path / "disk.so"),
                          "HANGING_DISK": str(tmp_path / "hangs")})
    probe.eventually(lambda: controller(node, "identity-reserve")["status"]["success-count"], 10,
                     "no new identity waits for the disk")
    (tmp_path / "hangs").touch()
    node.pod("web", {"app": "web"})
    probe.eventually(lambda: "state-sync" in status(node).get("stale", {}), 30, "it is stale")
    answer = node.cli("status", check=False)
    assert answer.returncode == 1
    since = status(node)["stale"]["state-sync"]
    assert re.search(f"^Stale status: +state-sync since {since}$", answer.stdout, re.MULTILINE)
    assert "Stopped(1)" in answer.stdout
    code, text = ask(node, "/healthz")
    assert code == 503 and "state-sync has not run since" in text
    assert ask(node, "/readyz")[0] == ask(node, "/livez")[0] == 200
    (tmp_path / "hangs").unlink()
    probe.eventually(lambda: status(node)["cilium"]["state"] == "Ok", 10, "it goes on")
    assert node.cli("status").returncode == 0 and "stale" not in status(node)


# The text and the JSON say the same.


SECTIONS = ["KVStore:", "Kubernetes:", "KubeProxyReplacement:", "Host firewall:", "SRv6:",
            "CNI Chaining:", "Cilium:", "NodeMonitor:", "Cilium health daemon:", "IPAM:",
            "Allocated addresses:", "IPv4 BIG TCP:", "IPv6 BIG TCP:", "BandwidthManager:",
            "Routing:", "Attach Mode:", "Device Mode:", "Masquerading:", "Clock Source for BPF:",
            "Controller Status:", "Proxy Status:", "Global Identity Range:", "Hubble:",
            "KubeProxyReplacement Details:", "BPF Maps:", "Encryption:", "Cluster health:", "Modules Health:", "Kernel:",
            "Event loop:"]


def test_sections_in_order(shared_node):
    text = shared_node.cli("status", "--verbose").stdout
    found = [line.split(":")[0] + ":" for line in text.splitlines() if line[:1].strip()]
    assert [label for label in found if label in SECTIONS] == SECTIONS, text


def test_text_says_what_json_says(shared_node):
    text, answer = shared_node.cli("status", "--verbose").stdout, status(shared_node)
    for each in answer["controllers"]:
        assert re.search(rf"^  {each['name']} ", text, re.MULTILINE)
        assert re.search(rf"── {each['name']} +\[OK\]", text)
    n = len(answer["controllers"])
    assert f"{n}/{n} healthy" in text
    for address, owner in answer["ipam"]["allocations"].items():
        assert f"  {address} ({owner})" in text
    assert f"jiffies [{answer['clock-source']['hertz']} Hz]" in text
    kernel = answer["axoneme"]["kernel"]
    assert f"Linux {kernel['release']}" in text and kernel["release"] == os.uname().release
    assert {"tcx", "bpf_redirect_peer", "BPF ring buffer", "BPF memory"} <= {
        each["name"] for each in kernel["features"]}
    for each in kernel["features"]:
        assert each["reason"] in text and each["mode"] in text
    short = shared_node.cli("status").stdout
    assert "Allocated addresses" not in short and "Modules Health:" in short


def test_configured_attach_mode_is_told(site):
    node = site.node(enable_tcx=False)
    text = node.cli("status", "--verbose").stdout
    assert re.search(r"^Attach Mode: +Legacy TC +\(.*enable-tcx=false", text, re.MULTILINE)
    assert status(node)["attach-mode"] == "tc"


# The service manager.


class Manager:
    """What systemd would hear. It reads all the time: only a few messages fit into the socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.lines = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while message := self.socket.recv(65536).decode():
            self.lines.append(message)

    def find(self, word, since=0):
        return [line for line in self.lines[since:] if word in line]

    def wait(self, word, since=0, seconds=10):
        """The first message from number since on that holds the word."""
        return probe.eventually(lambda: self.find(word, since), seconds, f"the agent says {word}")[0]

    def is_silent(self, seconds):
        n = len(self.lines)
        time.sleep(seconds)
        return len(self.lines) == n


@pytest.fixture
def managed(site, tmp_path):
    """A node whose agent has a service manager that wants to hear from it every 400 ms."""
    manager = Manager(tmp_path / "notify")
    node = site.node(start=False)
    node.start_agent(env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"})
    return node, manager


def test_service_manager_hears_all_of_it(managed):
    node, manager = managed
    ready = manager.wait("READY=1")
    starting = "\n".join(manager.lines[:manager.lines.index(ready)])
    for step in ("loading the datapath", "applying the plan", "reading manifests"):
        assert f"STATUS=Starting: {step}" in starting
    assert "EXTEND_TIMEOUT_USEC=" in starting and "WATCHDOG=1" not in starting
    assert re.search(r"STATUS=Ok: .*; 0 endpoint\(s\)", ready)
    manager.wait("WATCHDOG=1")
    node.pod("web", {"app": "web"})
    manager.wait("; 1 endpoint(s)")
    assert not is_failing(node, "service-manager")
    n = len(manager.lines)
    os.kill(node.agent.pid, signal.SIGHUP)
    assert "MONOTONIC_USEC=" in manager.wait("RELOADING=1", since=n)
    manager.wait("READY=1", since=n)
    node.stop_agent()
    assert "STATUS=Stopping" in manager.wait("STOPPING=1")


def test_watchdog_is_quiet_while_the_loop_stands_still(managed):
    node, manager = managed
    manager.wait("WATCHDOG=1")
    os.kill(node.agent.pid, signal.SIGSTOP)
    time.sleep(0.5)  # what was on its way arrives
    assert manager.is_silent(1.5)
    n = len(manager.lines)
    os.kill(node.agent.pid, signal.SIGCONT)
    manager.wait("WATCHDOG=1", since=n)


def test_service_manager_that_is_gone_is_told_later(site, tmp_path):
    node = site.node(start=False)
    node.start_agent(wait=False, env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    probe.eventually(lambda: node.socket_path.exists() and is_failing(node, "service-manager"), 10,
                     "nobody listens")
    assert "NOTIFY_SOCKET" in node.cli("status").stdout
    manager = Manager(tmp_path / "notify")
    manager.wait("READY=1", seconds=20)
    assert not is_failing(node, "service-manager")


def test_watchdog_of_another_process_is_not_ours(site, tmp_path):
    manager = Manager(tmp_path / "notify")
    node = site.node(start=False)
    node.start_agent(env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000",
                          "WATCHDOG_PID": "1"})
    manager.wait("READY=1")
    time.sleep(0.5)
    assert not manager.find("WATCHDOG")
