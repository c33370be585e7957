# SPDX-License-Identifier: Apache-2.0
"""
Another version of the agent takes over: AXONEME_UPGRADE_BUILD is this tree with other layouts of maps
and another member in the files of state (tools/other_version.py), or, with `make check-upgrade`, what
an older commit builds.
"""

import json
import os
import pathlib
import re
import socket
import time
from random import Random

import pytest

from harness import paths, probe
from harness.site import FAR
from test_restart import Flows, programs, summary

N_KILLS = int(os.environ.get("AXONEME_TEST_KILLS", "10"))
# The release in AXONEME_UPGRADE_BUILD knows nothing of what came after it.
IS_LANDED = bool(os.environ.get("AXONEME_UPGRADE_IS_LANDED"))
CHANGED = {"cilium_lxc", "cilium_lxc_device", "cilium_ipcache", "cilium_ipcache_prefix",
           "cilium_ct_tcp_global", "cilium_ct_any_global", "cilium_snat_external",
           "cilium_runtime_config"}


def maps(node):
    """Name to (id, bytes of a value) of what is pinned."""
    found = {}
    for path in node.exec("ls", "/sys/fs/bpf/tc/globals").stdout.split():
        shown = json.loads(node.exec("bpftool", "-j", "map", "show", "pinned",
                                     f"/sys/fs/bpf/tc/globals/{path}").stdout)
        found[path] = shown["id"], shown["bytes_value"]
    return found


def take_over(node, build, wait=True):
    node.kill_agent()
    node.build = build
    node.start_agent(wait=wait)


@pytest.mark.core
def test_forward_and_back_under_traffic(node, upgrade_build):
    node.pod("labelled", labels={"app": "web"})
    with Flows(node):
        endpoints, attached, kept = summary(node), programs(node), maps(node)
        for build in upgrade_build, node.build, upgrade_build, node.build:
            take_over(node, build)
            assert summary(node) == endpoints
            assert not attached & programs(node), "the old programs are still attached"
            attached = programs(node)
            changed = {name for name, shown in maps(node).items() if kept.get(name) != shown}
            assert IS_LANDED or CHANGED <= changed, "another layout was taken for ours"
            assert "cilium_frag_datagrams" not in changed, "a map that did not change was replaced"
            kept = maps(node)
    assert node.cli("status").stdout


@pytest.mark.skipif(IS_LANDED, reason="the older commit converts nothing")
def test_idle_connections_go_on(node, upgrade_build, family):
    """What only the maps know: how the pod is masqueraded, and the way back."""
    pod = node.pod("a")
    own = node.build
    with probe.Server(node.site.far, family, probe.TCP) as server:
        with probe.connect(pod, probe.TCP, FAR[family], server.port) as client:
            probe.exchange(client, b"before")
            before = connections(node)
            for build in upgrade_build, own:
                take_over(node, build)
                assert connections(node) == before
                probe.exchange(client, b"after")
        assert server.peers[0][0] == node.addresses[family]


def connections(node):
    """Of TCP, as the command line shows them: what was kept must also mean the same."""
    found = json.loads(node.cli("bpf", "ct", "list", "global", "-o", "json").stdout)
    nat = json.loads(node.cli("bpf", "nat", "list", "-o", "json").stdout)
    text = json.dumps([found, nat], sort_keys=True)
    assert all(int(age) < 600 for age in re.findall(r"Created=(\d+)s", text)), text
    # Times differ from one look to the next.
    return sorted({re.split(" (?:Created|expires)", part)[0] for part in text.split('"')
                   if part.count(".") >= 3 or "::" in part})


def test_killed_at_any_time_of_an_upgrade(node, upgrade_build):
    """Whichever version comes next finds the maps and the programs of the one before."""
    random = Random(6)
    builds = [node.build, upgrade_build]
    with Flows(node):
        before = summary(node)
        for number in range(2 * N_KILLS):
            take_over(node, builds[(number + 1) % 2], wait=False)
            time.sleep(random.uniform(0, 0.2))
        take_over(node, builds[0])
        assert summary(node) == before
    pins = node.exec("find", "/sys/fs/bpf/cilium/programs", "-mindepth", "1", "-maxdepth", "1")
    assert len(pins.stdout.split()) == 1, "a set of programs is left over"
    assert not [name for name in maps(node) if ":" in name]


def test_pods_of_one_version_end_under_the_other(node, upgrade_build, family):
    first = node.pod("first", labels={"app": "one"})
    own = node.build
    take_over(node, upgrade_build)
    second = node.pod("second", labels={"app": "two"})
    paths.check(first, second, second.address(family))
    first.delete()
    take_over(node, own)
    third = node.pod("third", labels={"app": "two"})
    paths.check(third, second, second.address(family))
    second.delete()
    third.delete()
    assert summary(node) == []


# Files of a version that this one does not know.

FILES = ["state_dir/state/boot.json", "state_dir/state/ipam-cursor.json", "lib_dir/state/identities.json",
         "lib_dir/state/identity-limit.json", "lib_dir/state/generation.json",
         "state_dir/state/*/ep_config.json", "state_dir/state/ipam/*.json"]


def contents(*directories):
    """Name, time and bytes of every file; the lock names its holder, and is not state."""
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for directory in directories
            for path in sorted(pathlib.Path(directory).rglob("*"))
            if path.is_file() and path.name not in ("lock", "cilium.pid")}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.core if "/ip" not in name
                                               and "identit" not in name else ())
                                  for name in FILES])
def test_newer_file_is_refused(node, name, family):
    """With its name and both versions, and nothing changes: not on disk, not in the kernel."""
    a, b = node.pod("a", labels={"app": "web"}), node.pod("b")
    node.kill_agent()
    which, pattern = name.split("/", 1)
    path = sorted(getattr(node, which).glob(pattern))[0]
    good = path.read_text()
    path.write_text(json.dumps({**json.loads(good), "version": 99, "unknown": {"a": 1}}))
    before = contents(node.state_dir, node.lib_dir), maps(node), programs(node)
    node.start_agent(wait=False)
    assert node.wait_ended() != 0
    assert str(path) in node.log() and "version 99" in node.log() and "newer" in node.log()
    after = contents(node.state_dir, node.lib_dir), maps(node), programs(node)
    assert after[1:] == before[1:]
    assert {name for name in after[0] if after[0][name] != before[0].get(name)} == set()
    assert after[0].keys() == before[0].keys()
    paths.check(a, b, b.address(family))
    path.write_text(good)
    node.start_agent()
    assert len(summary(node)) == 2


def test_unknown_member_is_no_other_version(node):
    """A member more does not make a file unreadable: what an older agent may ignore needs no version."""
    node.pod("a")
    before = summary(node)
    node.kill_agent()
    for path in (node.state_dir / "state").glob("*/*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "later": [1, {"a": None}]}))
    node.start_agent()
    assert summary(node) == before


def test_map_of_an_unknown_kind(node):
    """Whatever is pinned under the name of a map: what cannot be read is replaced, and put right."""
    a, b = node.pod("a"), node.pod("b")
    node.kill_agent()
    for name, kind, sizes in (("cilium_lxc", "hash", (4, 100)), ("cilium_ct_tcp_global", "hash", (64, 8)),
                              ("cilium_metrics", "array", (4, 8))):
        pin = f"/sys/fs/bpf/tc/globals/{name}"
        node.exec("rm", pin)
        node.exec("bpftool", "map", "create", pin, "type", kind, "key", sizes[0], "value", sizes[1],
                  "entries", 16, "name", name[:15])
    node.start_agent()
    for family in socket.AF_INET, socket.AF_INET6:
        paths.check(a, b, b.address(family))
