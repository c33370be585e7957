# SPDX-License-Identifier: Apache-2.0
"""What an operator does with one endpoint: its labels, options and log; regenerate and disconnect."""

import concurrent.futures
import json
import socket

import pytest

from harness import observe, paths, probe
from harness.inject import datagram, inject
from harness.node import UnixConnection
from harness.site import FAR

pytestmark = pytest.mark.core

STRANGER = {socket.AF_INET: "203.0.113.9", socket.AF_INET6: "2001:db8:bad::9"}


def rows(node, pod_id, *options):
    """{label: "Enabled" or "Disabled"} as `endpoint labels` prints them."""
    out = node.cli("endpoint", "labels", str(pod_id), *options).stdout
    return dict(line.split() for line in out.splitlines())


def log(node, pod_id):
    """The messages, the oldest first."""
    entries = node.cli_json("endpoint", "log", str(pod_id))
    assert [entry["timestamp"] for entry in entries] == \
        sorted((entry["timestamp"] for entry in entries), reverse=True)
    return [entry["message"] for entry in reversed(entries)]


def identity(pod):
    return pod.endpoint()["status"]["identity"]["id"]


def identity_in_kernel(node, pod):
    """The identity that the programs see, by each of the two addresses."""
    text = node.cli("bpf", "endpoint", "list").stdout
    found = {line.split("sec_id=")[1].split()[0] for line in text.splitlines()
             if line.startswith((pod.ipv4, pod.ipv6))}
    assert len(found) == 1, text
    return int(found.pop())


def restart(node, kill):
    node.kill_agent() if kill else node.stop_agent()
    node.start_agent()


@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill"])
def test_labels(node, kill):
    """Added, disabled, enabled, deleted; the identity follows in the kernel; a restart keeps it."""
    pod = node.pod("web", {"app": "web", "tier": "front"})
    number = pod.endpoint()["id"]
    first = identity(pod)
    assert rows(node, number)["k8s:app=web"] == "Enabled"

    shown = rows(node, number, "-a", "user:a=1,user:b", "-d", "k8s:app")
    assert shown["user:a=1"] == shown["user:b"] == "Enabled"
    assert shown["k8s:app=web"] == "Disabled" and shown["k8s:tier=front"] == "Enabled"
    second = identity(pod)
    assert second != first and identity_in_kernel(node, pod) == second
    labels = node.cli_json("identity", "get", str(second))[0]["labels"]
    assert {"user:a=1", "user:b"} < set(labels) and "k8s:app=web" not in labels
    assert any(f"Identity changed from {first} to {second}" in line for line in log(node, number))

    restart(node, kill)
    assert rows(node, number) == shown and identity(pod) == second
    assert identity_in_kernel(node, pod) == second

    # The manifest changes what is disabled: it stays so, with the new value.
    node.put_pod_manifest("web", {"app": "api", "tier": "front"})
    probe.eventually(lambda: rows(node, number).get("k8s:app=api") == "Disabled")
    assert identity(pod) == second
    node.put_pod_manifest("web", {"app": "web", "tier": "front"})
    probe.eventually(lambda: rows(node, number).get("k8s:app=web") == "Disabled")

    shown = rows(node, number, "-a", "k8s:app=web", "-d", "user:a", "-d", "b")
    assert "Disabled" not in shown.values() and "user:a=1" not in shown
    assert identity(pod) == first and identity_in_kernel(node, pod) == first


def test_labels_that_are_refused(node):
    pod = node.pod("web", {"app": "web"})
    number = str(pod.endpoint()["id"])
    before = pod.endpoint()
    for options, words in ((("-a", "k8s:app=other"), ("k8s:app=web", "-d k8s:app")),
                           (("-a", "reserved:host"), ("reserved",)),
                           (("-d", "k8s:none"), ("k8s:none", "does not have it")),
                           (("-a", "="), ("not a label",)),
                           (("-a", "user:x", "-d", "k8s:none"), ("k8s:none",))):
        result = node.cli("endpoint", "labels", number, *options, check=False)
        assert result.returncode == 1 and all(word in result.stderr for word in words), result
    assert pod.endpoint() == before
    bare = node.pod("bare")
    result = node.cli("endpoint", "labels", str(bare.endpoint()["id"]), "-d", "reserved:init",
                      check=False)
    assert result.returncode == 1 and "without labels" in result.stderr


def test_labels_by_many_at_once(node):
    """Eight callers add a label each: nobody's is lost."""
    number = node.pod("web", {"app": "web"}).endpoint()["id"]

    def add(i):
        return node.request("PATCH", f"/v1/endpoint/{number}/labels", {"add": [f"user:l{i}=x"]})[0]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(add, range(64))) == {200}
    assert {f"user:l{i}=x" for i in range(64)} < set(rows(node, number))


def test_labels_as_ciliums_client_sends_them(node):
    """spec.user as a whole; GET answers LabelConfiguration."""
    number = node.pod("web", {"app": "web"}).endpoint()["id"]
    path = f"/v1/endpoint/{number}/labels"
    assert node.request("PATCH", path, {"user": ["user:a=1", "user:b=2"]})[0] == 200
    assert node.request("GET", path)[1]["spec"] == {"user": ["user:a=1", "user:b=2"]}
    assert node.request("PATCH", path, {"user": ["user:b=3"]})[0] == 200
    answer = node.request("GET", path)[1]
    assert answer["status"]["realized"] == {"user": ["user:b=3"]}
    assert "user:b=3" in answer["status"]["security-relevant"]


def options(node, number):
    text = node.cli("endpoint", "config", str(number)).stdout
    return {line.split(":")[0].strip(): line.split(":")[1].strip() for line in text.splitlines()}


def set_option(node, number, *words):
    out = node.cli("endpoint", "config", str(number), *words).stdout
    assert out == f"Endpoint {number} configuration updated successfully\n"


def test_source_verification_of_one_endpoint(node, family):
    """Off: what comes from a foreign address gets out. On again, over a restart: it is dropped."""
    pod, other = node.pod("a"), node.pod("b")
    number = pod.endpoint()["id"]
    packet = datagram(family, STRANGER[family], other.address(family))
    set_option(node, number, "SourceIPVerification=disable")
    restart(node, True)
    assert options(node, number)["SourceIPVerification"] == "Disabled"
    with probe.capture(other, "eth0", "port 4321") as seen:
        inject(pod, family, packet)
        probe.eventually(lambda: len(seen()) == 1, what="one packet")
    for value in "enable", "default":
        set_option(node, number, f"SourceIPVerification={value}")
        before = observe.metric(node, "Invalid source ip", "egress")
        inject(pod, family, packet)
        probe.eventually(
            lambda: observe.metric(node, "Invalid source ip", "egress") == before + 1)


def test_source_verification_where_the_node_has_it_off(site, family):
    node = site.node(enable_source_ip_verification=False)
    pod, other = node.pod("a"), node.pod("b")
    number = pod.endpoint()["id"]
    assert options(node, number)["SourceIPVerification"] == "Disabled"
    set_option(node, number, "SourceIPVerification=true")
    before = observe.metric(node, "Invalid source ip", "egress")
    inject(pod, family, datagram(family, STRANGER[family], other.address(family)))
    probe.eventually(lambda: observe.metric(node, "Invalid source ip", "egress") == before + 1)


def test_drop_notification_of_one_endpoint(node, family):
    """Off for one, and the other's drops are still told; on for one where the node has it off."""
    silent, loud = node.pod("a"), node.pod("b")
    ids = silent.endpoint()["id"], loud.endpoint()["id"]
    index = loud.endpoint()["status"]["networking"]["interface-index"]
    packet = datagram(family, STRANGER[family], FAR[family])
    for node_value, which, value in (("true", 0, "disable"), ("false", 1, "enable")):
        node.cli("config", f"DropNotification={node_value}")
        set_option(node, ids[which], f"DropNotification={value}")
        with observe.monitor(node, "--type", "drop") as monitor:
            inject(silent, family, packet)
            inject(loud, family, packet)
            assert f"ifindex {index}," in monitor.wait_line("Invalid source ip")
        set_option(node, ids[which], "DropNotification=default")
    node.cli("config", "DropNotification=true")


def test_options(node):
    number = node.pod("a").endpoint()["id"]
    before = options(node, number)
    assert set(before) == {"ConntrackAccounting", "DropNotification", "PolicyAuditMode",
                           "PolicyVerdictNotification", "SourceIPVerification",
                           "TraceNotification"}
    listed = node.cli("endpoint", "config", "--list-options").stdout
    assert {line.split()[0] for line in listed.splitlines()} == set(before)
    set_option(node, number, "DropNotification=disable", "tracenotification=False")
    assert options(node, number) == {**before, "DropNotification": "Disabled",
                                     "TraceNotification": "Disabled"}
    spec = node.cli_json("endpoint", "get", str(number))[0]["spec"]
    assert spec["options"] == {"DropNotification": "Disabled", "TraceNotification": "Disabled"}
    for words, reason in ((["Debug=true"], "debug events"), (["Nonsense=true"], "unknown option"),
                          (["DropNotification=maybe"], "Enabled, Disabled or default"),
                          (["PolicyAccounting=true"], "each connection"),
                          (["DropNotification=true", "Nonsense=1"], "unknown option"),
                          (["DropNotification"], "Improper configuration format")):
        result = node.cli("endpoint", "config", str(number), *words, check=False)
        assert result.returncode == 1 and reason in result.stderr, result
    assert options(node, number)["DropNotification"] == "Disabled"
    set_option(node, number, "DropNotification=default", "TraceNotification=default")
    assert options(node, number) == before
    assert "Option DropNotification changed: as the node" in log(node, number)


@pytest.mark.parametrize("accounting", [False, True])
def test_accounting_of_one_endpoint(site, accounting):
    node = site.node(bpf_conntrack_accounting=accounting)
    a, b = node.pod("a"), node.pod("b")
    number = a.endpoint()["id"]
    if not accounting:
        result = node.cli("endpoint", "config", str(number), "ConntrackAccounting=true",
                          check=False)
        assert result.returncode == 1 and "bpf-conntrack-accounting" in result.stderr
        config = node.cli_json("endpoint", "config", str(number))
        assert config["immutable"] == {"ConntrackAccounting": "Disabled"}
        return

    def packets():
        with probe.Server(b, socket.AF_INET, probe.UDP) as server:
            probe.talk(a, probe.UDP, b.ipv4, server.port)
        text = node.cli("bpf", "ct", "list", "global").stdout
        line, = [line for line in text.splitlines() if f":{server.port} " in line]
        return int(line.split("Packets=")[1].split()[0])

    assert packets() == 2
    set_option(node, number, "ConntrackAccounting=false")
    assert packets() == 0
    set_option(node, number, "ConntrackAccounting=default")
    assert packets() == 2


def test_log(node):
    """From its creation on; what fails and what is repaired is in it; a restart begins it anew."""
    pod = node.pod("a", {"app": "a"})
    number = pod.endpoint()["id"]
    lines = log(node, number)
    assert lines[0].startswith(f"Created for container {pod.container_id}")
    assert lines[1] == f"Identity {identity(pod)}" and lines[-1].startswith("Ready")
    device = pod.endpoint()["status"]["networking"]["interface-name"]
    node.exec("tc", "filter", "del", "dev", device, "ingress")
    probe.eventually(lambda: any("repaired" in line and device in line
                                 for line in log(node, number)), 15, "entry")
    text = node.cli("endpoint", "log", str(number)).stdout
    assert text.split()[:4] == ["Timestamp", "Status", "State", "Message"]
    latest = node.cli_json("endpoint", "get", str(number))[0]["status"]["log"]
    assert len(latest) == 1 and latest[0]["code"] == "OK"
    restart(node, True)
    assert log(node, number)[0].startswith("Restored: ")
    assert log(node, number)[-1].startswith("Ready")
    pod.delete()
    assert node.cli("endpoint", "log", str(number), check=False).returncode == 1


def test_regenerate(node, family):
    pod, other = node.pod("a"), node.pod("b")
    number = str(pod.endpoint()["id"])
    out = node.cli("endpoint", "regenerate", number).stdout
    assert out.startswith(f"Endpoint {number} successfully regenerated: ") and "0 differed" in out
    device = pod.endpoint()["status"]["networking"]["interface-name"]
    node.exec("tc", "filter", "del", "dev", device, "ingress")
    answer = node.cli_json("endpoint", "regenerate", number)
    # Unless the hint from the kernel was faster.
    assert answer["objects"] >= 3 and all(device in each["object"] and each["was"] == "missing"
                                          for each in answer["differences"])
    assert "bpf" in node.exec("tc", "filter", "show", "dev", device, "ingress").stdout
    paths.check_all(node, pod, other, family)
    assert node.cli("endpoint", "regenerate", "4711", check=False).returncode == 1


def test_disconnect(node, family):
    """The container stays, without network; its runtime's DEL finds nothing to complain about."""
    pod, other = node.pod("a"), node.pod("b")
    number = str(pod.endpoint()["id"])
    out = node.cli("endpoint", "disconnect", number).stdout
    assert "no network" in out
    with probe.Server(other, family, probe.TCP) as server, pytest.raises(OSError):
        probe.talk(pod, probe.TCP, other.address(family), server.port, timeout=0.5)
    assert node.cli("endpoint", "get", number, check=False).returncode == 1
    pod.delete()


def test_patch_of_an_endpoint(node):
    pod = node.pod("a", {"app": "a"})
    number = pod.endpoint()["id"]
    path = f"/v1/endpoint/{number}"
    before = pod.endpoint()
    same = {"container-id": pod.container_id, "addressing": {"ipv4": pod.ipv4, "ipv6": pod.ipv6}}
    assert node.request("PATCH", path, same)[0] == 200
    assert pod.endpoint() == before
    for change in ({"container-id": "x"}, {"addressing": {"ipv4": "10.200.1.250"}},
                   {"interface-index": 1}, {"k8s-pod-name": "b"}, {"nonsense": 1}, {"id": 4711}):
        status, text = node.request("PATCH", path, change)
        assert status == 400 and next(iter(change)) in text, text
    assert pod.endpoint() == before
    assert node.request("PATCH", path, {"container-name": "new"})[0] == 200
    assert node.cli_json("endpoint", "get", "container-name:new")[0]["id"] == number


def test_full_disk(node):
    """The change is refused with the reason, and nothing of it is there; later it succeeds."""
    pod = node.pod("a", {"app": "a"})
    number, before = pod.endpoint()["id"], pod.endpoint()
    directory = node.state_dir / "state" / str(number)
    node.exec("mount", "-t", "tmpfs", "-o", "size=4k", "none", directory)
    try:
        node.exec("sh", "-c", f"head -c 4096 /dev/zero >{directory}/fill")
        result = node.cli("endpoint", "labels", str(number), "-a", "user:x", check=False)
        assert result.returncode == 1 and "No space left on device" in result.stderr, result
        result = node.cli("endpoint", "config", str(number), "DropNotification=false", check=False)
        assert result.returncode == 1 and "No space left on device" in result.stderr, result
        assert pod.endpoint() == before
    finally:
        node.exec("umount", directory)
    assert "user:x" in rows(node, number, "-a", "user:x")


def test_ip_by_labels(node):
    pod = node.pod("web", {"app": "web"})
    node.pod("api", {"app": "api"})
    found = {entry["cidr"] for entry in node.cli_json("ip", "get", "-l", "k8s:app=web")}
    assert found == {f"{pod.ipv4}/32", f"{pod.ipv6}/128"}
    assert all(entry["identity"] == 1
               for entry in node.cli_json("ip", "get", "-l", "reserved:host"))
    assert "no address has" in node.cli("ip", "get", "-l", "k8s:app=none", check=False).stderr
    assert node.cli("ip", "get", check=False).returncode == 1


def test_file_of_a_newer_agent(node):
    """Members that this agent does not know survive a change."""
    pod = node.pod("a", {"app": "a"})
    number = pod.endpoint()["id"]
    path = node.state_dir / "state" / str(number) / "ep_config.json"
    node.stop_agent()
    content = json.loads(path.read_text())
    content.update({"newer": {"x": [1]}, "options": {"NewerOption": "Enabled",
                                                     "DropNotification": "Newer"}})
    path.write_text(json.dumps(content))
    node.start_agent()
    rows(node, number, "-a", "user:x")
    set_option(node, number, "TraceNotification=disable")
    content = json.loads(path.read_text())
    assert content["newer"] == {"x": [1]}
    assert content["options"] == {"NewerOption": "Enabled", "TraceNotification": "Disabled"}


def test_kills_in_the_middle(node):
    """A change is there whole or not at all, and the file and the kernel say the same."""
    pod = node.pod("a", {"app": "a"})
    number = pod.endpoint()["id"]
    body = json.dumps({"add": ["user:x=1"]})
    for delay in range(12):
        connection = UnixConnection(node.socket_path)
        connection.request("PATCH", f"/v1/endpoint/{number}/labels", body)
        if delay:
            connection.sock.settimeout(delay / 4000)
            try:
                connection.sock.recv(1)
            except TimeoutError:
                pass
        node.kill_agent()
        connection.close()
        node.start_agent()
        has_label = "user:x=1" in rows(node, number)
        assert identity_in_kernel(node, pod) == identity(pod)
        assert ("user:x=1" in pod.endpoint()["status"]["identity"]["labels"]) == has_label
        if has_label:
            rows(node, number, "-d", "user:x")
