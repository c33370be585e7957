# SPDX-License-Identifier: Apache-2.0
"""Services that somebody makes by hand: PUT and DELETE /service/{id}, with traffic."""

import socket

import pytest

from harness import probe
from harness.service_site import ServiceSite

pytestmark = pytest.mark.core

ADDRESSES = {socket.AF_INET: "172.20.7.1", socket.AF_INET6: "fd00:20::7:1"}
NUMBERS = {socket.AF_INET: 7001, socket.AF_INET6: 7002}


@pytest.fixture(scope="module")
def balanced_site():
    made = ServiceSite(kube_proxy_replacement="true")
    yield made
    made.close()


@pytest.fixture
def balanced(balanced_site):
    """Without the services of a test before, even of one that failed."""
    yield balanced_site
    node = balanced_site.nodes[0]
    if node.agent.poll() is not None:
        node.start_agent()
    for number in NUMBERS.values():
        node.request("DELETE", f"/v1/service/{number}")
    if (node.manifest_dir / "taken.yaml").exists():
        balanced_site.remove("taken.yaml")
    probe.eventually(lambda: not node.cli_json("service", "list"), what="no service is left")


def put(site, family, weights, address=None, number=None, **members):
    """weights: of the servers, by name. Returns the status and the answer."""
    backends = [{"ip": site.address(name, family), "port": 8080, "weight": weight}
                for name, weight in weights.items()]
    return site.nodes[0].request("PUT", f"/v1/service/{number or NUMBERS[family]}", {
        "frontend-address": {"ip": address or ADDRESSES[family], "port": 80, "protocol": "TCP"},
        "backend-addresses": backends, **members})


def servers_seen(site, family, *n):
    return site.servers_seen("client1", probe.TCP, ADDRESSES[family], 80, *n)

def test_life_of_a_service(balanced, family):
    """It serves when the answer has come, changes, survives a kill, and goes."""
    node = balanced.nodes[0]
    assert put(balanced, family, {"server1": 100}) == (201, None)
    assert servers_seen(balanced, family, 3) == {"server1"}
    assert put(balanced, family, {"server1": 100, "server2": 100}) == (200, None)
    assert servers_seen(balanced, family) == {"server1", "server2"}
    # Weight 0 is maintenance.
    assert put(balanced, family, {"server1": 0, "server2": 100}) == (200, None)
    assert servers_seen(balanced, family, 5) == {"server2"}
    node.kill_agent()
    assert servers_seen(balanced, family, 5) == {"server2"}
    node.start_agent()
    assert servers_seen(balanced, family, 5) == {"server2"}
    status, shown = node.request("GET", f"/v1/service/{NUMBERS[family]}")
    assert status == 200 and shown["spec"]["frontend-address"]["ip"] == ADDRESSES[family]
    assert node.request("DELETE", f"/v1/service/{NUMBERS[family]}") == (200, None)
    assert "server2" not in servers_seen(balanced, family, 2)
    assert node.request("GET", f"/v1/service/{NUMBERS[family]}")[0] == 404


def test_what_belongs_to_others(balanced, family):
    """Neither a number nor a front end of a Service can be taken, nor of another that was made by hand."""
    node = balanced.nodes[0]
    taken = {socket.AF_INET: "172.20.0.71", socket.AF_INET6: "fd00:20::71"}
    # A namespace may be called as what tells services made by hand from others.
    balanced.put_service("taken", list(taken.values()),
                         [{"port": 80, "targetPort": 8080, "protocol": "TCP"}], [], namespace="request")
    service = probe.eventually(
        lambda: [each for each in node.request("GET", "/v1/service")[1]
                 if each["spec"]["frontend-address"]["ip"] == taken[family] and each["spec"]["id"]],
        what="the Service is in force")[0]
    assert service["axoneme"]["requested"] is False
    listed = service["spec"]
    status, message = put(balanced, family, {"server1": 1}, address=taken[family])
    assert status == 409 and "request/taken" in message
    status, message = put(balanced, family, {"server1": 1}, number=listed["id"])
    assert status == 409 and str(listed["id"]) in message
    status, message = node.request("DELETE", f"/v1/service/{listed['id']}")
    assert status == 404 and "by hand" in message
