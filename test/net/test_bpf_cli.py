# SPDX-License-Identifier: Apache-2.0
"""cilium bpf …: the pinned maps, with an agent and without, and changes by hand."""

import json
import re
import socket
import subprocess

import pytest

from harness import observe, probe
from harness.flow import Flow
from harness.site import FAR

SECONDS = 15
GLOBALS = "/sys/fs/bpf/tc/globals"
LISTS = ["config list", "ct list global", "ct list global -d", "device list", "endpoint list",
         "endpoint list --devices", "frag list", "fs show", "ipcache list", "ipmasq list",
         "lb list", "lb list --frontends", "lb list --backends", "lb list --revnat",
         "lb list --source-ranges", "lb list --affinity", "lb maglev list", "metrics list", "nat list"]


def bpf(node, *argv, **kwargs):
    return node.cli("bpf", *argv, **kwargs)


def keys(node, *argv):
    return set(json.loads(bpf(node, *argv, "-o", "json").stdout))


def n_flushed(done):
    return int(re.fullmatch(r"Flushed (\d+) entries\n", done.stdout)[1])


@pytest.mark.core
def test_every_list_outlives_the_agent(node):
    pod = node.pod("a")
    for family in socket.AF_INET, socket.AF_INET6:
        with probe.Server(node.site.far, family, probe.UDP) as server:
            probe.talk(pod, probe.UDP, FAR[family], server.port)
    alive = {command: bpf(node, *command.split()).stdout for command in LISTS}
    node.kill_agent()
    for command in LISTS:
        done = bpf(node, *command.split())
        assert bool(done.stdout) == (command != "frag list" and not command.startswith("lb")), command
        assert "not there" not in done.stderr
        if command.split()[0] in ("config", "device", "endpoint", "fs", "ipcache", "ipmasq"):
            assert done.stdout == alive[command]
        json.loads(bpf(node, *command.split(), "-o", "json").stdout)
    assert bpf(node, "frag", "list").stderr == "No entries found.\n"
    assert f"{pod.address(socket.AF_INET)}:" in alive["ct list global"]
    assert "XLATE_SRC" in alive["nat list"] and "remaining: " in alive["ct list global -d"]
    assert keys(node, "endpoint", "list") >= {f"{pod.address(socket.AF_INET)}:0",
                                              f"{pod.address(socket.AF_INET6)}:0"}


def test_no_agent_has_run(site):
    node = site.node(start=False)
    for command in LISTS:
        done = bpf(node, *command.split(), check=False)
        if command == "fs show":
            continue
        assert done.returncode == 0 and re.search("Map cilium_\\w+ is not there", done.stderr)
    for command in ("endpoint delete 10.0.0.1", "ipcache delete 10.0.0.1",
                    "ipcache update 10.0.0.1 --identity 5"):
        assert bpf(node, *command.split(), check=False).returncode == 1


def test_not_root(shared_node):
    for command in LISTS + ["ct flush global", "nat flush", "endpoint delete 10.0.0.1"]:
        done = shared_node.exec("setpriv", "--reuid=65534", "--clear-groups",
                                shared_node.program("cilium"), "bpf", *command.split(), check=False)
        assert done.returncode == 1 and "root" in done.stderr and not done.stdout, command


def test_misuse(shared_node):
    for command, text in {
            "ct flush": "", "ct flush endpoint": "expected the number of an endpoint",
            "ct flush endpoint 0": "expected the number", "ct flush globl": '"globl": expected',
            "endpoint delete nonsense": '"nonsense" is not an address',
            "ipcache delete 10.0.0.1/8": "without host bits",
            "ipcache update 10.0.0.0/8": "--identity",
            "ipcache update 10.0.0.0/8 --identity 5 --encryptkey 256": "want 0..255",
            "ipcache update 10.0.0.0/8 --identity 5 --tunnelendpoint x": '"x" is not an address',
            "tunnel list": 'unknown command "tunnel" for "cilium bpf"'}.items():
        done = bpf(shared_node, *command.split(), check=False)
        assert (done.returncode, done.stdout) == (1, "") and text in done.stderr, command
    done = bpf(shared_node, "ct", "flush", "endpoint", "4711", check=False)
    assert done.stderr == 'Error: there is no endpoint 4711: see "cilium bpf endpoint list"\n'


def test_pin_of_another_layout(node):
    """Somebody else's map under our name is refused, not read as if it were ours."""
    node.kill_agent()
    for name in ("cilium_lxc", "cilium_ct_tcp_global", "cilium_drop_sites"):
        node.exec("rm", f"{GLOBALS}/{name}")
        node.exec("bpftool", "map", "create", f"{GLOBALS}/{name}", "type", "hash", "key", "4",
                  "value", "128", "entries", "8", "name", "other")
        node.exec("bpftool", "map", "update", "pinned", f"{GLOBALS}/{name}", "key", "1", "0", "0",
                  "0", "value", *["0"] * 128)
    for command in ("endpoint list", "ct list global", "metrics list", "ct flush global",
                    "endpoint delete 10.0.0.1"):
        done = bpf(node, *command.split(), check=False)
        assert done.returncode == 1 and "keys of 4 and values of 128 bytes" in done.stderr, command
    node.exec("rm", f"{GLOBALS}/cilium_lxc")
    node.exec("mkdir", "-p", "/sys/fs/bpf/tc/globals/cilium_lxc")
    done = bpf(node, "endpoint", "list", check=False)
    assert done.returncode == 1 and "opening the map" in done.stderr


def test_changes_by_hand_are_repaired(node, family):
    """bpf endpoint delete, bpf ipcache delete and update: the agent puts back what it planned."""
    pod = node.pod("a")
    address = pod.address(family)
    length = 32 if family == socket.AF_INET else 128
    foreign = {socket.AF_INET: "203.0.113.0/24", socket.AF_INET6: "2001:db8:77::/48"}[family]
    before = keys(node, "endpoint", "list"), keys(node, "ipcache", "list")
    mark = len(node.log())
    for command in (f"endpoint delete {address}", f"ipcache delete {address}",
                    f"ipcache update {foreign} --identity 77"):
        done = bpf(node, *command.split())
        assert "within 10 s" in done.stderr and not done.stdout
    assert "identity=77" in bpf(node, "ipcache", "get", foreign.split("/", maxsplit=1)[0]).stdout
    probe.eventually(lambda: (keys(node, "endpoint", "list"), keys(node, "ipcache", "list"))
                     == before, SECONDS, "repaired maps")
    assert f"{address}/{length}" in before[1]
    node.wait_log("removed from outside", f"cilium_lxc {address}:0", since=mark)
    node.wait_log("added from outside", foreign, since=mark)
    assert bpf(node, "endpoint", "delete", "203.0.113.9", check=False).stderr == \
        "Error: cilium_lxc has no entry for 203.0.113.9\n"


def test_changes_by_hand_stay_without_an_agent(node, family):
    pod = node.pod("a")
    node.kill_agent()
    # As listed; behind an IPv6 address ":0" would be part of it.
    port = ":0" if family == socket.AF_INET else ""
    bpf(node, "endpoint", "delete", pod.address(family) + port)
    assert f"{pod.address(family)}:0" not in keys(node, "endpoint", "list")
    node.start_agent()
    assert f"{pod.address(family)}:0" in keys(node, "endpoint", "list")


@pytest.mark.parametrize("flush", [["ct", "flush", "global"], ["nat", "flush"]],
                         ids=["ct", "nat"])
def test_flush_while_connections_are_masqueraded(node, family, flush):
    """A connection that sends next goes on, under the port that the world knows."""
    pod = node.pod("a")
    with probe.Server(node.site.far, family, probe.TCP) as server:
        with probe.connect(pod, probe.TCP, FAR[family], server.port) as client:
            for payload in (b"one", b"two", b"three"):
                assert probe.exchange(client, payload) == payload
                assert n_flushed(bpf(node, *flush)) >= 1
            assert probe.exchange(client, b"four") == b"four"
        assert len(server.peers) == 1


def test_ct_flush_when_the_world_sends_next(node, family):
    """The translation was kept: an answer finds its way, and the connection is taken up again."""
    pod = node.pod("a")
    with probe.Server(node.site.far, family, probe.TCP) as server:
        with probe.connect(pod, probe.TCP, FAR[family], server.port) as client:
            assert probe.exchange(client) == b"hello"
            bpf(node, "ct", "flush", "global")
            server.connections[0].sendall(b"unasked")
            assert client.recv(100) == b"unasked"
            assert probe.exchange(client, b"again") == b"again"


def test_flush_under_traffic(node, family):
    """Connections between pods lose no packet while everything is forgotten again and again."""
    a, b = node.pod("a"), node.pod("b")
    flows = [Flow(kind, a, b, b.address(family)) for kind in ("udp", "tcp")]
    total = 0
    for _ in range(10):
        total += n_flushed(bpf(node, "ct", "flush", "global"))
        bpf(node, "nat", "flush")
    assert total >= 10
    for flow in flows:
        flow.assert_nothing_lost()


def test_flush_of_one_endpoint(node, family):
    """Of another endpoint nothing is forgotten."""
    pods = node.pod("a"), node.pod("b")
    with probe.Server(node.site.far, family, probe.UDP) as server:
        for pod in pods:
            probe.talk(pod, probe.UDP, FAR[family], server.port)
    endpoint = str(pods[0].endpoint()["id"])
    listed = bpf(node, "ct", "list", "endpoint", endpoint).stdout.splitlines()
    assert n_flushed(bpf(node, "ct", "flush", "endpoint", endpoint)) == len(listed) > 0
    assert bpf(node, "ct", "list", "endpoint", endpoint).stderr == "No entries found.\n"
    assert pods[1].address(family) in bpf(node, "ct", "list", "global").stdout


def test_full_map(node):
    """What does not fit is said, with the room that there is."""
    node.kill_agent()
    room = json.loads(node.exec("bpftool", "-j", "map", "show", "pinned",
                                f"{GLOBALS}/cilium_ipcache_prefix").stdout)["max_entries"]
    node.exec("rm", f"{GLOBALS}/cilium_ipcache_prefix")
    node.exec("bpftool", "map", "create", f"{GLOBALS}/cilium_ipcache_prefix", "type", "lpm_trie",
              "key", "20", "value", "24", "entries", "2", "name", "small", "flags", "1")
    assert room > 2
    for third in (1, 2):
        bpf(node, "ipcache", "update", f"203.0.{third}.0/24", "--identity", "5")
    done = bpf(node, "ipcache", "update", "203.0.3.0/24", "--identity", "5", check=False)
    assert done.stderr == "Error: cilium_ipcache_prefix is full: it has room for 2 entries\n"


def test_drops_name_their_place(node, family):
    """A drop is counted under file and line; the JSON says the same."""
    pod = node.pod("a")
    foreign = {socket.AF_INET: "10.99.99.99", socket.AF_INET6: "fd99::99"}[family]
    pod.exec("ip", "address", "add", foreign, "dev", "eth0", *(
        ["nodad"] if family == socket.AF_INET6 else []))
    with pod.socket(family, probe.UDP) as client:
        client.bind((foreign, 0))
        client.sendto(b"x", (FAR[family], 9))
    rows = [row for row in observe.rows(bpf(node, "metrics", "list").stdout)
            if row["REASON"] == "Invalid source ip"]
    assert [row["DIRECTION"] for row in rows] == ["Egress"]
    assert rows[0]["FILE"].startswith("bpf/") and int(rows[0]["LINE"]) > 0
    made = [each for each in json.loads(bpf(node, "metrics", "list", "-o", "json").stdout)
            if each["description"] == "Invalid source ip"]
    assert [(each["file"], str(each["line"])) for each in made] == \
        [(rows[0]["FILE"], rows[0]["LINE"])]


def plan_of(node, name):
    """map get NAME, by key."""
    return {entry["key"]: entry for entry in node.cli_json("map", "get", name)["cache"]}


@pytest.mark.core
def test_map_get_is_what_is_in_the_map(node, family):
    """For each map that the agent fills, key for key; for the others the cache is disabled."""
    pod = node.pod("a")
    for name, listed in {"cilium_lxc": "endpoint list", "cilium_devices": "device list",
                         "cilium_lxc_device": "endpoint list --devices"}.items():
        plan = plan_of(node, name)
        assert {key: [entry["value"]] for key, entry in plan.items()} == \
            json.loads(bpf(node, *listed.split(), "-o", "json").stdout)
        assert {entry["desired-action"] for entry in plan.values()} == {"sync"}
    both = {**plan_of(node, "cilium_ipcache"), **plan_of(node, "cilium_ipcache_prefix")}
    assert set(both) == keys(node, "ipcache", "list")
    assert set(plan_of(node, "cilium_ipmasq")) == keys(node, "ipmasq", "list")
    text = node.cli("map", "get", "cilium_lxc").stdout
    assert text.split("\n", maxsplit=1)[0].split() == ["Key", "Value", "State", "Error"]
    assert f"{pod.address(family)}:0" in text
    assert node.cli("map", "get", "cilium_ct_tcp_global").stdout == "Cache is disabled\n"
    assert "## Map: cilium_lxc\nKey" in node.cli("map", "list", "--verbose").stdout
    assert node.cli("map", "get", "nonsense", check=False).stderr == \
        "Error: map nonsense was not found: see \"cilium map list\"\n"


@pytest.mark.core
def test_map_events(node, family):
    """Each write of the agent, and each removal; not what somebody else did."""
    pod = node.pod("a")
    key = f"{pod.address(family)}:0"
    bpf(node, "endpoint", "delete", pod.address(family))

    def actions():
        return [(event["action"], event["desired-action"]) for event in
                node.request("GET", "/v1/map/cilium_lxc/events")[1] if event["key"] == key]

    probe.eventually(lambda: actions() == [("update", "sync")] * 2, SECONDS, "repair as an event")
    pod.delete()
    assert actions()[-1] == ("delete", "sync")
    events = node.request("GET", "/v1/map/cilium_lxc/events")[1]
    numbers = [event["number"] for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert node.request("GET", f"/v1/map/cilium_lxc/events?since={numbers[-2]}")[1] == events[-1:]
    lines = node.cli("map", "events", "cilium_lxc").stdout.splitlines()
    assert len(lines) == len(events)
    assert re.fullmatch(r'key="\S+" value=".*" time=\d{4}-\d\d-\d\dT[\d:.]+Z action=delete '
                        r'desiredState=sync', lines[-1])
    for query in ("since=x", "since=-1", "follow=true"):
        assert node.request("GET", f"/v1/map/cilium_lxc/events?{query}")[0] == 400, query
    for name in ("nonsense", "cilium_metrics"):
        assert node.request("GET", f"/v1/map/{name}/events")[0] == 404


def test_map_events_follow(node):
    """-f goes on; it ends with the agent, and says why."""
    node.pod("a")
    with node.popen(node.program("cilium"), "map", "events", "-f", "cilium_lxc",
                    env=node.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    text=True) as follower:
        assert follower.stdout.readline().startswith('key="')
        pod = node.pod("b")
        wanted = f'key="{pod.address(socket.AF_INET)}:0"'
        while wanted not in follower.stdout.readline():
            assert follower.poll() is None
        node.kill_agent()
        assert follower.wait(timeout=10) == 1 and "Error: " in follower.stderr.read()


def test_map_event_buffers(site):
    """Sizes by the key; a map whose events are off says which key does it."""
    node = site.node(**{"bpf-map-event-buffers":
                        "cilium_lxc=enabled_1_0,cilium_devices=disabled_0_0"})
    node.pod("a")
    assert len(node.request("GET", "/v1/map/cilium_lxc/events")[1]) == 1
    done = node.cli("map", "events", "cilium_devices", check=False)
    assert done.returncode == 1 and "bpf-map-event-buffers" in done.stderr


def test_map_that_takes_no_more(site):
    """What the kernel refuses is in map get and map list, with its error, and in the events."""
    node = site.node()
    node.exec("bpftool", "map", "freeze", "pinned", f"{GLOBALS}/cilium_lxc_device")
    sandbox = node.sandbox("a")
    assert sandbox.cni("ADD", check=False).get("code")
    failed = [event for event in node.request("GET", "/v1/map/cilium_lxc_device/events")[1]
              if event["desired-action"] == "insert"]
    assert failed and failed[0]["last-error"] == "Operation not permitted"
