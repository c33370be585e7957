# SPDX-License-Identifier: Apache-2.0
"""cilium cleanup: removes what is the agent's, all of it, and nothing of anybody else's."""

import pytest

SCRIPT_OVERLAY = """
mkdir {dir}/over
mount -t tmpfs tmpfs {dir}/over
mkdir {dir}/over/upper {dir}/over/work
mount -t overlay overlay -o lowerdir={dir}/lower,upperdir={dir}/over/upper,workdir={dir}/over/work \
      {state}
"""


def cleanup(node, *options, check=True, stdin=None):
    return node.exec(node.program("cilium"), "cleanup", *options, "--state-dir", node.state_dir,
                     "--lib-dir", node.lib_dir, check=check, stdin=stdin)


def left(node):
    """What is pinned, and which interfaces of the agent there are."""
    # progs.debug and maps.debug are the kernel's.
    pins = node.exec("find", "/sys/fs/bpf", "-mindepth", "1", "!", "-name", "*.debug").stdout
    links = node.exec("ip", "-o", "link").stdout
    return pins + "".join(line for line in links.splitlines() if "cilium" in line or "lxc" in line)


@pytest.mark.core
@pytest.mark.parametrize("half", [(), ("links",), ("maps",), ("state",), ("programs", "state")])
def test_half_a_state_is_removed(node, half):
    """Somebody has begun already, with rm or with ip."""
    node.pod("a")
    node.kill_agent()
    if "links" in half:
        node.ip("link del cilium_host")
    if "maps" in half:
        node.exec("sh", "-c", "rm /sys/fs/bpf/tc/globals/cilium_[lim]*")
    if "programs" in half:
        node.exec("rm", "-r", "/sys/fs/bpf/cilium/programs")
    if "state" in half:
        node.exec("rm", "-r", node.state_dir / "state")
    cleanup(node, "-f")
    assert not left(node)
    assert not list(node.lib_dir.iterdir())
    assert not (node.state_dir / "state").exists()
    assert cleanup(node, "-f").returncode == 0  # nothing is there any more


def test_state_on_an_overlay(site):
    """As in a container, where files have other devices than their directories."""
    node = site.node(start=False)
    (node.dir / "lower").mkdir()
    (node.dir / "lower/manifest.yaml").write_text("")
    node.exec("sh", "-e", stdin=SCRIPT_OVERLAY.format(dir=node.dir, state=node.state_dir))
    node.start_agent()
    node.pod("a")
    node.kill_agent()
    assert node.exec("ls", node.state_dir / "state").stdout
    cleanup(node, "-f")
    assert "state" not in node.exec("ls", node.state_dir).stdout
    assert "manifest.yaml" in node.exec("ls", node.state_dir).stdout
    assert not left(node)


def test_links_and_mounts_are_not_followed(node):
    outside = node.dir / "outside"
    outside.mkdir()
    (outside / "precious").write_text("1")
    node.kill_agent()
    (node.state_dir / "state/link").symlink_to(outside)
    mounted = node.state_dir / "state/mounted"
    mounted.mkdir()
    node.exec("mount", "--bind", outside, mounted)
    refused = cleanup(node, "-f", check=False)
    assert refused.returncode == 1 and f"{mounted} is a mount" in refused.stderr
    node.exec("umount", mounted)
    cleanup(node, "-f")
    assert (outside / "precious").read_text() == "1"


def test_it_asks(node):
    node.kill_agent()
    before = left(node)
    for answer in "n\n", "\n", "yesterday\n":
        asked = cleanup(node, check=False, stdin=answer)
        assert asked.returncode == 1 and "Nothing was removed" in asked.stdout
        assert left(node) == before
    silent = cleanup(node, check=False, stdin="")
    assert silent.returncode == 1 and "--force" in silent.stderr and left(node) == before
    assert cleanup(node, stdin="y\n").returncode == 0
    assert not left(node)


def test_bpf_state_only(node):
    pod = node.pod("a")
    node.kill_agent()
    cleanup(node, "-f", "--bpf-state")
    assert not [line for line in left(node).splitlines() if line.startswith("/sys")]
    assert (node.state_dir / "state").is_dir() and (node.lib_dir / "state").is_dir()
    node.start_agent()
    assert pod.endpoint()["status"]["state"] == "ready"


def test_a_running_agent_is_named(node):
    refused = cleanup(node, "-f", check=False)
    assert refused.returncode == 1 and f"(pid {node.agent.pid})" in refused.stderr
    # Its socket is not where this call looks, but it has the state.
    refused = node.exec(node.program("cilium"), "cleanup", "-f", "-H", "/no/such", "--state-dir",
                        node.state_dir, "--lib-dir", "/no/such", check=False)
    assert refused.returncode == 1 and str(node.state_dir) in refused.stderr
    assert f"(pid {node.agent.pid})" in refused.stderr
    refused = node.exec(node.program("cilium"), "cleanup", "-f", "--all-state", "--bpf-state",
                        check=False)
    assert refused.returncode == 1 and "exclude" in refused.stderr
