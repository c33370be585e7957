# SPDX-License-Identifier: Apache-2.0
"""The agent as a program: configuration, a second one, what is left when it is cleaned up."""

import json
import os
import re

import pytest

from harness import paths, probe
from harness.node import ROOT


def start_and_fail(node):
    node.start_agent(wait=False)
    assert node.wait_ended() != 0
    return node.log()


def test_bad_values_refuse_to_start(site):
    """Every bad value is named, with what is allowed, in one go."""
    node = site.node(start=False)
    node.configure(enable_ipv4="perhaps", monitor_aggregation="sometimes",
                   ipv4_native_routing_cidr="10.0.0.0/40")
    log = start_and_fail(node)
    for words in (("enable-ipv4", "perhaps"), ("monitor-aggregation", "sometimes", "medium"),
                  ("ipv4-native-routing-cidr", "10.0.0.0/40")):
        assert any(all(word in line for word in words) for line in log.splitlines()), log


def test_unknown_keys_are_reported(site):
    node = site.node(no_such_key="1")
    node.wait_log("no-such-key")


def test_keys_without_effect_are_named(site):
    node = site.node(enable_hubble="true")
    node.wait_log("enable-hubble")
    assert "enable-hubble" in node.cli("status", "--verbose").stdout


def test_precedence_of_flag_environment_directory(site):
    """A flag beats the environment, which beats the file."""
    node = site.node(start=False, ipv4_range="10.1.0.0/24", ipv6_range="fd00:1::/112")
    node.start_agent("--ipv4-range", "10.3.0.0/24",
                     env={"CILIUM_IPV4_RANGE": "10.2.0.0/24", "CILIUM_IPV6_RANGE": "fd00:2::/112"})
    pod = node.pod("a")
    assert pod.ipv4.startswith("10.3.0.") and pod.ipv6.startswith("fd00:2::")


@pytest.mark.core
def test_second_agent_is_refused(node):
    second = node.popen(node.program("cilium-agent"), "--config-dir", node.config_dir,
                        env=node.environment(), stdout=open(node.log_path, "ab"), stderr=2)
    assert second.wait(timeout=10) != 0
    assert node.agent.poll() is None
    assert node.request("GET", "/v1/healthz")[0] == 200


def links(node):
    return {link["ifname"] for link in json.loads(node.exec("ip", "-json", "link").stdout)}


def state(node):
    """Everything an agent may leave in a node."""
    return {
        "links": links(node),
        "routes": node.exec("ip", "route", "show", "table", "all").stdout.count("cilium"),
        "routes6": node.exec("ip", "-6", "route", "show", "table", "all").stdout.count("cilium"),
        "rules": node.exec("ip", "rule").stdout + node.exec("ip", "-6", "rule").stdout,
        "qdiscs": node.exec("tc", "qdisc", "show", "dev", "eth0").stdout,
        "programs": node.exec("bpftool", "net", "show").stdout,
        "pins": node.exec("find", "/sys/fs/bpf", "-mindepth", "1").stdout,
        "mounts": node.exec("cat", "/proc/self/mounts").stdout,
    }


@pytest.mark.core
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_cleanup_leaves_nothing(site, end):
    node = site.node(start=False)
    before = state(node)
    node.start_agent()
    pod = node.pod("a")
    assert state(node) != before
    getattr(node, f"{end}_agent")()
    node.cli("cleanup", "-f", "--all-state", "--state-dir", node.state_dir, "--lib-dir",
             node.lib_dir)
    assert state(node) == before
    for directory in node.state_dir, node.lib_dir:
        assert not list(directory.iterdir())
    pod.close()
    # And it is a beginning again.
    node.start_agent()
    paths.check(node.pod("b"), node, node.addresses[probe.family_of("1.1.1.1")])


def test_cleanup_is_refused_while_the_agent_runs(node, family):
    a, b = node.pod("a"), node.pod("b")
    assert node.cli("cleanup", "-f", "--all-state", check=False).returncode != 0
    paths.check_all(node, a, b, family)


def test_commands_without_an_agent(node):
    """status fails; the bpf commands read the pinned maps all the same."""
    pod = node.pod("a")
    alive = node.cli("bpf", "endpoint", "list").stdout
    assert pod.ipv4 in alive and pod.ipv6 in alive
    node.kill_agent()
    assert node.cli("status", check=False).returncode == 1
    assert node.cli("bpf", "endpoint", "list").stdout == alive
    assert pod.ipv4 in node.cli("bpf", "ipcache", "list").stdout
    assert node.cli("bpf", "ct", "list", "global").returncode == 0


def test_status_of_a_healthy_node(node):
    text = node.cli("status").stdout
    for label in "Cilium:", "IPAM:", "Routing:", "Masquerading:", "Attach Mode:":
        assert label in text
    assert node.cli("status", "--brief").stdout.strip() == "OK"
    assert node.cli_json("status")["cilium"]["state"] == "Ok"


def test_reboot_keeps_identities_and_forgets_endpoints(site):
    """After a boot /run is empty and every container is gone; numbers of labels stay."""
    node = site.node()
    first = node.pod("web", labels={"app": "web"}).endpoint()["status"]["identity"]["id"]
    filler = node.pod("filler", labels={"app": "filler"})
    node.kill_agent()
    for pod in node.pods:
        pod.close()
    filler.close()
    node.exec("sh", "-ec", f"rm -rf {node.state_dir}/*; umount /sys/fs/bpf")
    node.exec("ip", "link", "del", "cilium_host")
    node.exec("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
    node.start_agent()
    again = node.pod("web", labels={"app": "web"}).endpoint()["status"]["identity"]["id"]
    assert again == first


def test_leaves_no_trace_of_deleted_pods(node):
    """After a hundred pods came and went: links, map entries, files as before."""
    node.pod("kept")
    before = (links(node), node.cli("bpf", "endpoint", "list").stdout,
              len(list(node.state_dir.rglob("*"))))
    for number in range(100):
        node.pod(f"p{number}").delete()
    after = (links(node), node.cli("bpf", "endpoint", "list").stdout,
             len(list(node.state_dir.rglob("*"))))
    assert after == before


def test_capabilities_of_the_unit_are_enough(site, family):
    """With what the systemd unit leaves it, and no more, the agent does all its work."""
    unit = (ROOT / "deploy/cilium-agent.service.in").read_text()
    names = re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.M).group(1).lower().split()
    kept = "".join(f",+{name.removeprefix('cap_')}" for name in names)
    node = site.node(start=False)
    node.start_agent(wrapper=["setpriv", "--no-new-privs", "--bounding-set", f"-all{kept}"])
    a, b = node.pod("a", labels={"app": "a"}), node.run("b")
    paths.check_all(node, a, b, family)
    a.delete()


def test_problem_of_a_file_whose_name_is_not_utf8(site):
    node = site.node()
    (node.manifest_dir / os.fsdecode(b"\xff.yaml")).write_text("kind: [")
    problems = probe.eventually(lambda: node.request("GET", "/v1/healthz")[1]["axoneme"]["source-problems"],
                                what="the file is told")
    assert problems[0]["file"].endswith("\ufffd.yaml")
