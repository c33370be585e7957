# SPDX-License-Identifier: Apache-2.0
"""cilium explain: what it says is what happens, and it changes nothing."""

import socket

import pytest

from harness import probe

V4, V6 = socket.AF_INET, socket.AF_INET6
WEB = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
       "metadata": {"name": "web", "namespace": "shop"},
       "spec": {"endpointSelector": {"matchLabels": {"app": "web"}},
                "ingress": [
                    {"fromEndpoints": [{"matchLabels": {"app": "front"}}],
                     "toPorts": [{"ports": [{"port": "80", "endPort": 87, "protocol": "TCP"}]}]},
                    {"fromEndpoints": [{"matchLabels": {"app": "front"}}],
                     "toPorts": [{"ports": [{"port": "8080", "protocol": "TCP"}],
                                  "rules": {"http": [{"path": "/x"}]}}]}],
                "ingressDeny": [
                    {"fromEndpoints": [{"matchLabels": {"app": "front"}}],
                     "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}]}],
                "log": {"value": "shop team"}}}


def explain(node, *argv, status=None):
    done = node.cli("explain", *map(str, argv), check=False)
    print(done.stdout + done.stderr)
    if status is not None:
        assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.fixture
def shop(site):
    node = site.node()
    node.web = node.pod("web", {"app": "web"}, "shop")
    node.front = node.pod("front", {"app": "front"}, "shop")
    node.put_manifest("web.yaml", WEB)
    probe.eventually(lambda: "k8s.policy.name" in str(node.request("GET", "/v1/policy")[1]),
                     what="the policy in force")
    yield node
    print(node.log())


def test_try(shop):
    explain(shop, "--from", "shop/front", "--to", "shop/web", "--port", 80)
    explain(shop, "--from", "shop/front", "--to", "shop/web", "--port", 90)
    explain(shop, "--from", "shop/front", "--to", "shop/web", "--port", 8080)
    explain(shop, "--from", "shop/front", "--to", "shop/web", "--port", 443, "-6")
    explain(shop, "--from", "host", "--to", "shop/web", "--port", 443, "-6")
    explain(shop, "--from", "shop/web", "--to", "8.8.8.8", "--port", 443)
    explain(shop, "--from", "8.8.8.8", "--to", "shop/web", "--port", 443)
    explain(shop, "--from", "host", "--to", "8.8.8.8", "--port", 443)
    explain(shop, "--from", "shop/front", "--to", "shop/web", "--port", 90, "-o", "json")
    assert 0
