# SPDX-License-Identifier: Apache-2.0
"""State on disk: a full or broken disk damages nothing, and no link leads out of our directories."""

import grp
import json
import os
import stat

import pytest

from harness import observe, paths, probe

# Why a write fails, how it is brought about on a small tmpfs, and what is said about it.
BAD_DISKS = {
    "full": ("head -c 8M /dev/zero >{0}/filler || true", "rm {0}/filler", "No space left"),
    "no-inodes": ("i=0; while touch {0}/filler$i; do i=$((i+1)); done 2>/dev/null || true",
                  "rm {0}/filler*", "No space left"),
    "read-only": ("mount -o remount,ro {0}", "mount -o remount,rw {0}", "Read-only"),
}


@pytest.fixture
def disk_node(site):
    """A node whose directories of state are small file systems of their own."""
    node = site.node(start=False)
    for path in node.state_dir, node.lib_dir:
        node.exec("mount", "-t", "tmpfs", "-o", "size=1M,nr_inodes=200,mode=0755", "tmpfs", path)
    node.start_agent()
    yield node
    print(node.log())


def break_disk(node, path, how):
    node.exec("sh", "-c", BAD_DISKS[how][0].format(path))


def mend_disk(node, path, how):
    node.exec("sh", "-c", BAD_DISKS[how][1].format(path))


def files(node, path):
    """Name and content of every file of state."""
    found = node.exec("sh", "-c", f"cd {path}/state && find . ! -name lock ! -type d | sort | "
                      "while read name; do echo $name; cat $name; echo; done").stdout
    folders = node.exec("find", f"{path}/state", "-type", "d").stdout
    return found + folders


def state_names(node):
    """Of all that is kept, but what need not be."""
    return sorted(str(path) for top in (node.state_dir, node.lib_dir)
                  for path in top.rglob("*") if path.is_file() and path.name != "ipam-cursor.json")


def wait_serving(node):
    """wait_ready() wants a state without problems."""
    probe.eventually(lambda: node.cli("status", "--brief", check=False).stdout, what="the agent")


def status_text(node):
    return node.cli("status", check=False).stdout


@pytest.mark.parametrize("how", [pytest.param(how, marks=pytest.mark.core if how == "full" else ())
                                 for how in BAD_DISKS])
@pytest.mark.parametrize("which", ["state_dir", "lib_dir"])
def test_bad_disk(disk_node, how, which, family):
    """Refused with a reason, nothing half-made, what runs goes on, and it recovers by itself."""
    node, path = disk_node, getattr(disk_node, which)
    kept = node.pod("kept", labels={"app": "kept"})
    gone = node.pod("gone", labels={"app": "kept"})
    break_disk(node, path, how)
    before = files(node, path)
    # A pod with new labels needs an identity in the lib-dir and an address in the state-dir.
    refused = node.sandbox("refused")
    node.put_pod_manifest("refused", {"app": "new"})
    answer = refused.cni("ADD", check=False)
    told = str(answer)
    assert answer.get("code"), f"ADD succeeded without a disk: {answer}"
    assert BAD_DISKS[how][2] in told and str(path) in told, told
    assert ("make room" in told) == (how != "read-only"), told
    assert files(node, path) == before, "something half-made is left, or something is damaged"
    probe.eventually(lambda: "cannot be written" in status_text(node), what="a status that says so")
    assert str(path) in node.cli("status", "--verbose", check=False).stdout
    # DEL needs no room.
    gone.delete()
    assert len(node.cli_json("endpoint", "list")) == 1
    assert probe.ping(node, kept.address(family))
    # A restart needs none either.
    node.kill_agent()
    node.start_agent(wait=False)
    wait_serving(node)
    assert len(node.cli_json("endpoint", "list")) == 1
    paths.check(node, kept, kept.address(family))
    mend_disk(node, path, how)
    probe.eventually(lambda: "cannot be written" not in status_text(node), what="a good status")
    new = refused.add()
    paths.check(kept, new, new.address(family))
    # What the disk would not let go of is gone too: nothing comes back.
    left = node.exec("sh", "-c", f"cd {node.state_dir}/state && ls -d [0-9]*").stdout.split()
    assert len(left) == 2, left


@pytest.mark.parametrize("how", list(BAD_DISKS))
def test_delete_without_agent_on_a_bad_disk(disk_node, how):
    """The queue of deletions lies beside the socket; without it the interface tells."""
    node = disk_node
    pod = node.pod("a")
    node.kill_agent()
    node.exec("mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=20,mode=0755", "tmpfs",
              node.socket_path.parent)
    break_disk(node, node.socket_path.parent, how)
    pod.delete()
    node.exec("umount", node.socket_path.parent)
    node.start_agent()
    assert node.cli_json("endpoint", "list") == []


# Links.

def plant(node, directory, name, target):
    node.exec("ln", "-sfn", target, f"{directory}/{name}")


@pytest.fixture
def precious(site):
    """Files that nothing of ours may read or write."""
    directory = site.tmp / "precious"
    directory.mkdir()
    (directory / "file").write_text("precious")
    yield directory
    assert (directory / "file").read_text() == "precious"
    assert [entry.name for entry in directory.iterdir()] == ["file"]


STATE_FILES = [("state_dir", "cilium.pid"), ("state_dir", "sysctls"), ("state_dir", "bpffs"),
               ("state_dir", "state/boot.json"), ("state_dir", "state/ipam-cursor.json"),
               ("lib_dir", "state/identities.json"), ("lib_dir", "state/identity-limit.json"),
               ("lib_dir", "state/generation.json")]


@pytest.mark.parametrize("which, name", STATE_FILES)
def test_file_that_is_a_link(node, precious, which, name):
    """Neither read nor written through: the agent goes on without it."""
    path = getattr(node, which)
    pod = node.pod("before", labels={"app": "before"})
    node.kill_agent()
    existed = (path / name).exists()
    plant(node, path, name, precious / "file")
    node.start_agent(wait=False)
    if name == "sysctls":
        assert node.wait_ended() != 0
        assert "sysctls" in node.log() and "symbolic link" in node.log()
        return
    wait_serving(node)
    node.pod("after", labels={"app": "after"})
    assert pod.ipv4
    if existed:
        assert not (path / name).is_symlink()


def test_folders_that_are_links(node, precious):
    node.pod("before")
    node.kill_agent()
    (endpoint,) = [entry for entry in (node.state_dir / "state").iterdir() if entry.name.isdigit()]
    node.exec("mv", endpoint, node.dir / "moved")
    plant(node, endpoint.parent, endpoint.name, precious)
    node.exec("mv", node.state_dir / "state/ipam", node.dir / "moved-ipam")
    plant(node, node.state_dir / "state", "ipam", precious)
    node.start_agent(wait=False)
    wait_serving(node)
    node.pod("after")
    assert (node.state_dir / "state/ipam").is_dir()
    assert not (node.state_dir / "state/ipam").is_symlink()


def test_temporary_names_that_are_links(node, precious):
    """What a writer fills before it renames it."""
    for directory, name in ((node.lib_dir / "state", ".identities.json.tmp"),
                            (node.lib_dir / "state", ".identity-limit.json.tmp"),
                            (node.state_dir / "state", ".ipam-cursor.json.tmp"),
                            (node.state_dir / "state", ".probe.tmp")):
        plant(node, directory, name, precious / "file")
    node.pod("a", labels={"app": "new"})


def test_delete_queue_that_is_a_link(node, precious):
    pod = node.pod("a")
    node.kill_agent()
    queue = node.socket_path.parent / "deleteQueue"
    queue.mkdir(mode=0o700)
    ifname = node.exec("sh", "-c", "ls /sys/class/net | grep lxc").stdout.strip()
    plant(node, queue, f"{ifname}.delete", precious / "file")
    plant(node, queue, "lxcother.delete", precious / "file")
    pod.delete()
    assert not (queue / f"{ifname}.delete").is_symlink()
    node.start_agent()
    assert node.cli_json("endpoint", "list") == []


def test_cni_log_that_is_a_link(node, precious):
    pod = node.sandbox("a")
    log = node.dir / "cni.log"
    plant(node, node.dir, "cni.log", precious / "file")
    pod.take_result(pod.cni("ADD", **{"log-file": str(log)}))


@pytest.mark.parametrize("which", ["state_dir", "lib_dir"])
@pytest.mark.parametrize("bad", ["mode", "owner", "parent"])
def test_directory_that_others_can_change(site, which, bad):
    """Refused before anything has been changed, with what to do."""
    node = site.node(start=False)
    path = getattr(node, which)
    if bad == "mode":
        os.chmod(path, 0o777)
    elif bad == "owner":
        os.chown(path, 12345, 0)
    else:
        os.chmod(path.parent, 0o777)
    node.start_agent(wait=False)
    assert node.wait_ended() != 0
    said = "belongs to the user 12345" if bad == "owner" else "chmod go-w"
    assert said in node.log() and str(path.parent) in node.log(), node.log()
    assert "cilium_host" not in node.exec("ip", "link").stdout
    os.chmod(path.parent, 0o755)


@pytest.mark.core
def test_mounted_config_map(site):
    """Inputs may be links: Kubernetes mounts them so, and replaces them by changing ..data."""
    node = site.node(start=False)
    plain = {entry.name: entry.read_text() for entry in node.config_dir.iterdir()}
    for entry in node.config_dir.iterdir():
        entry.unlink()
    for directory, contents in (
            (node.config_dir, plain),
            (node.manifest_dir, {"pod.yaml": json.dumps({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
                "spec": {"nodeName": "node1", "containers": [{"name": "main"}]}})})):
        version = directory / "..2026_11_21"
        version.mkdir()
        for name, text in contents.items():
            (version / name).write_text(text)
            (directory / name).symlink_to(f"..data/{name}")
        (directory / "..data").symlink_to(version.name)
    node.start_agent()
    node.pod("web")
    (endpoint,) = node.cli_json("endpoint", "list")
    assert "k8s:app=web" in endpoint["status"]["identity"]["labels"]


def test_planted_pin(node, precious):
    """A link in the place of a pin is no map."""
    node.kill_agent()
    globals_dir = "/sys/fs/bpf/tc/globals"
    node.exec("mv", f"{globals_dir}/cilium_lxc", f"{globals_dir}/elsewhere")
    node.exec("ln", "-s", "elsewhere", f"{globals_dir}/cilium_lxc")
    node.start_agent(wait=False)
    assert node.wait_ended() != 0
    assert "symbolic link" in node.log() and "cilium_lxc" in node.log()
    node.exec("rm", f"{globals_dir}/cilium_lxc", f"{globals_dir}/elsewhere")
    node.start_agent()


def test_bpffs_directory_of_somebody_else(site):
    """A BPF file system may be mounted with mode 1777; then anybody may have been there first."""
    node = site.node(start=False)
    node.exec("sh", "-e", stdin="chmod 1777 /sys/fs/bpf\nmkdir /sys/fs/bpf/tc\n"
              "chown 12345 /sys/fs/bpf/tc\n")
    node.start_agent(wait=False)
    assert node.wait_ended() != 0
    assert "belongs to the user 12345" in node.log()


# Sockets.

@pytest.mark.parametrize("what", ["{state}/state", "{state}/*", "{lib}/state", "{state}/state/* {lib}/state/*",
                                  "{state}/state {lib}/state"])
def test_deleted_under_the_agent(node, what):
    """It is written again, as it was; the next agent has all of it, and a second one is refused."""
    pods = [node.pod(name, labels={"app": name}) for name in ("a", "b")]
    node.pod("gone").delete()
    endpoints, identities = node.cli_json("endpoint", "list"), node.cli_json("identity", "list")
    before, mark = state_names(node), len(node.log())
    files = what.format(state=node.state_dir, lib=node.lib_dir)
    # Once more, where the agent wrote a file while its folder was being emptied.
    node.exec("sh", "-c", f"rm -r {files} || rm -rf {files}")
    assert state_names(node) != before
    node.wait_log("deleted from outside", "hint=", since=mark, seconds=15)
    probe.eventually(lambda: state_names(node) == before, 12, "every file is there again")
    second = node.exec(node.program("cilium-agent"), "--config-dir", node.config_dir, check=False)
    assert second.returncode == 1 and "another agent (process" in second.stderr
    node.kill_agent()
    node.start_agent()
    assert identities == node.cli_json("identity", "list")
    assert [(each["id"], each["status"]["networking"], each["status"]["identity"])
            for each in endpoints] == \
        [(each["id"], each["status"]["networking"], each["status"]["identity"])
         for each in node.cli_json("endpoint", "list")]
    node.pod("late")
    for pod in pods:
        pod.delete()


def test_deleted_and_used_at_once(node):
    """Nothing waits for the repair: a pod can be added, and is known to the next agent."""
    node.pod("a")
    node.exec("sh", "-c", f"rm -r {node.state_dir}/* {node.lib_dir}/*")
    node.pod("b", labels={"app": "new"})
    node.wait_log("deleted from outside", seconds=15)
    node.kill_agent()
    node.start_agent()
    assert len(node.cli_json("endpoint", "list")) == 2


def test_sockets_deleted_under_the_agent(node):
    """They are made again, and who listens to events stays connected."""
    a, b = node.pod("a"), node.pod("b")
    with observe.monitor(node, "--type", "trace") as monitor:
        for path in sockets(node):
            path.unlink()
        probe.eventually(lambda: all(path.is_socket() for path in sockets(node)), 15,
                         "the sockets are there")
        assert probe.ping(a, b.ipv4)
        monitor.wait_line("EchoRequest", b.ipv4)
    assert [socket_owner(path)[2] for path in sockets(node)] == [0o660] * 2
    assert len(node.cli_json("endpoint", "list")) == 2
    with observe.monitor(node, "--type", "trace") as monitor:
        assert probe.ping(a, b.ipv6)
        monitor.wait_line("EchoRequest", b.ipv6)
    node.wait_log("A socket was deleted from outside", str(node.socket_path))


def test_sockets_of_a_group_deleted(site):
    """The agent may not give them away any more: root's alone, and the log says how that ends."""
    node = site.node(socket_group="4711")
    node.socket_path.unlink()
    probe.eventually(node.socket_path.is_socket, 15, "the socket is there")
    node.wait_log("A socket was deleted from outside", "root's alone until the agent is restarted")
    assert socket_owner(node.socket_path)[1] == 0 and node.cli("status", "--brief").stdout == "OK\n"


def socket_owner(path):
    info = os.stat(path)
    return info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)


def sockets(node):
    return node.socket_path, node.socket_path.parent / "monitor1_2.sock"


@pytest.mark.core
def test_socket_of_a_group(site):
    node = site.node(socket_group="daemon")
    gid = grp.getgrnam("daemon").gr_gid
    assert [socket_owner(path) for path in sockets(node)] == [(0, gid, 0o660)] * 2
    for path in node.site.tmp, node.dir, node.socket_path.parent:
        os.chmod(path, 0o755)
    status = node.program("cilium"), "status"
    assert node.exec("setpriv", "--reuid=12345", f"--regid={gid}", "--clear-groups", *status
                     ).returncode == 0
    refused = node.exec("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", *status,
                        check=False)
    assert refused.returncode != 0 and "ermission denied" in refused.stderr


@pytest.mark.parametrize("group, gid", [("4711", 4711), ("", 0)])
def test_socket_group_by_number_or_none(site, group, gid):
    node = site.node(socket_group=group)
    assert [socket_owner(path) for path in sockets(node)] == [(0, gid, 0o660)] * 2


def test_default_group_need_not_exist(node):
    try:
        gid = grp.getgrnam("cilium").gr_gid
    except KeyError:
        gid = 0
    assert [socket_owner(path) for path in sockets(node)] == [(0, gid, 0o660)] * 2


def test_unknown_socket_group_is_refused(site):
    node = site.node(start=False, socket_group="no-such-group")
    node.start_agent(wait=False)
    assert node.wait_ended() != 0
    assert "socket-group" in node.log() and "no-such-group" in node.log()
    assert not node.socket_path.exists()


def test_socket_is_never_wide_open(site):
    """Every state of the socket's file that a watcher sees is narrower than, or as, the last."""
    node = site.node(start=False, socket_group="4711")
    trace = node.dir / "trace"
    node.start_agent(wrapper=("strace", "-f", "-o", trace, "-e",
                              "trace=bind,chmod,fchmod,fchmodat,lchown,fchownat,listen"))
    lines = [line for line in trace.read_text().splitlines()]
    calls = [line.split("(")[0].split()[-1] for line in lines]
    bound = next(i for i, line in enumerate(lines) if "bind(" in line and "cilium.sock" in line)
    assert "0600" in lines[bound - 1], lines[bound - 1]
    assert "chown" in calls[bound + 1] and "4711" in lines[bound + 1]
    assert "0660" in lines[bound + 2] and "listen(" in lines[bound + 3]
