# SPDX-License-Identifier: Apache-2.0
"""Who asks whether services are healthy: load balancers outside, old probes, and the agent itself."""

import http.client
import json
import re
import socket

import pytest

from harness import objects, probe
from harness.service_site import ServiceSite

HEALTH_PORT = 31999


def get(namespace, address, port, path="/"):
    """(status, headers, decoded body) of an HTTP server, seen from the namespace; None: nobody listens."""
    try:
        with probe.connect(namespace, probe.TCP, address, port, timeout=3) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(client)
            answer.begin()
            text = answer.read()
    except ConnectionRefusedError:
        return None
    return answer.status, answer.headers, json.loads(text) if text.startswith(b"{") else text.decode()


@pytest.fixture(scope="module")
def balanced():
    made = ServiceSite()
    yield made
    made.close()


def controller(node, name):
    found = [each for each in node.request("GET", "/v1/healthz")[1]["controllers"] if each["name"] == name]
    return found[0]["status"] if found else None


def put_local(site, endpoints, **spec):
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": HEALTH_PORT,
            "ingress": ["203.0.113.31", "2001:db8:9::31"], **spec}
    site.put_service("local", ["172.20.0.31", "fd00:20::31"],
                     [objects.port(80, 8080, node_port=30031)], endpoints, **spec)


def health(site, number, client="far"):
    """What a node says about the service, in both families the same: (status, local back ends)."""
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
    assert len(found) == 1, found
    return found.pop()


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
    balanced.remove("local.yaml")


def test_health_check_node_port_that_is_taken(balanced):
    """It is a failing job, tried again until it works."""
    node = balanced.nodes[0]
    squatter = node.socket(socket.AF_INET6, socket.SOCK_STREAM)
    squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    squatter.bind(("::", HEALTH_PORT))
    squatter.listen()
    put_local(balanced, balanced.endpoints("server1"))
    probe.eventually(lambda: "default/local" in (controller(node, "health-check-node-ports")
                                                 or {}).get("last-failure-msg", ""),
                     what="the status says whose port it is")
    squatter.close()
    probe.eventually(lambda: health(balanced, 1) == (200, 1), seconds=15, what="it is tried again")
    assert not controller(node, "health-check-node-ports")["consecutive-failure-count"]
    balanced.remove("local.yaml")


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
