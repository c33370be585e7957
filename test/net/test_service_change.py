# SPDX-License-Identifier: Apache-2.0
"""
Back ends come and go, the agent dies and is replaced, all under load: no connection to a back end that stays
is lost, none goes to one that is not there.
"""

import contextlib
import os
import random
import time

import pytest

from harness import objects, patience, probe
from harness.churn import Churn
from harness.service_site import ServiceSite
from harness.whoami import Conversation, Whoami

PORTS = range(9001, 9017)  # of each server: a back end each
CLUSTER_IPS, NODE_PORT = ["172.20.1.1", "fd00:20::101"], 30100
N_CHANGES = int(os.environ.get("AXONEME_TEST_CHANGES", "1000"))
N_CONNECTIONS = 10 * N_CHANGES
N_KILLS = int(os.environ.get("AXONEME_TEST_KILLS", "10"))
# From the rename of a manifest to the last program that knows it, on a machine that does much else.
GRACE_SECONDS = patience.stretch(0.2)


class Shop:
    """A service of 32 back ends, half of them on each server, TCP and UDP; some of them are there."""

    NAMES = [f"server{number}-{port}" for number in (1, 2) for port in PORTS]

    def __init__(self, site):
        self.site, self.random = site, random.Random(6)
        for number in (1, 2):
            site.servers.append(Whoami(site.namespaces[f"server{number}"], f"server{number}-%", *PORTS))
        self.put_service()
        # (since when at the earliest, at the latest, whether it is there)
        self.history = {name: [(0.0, 0.0, True)] for name in self.NAMES}
        self.present = set(self.NAMES)
        self.write()

    def put_service(self):
        ports = [objects.port(80, 9001, kind, NODE_PORT, kind.lower()) for kind in ("TCP", "UDP")]
        self.site.put("shop.yaml", objects.service("shop", CLUSTER_IPS, ports, type="NodePort"))

    def slice(self, name):
        """The slices of one back end: each has its own port."""
        server, _, port = name.partition("-")
        ports = [objects.port(80, int(port), kind, name=kind.lower()) for kind in ("TCP", "UDP")]
        made = objects.slices("shop", self.site.endpoints(server), ports)
        for each in made:
            each["metadata"]["name"] += f"-{name}"
        return made

    def write(self):
        objects_ = [each for name in sorted(self.present) for each in self.slice(name)]
        for node in self.site.nodes:
            objects.put_list(node, "slices.json", objects_)

    @contextlib.contextmanager
    def changing(self, name):
        """One goes, or comes back; what is in the block is done until that is in force."""
        before = time.monotonic()
        self.present ^= {name}
        self.write()
        yield
        self.history[name].append((before, time.monotonic(), name in self.present))

    def change(self):
        """Of one that did not lately."""
        choice = []
        while not choice:
            time.sleep(0.001)
            now, gone = time.monotonic(), set(self.NAMES) - self.present
            choice = [name for name in self.NAMES if (name in gone or len(gone) < 16)
                      and self.history[name][-1][1] < now - 2 * GRACE_SECONDS]
        with self.changing(self.random.choice(choice)):
            pass

    def was_out(self, name, begin, end):
        """Whether it was not there at all from begin to end."""
        is_there = True
        for earliest, latest, present in self.history[name]:
            if (earliest if present else latest) <= begin:
                is_there = present
            elif earliest <= end:
                return False
        return not is_there

    def left_between(self, name, begin, end):
        """Whether it went in that time, or was not there from its begin on."""
        return self.was_out(name, begin, begin) or any(
            earliest <= end and latest >= begin
            for earliest, latest, present in self.history[name] if not present)


@pytest.fixture(scope="module")
def shop():
    with contextlib.closing(ServiceSite(kube_proxy_replacement=True)) as site:
        shop = Shop(site)
        for client in ("client1", "client2"):
            site.until(client, CLUSTER_IPS[0], 80, shop.NAMES)
        site.until("far", site.nodes[0].addresses[2], NODE_PORT, shop.NAMES)
        yield shop
        for node in site.nodes:
            print(node.log())


@pytest.fixture
def whole(shop):
    """All back ends are there, and agents, whatever happened in the test before."""
    for node in shop.site.nodes:
        if node.agent.poll() is not None:
            node.start_agent()
    shop.present = set(shop.NAMES)
    shop.write()
    shop.history = {name: [(0.0, 0.0, True)] for name in shop.NAMES}
    shop.site.until("far", shop.site.nodes[0].addresses[2], NODE_PORT, shop.NAMES)
    shop.site.until("client1", CLUSTER_IPS[0], 80, shop.NAMES)
    return shop


def crowds(shop, kinds=("tcp",), **kwargs):
    """At sockets of a pod, and through a node's port from outside, both families."""
    node = shop.site.nodes[0]
    made = []
    for kind in kinds:
        for address, outside in zip(CLUSTER_IPS, node.addresses.values()):
            made.append(Churn(shop.site.namespaces["client1"], kind, address, 80, **kwargs))
            made.append(Churn(shop.site.namespaces["far"], kind, outside, NODE_PORT, **kwargs))
    return made


def ended(crowds_):
    return [record for crowd in crowds_ for record in crowd.stop()]


def broken(shop, records):
    """Connections that ended badly though their back end was there all the time."""
    found = []
    for record in records:
        if record["error"] is None:
            continue
        servers = {server for _, server in record["answers"]}
        begin, end = record["opened"] - GRACE_SECONDS, record["ended"]
        # Without an answer nobody knows whom it went to: it may be any that left then.
        suspects = servers or set(shop.NAMES)
        if not any(shop.left_between(name, begin, end) for name in suspects):
            found.append(record)
    return found


def misled(shop, records):
    """Connections whose first answer came from a back end that was out before they began."""
    return [record for record in records if record["answers"]
            and shop.was_out(record["answers"][0][1], record["opened"] - GRACE_SECONDS,
                             record["opened"] + 0.001)]


def test_many_changes_of_back_ends(whole):
    crowd = crowds(whole, concurrent=40, enough=N_CONNECTIONS // 4)
    number = 0
    while number < N_CHANGES or not all(each.has_enough() for each in crowd):
        whole.change()
        number += 1
        time.sleep(0.01)
    records = ended(crowd)
    wrong, lost = misled(whole, records), broken(whole, records)
    assert not wrong, f"{len(wrong)} of {len(records)} went to a back end that was gone: {wrong[:3]}"
    assert not lost, f"{len(lost)} of {len(records)} broke: {lost[:3]}"
    refused = [record for record in records if not record["answers"]]
    assert len(refused) < len(records) / 10, f"{len(refused)} never got an answer: {refused[:3]}"


def test_udp_leaves_a_back_end_that_is_gone(whole):
    """No datagram to it any more, in sockets that were connected before too."""
    crowd = crowds(whole, kinds=("udp",), concurrent=20, asks=200, pause_ms=10)
    time.sleep(0.5)
    for name in whole.NAMES[:3]:
        whole.present.discard(name)
    whole.write()
    since = time.monotonic()
    time.sleep(GRACE_SECONDS + 0.5)
    late = [(server, at - since) for record in ended(crowd) for at, server in record["answers"]
            if server in whole.NAMES[:3] and at > since + GRACE_SECONDS]
    assert not late, f"{len(late)} answers of back ends that are gone, the last {max(late)}"


def test_kept_connections_outlive_their_service(whole):
    """A connection that is open goes on when its back end only takes no new ones."""
    name = whole.NAMES[0]
    client = whole.site.namespaces["client1"]
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(Conversation(client, probe.TCP, CLUSTER_IPS[0], 80))
                for _ in range(40)]
        servers = [each.ask().server for each in kept]
        objects_ = [each for one in whole.NAMES for each in whole.slice(one)]
        for each in objects_:
            if each["metadata"]["name"].endswith(name):
                for endpoint in each["endpoints"]:
                    endpoint["conditions"] = dict(ready=False, serving=True, terminating=True)
        for node in whole.site.nodes:
            objects.put_list(node, "slices.json", objects_)
        whole.site.until("client1", CLUSTER_IPS[0], 80, whole.NAMES[1:])
        assert [each.ask().server for each in kept] == servers


def open_by(record):
    """When it was open for sure, or the end of one that never was."""
    return record["answers"][0][0] if record["answers"] else record["ended"]


def assert_nothing_lost(shop, records):
    bad = [record for record in records if record["error"] is not None]
    assert records and not bad, f"{len(bad)} of {len(records)}: {bad[:3]}"
    assert not misled(shop, records)


def test_killed_under_load(whole):
    crowd = crowds(whole, kinds=("tcp", "udp"), concurrent=15)
    for _ in range(N_KILLS):
        for node in whole.site.nodes:
            node.kill_agent()
        for node in whole.site.nodes:
            node.start_agent()
    assert_nothing_lost(whole, ended(crowd))


def test_killed_while_back_ends_change(whole):
    """The agent finds other manifests than those it died with."""
    crowd = crowds(whole, concurrent=15)
    for _ in range(N_KILLS):
        for node in whole.site.nodes:
            node.kill_agent()
        with whole.changing(whole.random.choice(whole.NAMES)):
            for node in whole.site.nodes:
                node.start_agent()  # which is ready when all that it found is in the kernel
        time.sleep(2 * GRACE_SECONDS)
    records = ended(crowd)
    assert not misled(whole, records)
    assert not broken(whole, records)


def test_other_programs_under_load(whole):
    """As most upgrades do: other programs take over, and the maps stay."""
    crowd = crowds(whole, kinds=("tcp", "udp"), concurrent=15)
    for seconds in 61, 60, 61, 60:
        for node in whole.site.nodes:
            before = node.programs()
            node.kill_agent()
            node.start_agent("--bpf-ct-timeout-service-any", f"{seconds}s")
            assert not before & node.programs()
    assert_nothing_lost(whole, ended(crowd))


def test_upgraded_under_load(whole, upgrade_build):
    """With other layouts of maps only what is opened while programs of both kinds run may break."""
    crowd = crowds(whole, kinds=("tcp", "udp"), concurrent=15)
    own, changes = whole.site.nodes[0].build, []
    for build in upgrade_build, own, upgrade_build, own:
        for node in whole.site.nodes:
            node.kill_agent()
            node.build = build
            begin = time.monotonic()
            node.start_agent()
            changes.append((begin, time.monotonic()))
    records = ended(crowd)
    assert_nothing_lost(whole, [record for record in records if not any(
        begin <= open_by(record) and record["opened"] <= end for begin, end in changes)])
