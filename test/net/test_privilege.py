# SPDX-License-Identifier: Apache-2.0
"""What of root's power the agent needs, says that it misses, and gives up."""

import pathlib
import re
import shutil
import subprocess

import pytest

from harness import paths, probe

# securityContext.capabilities.ciliumAgent of the operators' guides.
GUIDES = ["chown", "kill", "net_admin", "net_raw", "ipc_lock", "sys_admin", "sys_resource",
          "dac_override", "fowner", "setgid", "setuid"]
NUMBERS = {"chown": 0, "dac_override": 1, "fowner": 3, "kill": 5, "setgid": 6, "setuid": 7,
           "net_admin": 12, "net_raw": 13, "ipc_lock": 14, "sys_ptrace": 19, "sys_admin": 21, "sys_resource": 24,
           "perfmon": 38, "bpf": 39}


def own_bounding():
    text = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"CapBnd:\s*(\w+)", text).group(1), 16)


def having(*names):
    """Runs a program as a container with that capability list does: root, with that bounding set."""
    names = [name for name in names if own_bounding() >> NUMBERS[name] & 1]
    # By numbers: setpriv may be older than CAP_BPF.
    listed = "".join(f",+cap_{NUMBERS[name]}" for name in names)
    return ("setpriv", f"--bounding-set=-all{listed}", f"--inh-caps=-all{listed}")


def without(*names):
    return having(*(name for name in GUIDES if name not in names))


def threads(node):
    """(permitted, effective, inheritable, ambient, no_new_privs) of each thread of the agent."""
    pid = node.exec("cat", f"{node.state_dir}/cilium.pid").stdout.strip()
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            text = (task / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # a helper that has ended meanwhile
        found.append({name: int(value, 16) for name, value in
                      re.findall(r"^(Cap\w+|NoNewPrivs):\s*(\w+)", text, re.M)})
    return found


def mask(*names):
    return sum(1 << NUMBERS[name] for name in names)


@pytest.mark.core
def test_the_guides_list_is_enough(site, family):
    """Pods, both delivery modes' setup, a restart, DEL, and what is kept afterwards."""
    node = site.node(start=False)
    node.start_agent(wrapper=having(*GUIDES))
    a, b = node.pod("a", labels={"app": "web"}), node.pod("b")
    paths.check_all(node, a, b, family)
    node.kill_agent()
    node.start_agent(wrapper=having(*GUIDES))
    paths.check_all(node, a, b, family)
    # Whoever tampers is repaired, which attaches and loads anew.
    node.ip("link del cilium_host")
    probe.eventually(lambda: probe.ping(node, a.address(family)), seconds=20, what="the repair")
    a.delete()
    assert len(node.cli_json("endpoint", "list")) == 1
    assert "Missing privileges" not in node.cli("status", "--verbose").stdout
    assert node.cli("monitor", "--help").returncode == 0


@pytest.mark.core
@pytest.mark.parametrize("wrapper", ["everything", "guides"])
def test_the_rest_is_given_up_by_every_thread(site, wrapper):
    node = site.node(start=False)
    node.start_agent(wrapper=having(*GUIDES) if wrapper == "guides" else ())
    for number in range(3):
        node.pod(f"p{number}", labels={"app": str(number)})  # identities: helper threads write
    probe.eventually(lambda: len(threads(node)) > 1, what="helper threads")
    kept = mask("net_admin", "sys_admin", "dac_override")
    if wrapper == "everything":
        kept |= mask("bpf", "perfmon") & own_bounding()
    found = threads(node)
    assert max(thread["CapPrm"] for thread in found) == kept
    for thread in found:
        assert thread["CapPrm"] & ~kept == thread["CapEff"] & ~kept == 0
        assert thread["CapInh"] == thread["CapAmb"] == 0
        assert thread["NoNewPrivs"] == 1
        if wrapper == "everything":
            allowed = kept | mask("chown", "sys_resource", "sys_ptrace")
            assert thread["CapBnd"] & ~allowed == 0
    shown = node.cli("status", "--verbose").stdout
    assert "CAP_NET_ADMIN CAP_SYS_ADMIN" in shown and "CAP_CHOWN" not in shown


@pytest.mark.parametrize("ends_sockets", ["true", "false"])
def test_what_ending_sockets_needs_is_kept_only_for_that(site, ends_sockets):
    node = site.node(kube_proxy_replacement="true",
                     bpf_lb_sock_terminate_pod_connections=ends_sockets)
    kept = any(thread["CapPrm"] & mask("sys_ptrace") for thread in threads(node))
    assert kept == (ends_sockets == "true")


@pytest.mark.parametrize("name", ["kill", "net_raw", "ipc_lock", "sys_resource", "fowner", "setgid",
                                  "setuid", "chown"])
def test_not_missed(site, name, family):
    """Of the guides' list these are not needed, here and by default; nothing is said of them."""
    node = site.node(start=False)
    node.start_agent(wrapper=without(name))
    paths.check_all(node, node.pod("a"), node.pod("b"), family)
    assert "Missing privileges" not in node.cli("status").stdout
    assert "capability is missing" not in node.log()


@pytest.mark.parametrize("name, config, words", [
    ("chown", {"socket_group": "4711"}, "the group of the sockets"),
    ("dac_override", {}, "manifests and configuration"),
])
def test_missed_and_said(site, name, config, words, family):
    """At the start and in the status: which, and for what. Everything else works."""
    node = site.node(start=False, **config)
    node.start_agent(wrapper=without(name))
    line = node.wait_log("capability is missing", f"CAP_{name.upper()}")
    assert words in line
    shown = node.cli("status").stdout
    assert f"CAP_{name.upper()}" in shown and words in shown
    status, answer = node.request("GET", "/v1/healthz")
    assert status == 200
    assert [lack["capability"] for lack in answer["axoneme"]["privileges"]["lacking"]] == [
        f"CAP_{name.upper()}"]
    paths.check_all(node, node.pod("a"), node.pod("b"), family)


@pytest.mark.parametrize("names, said", [
    (("net_admin",), "CAP_NET_ADMIN"),
    (("sys_admin",), "CAP_BPF and CAP_PERFMON"),
    (("net_admin", "sys_admin"), "CAP_NET_ADMIN"),
])
def test_nothing_could_work_without(site, names, said):
    node = site.node(start=False)
    node.start_agent(wrapper=without(*names), wait=False)
    assert node.wait_ended() != 0
    assert said in node.log() and "nothing works" in node.log()
    assert "cilium_host" not in node.exec("ip", "link").stdout


def test_bpf_and_perfmon_instead_of_sys_admin(site, family):
    """Linux 5.8 and later; what still needs CAP_SYS_ADMIN is said."""
    if not own_bounding() >> NUMBERS["bpf"] & 1:
        pytest.skip("no CAP_BPF here")
    wrapper = having("net_admin", "bpf", "perfmon", "dac_override")
    node = site.node(start=False)
    node.start_agent(wrapper=wrapper)
    assert "CAP_SYS_ADMIN" in node.wait_log("capability is missing")
    a, b = node.pod("a"), node.pod("b")
    paths.check_all(node, a, b, family)
    before = node.exec("ls", "/sys/fs/bpf/cilium/programs").stdout
    node.kill_agent()
    node.start_agent(wrapper=wrapper)
    paths.check_all(node, a, b, family)
    assert node.exec("ls", "/sys/fs/bpf/cilium/programs").stdout == before
    assert "Missing privileges" in node.cli("status").stdout


def test_mount_needs_sys_admin(site):
    """Where there is no BPF file system yet, the error names the mount."""
    if not own_bounding() >> NUMBERS["bpf"] & 1:
        pytest.skip("no CAP_BPF here")
    node = site.node(start=False, bpf_root="/mnt/no-bpffs")
    node.exec("mount", "-t", "tmpfs", "tmpfs", "/mnt")
    node.start_agent(wrapper=having("net_admin", "bpf", "perfmon", "dac_override"), wait=False)
    assert node.wait_ended() != 0
    assert "mounting a BPF file system" in node.log() and "CAP_SYS_ADMIN" in node.log()


LATE_THREADS = """
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>
/* Threads but the first come late to giving up capabilities, as on a busy machine. */
long syscall(long number, ...)
{
	long (*real)(long, ...) = dlsym(RTLD_NEXT, "syscall");
	va_list list;
	long a[6];

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_capset && gettid() != getpid())
		usleep(1000000);
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
"""


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a compiler")
def test_start_does_not_overtake_its_threads(node, tmp_path):
    """A restart takes milliseconds; a thread that has not run yet must not fail it."""
    (tmp_path / "late.c").write_text(LATE_THREADS)
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", tmp_path / "late.so",
                    tmp_path / "late.c"], check=True)
    node.kill_agent()
    node.start_agent(env={"LD_PRELOAD": str(tmp_path / "late.so")})
    assert min(each["CapPrm"] for each in threads(node)) == 0
