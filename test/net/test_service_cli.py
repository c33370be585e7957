# SPDX-License-Identifier: Apache-2.0
"""Services as people see and make them: cilium service, lrp, bpf lb, status, metrics, monitor, explain."""

import json
import re
import socket

import pytest

from harness import objects, observe, probe

pytestmark = pytest.mark.core

VIP = {socket.AF_INET: "10.96.0.7", socket.AF_INET6: "fd00:96::7"}
MAGLEV_SIZE = 251


def service(name, ips, ports, **spec):
    return objects.service(name, ips, ports, namespace="shop", **spec)


def rows(text):
    """The rows below the heading, their cells divided by three blanks or more."""
    return [re.split(r" {3,}", line.rstrip()) for line in text.splitlines()[1:]]


def services(node):
    return json.loads(node.cli("service", "list", "-o", "json").stdout)


def frontend(each):
    address = each["spec"]["frontend-address"]
    return address["ip"], address["port"]


def id_of(node, ip, port):
    found = [each["spec"]["id"] for each in services(node) if frontend(each) == (ip, port)]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture
def shop(shared_shop):
    """Without services that a test before has made by hand, even one that failed."""
    yield shared_shop
    shared_shop.cli("service", "delete", "--all", check=False)


@pytest.fixture(scope="module")
def shared_shop(shared_site):
    """A node with a client, a server, and the service shop/web in front of the server."""
    node = shared_site.node(cgroup=True, kube_proxy_replacement="true", bpf_lb_algorithm="maglev",
                            bpf_lb_maglev_table_size=MAGLEV_SIZE,
                            enable_local_redirect_policy="true", bpf_lb_sock_hostns_only="true")
    node.client, node.server = node.pod("client"), node.pod("server", {"app": "web"})
    ports = [objects.port(80, 8080, node_port=30080)]
    endpoints = [objects.endpoint(node.server.address(family)) for family in VIP]
    node.put_manifest("web.yaml", service("web", list(VIP.values()), ports, type="NodePort"),
                      *objects.slices("web", endpoints, ports, namespace="shop"))
    probe.eventually(lambda: len(services(node)) == 6 and all(
        each["status"].get("realized") for each in services(node)), 10, "the service is in force")
    return node


@pytest.fixture(scope="module")
def shared_site():
    from harness.site import Site
    made = Site()
    yield made
    made.close()


def test_service_list(shop):
    table = shop.cli("service", "list").stdout
    assert re.match(r"ID +Frontend +Service Type +Backend +$", table.splitlines()[0])
    listed = {row[1]: row for row in rows(table)}
    assert len(listed) == 6
    behind = f"1 => {shop.server.address(socket.AF_INET)}:8080/TCP (active)"
    assert listed["10.96.0.7:80/TCP"][2:] == ["ClusterIP", behind]
    assert listed["0.0.0.0:30080/TCP"][2:] == ["NodePort", behind]
    assert listed["[fd00:96::7]:80/TCP"][2:] == [
        "ClusterIP", f"1 => [{shop.server.address(socket.AF_INET6)}]:8080/TCP (active)"]
    assert [int(row[0]) for row in rows(table)] == sorted(int(row[0]) for row in rows(table))


def complete(node, *words):
    """{candidate: help} for the word that is begun."""
    return dict(line.split("\t") for line in node.cli("__complete", *words).stdout.splitlines())


def test_service_get(shop):
    number = id_of(shop, "10.96.0.7", 80)
    assert rows(shop.cli("service", "get", str(number)).stdout)[0][:3] == [
        str(number), "10.96.0.7:80/TCP", "ClusterIP"]
    spec = json.loads(shop.cli("service", "get", str(number), "-o", "json").stdout)["spec"]
    assert spec["flags"] == {"type": "ClusterIP", "name": "web", "namespace": "shop",
                             "trafficPolicy": "Cluster", "extTrafficPolicy": "Cluster",
                             "intTrafficPolicy": "Cluster", "natPolicy": "None"}
    assert [(each["ip"], each["port"], each["state"]) for each in spec["backend-addresses"]] == [
        (shop.server.address(socket.AF_INET), 8080, "active")]
    for wrong, status in (("65000", "not found"), ("web", "is not a number")):
        done = shop.cli("service", "get", wrong, check=False)
        assert done.returncode == 1 and status in done.stderr


def test_update_and_delete(shop):
    argv = ["service", "update", "--id", "700", "--frontend", "192.0.2.99:80",
            "--backends", "10.0.0.5:80,10.0.0.6:81", "--backend-weights", "10,0",
            "--k8s-load-balancer"]
    assert shop.cli(*argv).stdout == ("Creating new service with id '700'\n"
                                      "Added service with 2 backends\n")
    assert rows(shop.cli("service", "get", "700").stdout) == [
        ["700", "192.0.2.99:80/TCP", "LoadBalancer", "1 => 10.0.0.5:80/TCP (active)"],
        ["", "2 => 10.0.0.6:81/TCP (maintenance)"]]
    assert shop.cli(*argv[:7], "10.0.0.5:80", "--states", "active", "--k8s-load-balancer",
                    check=False).returncode == 0
    assert len(rows(shop.cli("service", "get", "700").stdout)) == 1
    # What manifests made is not for hands.
    other = str(id_of(shop, "10.96.0.7", 80))
    assert shop.cli("service", "delete", other, check=False).returncode == 1
    refused = shop.cli("service", "update", "--id", "701", "--frontend", "10.96.0.7:80",
                       check=False)
    assert refused.returncode == 1 and "shop/web" in refused.stderr
    shop.cli("service", "update", "--id", "702", "--frontend", "[2001:db8::99]:53", "--protocol",
             "udp", "--backends", "[fd00::5]:53")
    # So those are offered that hands made.
    assert complete(shop, "service", "delete", "") == {"700": "192.0.2.99:80/TCP",
                                                       "702": "[2001:db8::99]:53/UDP"}
    assert complete(shop, "service", "update", "--id=70") == {"--id=700": "192.0.2.99:80/TCP",
                                                              "--id=702": "[2001:db8::99]:53/UDP"}
    offered = complete(shop, "service", "get", "")
    assert len(offered) == 8 and offered[other] == "10.96.0.7:80/TCP shop/web"
    assert shop.cli("service", "delete", "700").stdout == "Service 700 deleted successfully\n"
    assert shop.cli("service", "delete", "--all").stdout == "Service 702 deleted successfully\n"
    assert len(services(shop)) == 6


def test_numbers_that_nobody_sees(shop):
    """An address's other ports have a number, too: it is given up to who asks for it."""
    def others():
        return {row[0]: int(re.search(r"\((\d+)\)", row[1])[1])
                for row in rows(shop.cli("bpf", "lb", "list").stdout) if "wildcard" in row[-1]}
    number = others()["10.96.0.7:0/ANY"]
    assert number not in {each["spec"]["id"] for each in services(shop)}
    shop.cli("service", "update", "--id", str(number), "--frontend", "192.0.2.98:80")
    assert rows(shop.cli("service", "get", str(number)).stdout) == [
        [str(number), "192.0.2.98:80/TCP", "ClusterIP"]]
    assert others()["10.96.0.7:0/ANY"] != number
    shop.cli("service", "delete", str(number))


@pytest.mark.parametrize("argv, why", [
    (["update", "--frontend", "10.0.0.1:80"], "--id"),
    (["update", "--id", "5", "--frontend", "fd00::1:80"], "no address with a port"),
    (["update", "--id", "5", "--frontend", "10.0.0.1:80", "--states", "active"], "--states"),
    (["delete"], "--all"),
    (["delete", "5", "--all"], "--all"),
])
def test_usage(shop, argv, why):
    done = shop.cli("service", *argv, check=False)
    assert done.returncode == 1 and why in done.stderr and "Usage" in done.stderr


def lists(node):
    return {command: node.cli("bpf", "lb", *command.split()).stdout
            for command in ("list", "list --frontends", "list --backends", "list --revnat",
                            "maglev list")}


def test_bpf_lb(shop):
    number = id_of(shop, "10.96.0.7", 80)
    server = shop.server.address(socket.AF_INET)
    text = lists(shop)
    found = [row for row in rows(text["list"])]
    at = next(i for i, row in enumerate(found) if row[0] == "10.96.0.7:80/TCP")
    assert found[at][1] == f"0.0.0.0:0 ({number}) (0) [ClusterIP, non-routable, maglev]"
    assert found[at + 1] == ["", f"{server}:8080/TCP ({number}) (1)"]
    assert any(row[0] == "10.96.0.7:0/ANY" and "wildcard" in row[1] for row in found)
    assert [str(number), "10.96.0.7:80"] in rows(text["list --revnat"])
    backend = next(row[0] for row in rows(text["list --backends"])
                   if row[1] == f"TCP://{server}:8080")
    table = shop.cli("bpf", "lb", "list", "-o", "json").stdout
    assert json.loads(table)["10.96.0.7:80/TCP"][1] == f"{server}:8080/TCP ({number}) (1)"
    # Node ports choose by the table, which has one back end.
    port = next(row[0] for row in rows(text["list --revnat"]) if row[1] == "0.0.0.0:30080")
    maglev = rows(shop.cli("bpf", "lb", "maglev", "get", port).stdout)
    assert maglev == [[f"[{port}]/v4", "[" + " ".join([backend] * MAGLEV_SIZE) + "]"]]
    assert maglev[0] in rows(text["maglev list"])
    done = shop.cli("bpf", "lb", "maglev", "get", "65000", check=False)
    assert done.returncode == 1 and "no Maglev table" in done.stderr


def test_bpf_lb_ranges(shop):
    shop.put_manifest("lb.yaml", service(
        "open", ["10.96.0.8"], [objects.port(443)], type="LoadBalancer", ingress=["203.0.113.7"],
        loadBalancerSourceRanges=["198.51.100.0/24"]))
    probe.eventually(lambda: id_of(shop, "203.0.113.7", 443), 10, "it is there")
    number = id_of(shop, "203.0.113.7", 443)
    text = shop.cli("bpf", "lb", "list", "--source-ranges").stdout
    assert text.startswith("SOURCE RANGE (REVNAT_ID)")
    assert [row[0] for row in rows(text)] == [f"198.51.100.0/24 ({number})"]
    assert shop.cli("bpf", "lb", "list", "--revnat", "--backends", check=False).returncode == 1


def test_what_a_connection_shows(shop):
    """bpf ct list, monitor, explain: each names the service."""
    for family in VIP:
        with observe.monitor(shop, "--type", "trace") as monitor, \
                probe.Server(shop.server, family, probe.TCP, port=8080):
            assert probe.talk(shop.client, probe.TCP, VIP[family], 80)
            where = VIP[family] if family == socket.AF_INET else f"[{VIP[family]}]"
            monitor.wait_line("tcp SYN", f", service shop/web {where}:80")
        entries = [line for line in shop.cli("bpf", "ct", "list", "global").stdout.splitlines()
                   if f"-> {where}:80 service " in line]
        number = id_of(shop, VIP[family], 80)
        assert entries and all(f"RevNAT={number} " in line for line in entries)
        assert re.search(r"BackendID=[1-9]\d* XLATE_DST ", entries[0])
        said = shop.cli("explain", "--from", "default/client", "--to", VIP[family], "--port", "80",
                        check=False)
        assert re.search(rf"service +shop/web {re.escape(where)}:80: ", said.stdout), (
            said.stdout + said.stderr)
        said = shop.cli("explain", "--from", "host", "--to", VIP[family], "--port", "80",
                        check=False)
        assert said.returncode == 2 and f"{where}:80 is the service shop/web: " in said.stderr


def test_status(shop):
    text = shop.cli("status", "--verbose").stdout
    address = shop.addresses[socket.AF_INET]
    assert re.search(rf"^KubeProxyReplacement: +True +\[eth0 +{address} .*\(Direct Routing\)\]$",
                     text, re.MULTILINE)
    details = text[text.index("KubeProxyReplacement Details:"):]
    for key, value in (("Status", "True"), ("Socket LB", "Enabled"),
                       ("Socket LB Coverage", "Hostns-only"), ("Mode", "SNAT"),
                       ("Backend Selection", rf"Maglev \(Table Size: {MAGLEV_SIZE}\)"),
                       ("Session Affinity", "Enabled"), ("XDP Acceleration", "Disabled"),
                       ("- ClusterIP", "Enabled"),
                       ("- NodePort", r"Enabled \(Range: 30000-32767\)"),
                       ("- HostPort", "Enabled")):
        assert re.search(rf"^  {key}: +{value}", details, re.MULTILINE), key


def metric(node, name, **labels):
    return sum(each["value"] for each in json.loads(node.cli("metrics", "list", "-o", "json").stdout)
               if each["name"] == f"cilium_{name}" and labels.items() <= each["labels"].items())


def test_metrics(shop):
    assert metric(shop, "services_events_total", action="add") >= 1
    assert metric(shop, "feature_adv_connect_and_lb_kube_proxy_replacement_enabled") == 1
    assert metric(shop, "feature_adv_connect_and_lb_node_port_configuration", mode="snat",
                  acceleration="disabled", algorithm="maglev") == 1
    assert metric(shop, "lb_frontends", type="NodePort") == 4
    assert metric(shop, "lb_backends", state="active") == 2
    assert metric(shop, "bpf_map_capacity", map_group="lb_services") == 131072
    assert metric(shop, "lb_unfit_services") == 0


def test_map_events(shop):
    text = shop.cli("map", "events", "cilium_lb_services").stdout
    assert "10.96.0.7:80" in text


def test_lrp_list(shop):
    shop.put_manifest("redirect.yaml", {
        "apiVersion": "cilium.io/v2", "kind": "CiliumLocalRedirectPolicy",
        "metadata": {"name": "meta", "namespace": "shop"},
        "spec": {"redirectFrontend": {"addressMatcher": {
            "ip": "169.254.169.254", "toPorts": [{"port": "80", "protocol": "TCP"}]}},
            "redirectBackend": {"localEndpointSelector": {"matchLabels": {"app": "meta"}},
                                "toPorts": [{"port": "8080", "protocol": "TCP"}]}}})
    pod = shop.pod("meta", namespace="shop")
    pod_object = {"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": "meta", "namespace": "shop", "labels": {"app": "meta"}},
        "spec": {"nodeName": f"node{shop.index}"}, "status": {
            "podIP": pod.address(socket.AF_INET),
            "podIPs": [{"ip": pod.address(socket.AF_INET)}, {"ip": pod.address(socket.AF_INET6)}],
            "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    shop.put_manifest("meta.yaml", pod_object)
    probe.eventually(lambda: "169.254" in shop.cli("lrp", "list").stdout, 10, "the redirect is in force")
    listed = shop.cli("lrp", "list").stdout
    assert re.split(r" {3,}", listed.splitlines()[0].rstrip()) == [
        "LRP namespace", "LRP name", "FrontendType", "Matching Service"]
    assert rows(listed)[0][:3] == ["shop", "meta", "IP + port"]
    assert rows(listed)[1][1:] == [
        "|", f"169.254.169.254:80/TCP -> {pod.address(socket.AF_INET)}:8080(shop/meta)"]


SWITCHES = {"enable_session_affinity": "sessionAffinity",
            "enable_svc_source_range_check": "check source-range",
            "enable_internal_traffic_policy": "InternalLocal"}


@pytest.mark.parametrize("off", SWITCHES)
def test_switches(shared_site, off):
    """What one key switches off is not in the map, and everything else is."""
    node = shared_site.node(enable_node_port="true", **{off: "false"})
    node.put_manifest("lb.yaml", service(
        "all", ["10.96.0.9"], [objects.port(80)], type="LoadBalancer", ingress=["203.0.113.9"],
        sessionAffinity="ClientIP", internalTrafficPolicy="Local",
        loadBalancerSourceRanges=["198.51.100.0/24"]))
    probe.eventually(lambda: [each for each in services(node) if frontend(each) == ("203.0.113.9", 80)
                              and each["status"].get("realized")], 10, "the service is in force")
    text = node.cli("bpf", "lb", "list").stdout
    for key, flag in SWITCHES.items():
        assert (flag in text) == (key != off), (key, text)


def test_redirects_outside_the_prefixes(shared_site):
    node = shared_site.node(enable_local_redirect_policy="true",
                            lrp_address_matcher_cidrs="169.254.0.0/16")
    pod = node.pod("meta", namespace="shop")
    node.put_manifest("pod.yaml", {"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": "meta", "namespace": "shop", "labels": {"app": "meta"}},
        "spec": {"nodeName": f"node{node.index}"}, "status": {
            "podIP": pod.address(socket.AF_INET), "podIPs": [{"ip": pod.address(socket.AF_INET)}],
            "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}})
    for name, address in (("in", "169.254.169.254"), ("out", "10.1.1.1")):
        node.put_manifest(f"{name}.yaml", {
            "apiVersion": "cilium.io/v2", "kind": "CiliumLocalRedirectPolicy",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"redirectFrontend": {"addressMatcher": {
                "ip": address, "toPorts": [{"port": "80", "protocol": "TCP"}]}},
                "redirectBackend": {"localEndpointSelector": {"matchLabels": {"app": "meta"}},
                                    "toPorts": [{"port": "8080", "protocol": "TCP"}]}}})
    probe.eventually(lambda: "169.254.169.254:80" in node.cli("lrp", "list").stdout, 10, "one is")
    assert "10.1.1.1" not in node.cli("lrp", "list").stdout


def test_xdp_is_told(shared_site):
    node = shared_site.node(enable_node_port="true", bpf_lb_acceleration="generic")
    probe.eventually(lambda: re.search(r"^  XDP Acceleration: +Generic   \[eth0: generic\]$",
                                       node.cli("status", "--verbose").stdout, re.MULTILINE), 10,
                     "the device has the program")


def test_old_words_are_told(shared_site):
    node = shared_site.node(kube_proxy_replacement="partial", node_port_algorithm="maglev")
    node.wait_log("A key is written in an old way", "key=kube-proxy-replacement")
    node.wait_log("A key is written in an old way", "key=node-port-algorithm")
    text = node.cli("status", "--verbose").stdout
    assert re.search(r"^KubeProxyReplacement: +False *$", text, re.MULTILINE)
    assert re.search(r"^  Backend Selection: +Maglev \(Table Size: 16381\)$", text, re.MULTILINE)


def test_load_balancer_only(shared_site):
    """No endpoints, and what is for clients outside without another key."""
    node = shared_site.node(bpf_lb_only="true")
    status, text = node.request("POST", "/v1/ipam?owner=a/b")
    assert status == 403 and "load balancer only" in text
    assert node.cli("service", "update", "--id", "1", "--frontend", "192.0.2.77:80", "--backends",
                    "198.51.100.2:80", "--k8s-load-balancer").returncode == 0
    assert "[LoadBalancer]" in node.cli("bpf", "lb", "list").stdout
    text = node.cli("status", "--verbose").stdout
    assert re.search(r"^  - LoadBalancer: +Enabled$", text, re.MULTILINE)
    assert re.search(r"^  - HostPort: +Disabled$", text, re.MULTILINE)


def test_lists_outlive_the_agent(shop):
    """The last of all: the agent is gone behind it."""
    alive = lists(shop)
    shop.kill_agent()
    assert lists(shop) == alive
    assert shop.cli("service", "list", check=False).returncode == 1
