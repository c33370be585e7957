# SPDX-License-Identifier: Apache-2.0
"""cilium run: a command as an endpoint, for as long as it runs."""

import os
import signal
import subprocess
import time

import pytest

from harness import probe


def pods_of(node):
    _, found = node.request("GET", "/v1/endpoint")
    return {each["status"]["external-identifiers"]["pod-name"]: each for each in found}


def run(node, *argv, **kwargs):
    return node.exec(node.program("cilium"), "run", *argv, check=False, **kwargs)


@pytest.mark.parametrize("command, status", [
    ("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 128 + signal.SIGTERM),
    ("kill -9 $$", 128 + signal.SIGKILL)])
def test_exit_status_is_the_commands(shared_node, command, status):
    assert run(shared_node, "--name", "web", "--", "sh", "-c", command).returncode == status
    assert not pods_of(shared_node)


def test_input_and_output_are_the_commands(shared_node):
    done = run(shared_node, "--name", "web", "--", "sh", "-c", "cat; echo err >&2", stdin="hello")
    assert (done.stdout, done.stderr) == ("hello", "err\n")


@pytest.mark.parametrize("argv, status, text", [
    (["--name", "web", "--", "/no/such/program"], 127, "/no/such/program"),
    (["--name", "web", "--", "/dev/null"], 126, "/dev/null"),
    (["--name", "web"], 1, "COMMAND"), (["--", "true"], 1, "--name"),
    (["--name", "web", "--labels", "=x", "--", "true"], 1, "--labels")])
def test_what_cannot_run(shared_node, argv, status, text):
    done = run(shared_node, *argv)
    assert done.returncode == status and text in done.stderr
    assert not pods_of(shared_node)
    assert "lxc" not in shared_node.exec("ip", "-br", "link").stdout


def test_labels_and_traffic(shared_node, family):
    web = shared_node.run("web", labels={"app": "web", "container:tier": "front"},
                          namespace="shop")
    client = shared_node.run("client")
    found = pods_of(shared_node)
    assert set(found) == {"shop/web", "default/client"}
    labels = found["shop/web"]["status"]["labels"]["security-relevant"]
    assert {"k8s:app=web", "container:tier=front"} <= set(labels)
    with probe.Server(web, family, probe.TCP) as server:
        probe.talk(client, probe.TCP, web.address(family), server.port)
    web.delete()
    client.delete()
    assert not pods_of(shared_node)


def test_labels_of_the_namespace_and_of_a_manifest(shared_node):
    """A run has its namespace's labels beside its own; a Pod manifest replaces its own."""
    def labels():
        return set(pods_of(shared_node)["shop/web"]["status"]["identity"]["labels"])

    inside = {"k8s:io.kubernetes.pod.namespace=shop", "k8s:io.cilium.k8s.policy.cluster=default",
              "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=shop"}
    blue = {"k8s:io.cilium.k8s.namespace.labels.team=blue"}
    web = shared_node.run("web", labels={"app": "web"}, namespace="shop")
    bare = shared_node.run("bare", namespace="shop")
    assert labels() == inside | {"k8s:app=web"}
    assert pods_of(shared_node)["shop/bare"]["status"]["identity"]["id"] == 5
    shared_node.put_manifest("shop.yaml", {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "shop", "labels": {"team": "blue"}}})
    probe.eventually(lambda: labels() == inside | blue | {"k8s:app=web"}, what="the namespace's")
    shared_node.put_pod_manifest("web", {"tier": "front"}, "shop")
    probe.eventually(lambda: labels() == inside | blue | {
        "k8s:tier=front", "k8s:io.cilium.k8s.policy.serviceaccount=default"}, what="the pod's")
    for manifest in shared_node.manifest_dir.iterdir():
        manifest.unlink()
    probe.eventually(lambda: labels() == inside | {"k8s:app=web"}, what="its own again")
    for pod in web, bare:
        pod.delete()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_go_on_to_the_command(shared_node, number):
    pod = shared_node.run(
        "web", command=f"trap 'exit 42' {number.name[3:]}; while :; do sleep 0.02; done")
    pids = [int(pid) for pid in shared_node.exec(
        "pgrep", "-f", f"^{shared_node.program('cilium')} run --name web").stdout.split()]
    os.kill(pids[0], number)
    assert pod.process.wait(timeout=60) == 42
    assert not pods_of(shared_node)
    pod.close()


def test_killed_by_9_leaves_nothing(shared_node):
    pod = shared_node.run("web")
    assert "default/web" in pods_of(shared_node)
    pid, = shared_node.exec(
        "pgrep", "-f", f"^{shared_node.program('cilium')} run --name web").stdout.split()
    os.kill(int(pid), signal.SIGKILL)
    probe.eventually(lambda: not os.path.exists(f"/proc/{pod.pid}") or
                     "Z" in open(f"/proc/{pod.pid}/stat", encoding="ascii").read().split()[2],
                     what="the command is gone too")
    pod.close()
    probe.eventually(lambda: not pods_of(shared_node), what="the endpoint is gone")
    probe.eventually(lambda: "lxc" not in shared_node.exec("ip", "-br", "link").stdout,
                     what="the interface is gone")


def test_without_an_agent(site):
    node = site.node(start=False)
    started = time.monotonic()
    done = run(node, "--name", "web", "--", "true")
    assert done.returncode == 1 and "nobody listens" in done.stderr
    assert time.monotonic() - started < 15


def test_agent_restarts_meanwhile(site):
    node = site.node()
    pod = node.run("web")
    node.kill_agent()
    assert probe.ping(node, pod.ipv4)
    node.start_agent()
    assert "default/web" in pods_of(node)
    node.kill_agent()
    # The command ends while nobody listens: the endpoint is in the queue.
    pod.delete()
    node.start_agent()
    assert not pods_of(node)


def test_help_names_the_flags(shared_node):
    done = subprocess.run([shared_node.program("cilium"), "run", "--help"], text=True,
                          capture_output=True, check=True)
    for word in ("--name", "--labels", "--namespace", "COMMAND"):
        assert word in done.stdout
