# SPDX-License-Identifier: Apache-2.0
"""cilium debuginfo: one report of a node, in every form, with and without its agent."""

import html.parser
import json
import os
import re

import pytest

NAME = r"cilium-debuginfo-\d{8}-\d{6}\.\d{3}-[+-]\d{4}-\w+"


@pytest.fixture(scope="module")
def pods(shared_node):
    made = [shared_node.pod("web", labels={"app": "web", "evil": "x"}), shared_node.pod("other")]
    yield made
    for pod in made:
        pod.delete()


def report(node):
    return node.cli("debuginfo", "--state-dir", node.state_dir, "--lib-dir", node.lib_dir)


def titles(text):
    return re.findall(r"^#### (.*)$", text, re.MULTILINE)


@pytest.mark.core
def test_markdown(shared_node, pods):
    done = report(shared_node)
    assert done.stdout.startswith("# Cilium debug information\n") and not done.stderr
    found = titles(done.stdout)
    for title in ("Kernel version", "Cilium version", "Cilium status", "Cilium configuration",
                  "Endpoint list", "BPF endpoint list", "Cilium environment keys",
                  "Cilium memory map", "Cilium subsystems", "State files", "System"):
        assert title in found, title
    for pod in pods:
        number = pod.endpoint()["id"]
        assert f"Endpoint get {number}" in found and f"Endpoint health {number}" in found
        assert pod.ipv4 in done.stdout and pod.ipv6 in done.stdout
    assert "k8s:app=web" in done.stdout and os.uname().release in done.stdout
    assert "ep_config.json" in done.stdout and "endpoint_states: 2 rows" in done.stdout
    assert "exit status" not in done.stdout, done.stdout
    assert done.stdout.count("\n```") % 2 == 0


def test_rest_answer(shared_node, pods):
    status, info = shared_node.request("GET", "/v1/debuginfo")
    assert status == 200
    assert info["cilium-version"] and os.uname().release in info["kernel-version"]
    assert info["cilium-status"]["cilium"]["state"] == "Ok"
    assert [each["id"] for each in info["endpoint-list"]] == sorted(
        pod.endpoint()["id"] for pod in pods)
    assert "cilium-agent" in info["cilium-memory-map"]
    assert set(info["subsystem"]) == {"monitor", "reconcilers", "store"}


def test_json_and_jsonpath(shared_node, pods):
    shown = json.loads(shared_node.cli("debuginfo", "--output", "json").stdout)
    assert shown["cilium-version"] == shared_node.request("GET", "/v1/debuginfo")[1][
        "cilium-version"]
    text = shared_node.cli("debuginfo", "--output", "jsonpath={.cilium-status.cilium.state}").stdout
    assert text == "Ok\n"
    both = shared_node.cli("debuginfo", "--output", "jsonpath={.cilium-version},{.kernel-version}",
                           "-o", "json").stdout
    first, rest = both.split("\n", 1)
    assert first == f"{shown['cilium-version']},{shown['kernel-version']}" and json.loads(rest)
    bad = shared_node.cli("debuginfo", "--output", "jsonpath={.nonsense}", check=False)
    assert bad.returncode == 1 and "nonsense" in bad.stderr


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def test_files(shared_node, pods, tmp_path):
    directory = tmp_path / "made"
    done = shared_node.cli("debuginfo", "-f", "--output", "markdown,html", "--output", "json",
                           "--output-directory", directory)
    names = sorted(path.name for path in directory.iterdir())
    assert sorted(done.stdout.split()) == sorted(f"{directory}/{name}" for name in names)
    assert [re.fullmatch(NAME + r"\.(\w+)", name).group(1) for name in names] == [
        "html", "json", "md"]
    assert (directory.stat().st_mode & 0o777, *{path.stat().st_mode & 0o777
                                                for path in directory.iterdir()}) == (0o700, 0o600)
    reader = Reader()
    reader.feed((directory / names[0]).read_text())
    assert set(reader.tags) <= {"html", "head", "meta", "title", "body", "h1", "h4", "pre"}
    assert pods[0].ipv4 in reader.text
    assert json.loads((directory / names[1]).read_text())["endpoint-list"]
    # In the current directory, where none is named.
    here = tmp_path / "here"
    here.mkdir()
    shared_node.exec("sh", "-c", f"cd {here} && {shared_node.program('cilium')} debuginfo -f "
                     "--output json")
    assert re.fullmatch(NAME + r"\.json", next(here.iterdir()).name)


def test_a_file_per_command(shared_node, pods, tmp_path):
    shared_node.cli("debuginfo", "-f", "--file-per-command", "--output-directory", tmp_path)
    names = [path.name for path in tmp_path.iterdir()]
    for section in ("cilium-status", "cilium-version", "kernel-version", "cilium-endpoint-list",
                    "cilium-metrics-list"):
        path, = tmp_path.glob(f"*-{section}.md")
        assert re.fullmatch(NAME + f"-{section}.md", path.name)
        assert len(titles(path.read_text())) == 1
    assert len(names) > 15


@pytest.mark.parametrize("argv, word", [
    (["--output", "html"], "needs --file"), (["--output", "nonsense"], "nonsense"),
    (["--file-per-command", "--output", "json"], "cannot be divided"),
    (["--output-directory", "/tmp"], "needs --file"),
    (["-f", "--output-directory", "/proc/none/such"], "/proc/none/such"),
    (["-f", "--output-directory", "/dev/null"], "/dev/null"), (["extra"], "extra")])
def test_bad_use(shared_node, argv, word):
    done = shared_node.cli("debuginfo", *argv, check=False)
    assert done.returncode == 1 and word in done.stderr and not done.stdout


def test_secrets_stay(site):
    """The names of variables are shown, values only of configuration that looks like none."""
    node = site.node(start=False)
    node.start_agent(env={"MY_PASSWORD": "hunter1", "CILIUM_API_TOKEN": "hunter2",
                          "OTHER": "hunter3", "CILIUM_DEBUG": "false"})
    text = node.cli("debuginfo").stdout + node.cli("debuginfo", "--output", "json").stdout
    assert "hunter" not in text
    assert all(name in text for name in ("MY_PASSWORD", "CILIUM_API_TOKEN", "OTHER"))
    assert "CILIUM_DEBUG=false" in text


@pytest.mark.core
def test_without_an_agent(node):
    """What the kernel, the pins and the files say; and what is missing is said."""
    pod = node.pod("a")
    node.kill_agent()
    done = report(node)
    assert "What only the agent knows is missing: " in done.stderr
    found = titles(done.stdout)
    assert found[0] == "No agent answers" and "BPF endpoint list" in found
    assert "Cilium subsystems" not in found
    assert pod.ipv4 in done.stdout and "ep_config.json" in done.stdout
    shown = json.loads(node.cli("debuginfo", "--output", "json").stdout)
    assert set(shown) == {"kernel-version", "unavailable"}


def test_many_endpoints_and_a_full_table(node):
    """The report stays of a size that can be sent, and says what it left out."""
    for i in range(8):
        node.pod(f"pod{i}")
    long_label = "v" * 60
    node.put_pod_manifest("pod0", {f"key{i}": long_label for i in range(3000)})
    done = node.cli("debuginfo", timeout=60)
    assert len(done.stdout) < 16 * 2**20
    assert "(cut: there is more than is shown here)" in done.stdout
    assert "Endpoint get" in done.stdout and "System" in titles(done.stdout)
