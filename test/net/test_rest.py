# SPDX-License-Identifier: Apache-2.0
"""Every call of the agent's REST API, as clients send it and as nobody should."""

import concurrent.futures
import contextlib
import json
import pathlib
import random
import re
import socket
import time

import pytest

from harness import probe
from harness.node import ROOT, UnixConnection

pytestmark = pytest.mark.core

MAC, HOST_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
NOTHING = {"id": "4711", "ip": "203.0.113.1", "key": "nothing", "name": "nothing"}  # well-formed, and not there


def calls():
    """(name, method, path) of src/api/call.def."""
    text = (pathlib.Path(ROOT) / "src/api/call.def").read_text()
    return [(match[1], match[2], match[3])
            for match in re.finditer(r'API_CALL\((\w+), \w+, "(\w+)",\s*"([^"]+)"', text)]


def send(node, method, path, body=None, headers=None):
    """(status, headers, text): the body goes out as it is."""
    connection = UnixConnection(node.socket_path)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def refused(node, method, path, status, *words, body=None):
    """The call fails with the status, and its body is a JSON string that holds the words."""
    got, headers, text = send(node, method, path, body)
    assert got == status, f"{method} {path}: {got} {text}"
    message = json.loads(text)
    assert isinstance(message, str) and all(word in message for word in words), message
    return headers


class Interface:
    """A device of the node that can become an endpoint."""

    def __init__(self, node, name):
        self.node, self.name = node, name
        node.ip(f"link add {name} type veth peer name {name}p", f"link set {name} up")

    def body(self, ip, **members):
        family = "ipv6" if ":" in ip else "ipv4"
        return {"container-id": f"id-{self.name}", "container-interface-name": "eth0",
                "interface-name": self.name, "mac": MAC, "host-mac": HOST_MAC,
                "addressing": {family: ip}, **members}

    def remove(self):
        self.node.ip(f"link del {self.name}")


@pytest.fixture
def interface(shared_node):
    made = Interface(shared_node, "veth0")
    yield made
    made.remove()
    probe.eventually(lambda: shared_node.request("GET", "/v1/endpoint")[1] == [],
                     what="the endpoint goes with its interface")


def taken(node):
    """Addresses in use and their owners."""
    return node.request("GET", "/v1/healthz")[1]["ipam"]["allocations"]


def test_list_is_complete():
    text = (pathlib.Path(ROOT) / "src/api/call.def").read_text()
    assert len(calls()) == len(re.findall(r"^API_CALL\(", text, re.M)) > 15


# What is wrong with the request line.

@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD"])
def test_methods(shared_node, method):
    """Each path answers the methods of the list, and 405 with Allow to the others."""
    paths = {}
    for _, allowed, path in calls():
        paths.setdefault(path, set()).add(allowed)
    for path, allowed in paths.items():
        for name, value in NOTHING.items():
            path = path.replace("{" + name + "}", value)
        status, headers, _ = send(shared_node, method, "/v1" + path)
        if method in allowed:
            assert status in (200, 400, 404), (method, path, status)
        elif method != "HEAD" or "GET" not in allowed:
            assert status == 405, (method, path, status)
            assert set(re.split(r",\s*", headers["Allow"])) == allowed


@pytest.mark.parametrize("path", [
    "/", "/v1", "/v1/", "/v2/healthz", "/v1/nothing", "/v1/endpoint/1/nothing",
    "/v1/endpoint/1/2/3", "/v1/healthz/", "//v1/healthz", "/v1/../v1/healthz",
    "/v1/%68ealthz/x"])
def test_unknown_paths(shared_node, path):
    refused(shared_node, "GET", path, 404, "not found")


@pytest.mark.parametrize("path", [
    "/v1/healthz%00x", "/v1/n%FF%FEothing", "/v1/%zz", "/v1/endpoint/%FF",
    "/v1/ip?cidr=%FF", "/v1/ipam?owner=a%FFb", "/v1/healthz?a=%00"])
def test_what_is_no_text(shared_node, path):
    """Neither can an answer show it, nor a file of the state keep it."""
    for method in "GET", "POST":
        refused(shared_node, method, path, 400, "UTF-8")


# Shapes of what succeeds.

def test_healthz(shared_node):
    status, answer = shared_node.request("GET", "/v1/healthz")
    assert status == 200
    assert answer["cilium"]["state"] == "Ok" and answer["cilium"]["msg"]
    assert answer["masquerading"]["enabledProtocols"] == {"ipv4": True, "ipv6": True}
    assert answer["masquerading"]["snat-exclusion-cidr-v4"] == "10.200.0.0/16"
    replacement = answer["kube-proxy-replacement"]
    assert [each["name"] for each in replacement["deviceList"]] == replacement["devices"] == ["eth0"]
    assert replacement["mode"] == "False"
    assert not replacement["features"]["nodePort"]["enabled"]
    assert answer["identity-range"] == {"min-identity": 256, "max-identity": 65535}
    assert shared_node.ipv4_range in answer["ipam"]["status"]
    assert {each["status"]["consecutive-failure-count"] for each in answer["controllers"]} == {0}
    assert answer["axoneme"]["source-problems"] == []


def test_healthz_brief(shared_node):
    text = send(shared_node, "GET", "/v1/healthz", headers={"brief": "true"})[2]
    assert list(json.loads(text)) == ["cilium"]


@pytest.mark.parametrize("method, path, header", [
    ("GET", "/v1/healthz", "brief"), ("POST", "/v1/ipam?owner=x", "Expiration"),
    ("POST", "/v1/ipam/10.200.1.77?owner=x", "Expiration")])
def test_headers_that_are_no_switch(shared_node, method, path, header):
    before = taken(shared_node)
    for value in "yes", "{}", "1", "tru", "true,true":
        status, _, text = send(shared_node, method, path, headers={header: value})
        assert status == 400 and header in text and value in text, (status, text)
    assert taken(shared_node) == before


def test_family_that_is_off(site):
    node = site.node(enable_ipv6=False)
    refused(node, "POST", "/v1/ipam?owner=x&family=ipv6", 400, "ipv6")
    refused(node, "POST", "/v1/ipam/fd00:200:1::9?owner=x", 400, "family is off")


def test_config(shared_node):
    status, answer = shared_node.request("GET", "/v1/config")
    assert status == 200
    assert answer["status"]["addressing"]["ipv4"]["alloc-range"] == shared_node.ipv4_range
    assert answer["status"]["addressing"]["ipv6"]["alloc-range"] == shared_node.ipv6_range
    assert answer["status"]["daemonConfigurationMap"]["routing-mode"] == "native"
    assert answer["status"]["immutable"]["SourceIPVerification"] == "Enabled"
    assert answer["spec"]["options"] == answer["status"]["realized"]["options"]


def test_config_patch_changes_and_refuses(shared_node):
    def options():
        return shared_node.request("GET", "/v1/config")[1]["spec"]["options"]

    before = options()
    for name, value, shown in (("Debug", "enabled", "Enabled"),
                               ("TraceNotification", "0", "Disabled"),
                               ("MonitorAggregationLevel", "maximum", "Maximum")):
        status, _ = shared_node.request("PATCH", "/v1/config", {"options": {name: value}})
        assert (status, options()) == (200, {**before, name: shown})
        shared_node.request("PATCH", "/v1/config", {"options": {name: before[name]}})
    assert options() == before
    for body, word in (('{"options": {"Debug": "maybe"}}', "Debug"),
                       ('{"options": {"Debug": 1}}', "Debug"),
                       ('{"options": {"Nonsense": "true"}}', "Nonsense"),
                       ('{"options": {"MonitorAggregationLevel": "x"}}', "Medium"),
                       ('{"options": {"ConntrackAccounting": "true"}}', "ConntrackAccounting"),
                       ('{"options": {"DropNotification": "false", "Nonsense": "1"}}', "Nonsense"),
                       ('{"options": {}, "policy-enforcement": "maybe"}', "policy-enforcement"),
                       ('{"options": []}', "options"), ("{}", "options"), ("nonsense", "options"),
                       ("", "options"), ("[" * 100000, "options")):
        refused(shared_node, "PATCH", "/v1/config", 400, word, body=body)
    assert options() == before


def test_nodes_identities_ips_maps(shared_node):
    status, answer = shared_node.request("GET", "/v1/cluster/nodes")
    assert status == 200
    own, = answer["nodes-added"]
    assert own["primary-address"]["ipv4"]["ip"] == shared_node.addresses[socket.AF_INET]
    assert own["primary-address"]["ipv6"]["ip"] == shared_node.addresses[socket.AF_INET6]
    status, answer = shared_node.request("GET", "/v1/identity")
    assert status == 200
    assert {"id": 1, "labels": ["reserved:host"]} in answer
    assert [each["id"] for each in answer] == sorted({each["id"] for each in answer})
    assert shared_node.request("GET", "/v1/identity/2")[1]["labels"] == ["reserved:world"]
    status, answer = shared_node.request("GET", "/v1/ip")
    assert status == 200
    hosts = {each["cidr"] for each in answer if each["identity"] == 1}
    assert f"{shared_node.addresses[socket.AF_INET]}/32" in hosts
    status, answer = shared_node.request("GET", "/v1/map")
    assert status == 200
    names = {each["path"].rsplit("/", 1)[1]: each for each in answer["maps"]}
    assert names["cilium_lxc"]["num-entries"] > 0 and names["cilium_lxc"]["num-errors"] == 0


@pytest.mark.parametrize("path, status", [
    ("/v1/identity/0", 404), ("/v1/identity/99999", 404), ("/v1/identity/4294967296", 400),
    ("/v1/identity/-1", 400), ("/v1/identity/x", 400),
    ("/v1/identity?labels=k8s:app=none", 404), ("/v1/identity?labels==", 400), ("/v1/identity?labels=", 404),
    ("/v1/identity?labels=reserved:none", 404), ("/v1/identity?labels=reserved:host,k8s:a=b", 404),
    ("/v1/endpoint?labels=k8s:app=none", 404),
    ("/v1/endpoint?labels==x", 400), ("/v1/ip?cidr=203.0.113.0/24", 404),
    ("/v1/ip?cidr=203.0.113.0/33", 400), ("/v1/ip?cidr=", 400),
    ("/v1/ip?labels=k8s:app=none", 404), ("/v1/ip?labels==", 400)])
def test_lookups_that_fail(shared_node, path, status):
    refused(shared_node, "GET", path, status)


@pytest.mark.parametrize("body", ["{}", "nonsense", "[1]", '["="]', '"k8s:app=web"'])
def test_labels_in_a_bad_body(shared_node, body):
    refused(shared_node, "GET", "/v1/endpoint", 400, "label", body=body)


# Endpoints.

@pytest.mark.parametrize("below", ["", "/config", "/healthz", "/labels", "/log"])
@pytest.mark.parametrize("name, status", [
    ("4711", 404), ("0", 404), ("70000", 404), ("container-id:none", 404), ("pod-name:a:b", 404),
    ("ipv4:203.0.113.1", 404), ("ipv4:nonsense", 404), ("ipv6:203.0.113.1", 404), ("-1", 400),
    ("x", 400), ("1x", 400), ("ipv4:", 400), ("nonsense:1", 400), (":", 400),
    ("container-id:" + "a" * 4000, 404)])
def test_endpoint_ids(shared_node, name, status, below):
    refused(shared_node, "GET", f"/v1/endpoint/{name}{below}", status)
    if not below:
        refused(shared_node, "DELETE", f"/v1/endpoint/{name}", status)
    if below in ("", "/config", "/labels"):
        refused(shared_node, "PATCH", f"/v1/endpoint/{name}{below}", status, body="{}")
    if not below:
        refused(shared_node, "POST", f"/v1/endpoint/{name}/regenerate", status)


def test_endpoint_from_birth_to_death(shared_node, interface, family):
    """Created with an address from the pool, found by every name, removed: the address rests."""
    node, pool = shared_node, "ipv4" if family == socket.AF_INET else "ipv6"
    before = taken(node)
    status, answer = node.request("POST", f"/v1/ipam?family={pool}&owner=shop/web")
    assert status == 201
    ip = answer["address"][pool]
    assert list(answer["address"]) == [pool] and answer[pool]["ip"] == ip
    assert answer["host-addressing"][pool]["ip"] == answer[pool]["gateway"]
    assert taken(node)[ip] == "shop/web"
    body = interface.body(ip, **{"k8s-namespace": "shop", "k8s-pod-name": "web",
                                 "container-name": "web-1", "labels": ["k8s:app=web"]})
    status, made = node.request("PUT", "/v1/endpoint/0", body)
    assert status == 201, made
    names = [made["id"], f"cilium-local:{made['id']}", "container-id:id-veth0",
             "container-name:web-1", "cni-attachment-id:id-veth0:eth0", "pod-name:shop:web",
             "pod-name:shop%2Fweb", "cep-name:shop%2Fweb", f"{pool}:{ip}"]
    for name in names:
        assert node.request("GET", f"/v1/endpoint/{name}") == (200, made), name
    assert made["status"]["state"] == "ready"
    labels = made["status"]["identity"]["labels"]
    assert {"k8s:app=web", "k8s:io.kubernetes.pod.namespace=shop",
            "k8s:io.cilium.k8s.policy.cluster=default"} <= set(labels)
    shown = node.request("GET", f"/v1/endpoint/{made['id']}/labels")[1]
    assert shown["status"]["security-relevant"] == labels
    assert shown["status"]["disabled"] == [] and shown["spec"] == {"user": []}
    health = node.request("GET", f"/v1/endpoint/{made['id']}/healthz")[1]
    assert health == {"overallHealth": "OK", "bpf": "OK", "policy": "OK", "connected": True}
    assert node.request("GET", "/v1/endpoint?labels=k8s:app=web") == (200, [made])
    assert json.loads(send(node, "GET", "/v1/endpoint", '["k8s:app=web"]')[2]) == [made]
    number = made["status"]["identity"]["id"]
    assert node.request("GET", f"/v1/identity/{number}")[1]["labels"] == labels
    assert node.request("GET", "/v1/identity?labels=" + ",".join(labels))[1][0]["id"] == number
    assert {"identity": {"id": number, "labels": labels}, "refCount": 1} in \
        node.request("GET", "/v1/identity/endpoints")[1]
    assert node.request("GET", f"/v1/ip?cidr={ip}/{32 if pool == 'ipv4' else 128}")[1][0][
        "identity"] == number
    refused(node, "DELETE", f"/v1/ipam/{ip}", 403, ip)
    refused(node, "PUT", "/v1/endpoint/0", 409, "id-veth0:eth0", body=json.dumps(body))
    assert node.request("DELETE", f"/v1/endpoint/{made['id']}")[0] == 200
    refused(node, "DELETE", f"/v1/endpoint/{made['id']}", 404)
    refused(node, "GET", names[2].join(("/v1/endpoint/", "")), 404)
    assert taken(node) == before


def test_source_verification_from_the_start(shared_node, interface):
    """The switch of the request is the option of the endpoint; only true asks for anything."""
    def state(number):
        """In force, and in the endpoint's file."""
        answer = shared_node.request("GET", f"/v1/endpoint/{number}/config")[1]
        file = shared_node.state_dir / "state" / str(number) / "ep_config.json"
        return (answer["realized"]["options"]["SourceIPVerification"],
                json.loads(file.read_text()).get("options"))

    off, on = ("Disabled", {"SourceIPVerification": "Disabled"}), ("Enabled", None)
    for asked, wanted in ({"disable-sip-verification": True}, off), \
            ({"disable-sip-verification": False}, on), ({}, on):
        ip = shared_node.request("POST", "/v1/ipam?family=ipv4&owner=x")[1]["address"]["ipv4"]
        body = interface.body(ip, **{"datapath-configuration": asked})
        number = shared_node.request("PUT", "/v1/endpoint/0", body)[1]["id"]
        assert state(number) == wanted
        for disable in True, False:
            assert shared_node.request(
                "PATCH", f"/v1/endpoint/{number}",
                {"datapath-configuration": {"disable-sip-verification": disable}})[0] == 200
            assert state(number) == off
        shared_node.request("DELETE", f"/v1/endpoint/{number}")


@pytest.mark.parametrize("below, body, words", [
    ("/labels", "nonsense", ["body"]), ("/labels", "[]", ["body"]), ("/labels", "", ["body"]),
    ("/labels", '{"nonsense": []}', ["nonsense"]), ("/labels", '{"add": "x"}', ["add", "list"]),
    ("/labels", '{"add": [7]}', ["add"]), ("/labels", '{"add": ["="]}', ["add", "="]),
    ("/labels", '{"user": ["reserved:host"]}', ["reserved"]),
    ("/labels", json.dumps({"add": ["a"] * 1025}), ["add", "1024"]),
    ("/labels", json.dumps({"add": [f"a{i}" for i in range(257)]}), ["256"]),
    ("/labels", json.dumps({"add": ["a=" + "x" * 1100]}), ["1024"]),
    ("/labels", '{"add": ["a"], "add": ["b"]}', ["body"]),
    ("/config", "nonsense", ["body"]), ("/config", "[]", ["body"]), ("/config", "", ["body"]),
    ("/config", '{"options": []}', ["options"]), ("/config", '{"nonsense": 1}', ["nonsense"]),
    ("/config", '{"options": {"DropNotification": 1}}', ["DropNotification"]),
    ("/config", '{"options": {"DropNotification": "x"}}', ["DropNotification", "Enabled"]),
    ("/config", '{"options": {"Nonsense": "true"}}', ["Nonsense"]),
    ("/config", '{"label-configuration": {"user": ["="]}}', ["user"]),
    ("", "nonsense", ["JSON"]), ("", "[]", ["object"]), ("", '{"mac": "x"}', ["mac"]),
    ("", '{"container-id": "other"}', ["container-id"])],
    ids=lambda value: str(value)[:40])
def test_changes_that_are_refused(shared_node, interface, below, body, words):
    """With the reason, and the endpoint and its file are as before."""
    ip = shared_node.request("POST", "/v1/ipam?family=ipv4&owner=x")[1]["address"]["ipv4"]
    made = shared_node.request("PUT", "/v1/endpoint/0", interface.body(ip))[1]
    path = f"/v1/endpoint/{made['id']}"
    file = shared_node.state_dir / "state" / str(made["id"]) / "ep_config.json"
    before = file.read_text()
    try:
        refused(shared_node, "PATCH", path + below, 400, *words, body=body)
        assert shared_node.request("GET", path)[1] == made and file.read_text() == before
    finally:
        shared_node.request("DELETE", path)


def test_delete_by_container(shared_node, interface):
    ip = shared_node.request("POST", "/v1/ipam?family=ipv4&owner=x")[1]["address"]["ipv4"]
    assert shared_node.request("PUT", "/v1/endpoint/0", interface.body(ip))[0] == 201
    for body, status in (("{}", 400), ("", 400), ("[]", 400), ('{"container-id": 7}', 400),
                         ('{"container-id": "none"}', 404)):
        refused(shared_node, "DELETE", "/v1/endpoint", status, body=body)
    assert shared_node.request("DELETE", "/v1/endpoint", {"container-id": "id-veth0"})[0] == 200
    assert shared_node.request("GET", "/v1/endpoint") == (200, [])


@pytest.mark.parametrize("path, change, status, word", [
    ("0", {"container-id": None}, 400, "container-id"),
    ("0", {"container-id": ""}, 400, "container-id"),
    ("0", {"container-id": "x" * 257}, 400, "container-id"),
    ("0", {"container-id": "a\nb"}, 400, "control"),
    ("0", {"k8s-pod-name": "\x1b[2J"}, 400, "control"),
    ("0", {"container-interface-name": ""}, 400, "container-interface-name"),
    ("0", {"interface-name": "none0"}, 400, "none0"),
    ("0", {"interface-name": "x" * 5000}, 400, "interface-name"),
    ("0", {"interface-index": 1}, 400, "index"),
    ("0", {"interface-index": -1}, 400, "interface-index"),
    ("0", {"interface-index": 2 ** 40}, 400, "interface-index"),
    ("0", {"mac": "nonsense"}, 400, "mac"), ("0", {"mac": "00:00:00:00:00:00"}, 400, "mac"),
    ("0", {"addressing": {}}, 400, "addressing"),
    ("0", {"addressing": {"ipv4": "fd00::1"}}, 400, "addressing.ipv4"),
    ("0", {"addressing": {"ipv4": "10.0.0.0.1"}}, 400, "addressing.ipv4"),
    ("0", {"addressing": 7}, 400, "addressing"), ("0", {"labels": "k8s:a=b"}, 400, "labels"),
    ("0", {"labels": ["="]}, 400, "labels"), ("0", {"labels": [7]}, 400, "labels"),
    ("0", {"labels": ["k8s:a=b"] * 1025}, 400, "labels"), ("0", {"nonsense": 1}, 400, "nonsense"),
    ("0", {"policy-enabled": True}, 400, "policy-enabled"), ("7", {}, 400, "id"),
    ("70000", {}, 400, "70000"), ("-1", {}, 400, "-1"), ("x", {}, 400, "x"),
    ("0", {"id": 7}, 400, "id"),
], ids=lambda value: str(value)[:30])
def test_endpoints_that_are_refused(shared_node, interface, path, change, status, word):
    """Nothing stays behind: no endpoint, no file, no address."""
    def state():
        return taken(shared_node), sorted(shared_node.state_dir.rglob("*"))

    before = state()
    body = interface.body("10.200.1.77", **change)
    refused(shared_node, "PUT", f"/v1/endpoint/{path}", status, word, body=json.dumps(body))
    assert state() == before


@pytest.mark.parametrize("body", [
    "", "nonsense", "[]", "7", "null", '{"id": 0, "id": 0}', '{"container-id": "a\\u0000b"}',
    b'{"container-id": "\xff"}', "{" * 100000, '{"mac": 7}', '{"sync-build-endpoint": "yes"}'],
    ids=lambda value: repr(value)[:30])
def test_bodies_that_are_no_request(shared_node, body):
    refused(shared_node, "PUT", "/v1/endpoint/0", 400, body=body)


def test_routers_address_is_nobodys(shared_node, interface):
    router = shared_node.request("GET", "/v1/config")[1]["status"]["addressing"]["ipv4"]["ip"]
    body = json.dumps(interface.body(router))
    refused(shared_node, "PUT", "/v1/endpoint/0", 409, router, body=body)
    refused(shared_node, "POST", f"/v1/ipam/{router}?owner=x", 409, router)
    refused(shared_node, "DELETE", f"/v1/ipam/{router}", 403, router)


# IPAM.

@pytest.mark.parametrize("method, path, status, word", [
    ("POST", "/v1/ipam", 400, "owner"), ("POST", "/v1/ipam?owner=", 400, "owner"),
    ("POST", "/v1/ipam?owner=a&pool=b", 400, "pool"),
    ("POST", "/v1/ipam?owner=a&family=x", 400, "family"),
    ("POST", "/v1/ipam/nonsense?owner=a", 400, "nonsense"),
    ("POST", "/v1/ipam/10.200.1.9", 400, "owner"),
    ("POST", "/v1/ipam/203.0.113.1?owner=a", 400, "203.0.113.1"),
    ("POST", "/v1/ipam/10.200.1.0?owner=a", 400, "10.200.1.0"),
    ("POST", "/v1/ipam/10.200.1.255?owner=a", 400, "10.200.1.255"),
    ("DELETE", "/v1/ipam/nonsense", 400, "nonsense"), 
    ("DELETE", "/v1/ipam/10.200.1.9", 404, "10.200.1.9"),
    ("DELETE", "/v1/ipam/10.200.1.9?pool=b", 400, "pool")])
def test_addresses_that_are_refused(shared_node, method, path, status, word):
    before = taken(shared_node)
    refused(shared_node, method, path, status, word)
    assert taken(shared_node) == before


def test_address_by_choice(shared_node):
    for ip in "10.200.1.99", "fd00:200:1::99":
        assert shared_node.request("POST", f"/v1/ipam/{ip}?owner=a")[0] == 200
        refused(shared_node, "POST", f"/v1/ipam/{ip}?owner=b", 409, ip, "a")
        assert taken(shared_node)[ip] == "a"
        assert shared_node.request("DELETE", f"/v1/ipam/{ip}") == (200, None)
        refused(shared_node, "DELETE", f"/v1/ipam/{ip}", 404, ip)


def test_exhaustion_and_return(site):
    """Every address of a small pool once, then a clear answer; a released one comes again."""
    node = site.node(ipv4_range="10.200.1.0/29", enable_ipv6=False, enable_ipv6_masquerade=False)
    found = [node.request("POST", "/v1/ipam?owner=x")[1]["address"]["ipv4"] for _ in range(5)]
    assert len(set(found)) == 5
    refused(node, "POST", "/v1/ipam?owner=x", 502, "10.200.1.0/29", "in use")
    refused(node, "POST", "/v1/ipam?owner=x&family=ipv6", 400, "ipv6")
    node.request("DELETE", f"/v1/ipam/{found[2]}")
    assert node.request("POST", "/v1/ipam?owner=y")[1]["address"]["ipv4"] == found[2]


# Many clients, and hostile ones.

def test_concurrent_clients(shared_node):
    """Eight clients, 200 requests each: every address is handed out once, every answer is whole."""
    before = taken(shared_node)

    def client(number):
        held = []
        for i in range(50):
            status, answer = shared_node.request("POST", f"/v1/ipam?family=ipv6&owner=c{number}")
            assert status == 201
            held.append(answer["address"]["ipv6"])
            assert shared_node.request("GET", "/v1/healthz")[0] == 200
            assert shared_node.request("GET", "/v1/endpoint") == (200, [])
            if i % 2:
                assert shared_node.request("DELETE", f"/v1/ipam/{held.pop(0)}")[0] == 200
            else:
                assert shared_node.request("GET", "/v1/nothing")[0] == 404
        return held

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        held = [address for each in pool.map(client, range(8)) for address in each]
    assert len(set(held)) == len(held) == 8 * 25
    assert set(taken(shared_node)) - set(before) == set(held)
    for address in held:
        shared_node.request("DELETE", f"/v1/ipam/{address}")
    assert taken(shared_node) == before


@pytest.mark.parametrize("how", ["announced", "in chunks"])
def test_body_that_is_too_large(shared_node, how):
    """More than a mebibyte is refused, before it is sent where its length is announced."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(shared_node.socket_path))
        head = b"PUT /v1/endpoint/0 HTTP/1.1\r\nHost: x\r\n"
        if how == "announced":
            client.sendall(head + b"Content-Length: 1048577\r\n\r\n")
        else:
            client.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n100001\r\n" +
                           b"x" * 0x100001 + b"\r\n0\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")
    refused(shared_node, "PUT", "/v1/endpoint/0", 400, body="x" * (1024 * 1024))


def hostile(generator):
    """Something that begins as a request, or does not."""
    noise = generator.randbytes(generator.randrange(1, 2000))
    put = b"PUT /v1/endpoint/0 HTTP/1.1\r\nHost: x\r\n"
    return generator.choice([
        noise, b"GET /v1/healthz HTTP/1.1\r\n" + noise, b"GET /" + noise + b" HTTP/1.1\r\n\r\n",
        put + b"Content-Length: %d\r\n\r\n" % len(noise) + noise,
        put + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + noise,
        put + b"Content-Length: -1\r\n\r\n" + noise,
        b"POST /v1/ipam?" + noise.hex().encode() + b"=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/healthz HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000,
        b"GET /v1/identity?labels=" + b"a," * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"])


@pytest.mark.parametrize("name", ["cilium.sock", "monitor1_2.sock"])
def test_hostile_bytes(shared_node, name):
    """Nothing that is written to a socket ends the agent, changes it, or stays open."""
    generator, path = random.Random(7), shared_node.socket_path.parent / name
    kind = socket.SOCK_STREAM if name == "cilium.sock" else socket.SOCK_SEQPACKET
    descriptors = pathlib.Path(f"/proc/{shared_node.agent.pid}/fd")
    before = taken(shared_node), len(list(descriptors.iterdir()))
    for _ in range(500):
        with socket.socket(socket.AF_UNIX, kind) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.settimeout(0.1)
            # It may hang up before all is sent, or wait for what the noise announced.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
                client.sendall(hostile(generator))
                if generator.random() < 0.3:
                    client.recv(100)
    assert shared_node.agent.poll() is None
    assert shared_node.request("GET", "/v1/endpoint") == (200, [])
    probe.eventually(lambda: (taken(shared_node), len(list(descriptors.iterdir()))) == before,
                     seconds=15, what="every connection is closed")


def test_silent_clients_do_not_keep_others_out(shared_node):
    silent = []
    for _ in range(100):
        silent.append(socket.socket(socket.AF_UNIX))
        silent[-1].connect(str(shared_node.socket_path))
        silent[-1].sendall(b"GET /v1/healthz HTTP/1.1\r\nHost:")
    started = time.monotonic()
    assert shared_node.request("GET", "/v1/healthz")[0] == 200
    assert time.monotonic() - started < 5
    silent[0].settimeout(60)
    silent[0].recv(1000)  # an answer or the end: it is not kept for ever
    for each in silent:
        each.close()


def test_config_patch_keeps_the_level_of_the_log(site):
    """log-opt's level is what the log goes back to, whatever option is changed."""
    node = site.node(log_opt="level=warning")
    for options, level in (({"DropNotification": "Enabled"}, None), ({"Debug": "Enabled"}, "info"),
                           ({"Debug": "Disabled"}, None)):
        assert node.request("PATCH", "/v1/config", {"options": options})[0] == 200
        since = len(node.log())
        node.pod(f"p{since}").delete()
        assert ("Endpoint created" in node.log()[since:]) == (level is not None), options


def service_body(ip="10.96.7.1", **members):
    return {"frontend-address": {"ip": ip, "port": 80, "protocol": "TCP"},
            "backend-addresses": [{"ip": "10.0.0.9", "port": 8080}], **members}


@pytest.mark.parametrize("number, body, status, word", [
    ("0", service_body(), 400, "number"), ("x", service_body(), 400, "number"),
    ("4294967296", service_body(), 400, "number"), ("7", "{", 400, "line 1"),
    ("7", {}, 400, "frontend-address"), ("7", service_body(id=8), 400, "id"),
    ("7", service_body(updateServices=True), 400, "updateServices")])
def test_service_put_refused(shared_node, number, body, status, word):
    text = body if isinstance(body, str) else json.dumps(body)
    refused(shared_node, "PUT", f"/v1/service/{number}", status, word, body=text)


def test_service_is_made_kept_and_removed(site):
    """A number and a front end have one service; what was answered is there after a kill."""
    node = site.node()
    assert node.request("PUT", "/v1/service/7", service_body()) == (201, None)
    assert node.request("PUT", "/v1/service/7", service_body()) == (200, None)
    refused(node, "PUT", "/v1/service/7", 409, "10.96.7.1:80", body=json.dumps(service_body("10.96.7.2")))
    refused(node, "PUT", "/v1/service/8", 409, "service 7", body=json.dumps(service_body()))
    node.kill_agent()
    node.start_agent()
    refused(node, "PUT", "/v1/service/8", 409, "service 7", body=json.dumps(service_body()))
    assert node.request("DELETE", "/v1/service/7") == (200, None)
    refused(node, "DELETE", "/v1/service/7", 404, "7")
    assert node.request("PUT", "/v1/service/8", service_body()) == (201, None)
