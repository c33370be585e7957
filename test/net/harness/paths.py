# SPDX-License-Identifier: Apache-2.0
"""Every way a packet can go on one node, tried with every protocol."""

from . import probe
from .site import FAR


def check(client, server, address, kinds=(probe.TCP, probe.UDP)):
    """Echo request, and an exchange by each protocol; the server sees the client's own address."""
    family = probe.family_of(address)
    assert probe.ping(client, address), f"{client.name}: no ping to {address}"
    seen = []
    for kind in kinds:
        with probe.Server(server, family, kind, address) as listener:
            own = probe.talk(client, kind, address, listener.port)
            seen.append((own, listener.peers[0]))
    return seen


def check_all(node, a, b, family):
    """Pod, host and world reach each other, each way round."""
    far = FAR[family]
    host = node.addresses[family]
    for client, server, address in ((a, b, b.address(family)), (a, node, host),
                                    (node, a, a.address(family)),
                                    (node.site.far, a, a.address(family))):
        for own, peer in check(client, server, address):
            assert own == peer, f"{client.name} to {address}: {own} arrived as {peer}"
    for own, peer in check(a, node.site.far, far):
        assert own[0] == a.address(family)
        assert peer[0] == host, f"not masqueraded to the node's address: {peer}"
