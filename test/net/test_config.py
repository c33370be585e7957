# SPDX-License-Identifier: Apache-2.0
"""The configuration and the log while the agent runs: set, reload, SIGHUP, PATCH, and what is refused."""

import concurrent.futures
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from harness import probe


def runtime_config(node):
    """(drop_events, trace_events, trace_aggregation, trace_tcp_flags) as the programs see them."""
    dump = node.exec("bpftool", "-j", "map", "dump", "pinned",
                     "/sys/fs/bpf/tc/globals/cilium_runtime_config").stdout
    return tuple(int(byte, 16) for byte in json.loads(dump)[0]["value"][:4])


def write(node, key, value):
    (node.config_dir / key).write_text(value)


def value_of(node, key):
    return node.cli("config", "get", key).stdout.strip()


@pytest.fixture
def node(site):
    return site.node()


def test_reload_says_what_is_in_force_and_what_waits(node):
    assert node.cli("config", "reload").stdout == (
        "Nothing has changed: what is configured is in force\n")
    assert runtime_config(node)[0] == 1
    write(node, "bpf-events-drop-enabled", "false")
    write(node, "mtu", "1400")
    write(node, "enable-hubble", "true")
    done = node.cli("config", "reload", check=False)
    assert (done.returncode, done.stdout) == (2, (
        'mtu: "1400" instead of "0": needs a restart of the agent\n'
        'bpf-events-drop-enabled: "false" instead of "true": in force\n'
        'enable-hubble: "true" instead of "false": this version does not act on the key\n'))
    assert runtime_config(node)[0] == 0
    assert value_of(node, "mtu") == "0"
    assert 'mtu: configured "1400", in force "0": restart the agent' in node.cli("status").stdout
    node.wait_log("A changed key waits for a restart", "key=mtu", "value=1400", "in-force=0")
    # It goes on waiting, and a restart ends that.
    assert node.cli("config", "reload", check=False).returncode == 2
    assert node.stop_agent() == 0
    node.start_agent()
    assert value_of(node, "mtu") == "1400"
    assert "Configuration:" not in node.cli("status").stdout


@pytest.mark.core
def test_sighup_reloads(node):
    before = len(node.log())
    write(node, "monitor-aggregation-flags", "syn,psh")
    write(node, "conntrack-gc-interval", "17s")
    node.agent.send_signal(signal.SIGHUP)
    node.wait_log("A key has another value now", "key=conntrack-gc-interval", "value=17s",
                  since=before)
    assert runtime_config(node)[3] == 0x0a
    write(node, "debug", "perhaps")
    node.agent.send_signal(signal.SIGHUP)
    node.wait_log("was not read again", "debug: got", "perhaps", since=before)
    assert node.agent.poll() is None


def test_unknown_keys_are_told(node):
    """At a reload as at the start; the name of a file may be any bytes."""
    before = len(node.log())
    write(node, "enable-ipv7", "true")
    pathlib.Path(os.fsdecode(os.fsencode(node.config_dir) + b"/no\xff")).write_text("x")
    node.cli("config", "reload")
    node.wait_log("Unknown key", "key=enable-ipv7", since=before)
    unknown = node.request("GET", "/v1/healthz")[1]["axoneme"]["unknown-keys"]
    assert sorted(unknown) == ["enable-ipv7", "no\ufffd"]
    assert "enable-ipv7" in node.cli("status").stdout


def test_one_error_refuses_all(node):
    before = runtime_config(node)
    write(node, "bpf-events-drop-enabled", "false")
    write(node, "debug", "perhaps")
    write(node, "log-opt", "level.nobody=debug")
    done = node.cli("config", "reload", check=False)
    assert done.returncode == 1 and done.stdout == ""
    for words in ("what was in force stays", 'debug: got "perhaps"', "level.nobody=debug",
                  "modules: agent, config, "):
        assert words in done.stderr, done.stderr
    assert runtime_config(node) == before
    status = node.cli("status").stdout
    assert "the agent would not start again" in status and 'debug: got "perhaps"' in status
    # And nothing of it is left when the errors are gone.
    write(node, "debug", "false")
    (node.config_dir / "log-opt").unlink()
    node.cli("config", "reload")
    assert runtime_config(node)[0] == 0


def test_a_directory_that_disappears(node):
    shutil.move(node.config_dir, node.dir / "elsewhere")
    done = node.cli("config", "reload", check=False)
    assert done.returncode == 1 and "config-dir" in done.stderr
    done = node.cli("config", "set", "debug", "true", check=False)
    assert done.returncode == 1 and "config-dir" in done.stderr
    assert "the agent would not start again" in node.cli("status").stdout
    shutil.move(node.dir / "elsewhere", node.config_dir)
    assert node.cli("config", "reload").returncode == 0
    assert "Configuration:" not in node.cli("status").stdout


@pytest.mark.core
def test_set_writes_and_reads(node):
    done = node.cli("config", "set", "monitor-aggregation", "none")
    assert done.stdout == 'monitor-aggregation: "none" instead of "medium": in force\n'
    assert (node.config_dir / "monitor-aggregation").read_text() == "none\n"
    assert runtime_config(node)[2] == 0
    done = node.cli("config", "set", "enable-sctp", "true", "-o", "json", check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout) == {"changes": [{
        "key": "enable-sctp", "value": "true", "before": "false", "from": "config-dir",
        "place": str(node.config_dir / "enable-sctp"), "state": "needs-restart"}]}
    # What a file says goes on after a restart; nothing else lies around.
    names = sorted(path.name for path in node.config_dir.iterdir())
    node.kill_agent()
    node.start_agent()
    assert (value_of(node, "enable-sctp"), value_of(node, "monitor-aggregation")) == ("true", "none")
    assert sorted(path.name for path in node.config_dir.iterdir()) == names
    assert not [name for name in names if name.startswith(".")]


def refused(node, *argv):
    """The error of cilium config set; nothing has been written."""
    def files():
        return {path.name: (path.is_symlink(), path.read_bytes())
                for path in node.config_dir.iterdir() if path.is_file()}
    before = files()
    done = node.cli("config", "set", *argv, check=False)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert files() == before
    return done.stderr


def test_set_refuses(node):
    assert "no such key" in refused(node, "no-such-key", "1")
    assert 'got "perhaps"' in refused(node, "debug", "perhaps")
    assert "../debug" in refused(node, "../debug", "true")
    assert 'there is no group "no-such-group"' in refused(node, "socket-group", "no-such-group")


def test_set_checks_what_does_not_fit(site):
    node = site.node(enable_ipv6="false")
    assert "want true for at least one" in refused(node, "enable-ipv4", "false")
    write(node, "mtu", "1")
    assert "mtu: got" in refused(node, "debug", "true")


def test_flags_and_environment_outrank_the_file(site):
    node = site.node(start=False)
    node.start_agent("--debug=false", env={"CILIUM_LOG_OPT": "level=info"})
    assert "--debug on the agent's command line outranks" in refused(node, "debug", "true")
    assert "CILIUM_LOG_OPT in the agent's environment outranks" in (
        refused(node, "log-opt", "level=debug"))
    assert "--config-dir" in refused(node, "config-dir", "/tmp")
    write(node, "debug", "true")
    assert "Nothing has changed" in node.cli("config", "reload").stdout
    # What is changed at run time outranks them all.
    node.cli("config", "debug=true")
    assert value_of(node, "debug") == "true"
    node.cli("config", "debug=")
    assert value_of(node, "debug") == "false"


def test_without_a_directory(site):
    node = site.node(start=False)
    keys = [f"--{path.name}={path.read_text()}" for path in node.config_dir.iterdir()]
    with open(node.log_path, "ab") as log:
        node.agent = node.popen(node.program("cilium-agent"), *keys, env=node.environment(),
                                stdout=log, stderr=log)
    node.wait_ready()
    done = node.cli("config", "set", "debug", "true", check=False)
    assert done.returncode == 1 and "no config-dir to write to" in done.stderr
    assert node.cli("config", "reload").returncode == 0


def test_a_mounted_configmap_is_read_and_not_written(node):
    """As the kubelet lays it out: key -> ..data/key, ..data -> a directory that is swapped."""
    def mount(version, **changes):
        content = node.config_dir / f"..{version}"
        content.mkdir()
        for name, text in {**texts, **changes}.items():
            (content / name).write_text(text)
        link = node.config_dir / "..data_tmp"
        link.symlink_to(content.name)
        link.rename(node.config_dir / "..data")

    texts = {path.name: path.read_text() for path in node.config_dir.iterdir()}
    for name in texts:
        (node.config_dir / name).unlink()
        (node.config_dir / name).symlink_to(f"..data/{name}")
    (node.config_dir / "bpf-events-drop-enabled").symlink_to("..data/bpf-events-drop-enabled")
    texts["bpf-events-drop-enabled"] = "true"
    mount(1)
    assert "Nothing has changed" in node.cli("config", "reload").stdout
    error = refused(node, "bpf-events-drop-enabled", "false")
    assert "is a mounted ConfigMap" in error and "kubectl" in error
    mount(2, **{"bpf-events-drop-enabled": "false"})
    assert 'bpf-events-drop-enabled: configured "false", in force "true": cilium config reload' in (
        node.cli("status").stdout)
    node.cli("config", "reload")
    assert runtime_config(node)[0] == 0


def test_nothing_is_written_through_links(node):
    victim = node.dir / "victim"
    victim.write_text("precious")
    (node.config_dir / "debug").symlink_to(victim)
    write(node, "debug", "false")  # through the link: it is a value
    assert "symbolic link" in refused(node, "debug", "true")
    assert victim.read_text() == "false"
    (node.config_dir / "debug").unlink()
    trap = node.config_dir / ".debug.tmp"
    trap.symlink_to(victim)
    node.cli("config", "set", "debug", "true")
    assert victim.read_text() == "false" and not os.path.lexists(trap)
    shutil.move(node.config_dir, node.dir / "elsewhere")
    node.config_dir.symlink_to(node.dir / "elsewhere")
    assert "symbolic link" in refused(node, "debug", "false")
    assert node.cli("config", "reload").returncode == 0


def test_the_agent_is_down(node):
    node.kill_agent()
    done = node.cli("config", "set", "debug", "true", check=False)
    assert done.returncode == 1 and "While the agent is down, edit the file" in done.stderr
    assert not (node.config_dir / "debug").exists()


@pytest.mark.core
def test_changes_at_once(node):
    """Whoever comes, each change is whole: the last one is on the disk and in force."""
    def change(i):
        if i % 3 == 0:
            return node.request("POST", "/v1/config/reload")[0]
        return node.request("PUT", "/v1/config/conntrack-gc-interval", {"value": f"{100 + i}s"})[0]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, range(60))) == {200}
    text = (node.config_dir / "conntrack-gc-interval").read_text().strip()
    assert re.fullmatch("1[0-9][0-9]s", text) and value_of(node, "conntrack-gc-interval") == text
    assert "Nothing has changed" in node.cli("config", "reload").stdout


@pytest.mark.parametrize("call, value", [
    ("fchmod", "old"), ("fdatasync", "old"), ("/^rename", "old"), ("fsync", "new")])
def test_killed_while_it_writes(node, call, value):
    """At each step the key's file has the old or the new value whole, and the agent starts with it."""
    texts = {"old": "level=info",
             "new": "level=warning," + "level.ipam=debug," * 2000 + "format=text\n"}
    (node.config_dir / "log-opt").write_text(texts["old"])
    node.cli("config", "reload")
    tracer = node.popen("strace", "-p", node.agent.pid, "-e", f"trace={call}",
                        "-e", f"inject={call}:signal=KILL:when=1", stderr=subprocess.PIPE, text=True)
    assert "attached" in tracer.stderr.readline()
    done = node.cli("config", "set", "log-opt", texts["new"].strip(), check=False)
    tracer.communicate(timeout=10)
    assert done.returncode != 0 and node.wait_ended() == -signal.SIGKILL
    assert (node.config_dir / "log-opt").read_text() == texts[value]
    node.start_agent()
    node.cli("config", "set", "log-opt", "level=info")
    assert not [path for path in node.config_dir.iterdir() if path.name.startswith(".")]


def test_options_until_the_restart(node):
    node.cli("config", "dropnotification=disable", "MonitorAggregationLevel=None")
    assert runtime_config(node)[0] == 0 and runtime_config(node)[2] == 0
    assert "DropNotification                  : Disabled" in node.cli("config").stdout
    assert ("Changed until the agent restarts: bpf-events-drop-enabled=false, "
            "monitor-aggregation=none") in re.sub(" +", " ", node.cli("status").stdout)
    # A reload leaves it, until somebody configures the key anew.
    assert "Nothing has changed" in node.cli("config", "reload").stdout
    assert runtime_config(node)[0] == 0
    write(node, "bpf-events-drop-enabled", "1")
    node.cli("config", "reload")
    assert runtime_config(node)[0] == 0  # the same value as before
    node.cli("config", "set", "bpf-events-drop-enabled", "true")
    assert runtime_config(node)[0] == 1
    node.cli("config", "MonitorAggregationLevel=")
    assert runtime_config(node)[2] == 3
    assert "Changed until" not in node.cli("status").stdout
    node.cli("config", "Debug=true")
    node.kill_agent()
    node.start_agent()
    assert value_of(node, "Debug") == "Disabled"


def test_options_that_need_a_restart(node):
    for name, key in (("ConntrackAccounting", "bpf-conntrack-accounting"),
                      ("SourceIPVerification", "enable-source-ip-verification"), ("mtu", "mtu")):
        done = node.cli("config", f"{name}=1", "Debug=true", check=False)
        assert done.returncode == 1 and f"cilium config set {key} VALUE" in done.stderr
    assert value_of(node, "Debug") == "Disabled"
    done = node.cli("config", "log-opt=level.endpoint=loud", check=False)
    assert done.returncode == 1 and "levels: error, warning, info, debug" in done.stderr


def test_levels_of_modules(node):
    def logged():
        since = len(node.log())
        node.pod(f"p{since}").delete()
        return "Endpoint created" in node.log()[since:]

    assert logged()
    node.cli("config", "log-opt=level=info,level.endpoint=error")
    assert not logged()
    node.cli("config", "set", "log-opt", "level=error,level.endpoint=info,format=json")
    since = len(node.log())
    assert logged()
    for line in node.log()[since:].splitlines():
        assert json.loads(line)["subsys"] in ("endpoint", "config")


def test_view(node):
    lines = node.cli("config", "view").stdout.splitlines()
    assert re.fullmatch(r"mtu +0", next(line for line in lines if line.startswith("mtu ")))
    assert lines == sorted(lines)
    node.cli("config", "debug=true")
    text = node.cli("config", "view", "-v").stdout
    path = node.config_dir / "enable-ipv4"
    for row in ("KEY VALUE FROM CHANGE", f"enable-ipv4 true {path} restart",
                "debug true runtime live", "enable-hubble false default no effect"):
        assert row in re.sub(" +", " ", text), row
    assert node.cli_json("config", "view")["debug"] == "true"
    assert node.cli("config", "view", "-o", "jsonpath={.mtu}").stdout == "0\n"
    assert node.cli("config", "get", "debug", "-o", "json").stdout == '"true"\n'


def test_a_log_that_nobody_reads(site):
    """The agent goes on, and says how much is lost when somebody reads again."""
    node = site.node(start=False, debug="true")
    read_fd, write_fd = os.pipe()
    node.agent = node.popen(node.program("cilium-agent"), "--config-dir", node.config_dir,
                            env=node.environment(), stdout=write_fd, stderr=write_fd)
    node.wait_ready()
    for i in range(900):
        assert node.request("PATCH", "/v1/config", {"options": {
            "monitor-aggregation-interval": f"{i + 6}s",
            "conntrack-gc-interval": f"{i + 6}s"}})[0] == 200
    assert not fcntl.fcntl(write_fd, fcntl.F_GETFL) & os.O_NONBLOCK
    os.close(write_fd)
    os.set_blocking(read_fd, False)
    seen = b""

    def is_told():
        nonlocal seen
        try:
            seen += os.read(read_fd, 1 << 20)
        except BlockingIOError:
            pass
        return b"Lines of this log were lost" in seen

    probe.eventually(is_told, seconds=10, what="the count of lost lines")
    assert node.request("GET", "/v1/healthz")[0] == 200
    assert node.stop_agent() == 0
    os.close(read_fd)
