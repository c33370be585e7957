# SPDX-License-Identifier: Apache-2.0
"""Metrics: what Prometheus gets on its port, the REST API and the command line, against the truth."""

import concurrent.futures
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

from harness import objects, observe, probe
from harness.inject import datagram, inject
from harness.node import ROOT
from harness.site import FAR

PORT = 9962
HOSTS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "[::1]"}
SAMPLE = re.compile(r'(?P<name>[a-z_0-9]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)')
LABEL = re.compile(r'([a-zA-Z_]+)="((?:[^"\\]|\\.)*)",?')
EVERYTHING = "+cilium_endpoint_max_ifindex +cilium_ipcache_events_total " \
    "+cilium_bpf_syscall_duration_seconds +cilium_datapath_nat_gc_entries"


def table():
    """{name: (type, labels)} of src/agent/metric.def."""
    text = (pathlib.Path(ROOT) / "src/agent/metric.def").read_text()
    rows = re.findall(r'^METRIC\((\w+), (\w+), "([^"]*)", (ON|OFF),', text, re.M)
    assert len(rows) == len(re.findall(r"^METRIC\(", text, re.M)) > 40
    return {f"cilium_{name}": (kind.lower(), set(filter(None, labels.split(","))))
            for name, kind, labels, _ in rows}


def get(node, family=socket.AF_INET, path="/metrics", port=PORT, *options):
    """The body; raises where the status is not 200."""
    return node.exec("curl", "-sS", "--fail", "-g", "-m", "10", *options,
                     f"http://{HOSTS[family]}:{port}{path}").stdout


def parse(text):
    """[(name, {label: value}, number)]."""
    samples = []
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            samples.append((match["name"], dict(LABEL.findall(match["labels"] or "")),
                            float(match["value"])))
    return samples


def scrape(node, family=socket.AF_INET):
    return parse(get(node, family))


def value(samples, name, **labels):
    """The sum of the samples that have the labels."""
    return sum(number for found, has, number in samples
               if found == f"cilium_{name}" and labels.items() <= has.items())


def family_of(name, rows):
    return name if name in rows else re.sub("_(bucket|sum|count)$", "", name)


@pytest.fixture
def metered(site):
    """A node whose metrics are all on, and what they count."""
    made = site.node(cgroup=True, bpf_lb_sock="true", prometheus_serve_addr=f":{PORT}", metrics=EVERYTHING,
                     conntrack_gc_interval="100ms")
    yield made
    print(made.log())


def wait_for(node, condition, what):
    """Until the condition holds of a scrape. Returns the scrape."""
    found = []

    def look():
        found[:] = [scrape(node)]
        return condition(found[0])
    probe.eventually(look, what=what)
    return found[0]


@pytest.mark.core
def test_names_are_those_of_the_table(metered):
    pod = metered.pod("a", labels={"app": "web"})
    port = objects.port(80)
    metered.put_manifest("web.yaml", objects.service("web", ["10.96.0.1"], [port]), *objects.slices(
        "web", [objects.endpoint(pod.address(socket.AF_INET))], [port]))
    inject(pod, socket.AF_INET, datagram(socket.AF_INET, "203.0.113.9", FAR[socket.AF_INET]))
    rows = table()

    def has_all(found):
        missing = set(rows) - {family_of(name, rows) for name, _, _ in found}
        assert not missing
        return True

    samples = wait_for(metered, has_all, "something of everything has happened")
    assert {family_of(name, rows) for name, _, _ in samples} == set(rows)
    for name, labels, _ in samples:
        assert set(labels) - {"le"} == rows[family_of(name, rows)][1], name
    series = [(name, tuple(sorted(labels.items()))) for name, labels, _ in samples]
    assert len(series) == len(set(series)), "a series comes twice"


@pytest.mark.core
def test_both_families_and_promtool(metered, family):
    metered.pod("a")
    text = get(metered, family)
    headers = metered.exec("curl", "-sS", "-g", "-I",
                           f"http://{HOSTS[family]}:{PORT}/metrics").stdout
    assert "200 OK" in headers and "text/plain; version=0.0.4; charset=utf-8" in headers
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed: tools/install-deps.sh")
    done = subprocess.run([promtool, "check", "metrics"], input=text, text=True,
                          capture_output=True, check=False)
    # Cilium's own name of a label is all that it may find fault with.
    complaints = [line for line in (done.stdout + done.stderr).splitlines()
                  if not (line.startswith("cilium_nodes_all_events_received_total ")
                          and "camelCase" in line)]
    assert complaints == [] and done.returncode in (0, 3)


def test_counts_are_true(metered, family):
    pod, other = metered.pod("a"), metered.pod("b")
    stranger = {socket.AF_INET: "203.0.113.9", socket.AF_INET6: "2001:db8:bad::9"}[family]
    before = scrape(metered)
    assert value(before, "endpoint") == 2
    assert value(before, "endpoint_state", endpoint_state="ready") == 2
    assert value(before, "endpoint_regenerations_total", outcome="success") == 2
    assert value(before, "endpoint_regenerations_total", outcome="fail") == 0
    for _ in range(7):
        inject(pod, family, datagram(family, stranger, FAR[family]))
    packet = datagram(family, pod.address(family), other.address(family))
    for _ in range(5):
        inject(pod, family, packet)
    drop = {"reason": "Invalid source ip", "direction": "EGRESS"}
    after = wait_for(
        metered, lambda found: value(found, "drop_count_total", **drop)
        == value(before, "drop_count_total", **drop) + 7, "seven drops are counted")
    assert value(after, "drop_bytes_total", **drop) > value(before, "drop_bytes_total", **drop)
    assert value(after, "drop_count_total", **drop) \
        == observe.metric(metered, "Invalid source ip", "egress")
    assert value(after, "forward_count_total", direction="INGRESS") \
        >= value(before, "forward_count_total", direction="INGRESS") + 5
    addresses = metered.request("GET", "/v1/healthz")[1]["ipam"]
    for name in "ipv4", "ipv6":
        assert value(after, "ip_addresses", family=name) == len(addresses[name])
    assert value(after, "identity", type="cluster_local") == sum(
        256 <= identity["id"] < 65536 for identity in metered.request("GET", "/v1/identity")[1])
    assert value(after, "endpoint_max_ifindex") > 0


def test_counters_follow_what_comes_and_goes(metered):
    first = scrape(metered)
    pod = metered.pod("a")
    metered.put_manifest("node.yaml", {
        "apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": "elsewhere"},
        "spec": {"addresses": [{"type": "InternalIP", "ip": "192.0.2.99"}]}})
    there = wait_for(metered, lambda found: value(found, "nodes_all_num") == 2, "the node is there")
    events = {"source": "custom-resource", "eventType": "add"}
    assert value(there, "nodes_all_events_received_total", **events) \
        == value(first, "nodes_all_events_received_total", **events) + 1
    for name in "ipv4", "ipv6":
        assert value(there, "ipam_events_total", action="allocate", family=name) \
            == value(first, "ipam_events_total", action="allocate", family=name) + 1
        assert value(there, "ip_addresses", family=name) \
            == value(first, "ip_addresses", family=name) + 1
    pod.delete()
    gone = scrape(metered)
    assert value(gone, "endpoint") == 0
    assert value(gone, "ipam_events_total", action="release") \
        == value(first, "ipam_events_total", action="release") + 2
    kinds = table()
    for name, labels, number in there:
        if kinds.get(family_of(name, kinds), ("",))[0] == "counter":
            after = [n for found, has, n in gone if (found, has) == (name, labels)]
            assert after and after[0] >= number, f"{name} {labels} went back"


def test_how_full_maps_are(metered):
    pod, other = metered.pod("a"), metered.pod("b")
    inject(pod, socket.AF_INET, datagram(socket.AF_INET, pod.ipv4, other.ipv4))
    found = wait_for(
        metered, lambda found: value(found, "bpf_map_pressure", map_name="ct_any_global") > 0,
        "the connection is seen")
    n = value(found, "bpf_map_pressure", map_name="ct_any_global") \
        * value(found, "bpf_map_capacity", map_group="ct_any_global")
    assert abs(n - round(n)) < 0.01 and n >= 1
    wait_for(metered, lambda found: value(found, "datapath_conntrack_gc_runs_total", family="ipv4",
                                          protocol="non-TCP", status="completed") > 0, "a sweep")


def test_other_paths_and_methods(metered):
    for path, options, status in ("/", (), 404), ("/v1/metrics", (), 404), \
            ("/metrics", ("-X", "POST"), 405), ("/metrics", ("-X", "DELETE"), 405):
        code = metered.exec("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *options,
                            f"http://127.0.0.1:{PORT}{path}").stdout
        assert int(code) == status, (path, options)


def test_scrapes_at_once(metered):
    metered.pod("a")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(lambda _: get(metered), range(64)))
    assert all(value(parse(text), "endpoint") == 1 for text in texts)


def test_off_by_default(node):
    done = node.exec("curl", "-sS", "-m", "2", f"http://127.0.0.1:{PORT}/metrics", check=False)
    assert done.returncode == 7, "somebody listens though prometheus-serve-addr is empty"
    assert "Metrics:" not in node.cli("status").stdout
    names = {sample["name"] for sample in node.request("GET", "/v1/metrics")[1]}
    assert "cilium_endpoint" in names and "cilium_ipcache_events_total" not in names


@pytest.mark.parametrize("address, family", [
    ("127.0.0.1:9962", socket.AF_INET), ("[::1]:9962", socket.AF_INET6)])
def test_one_address(site, address, family):
    node = site.node(prometheus_serve_addr=address)
    other = ({socket.AF_INET, socket.AF_INET6} - {family}).pop()
    assert value(scrape(node, family), "endpoint") == 0
    assert node.exec("curl", "-s", "-g", f"http://{HOSTS[other]}:{PORT}/metrics",
                     check=False).returncode == 7


def test_a_port_that_is_taken(site):
    node = site.node(start=False, prometheus_serve_addr=f":{PORT}")
    with node.socket(socket.AF_INET6, socket.SOCK_STREAM) as taken:
        taken.bind(("::", PORT))
        taken.listen()
        node.start_agent(wait=False)
        node.wait_log("level=warning", "subsys=metrics", f":{PORT}", "in use")
        node.wait_log("Agent is ready")
        status = node.cli("status").stdout
        assert "1 job(s) fail" in status
        assert re.search(rf"^Metrics: +not served: prometheus-serve-addr: .*:{PORT}: .*in use ",
                         status, re.M), status
        assert node.pod("a").ipv4, "the agent works"
    probe.eventually(lambda: "job(s) fail" not in node.cli("status").stdout, 30, "the port is had")
    assert value(scrape(node), "endpoint") == 1
    assert "not served" not in node.cli("status").stdout


def test_names_that_are_none(site):
    node = site.node(prometheus_serve_addr=f":{PORT}",
                     metrics="-cilium_endpoint +cilium_ipcache_event_total")
    node.wait_log("level=warning", "key=metrics", "value=+cilium_ipcache_event_total",
                  "cilium_ipcache_events_total")
    assert "cilium_endpoint" not in {name for name, _, _ in scrape(node)}


@pytest.mark.core
def test_command_line(metered):
    metered.pod("a")
    text = metered.cli("metrics", "list").stdout
    assert re.match(r"Metric +Labels +Value\n", text)
    assert re.search(r"^cilium_endpoint +1\.000000$", text, re.M)
    assert re.search(r"^cilium_endpoint_state +endpoint_state=ready +1\.000000$", text, re.M)
    assert re.search(r"^cilium_agent_api_process_time_seconds +method=PUT path=/v1/endpoint "
                     r"return_code=201 +[\d.]+[mµ]?s / [\d.]+[mµ]?s / [\d.]+[mµ]?s$", text, re.M)
    # The regular expression sees the name with the labels right behind it.
    lines = metered.cli("metrics", "list", "-p", "endpoint_stateendpoint_state=r").stdout
    assert set(re.findall(r"=(\S+)", lines)) == {"ready", "regenerating", "restoring"}
    samples = metered.cli_json("metrics", "list", "-p", "^cilium_endpoint$")
    assert samples == [{"name": "cilium_endpoint", "labels": {}, "value": 1.0}]
    done = metered.cli("metrics", "list", "-p", "(", check=False)
    assert done.returncode == 1 and "--match-pattern" in done.stderr
