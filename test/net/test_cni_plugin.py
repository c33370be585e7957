# SPDX-License-Identifier: Apache-2.0
"""
The CNI plugin against an agent that does what the test says: formats, errors, and that every failure
leaves nothing behind. test_cni.py has the plugin with the real agent.
"""

import contextlib
import http.server
import json
import os
import socketserver
import threading
import time

import pytest

from harness.namespace import Namespace, temporary_directory
from harness.node import default_build

VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
IPV4, IPV6 = "10.9.0.5", "fd00:9::5"
ROUTER4, ROUTER6 = "10.9.0.1", "fd00:9::1"


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class ScriptedAgent:
    """Answers the plugin's calls; refuse["PUT /v1/endpoint"] = 500 makes one fail."""

    def __init__(self, path):
        self.path = path
        self.refuse = {}
        self.calls = []
        self.endpoints = {}
        self.allocated = set()
        self.config = {"status": {
            "deviceMTU": 1400, "routeMTU": 1350,
            "addressing": {"ipv4": {"enabled": True, "ip": ROUTER4},
                           "ipv6": {"enabled": True, "ip": ROUTER6}}}}
        self.server = None
        self.start()

    def start(self):
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                status, answer = agent.answer(self.command, self.path, self.rfile.read(length))
                if status is None:  # dies over the call
                    self.close_connection = True
                    return
                body = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = handle_any

            def address_string(self):
                return "plugin"

            def log_message(self, *_):
                pass

        self.server = _Server(str(self.path), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            self.path.unlink()

    def answer(self, method, path, body):
        path = path.partition("?")[0]
        self.calls.append(f"{method} {path}")
        for prefix, refusal in self.refuse.items():
            if f"{method} {path}".startswith(prefix):
                refusal = refusal.pop(0) if isinstance(refusal, list) and refusal else refusal
                if refusal and not isinstance(refusal, list):
                    return (None, None) if refusal == "die" else (refusal, "the test says no")
        return self.do(method, path, body)

    def do(self, method, path, body):
        if path == "/v1/config":
            return 200, self.config
        if path == "/v1/healthz":
            return 200, {"cilium": {"state": "Ok", "msg": ""}}
        if path.startswith("/v1/ipam") and method == "POST":
            wanted = path[len("/v1/ipam/"):]
            self.allocated |= {wanted} if wanted else {IPV4, IPV6}
            four = wanted if wanted and ":" not in wanted else IPV4
            return 201, {"address": {"ipv4": four, "ipv6": IPV6},
                         "ipv4": {"ip": four, "expiration-uuid": "u4"},
                         "ipv6": {"ip": IPV6, "expiration-uuid": "u6"}}
        if path.startswith("/v1/ipam/"):
            self.allocated.discard(path[len("/v1/ipam/"):].replace("%3A", ":"))
            return 200, None
        if method == "PUT":
            self.endpoints["last"] = json.loads(body)
            return 201, {"id": 7}
        return self.do_endpoint(method)

    def do_endpoint(self, method):
        if "last" not in self.endpoints:
            return 404, "not found"
        if method == "DELETE":
            self.endpoints.clear()
            self.allocated.clear()
            return 200, 0
        index = self.endpoints["last"]["interface-index"]
        return 200, {"id": 7, "status": {"networking": {"interface-index": index}}}


class Fixture:
    def __init__(self):
        self.tmp = temporary_directory("axo-cni")
        self.node = Namespace(f"axo{os.getpid()}-cninode", mount=True)
        self.pod = Namespace(f"axo{os.getpid()}-cnipod")
        self.agent = ScriptedAgent(self.tmp / "agent.sock")
        self.pod.ip("link set lo down")

    def call(self, command, stdin=None, **env):
        """(exit status, answer) of the plugin. stdin: a configuration's members, or text."""
        if not isinstance(stdin, str):
            stdin = json.dumps({"cniVersion": "1.0.0", "name": "net", "type": "cilium-cni",
                                **(stdin or {})})
        env = {"CNI_COMMAND": command, "CNI_CONTAINERID": "c1", "CNI_IFNAME": "eth0",
               "CNI_NETNS": self.pod.netns_path, "CNI_PATH": "/opt/cni/bin",
               "CILIUM_SOCK": f"unix://{self.agent.path}", **env}
        done = self.node.exec(default_build() / "src/cni/cilium-cni", check=False, stdin=stdin,
                              env={key: value for key, value in env.items() if value is not None})
        self.stderr = done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None

    def add(self, stdin=None, **env):
        status, answer = self.call("ADD", stdin, **env)
        assert status == 0, answer
        return answer

    def links(self, namespace):
        return {link["ifname"]: link
                for link in json.loads(namespace.exec("ip", "-json", "-d", "link").stdout)}

    def assert_nothing_left(self):
        assert set(self.links(self.node)) == {"lo"}
        assert set(self.links(self.pod)) == {"lo"}
        assert not self.agent.allocated
        assert not self.agent.endpoints

    def close(self):
        self.agent.stop()
        self.pod.close()
        self.node.close()
        with contextlib.suppress(OSError):
            for path in sorted(self.tmp.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            self.tmp.rmdir()


@pytest.fixture
def plugin():
    made = Fixture()
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_add_has_the_form_of_its_version(plugin, version):
    answer = plugin.add({"cniVersion": version})
    assert answer["cniVersion"] == version
    host, inside = answer["interfaces"]
    assert host["name"].startswith("lxc") and len(host["name"]) == 13 and "sandbox" not in host
    assert inside["name"] == "eth0" and inside["sandbox"] == plugin.pod.netns_path
    four, six = answer["ips"]
    assert four["address"] == f"{IPV4}/32" and four["gateway"] == ROUTER4 and four["interface"] == 1
    assert six["address"] == f"{IPV6}/128" and six["gateway"] == ROUTER6
    assert [ip.get("version") for ip in (four, six)] == \
        (["4", "6"] if version < "1.0.0" else [None, None])
    assert ("mtu" in inside) == (version == "1.1.0")
    assert answer["routes"] == [{"dst": "0.0.0.0/0", "gw": ROUTER4}, {"dst": "::/0", "gw": ROUTER6}]


def test_add_configures_both_ends(plugin):
    answer = plugin.add()
    host = plugin.links(plugin.node)[answer["interfaces"][0]["name"]]
    inside = plugin.links(plugin.pod)["eth0"]
    assert "UP" in host["flags"] and "UP" in inside["flags"]
    assert (host["mtu"], inside["mtu"]) == (1400, 1400)
    assert host["address"] == answer["interfaces"][0]["mac"]
    assert inside["address"] == answer["interfaces"][1]["mac"]
    assert host["ifalias"] == "cilium:net:c1:eth0"
    assert "UP" in plugin.links(plugin.pod)["lo"]["flags"]
    for mine, router, options in ((IPV4, ROUTER4, "-4"), (IPV6, ROUTER6, "-6")):
        found = json.loads(plugin.pod.exec("ip", "-json", options, "addr", "show", "eth0").stdout)
        addresses = [info for each in found for info in each.get("addr_info", [])]
        assert [info["local"] for info in addresses] == [mine]
        assert not addresses[0].get("tentative")
        route, = json.loads(plugin.pod.exec("ip", "-json", options, "route", "show", "default")
                            .stdout)
        assert route["gateway"] == router and route["dev"] == "eth0"
        assert route["metrics"] == [{"mtu": 1350}]
    asked = plugin.agent.endpoints["last"]
    assert asked["addressing"] == {"ipv4": IPV4, "ipv6": IPV6, "ipv4-expiration-uuid": "u4",
                                   "ipv6-expiration-uuid": "u6"}
    assert asked["container-id"] == "c1" and asked["container-interface-name"] == "eth0"
    assert asked["mac"] == inside["address"] and asked["host-mac"] == host["address"]
    assert asked["interface-index"] == host["ifindex"] and asked["sync-build-endpoint"]


def test_add_works_where_ipv6_was_switched_off(plugin):
    plugin.pod.sysctl(ipv6__conf__all__disable_ipv6=1, ipv6__conf__default__disable_ipv6=1)
    plugin.add()
    assert IPV6 in plugin.pod.exec("ip", "-6", "addr", "show", "eth0").stdout
    assert ROUTER6 in plugin.pod.exec("ip", "-6", "route").stdout


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_add_with_one_family(plugin, family):
    other = {"ipv4": "ipv6", "ipv6": "ipv4"}[family]
    del plugin.agent.config["status"]["addressing"][other]
    answer = plugin.agent.do
    plugin.agent.do = lambda method, path, body: (
        (201, {"address": {family: {"ipv4": IPV4, "ipv6": IPV6}[family]}})
        if path == "/v1/ipam" else answer(method, path, body))
    answer = plugin.add()
    assert len(answer["ips"]) == len(answer["routes"]) == 1
    option = {"ipv4": "-6", "ipv6": "-4"}[family]
    assert not plugin.pod.exec("ip", option, "route", "show", "default").stdout


def test_what_a_pod_is_told(plugin):
    plugin.add({"mtu": 1300, "runtimeConfig": {"mac": "02:aa:bb:cc:dd:ee"},
                "args": {"cni": {"labels": [{"key": "app", "value": "web"}]}}},
               CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAME=web;K8S_POD_NAMESPACE=shop;K8S_POD_UID=u-1;"
                        "K8S_POD_INFRA_CONTAINER_ID=c1;WHATEVER=x")
    asked = plugin.agent.endpoints["last"]
    assert (asked["k8s-pod-name"], asked["k8s-namespace"], asked["k8s-uid"]) == \
        ("web", "shop", "u-1")
    assert asked["labels"] == ["cni:app=web"]
    inside = plugin.links(plugin.pod)["eth0"]
    assert (inside["mtu"], inside["address"]) == (1300, "02:aa:bb:cc:dd:ee")


@pytest.mark.parametrize("way", ["capability", "convention", "argument"])
def test_a_wanted_address(plugin, way):
    stdin = {"capability": {"runtimeConfig": {"ips": ["10.9.0.77/24"]}},
             "convention": {"args": {"cni": {"ips": ["10.9.0.77"]}}}, "argument": {}}[way]
    answer = plugin.add(stdin, CNI_ARGS="IP=10.9.0.77" if way == "argument" else None)
    assert answer["ips"][0]["address"] == "10.9.0.77/32"
    assert "POST /v1/ipam/10.9.0.77" in plugin.agent.calls
    assert answer["ips"][1]["address"] == f"{IPV6}/128"


@pytest.mark.parametrize("refused, code", [
    ("GET /v1/config", 100), ("POST /v1/ipam", 100), ("PUT /v1/endpoint", 100)])
def test_a_refusal_leaves_nothing(plugin, refused, code):
    plugin.agent.refuse = {refused: 500}
    status, answer = plugin.call("ADD")
    assert (status, answer["code"]) == (1, code)
    assert "the test says no" in answer["msg"]
    plugin.assert_nothing_left()


def test_exhaustion_has_its_own_error(plugin):
    plugin.agent.refuse = {"POST /v1/ipam": 502}
    status, answer = plugin.call("ADD")
    assert (status, answer["code"]) == (1, 102)
    plugin.assert_nothing_left()


def test_a_taken_interface_name_leaves_nothing(plugin):
    plugin.pod.ip("link add eth0 type veth peer name eth1")
    status, answer = plugin.call("ADD")
    assert (status, answer["code"]) == (1, 101)
    plugin.pod.ip("link del eth0")
    plugin.assert_nothing_left()
    assert "POST /v1/ipam" not in plugin.agent.calls


def test_a_failure_inside_leaves_nothing(plugin):
    """The agent hands out an address that the kernel does not take."""
    answer = plugin.agent.do
    plugin.agent.do = lambda method, path, body: (
        (201, {"address": {"ipv4": IPV4, "ipv6": "ff02::1"}}) if path == "/v1/ipam"
        else answer(method, path, body))
    status, answer = plugin.call("ADD")
    assert (status, answer["code"]) == (1, 100)
    assert {"DELETE /v1/ipam/ff02%3A%3A1", f"DELETE /v1/ipam/{IPV4}"} <= set(plugin.agent.calls)
    plugin.assert_nothing_left()


def test_a_repeated_add_is_refused_and_undoes_nothing(plugin):
    plugin.add()
    before = plugin.links(plugin.pod), plugin.links(plugin.node)
    status, answer = plugin.call("ADD")
    assert (status, answer["code"]) == (1, 101)
    assert (plugin.links(plugin.pod), plugin.links(plugin.node)) == before
    assert plugin.agent.endpoints and plugin.agent.allocated


def test_the_nodes_own_namespace_is_refused(plugin):
    status, answer = plugin.call("ADD", CNI_NETNS=plugin.node.netns_path)
    assert status == 1 and "the node's own" in answer["msg"]
    plugin.assert_nothing_left()


def test_add_waits_for_an_agent_that_restarts(plugin):
    plugin.agent.stop()
    timer = threading.Timer(0.5, plugin.agent.start)
    timer.start()
    plugin.add()
    timer.join()
    assert plugin.agent.endpoints


def test_add_asks_again_when_the_agent_is_starting(plugin):
    plugin.agent.refuse = {"GET /v1/config": [503, 503], "POST /v1/ipam": ["die"]}
    plugin.add()
    assert plugin.agent.calls.count("GET /v1/config") == 3
    assert plugin.agent.calls.count("POST /v1/ipam") == 2


def test_an_agent_that_dies_after_keeping_the_endpoint(plugin):
    """The second PUT is refused as double, and the endpoint is the one that the first made."""
    do, answers = plugin.agent.do, [(None, None), (409, "exists")]

    def keep(method, path, body):
        if method != "PUT":
            return do(method, path, body)
        plugin.agent.endpoints["last"] = json.loads(body)
        return answers.pop(0)

    plugin.agent.do = keep
    plugin.add()
    assert not answers


def test_add_gives_up_with_try_again_later(plugin):
    plugin.agent.stop()
    started = time.monotonic()
    status, answer = plugin.call("ADD")
    assert (status, answer["code"]) == (1, 11)
    assert 5 < time.monotonic() - started < 15
    assert set(plugin.links(plugin.pod)) == {"lo"}


def test_del_removes_everything_and_can_be_repeated(plugin):
    plugin.add()
    for _ in range(2):
        assert plugin.call("DEL") == (0, None)
        plugin.assert_nothing_left()
    assert "DELETE /v1/endpoint/cni-attachment-id%3Ac1%3Aeth0" in plugin.agent.calls


def test_del_without_the_namespace(plugin):
    plugin.add()
    assert plugin.call("DEL", CNI_NETNS="/proc/1/nowhere") == (0, None)
    assert plugin.call("DEL", CNI_NETNS=None) == (0, None)
    plugin.assert_nothing_left()


def test_del_reports_the_agents_error_and_removes_the_interface(plugin):
    plugin.add()
    plugin.agent.refuse = {"DELETE /v1/endpoint": 500}
    status, answer = plugin.call("DEL")
    assert (status, answer["code"]) == (1, 100)
    assert set(plugin.links(plugin.node)) == {"lo"}


def test_del_without_the_agent_is_queued(plugin):
    answer = plugin.add()
    plugin.agent.stop()
    assert plugin.call("DEL") == (0, None)
    assert set(plugin.links(plugin.node)) == {"lo"}
    queued, = (plugin.tmp / "deleteQueue").iterdir()
    assert queued.name == answer["interfaces"][0]["name"] + ".delete"
    assert queued.read_text() == "cni-attachment-id:c1:eth0"
    assert queued.stat().st_mode & 0o777 == 0o600


def test_del_that_meets_a_starting_agent_is_not_left_in_the_queue(plugin):
    plugin.add()
    plugin.agent.refuse = {"DELETE /v1/endpoint": [503]}
    assert plugin.call("DEL") == (0, None)
    assert not list((plugin.tmp / "deleteQueue").iterdir())
    plugin.assert_nothing_left()


def test_del_takes_a_configuration_that_add_refused(plugin):
    refused = {"mtu": -1, "ipam": {"type": "host-local"}}
    assert plugin.call("ADD", refused)[1]["code"] == 2
    assert plugin.call("DEL", refused) == (0, None)


CHANGES = {
    "address4": (f"addr del {IPV4}/32 dev eth0", f"eth0 has no address {IPV4}"),
    "address6": (f"addr del {IPV6}/128 dev eth0", f"eth0 has no address {IPV6}"),
    "route4": ("route del default", "the route to 0.0.0.0/0 is missing"),
    "route6": ("-6 route del default", "the route to ::/0 is missing"),
    "mac": ("link set eth0 address 02:00:00:00:00:01", "eth0 has the MAC address 02:00:00:00:00:01"),
    "down": ("link set eth0 down", "eth0 is down"),
    "name": ("link set eth0 down name eth9", "device eth0"),
    "gone": ("link del eth0", "device eth0"),
}


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_check_of_what_is_right(plugin, version):
    answer = plugin.add({"cniVersion": version})
    assert plugin.call("CHECK", {"cniVersion": version, "prevResult": answer}) == (0, None)


def test_check_leaves_out_what_later_plugins_added(plugin):
    answer = plugin.add()
    answer["interfaces"].append({"name": "bwp1", "mac": "02:00:00:00:00:09"})
    answer["ips"].append({"address": "10.1.1.1/24", "interface": 2})
    assert plugin.call("CHECK", {"prevResult": answer}) == (0, None)


@pytest.mark.parametrize("change", CHANGES)
def test_check_finds(plugin, change):
    command, text = CHANGES[change]
    answer = plugin.add()
    plugin.pod.exec("ip", *command.split())
    status, answer = plugin.call("CHECK", {"prevResult": answer})
    assert (status, answer["code"]) == (1, 103)
    assert text in answer["msg"]


def test_check_finds_a_missing_endpoint(plugin):
    answer = plugin.add()
    plugin.agent.endpoints.clear()
    status, answer = plugin.call("CHECK", {"prevResult": answer})
    assert (status, answer["code"]) == (1, 103)
    assert "the agent has no endpoint" in answer["msg"]


def test_check_finds_a_host_side_that_is_down(plugin):
    answer = plugin.add()
    name = answer["interfaces"][0]["name"]
    plugin.node.exec("ip", "link", "set", name, "down")
    status, answer = plugin.call("CHECK", {"prevResult": answer})
    assert status == 1 and f"{name} is down" in answer["msg"]


def test_check_needs_the_result(plugin):
    plugin.add()
    assert plugin.call("CHECK")[1]["code"] == 7


def test_gc_removes_what_is_not_valid_of_its_own_network(plugin):
    with contextlib.ExitStack() as stack:
        for container, network in (("keep", "net"), ("drop", "net"), ("other", "elsewhere")):
            pod = Namespace(f"axo{os.getpid()}-gc-{container}")
            stack.callback(pod.close)
            plugin.add({"name": network}, CNI_CONTAINERID=container, CNI_NETNS=pod.netns_path)
        valid = [{"containerID": "keep", "ifname": "eth0"}]
        assert plugin.call("GC", {"cniVersion": "1.1.0", "cni.dev/valid-attachments": valid},
                           CNI_CONTAINERID=None, CNI_NETNS=None, CNI_IFNAME=None) == (0, None)
        left = {link.get("ifalias") for link in plugin.links(plugin.node).values()}
        assert left == {None, "cilium:net:keep:eth0", "cilium:elsewhere:other:eth0"}
        deleted = [call for call in plugin.agent.calls if call.startswith("DELETE")]
        assert deleted == ["DELETE /v1/endpoint/cni-attachment-id%3Adrop%3Aeth0"]


def test_gc_finds_interfaces_of_a_network_with_a_long_name(plugin):
    """More than an alias holds: a hash stands for it."""
    network = {"name": "n" * 300}
    with contextlib.ExitStack() as stack:
        for container in "keep", "d" * 64:
            pod = Namespace(f"axo{os.getpid()}-gc-{container[:4]}")
            stack.callback(pod.close)
            plugin.add(network, CNI_CONTAINERID=container, CNI_NETNS=pod.netns_path)
        valid = [{"containerID": "keep", "ifname": "eth0"}]
        assert plugin.call("GC", {**network, "cniVersion": "1.1.0",
                                  "cni.dev/valid-attachments": valid},
                           CNI_CONTAINERID=None, CNI_NETNS=None, CNI_IFNAME=None) == (0, None)
        left, = {link.get("ifalias") for link in plugin.links(plugin.node).values()} - {None}
        assert left.startswith("cilium:sha256-") and left.endswith(":keep:eth0")


def test_container_id_beyond_the_alias_is_refused(plugin):
    status, answer = plugin.call("ADD", CNI_CONTAINERID="c" * 250)
    assert status == 1 and "too long" in answer["msg"] + answer.get("details", "")
    assert not any(name.startswith("lxc") for name in plugin.links(plugin.node))


@pytest.mark.parametrize("valid", [None, "x", [{}], [{"containerID": "keep"}]])
def test_gc_without_a_list_it_can_trust_removes_nothing(plugin, valid):
    plugin.add()
    stdin = {"cniVersion": "1.1.0"}
    if valid:
        stdin["cni.dev/valid-attachments"] = valid
    status, answer = plugin.call("GC", stdin)
    assert (status, answer) == (0, None) if valid is None else answer["code"] == 7
    assert len(plugin.links(plugin.node)) == 2


def test_status(plugin):
    stdin = {"cniVersion": "1.1.0"}
    assert plugin.call("STATUS", stdin) == (0, None)
    plugin.agent.refuse = {"GET /v1/healthz": 503}
    assert plugin.call("STATUS", stdin)[1]["code"] == 50
    plugin.agent.stop()
    assert plugin.call("STATUS", stdin)[1]["code"] == 50


@pytest.mark.parametrize("stdin", ["", "{}", '{"cniVersion":"9.9"}', '{"cniVersion":"0.4.0"}'])
def test_version(plugin, stdin):
    status, answer = plugin.call("VERSION", stdin)
    assert status == 0 and answer["supportedVersions"] == VERSIONS
    assert answer["cniVersion"] == ("0.4.0" if "0.4.0" in stdin else "1.1.0")


REFUSED = [
    ("ADD", "", {}, 6), ("ADD", "{", {}, 6), ("ADD", "[]", {}, 6),
    ("ADD", {"cniVersion": "0.2.0"}, {}, 1), ("ADD", {"cniVersion": None}, {}, 1),
    ("ADD", {"cniVersion": "2.0.0"}, {}, 1), ("ADD", {"cniVersion": 1}, {}, 7),
    ("CHECK", {"cniVersion": "0.3.1"}, {}, 1), ("GC", {"cniVersion": "1.0.0"}, {}, 1),
    ("STATUS", {"cniVersion": "1.0.0"}, {}, 1),
    ("ADD", {"name": None}, {}, 7), ("ADD", {"name": "a b"}, {}, 7), ("ADD", {"name": 5}, {}, 7),
    ("ADD", {"mtu": 67}, {}, 7), ("ADD", {"mtu": "1500"}, {}, 7),
    ("ADD", {"enable-debug": "yes"}, {}, 7), ("ADD", {"log-file": 3}, {}, 7),
    ("ADD", {"ipam": {"type": "host-local"}}, {}, 2), ("ADD", {"chaining-mode": "flannel"}, {}, 2),
    ("ADD", {"prevResult": {"cniVersion": "1.0.0"}}, {}, 7), ("ADD", {"prevResult": []}, {}, 7),
    ("ADD", {"runtimeConfig": {"ips": ["10.0.0"]}}, {}, 7),
    ("ADD", {"runtimeConfig": {"ips": ["10.0.0.1", "10.0.0.2"]}}, {}, 7),
    ("ADD", {"runtimeConfig": {"mac": "02:00"}}, {}, 7),
    ("ADD", {"args": {"cni": {"labels": [{"value": "x"}]}}}, {}, 7),
    ("ADD", {}, {"CNI_CONTAINERID": None}, 4), ("ADD", {}, {"CNI_CONTAINERID": "../x"}, 4),
    ("ADD", {}, {"CNI_IFNAME": None}, 4), ("ADD", {}, {"CNI_IFNAME": "a/b"}, 4),
    ("ADD", {}, {"CNI_IFNAME": "sixteen-letters-"}, 4), ("ADD", {}, {"CNI_IFNAME": ".."}, 4),
    ("ADD", {}, {"CNI_NETNS": None}, 4), ("ADD", {}, {"CNI_NETNS": "/etc/hostname"}, 4),
    ("ADD", {}, {"CNI_NETNS": "/nowhere"}, 3), ("CHECK", {}, {"CNI_NETNS": None}, 4),
    ("ADD", {}, {"CNI_ARGS": "WHAT=1"}, 4), ("ADD", {}, {"CNI_ARGS": "=1"}, 4),
    ("ADD", {}, {"CNI_ARGS": "IP=nonsense"}, 4), ("ADD", {}, {"CNI_ARGS": "MAC=nonsense"}, 4),
    ("REMOVE", {}, {}, 4), ("DEL", {}, {"CNI_CONTAINERID": None}, 4),
]


@pytest.mark.parametrize("command, stdin, env, code", REFUSED)
def test_refused(plugin, command, stdin, env, code):
    status, answer = plugin.call(command, stdin, **env)
    assert (status, answer["code"]) == (1, code), answer
    assert answer["cniVersion"] in VERSIONS and answer["msg"]
    assert "POST /v1/ipam" not in plugin.agent.calls
    plugin.assert_nothing_left()


def test_unknown_members_are_ignored(plugin):
    plugin.add({"isGateway": True, "eni": {}, "capabilities": {"ips": True}, "cni-args": "x"})


def test_the_log_file(plugin):
    log = plugin.tmp / "cni.log"
    plugin.add({"log-file": str(log), "enable-debug": True, "log-format": "json"})
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["level"] for line in lines} == {"debug"}
    asked = [line["target"] for line in lines if line["subsys"] == "api"]
    assert "/v1/config" in asked and "/v1/endpoint/0" in asked
    own, = [line for line in lines if line["subsys"] == "cilium-cni"]
    assert (own["command"], own["containerID"]) == ("ADD", "c1")
    plugin.call("ADD", {"log-file": str(log)})
    assert "level=error" in log.read_text() and not plugin.stderr


def test_a_log_file_that_cannot_be_opened_is_no_obstacle(plugin):
    plugin.add({"log-file": "/nowhere/cni.log"})
    assert "The log file cannot be opened" in plugin.stderr
