# SPDX-License-Identifier: Apache-2.0
"""Pods, host and world talk, in every mode of delivery, over both families."""

import pytest

from harness import paths, probe
from harness.site import FAR, WORLD

MODES = {
    "default": {},
    "endpoint-routes": {"enable_endpoint_routes": True},
    "legacy-host-routing": {"enable_host_legacy_routing": True},
    "legacy-host-routing-endpoint-routes": {"enable_host_legacy_routing": True,
                                            "enable_endpoint_routes": True},
    "no-tcx": {"enable_tcx": False},
}


@pytest.mark.core
@pytest.mark.parametrize("mode", MODES)
def test_all_ways(site, family, mode):
    node = site.node(**MODES[mode])
    paths.check_all(node, node.pod("a"), node.pod("b"), family)


@pytest.mark.core
@pytest.mark.parametrize("only", ["ipv4", "ipv6"])
def test_one_family_alone(site, only):
    node = site.node(enable_ipv4=only == "ipv4", enable_ipv6=only == "ipv6")
    pod, peer = node.pod("a"), node.pod("b")
    assert (pod.ipv4 is None, pod.ipv6 is None) == (only == "ipv6", only == "ipv4")
    family = probe.family_of(pod.ipv4 or pod.ipv6)
    paths.check_all(node, pod, peer, family)


def test_two_nodes_with_routes(site, family):
    """Native routing: the network between the nodes knows the way to each pod range."""
    one, two = site.node(), site.node()
    a, b = one.pod("a"), two.pod("b")
    for own, peer in paths.check(a, b, b.address(family)):
        assert own == peer


@pytest.mark.core
def test_cilium_run_is_a_pod(node, family):
    one = node.run("one", labels={"app": "one"})
    two = node.pod("two")
    paths.check_all(node, one, two, family)
    paths.check_all(node, two, one, family)


def test_pod_reaches_itself(node, family):
    pod = node.pod("a")
    paths.check(pod, pod, pod.address(family))


def test_pod_reaches_its_gateway(node, family):
    """The router's address, which is the next hop of every pod, answers."""
    pod = node.pod("a")
    router = probe.hops(pod, FAR[family])[0]
    assert router and probe.ping(pod, router)


def test_stranger_on_the_link_reaches_pod_and_back(node, family):
    """World to pod, by the pod's own address, which the reply must carry too."""
    pod = node.pod("a")
    for own, peer in paths.check(node.site.world, pod, pod.address(family)):
        assert own == peer
    assert own[0] == WORLD[family]


@pytest.mark.core
def test_sctp(site, family):
    try:
        site.far.socket(family, probe.TCP, probe.IPPROTO_SCTP).close()
    except OSError as error:
        pytest.skip(f"this kernel has no SCTP sockets: {error}")
    node = site.node(enable_sctp=True)
    a, b = node.pod("a"), node.pod("b")
    with probe.Server(b, family, probe.TCP, protocol=probe.IPPROTO_SCTP) as server:
        probe.talk(a, probe.TCP, b.address(family), server.port, protocol=probe.IPPROTO_SCTP)
