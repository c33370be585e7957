# SPDX-License-Identifier: Apache-2.0
"""Who asks whether services are healthy: load balancers outside, old probes, and the agent itself."""

import contextlib
import http.client
import json
import re
import socket
import threading

import pytest

from harness import objects, probe
from harness.service_site import ServiceSite

pytestmark = pytest.mark.core

HEALTH_PORT = 31999


def get(namespace, address, port, path="/"):
    """(status, headers, decoded body) of an HTTP server, seen from the namespace; None: nobody listens."""
    try:
        with probe.connect(namespace, probe.TCP, address, port) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(client)
            answer.begin()
            text = answer.read()
    except ConnectionRefusedError:
        return None
    return answer.status, answer.headers, json.loads(text) if text.startswith(b"{") else text.decode()


@pytest.fixture(scope="module")
def balanced_site():
    made = ServiceSite(kube_proxy_replacement="true")
    yield made
    made.close()


@pytest.fixture
def balanced(balanced_site):
    """Without the services of a test before, even of one that failed."""
    yield balanced_site
    for name in "local.yaml", "checked.yaml":
        if (balanced_site.nodes[0].manifest_dir / name).exists():
            balanced_site.remove(name)
    probe.eventually(lambda: not balanced_site.nodes[0].cli_json("service", "list"), what="no service is left")
    probe.eventually(lambda: health(balanced_site, 1) is None, what="the port is free again")


def controller(node, name):
    found = [each for each in node.request("GET", "/v1/healthz")[1]["controllers"] if each["name"] == name]
    return found[0]["status"] if found else None


def put_local(site, endpoints, **spec):
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": HEALTH_PORT,
            "ingress": ["203.0.113.31", "2001:db8:9::31"], **spec}
    site.put_service("local", ["172.20.0.31", "fd00:20::31"],
                     [objects.port(80, 8080, node_port=30031)], endpoints, **spec)


def health(site, number, client="far"):
    """What a node says about the service: (status, local back ends), None where nobody listens.

    A set of two where the families differ: a change may fall between the two questions, so that only who
    waits can tell whether they agree in the end."""
    found = set()
    for address in site.nodes[number - 1].addresses.values():
        answer = get(site.namespaces[client], address, HEALTH_PORT)
        if answer is None:
            found.add(None)
            continue
        status, headers, body = answer
        assert body["service"] == {"namespace": "default", "name": "local"}
        assert headers["X-Load-Balancing-Endpoint-Weight"] == str(body["localEndpoints"])
        found.add((status, body["localEndpoints"]))
    return found.pop() if len(found) == 1 else found


def test_health_check_node_port(balanced):
    """Each node says whether it has back ends; changes show at once; with the service the port goes."""
    put_local(balanced, balanced.endpoints("server1"))
    probe.eventually(lambda: (health(balanced, 1), health(balanced, 2)) == ((200, 1), (503, 0)),
                     what="only node 1 has a back end")
    put_local(balanced, balanced.endpoints("server1", "server2"))
    probe.eventually(lambda: health(balanced, 2) == (200, 1), what="node 2 has one too")
    put_local(balanced, balanced.endpoints("server2")
              + balanced.endpoints("server1", ready=False, serving=True, terminating=True))
    probe.eventually(lambda: (health(balanced, 1), health(balanced, 2)) == ((503, 0), (200, 1)),
                     what="one that ends counts no longer")
    assert health(balanced, 2, "host1") == (200, 1)
    put_local(balanced, balanced.endpoints("server1"), externalTrafficPolicy="Cluster")
    probe.eventually(lambda: health(balanced, 1) is None, what="nobody has to ask any more")


def test_health_check_node_port_that_is_taken(balanced):
    """It is a failing job, tried again until it works."""
    node = balanced.nodes[0]
    with node.socket(socket.AF_INET6, socket.SOCK_STREAM) as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("::", HEALTH_PORT))
        squatter.listen()
        put_local(balanced, balanced.endpoints("server1"))
        probe.eventually(lambda: "default/local" in controller(node, "health-check-node-ports")["last-failure-msg"],
                         what="the status says whose port it is")
    probe.eventually(lambda: health(balanced, 1) == (200, 1), seconds=15, what="it is tried again")
    assert not controller(node, "health-check-node-ports")["consecutive-failure-count"]


def test_health_check_node_port_can_be_off(site):
    node = site.node(enable_health_check_nodeport="false")
    node.put_manifest("a.yaml", objects.service(
        "local", ["172.20.0.31"], [objects.port(80)], type="LoadBalancer",
        externalTrafficPolicy="Local", healthCheckNodePort=HEALTH_PORT))
    probe.eventually(lambda: node.cli_json("service", "list"), what="the service is there")
    assert get(site.far, node.addresses[socket.AF_INET], HEALTH_PORT) is None


def test_healthz_of_kube_proxy(site, family):
    node = site.node(kube_proxy_replacement_healthz_bind_address=":10256")
    address = node.addresses[family]
    status, _, body = get(site.far, address, 10256, "/healthz")
    assert status == 200 and body["lastUpdated"] == body["currentTime"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body["currentTime"])
    assert get(site.far, address, 10256, "/other")[0] == 404


# The agent's own health checks.

# Who answers late because the machine is slow must not count as dead.
CHECK = {"axoneme.io/health-check": "tcp", "axoneme.io/health-check-interval": "600ms",
         "axoneme.io/health-check-timeout": "590ms"}
VIPS = ["172.20.0.41", "fd00:20::41"]


def put_checked(site, *servers, **annotations):
    site.put_service("checked", VIPS, [objects.port(80, 8080)], site.endpoints(*servers),
                     annotations={**CHECK, **annotations})


def states(node):
    """{back end: state} of the service, as the node sees it."""
    return {f"{each['ip']} {each['port']}": each["state"]
            for service in node.cli_json("service", "list")
            if service["spec"]["flags"].get("name") == "checked"
            for each in service["spec"]["backend-addresses"]}


def servers_seen(site, family, *n):
    return site.servers_seen("client1", probe.TCP, VIPS[family == socket.AF_INET6], 80, *n)

def set_service(site, number, runs):
    """The server pod's port 8080 answers, or refuses as when its program has ended."""
    action = "-D" if runs else "-A"
    for tool in "iptables", "ip6tables":
        site.namespaces[f"server{number}"].exec(
            tool, action, "INPUT", "-p", "tcp", "--dport", "8080", "-j", "REJECT", "--reject-with",
            "tcp-reset")


def quarantined(node):
    return {name for name, state in states(node).items() if state == "quarantined"}


def test_dead_back_end_is_out_and_back(balanced, family):
    """Two intervals after its death nobody new is sent to it; when it answers it is back."""
    node = balanced.nodes[0]
    put_checked(balanced, "server1", "server2")
    probe.eventually(lambda: servers_seen(balanced, family) == {"server1", "server2"}
                     and not quarantined(node), seconds=10, what="both serve")
    dead = {f"{balanced.address('server2', each)} 8080" for each in (socket.AF_INET, socket.AF_INET6)}
    set_service(balanced, 2, False)
    try:
        probe.eventually(lambda: quarantined(node) == dead, seconds=10, what="server2 is out")
        assert servers_seen(balanced, family) == {"server1"}
    finally:
        set_service(balanced, 2, True)
    probe.eventually(lambda: not quarantined(node), seconds=10, what="server2 is back")
    probe.eventually(lambda: servers_seen(balanced, family) == {"server1", "server2"},
                     what="both serve again")


def test_dead_back_end_is_out_over_a_restart(balanced):
    """The next agent does not send anybody to it before it has asked."""
    node = balanced.nodes[0]
    put_checked(balanced, "server1", "server2", **{"axoneme.io/health-check-interval": "2s"})
    set_service(balanced, 2, False)
    try:
        probe.eventually(lambda: len(quarantined(node)) == 2, seconds=10, what="server2 is out")
        # Both addresses: the second may be found a moment later, and is written a second after that.
        kept = node.state_dir / "state/backend-health.json"
        probe.eventually(lambda: kept.exists() and kept.read_text().count("refused") == 2, seconds=10,
                         what="it is written down")
        node.kill_agent()
        node.start_agent()
        assert len(quarantined(node)) == 2
    finally:
        set_service(balanced, 2, True)
    probe.eventually(lambda: not quarantined(node), seconds=10, what="server2 is back")


def test_all_dead_back_ends_serve(balanced):
    """Who knows: the checks may be what is broken. Nobody is served by nobody."""
    node = balanced.nodes[0]
    put_checked(balanced, "server1", "server2", **{"axoneme.io/health-check": "http:/"})
    # The servers talk another protocol.
    probe.eventually(lambda: len(quarantined(node)) == 4, seconds=10, what="all are found down")
    assert servers_seen(balanced, socket.AF_INET) == {"server1", "server2"}


def test_health_check_of_http(balanced):
    """The status decides."""
    node = balanced.nodes[0]
    answers = {"status": b"200 OK"}

    def serve(listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            # Who asked may have gone.
            with contextlib.suppress(OSError), peer:
                peer.recv(1000)
                peer.sendall(b"HTTP/1.1 " + answers["status"] + b"\r\nContent-Length: 0\r\n\r\n")

    listener = balanced.namespaces["server1"].socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", 8099))
    listener.listen(64)
    thread = threading.Thread(target=serve, args=(listener,), daemon=True)
    thread.start()
    try:
        balanced.put_service("checked", VIPS[:1], [objects.port(80, 8099)],
                             [objects.endpoint(balanced.address("server1", socket.AF_INET), "node1")],
                             annotations={**CHECK, "axoneme.io/health-check": "http:/ready"})
        probe.eventually(lambda: states(node), what="the service is there")
        answers["status"] = b"503 Service Unavailable"
        probe.eventually(lambda: len(quarantined(node)) == 1, seconds=10, what="503 is no health")
        node.wait_log("A back end does not answer", "HTTP status 503")
        answers["status"] = b"204 No Content"
        probe.eventually(lambda: not quarantined(node), seconds=10, what="204 is")
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
