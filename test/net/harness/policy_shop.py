# SPDX-License-Identifier: Apache-2.0
"""A node with the pods web and front, and one policy with a rule of each kind for web."""

import socket

from . import probe

KEY = "CiliumNetworkPolicy/shop/web"
FRONT = [{"matchLabels": {"app": "front"}}]


def to_ports(*ports, **more):
    return [{"ports": [{"protocol": "TCP", **port} for port in ports], **more}]


WEB = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
       "metadata": {"name": "web", "namespace": "shop"},
       "spec": {"endpointSelector": {"matchLabels": {"app": "web"}},
                "ingress": [
                    {"fromEndpoints": FRONT, "toPorts": to_ports({"port": "80", "endPort": 87})},
                    {"fromEndpoints": FRONT,
                     "toPorts": to_ports({"port": "8080"}, rules={"http": [{"path": "/x"}]})},
                    {"fromEndpoints": FRONT, "icmps": [{"fields": [
                        {"type": 8, "family": "IPv4"}, {"type": "EchoRequest", "family": "IPv6"}]}]}],
                "ingressDeny": [{"fromEndpoints": FRONT, "toPorts": to_ports({"port": "443"})}],
                "log": {"value": "shop team"}}}


def wait_rule(node, words, there=True):
    """Until a rule that holds the words is in force; or none is."""
    probe.eventually(lambda: (words in str(node.request("GET", "/v1/policy/rules")[1])) == there,
                     what=f"rules with {words}")


def make(site):
    node = site.node()
    node.web = node.pod("web", {"app": "web"}, "shop")
    node.front = node.pod("front", {"app": "front"}, "shop")
    node.put_manifest("web.yaml", WEB)
    wait_rule(node, KEY)
    return node


def number(pod):
    return pod.endpoint()["id"]


def connects(client, server, family, port, seconds=0.4):
    """Whether a packet to the port gets there: where nothing listens, a reset says so."""
    with client.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect((server.address(family), port))
        except ConnectionRefusedError:
            pass
        except TimeoutError:
            return False
        return True
