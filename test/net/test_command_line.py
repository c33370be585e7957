# SPDX-License-Identifier: Apache-2.0
"""The command line around the commands: global flags, help, hints, completion in real shells."""

import os
import pty
import select
import shutil
import time

import pytest

from harness import patience


@pytest.fixture(scope="module")
def pod(shared_node):
    made = shared_node.pod("web")
    yield made
    made.delete()


def complete(node, *words):
    """{candidate: help} for the last word."""
    lines = node.cli("__complete", *words).stdout.splitlines()
    return dict(line.split("\t") if "\t" in line else (line, None) for line in lines)


# Global flags.

def test_host_forms(shared_node):
    path = str(shared_node.socket_path)
    for host in path, f"unix://{path}":
        assert shared_node.exec(shared_node.program("cilium"), "-H", host, "status", "--brief",
                                env={"CILIUM_SOCK": "/nonexistent"}).stdout == "OK\n"
    failed = shared_node.cli("--host=tcp://127.0.0.1:9879", "status", check=False)
    assert failed.returncode == 1 and "unix://path" in failed.stderr


def test_user_config(shared_node, tmp_path):
    def status(*flags, **env):
        return shared_node.exec(shared_node.program("cilium"), *flags, "status", "--brief",
                                check=False, env={"CILIUM_SOCK": "", "HOME": str(tmp_path), **env})

    elsewhere = tmp_path / "other.yaml"
    elsewhere.write_text(f"host: unix://{shared_node.socket_path}\ndebug: true\n")
    done = status("--config", str(elsewhere))
    assert done.stdout == "OK\n" and "/v1/healthz" in done.stderr
    (tmp_path / ".cilium.yaml").write_text(f"host: {shared_node.socket_path}\n")
    done = status()
    assert (done.stdout, done.stderr) == ("OK\n", "")
    # The environment is stronger than the file, the flag stronger than both.
    assert status(CILIUM_SOCK="/nonexistent").returncode == 1
    assert status("-H", str(shared_node.socket_path), CILIUM_SOCK="/nonexistent").returncode == 0
    (tmp_path / ".cilium.yaml").write_text("hots: /x\n")
    done = status()
    assert done.returncode == 1 and f"{tmp_path}/.cilium.yaml:1: hots: unknown key" in done.stderr
    done = status("--config", str(tmp_path / "none"))
    assert done.returncode == 1 and "none: No such file" in done.stderr


def test_debug_shows_what_is_asked(shared_node):
    done = shared_node.cli("-D", "status", "--brief")
    assert "method=GET" in done.stderr and "/v1/healthz" in done.stderr and done.stdout == "OK\n"


# Help and hints.

def test_help_is_the_same_both_ways(shared_node):
    for command in ["endpoint", "list"], ["bpf", "ct"], ["status"], []:
        assert shared_node.cli("help", *command).stdout == \
            shared_node.cli(*command, "--help").stdout != ""


@pytest.mark.parametrize("words, hint", [
    (["endpiont", "list"], '"endpoint"'), (["endpoint", "lst"], '"list"'),
    (["bpf", "ct", "lits"], '"list"'), (["help", "bpf", "natt"], '"nat"'),
    (["status", "--verbos"], '"--verbose"'), (["--hots=x", "status"], '"--host"')])
def test_hints(shared_node, words, hint):
    failed = shared_node.cli(*words, check=False)
    assert failed.returncode == 1 and failed.stdout == ""
    assert f"did you mean {hint}?" in failed.stderr.splitlines()[0]
    assert "Usage:" in failed.stderr


def test_no_hint_for_what_nobody_meant(shared_node):
    for words in ["frobnicate"], ["endpoint", "frobnicate"], ["status", "--frobnicate"]:
        failed = shared_node.cli(*words, check=False)
        assert failed.returncode == 1 and "did you mean" not in failed.stderr


# What completion offers.

def test_candidates_of_the_tables(shared_node):
    assert {"bpf", "endpoint", "help", "status"} <= set(complete(shared_node, ""))
    assert "list" in complete(shared_node, "endpoint", "")
    assert complete(shared_node, "nonsense", "") == {}
    assert {"--output=", "--help"} <= set(complete(shared_node, "endpoint", "list", "--"))
    assert set(complete(shared_node, "endpoint", "list", "-o", "")) == {"json", "yaml", "jsonpath="}
    assert set(complete(shared_node, "endpoint", "list", "--output=j")) == \
        {"--output=json", "--output=jsonpath="}
    assert set(complete(shared_node, "help", "bpf", "ct", "l")) == {"list"}
    assert set(complete(shared_node, "completion", "")) == {"bash", "fish", "zsh"}
    assert complete(shared_node, "--host", "") == {":files": None}
    # Global flags and their values do not hide the command.
    assert "list" in complete(shared_node, "-D", "-H", str(shared_node.socket_path), "endpoint", "")
    assert all(complete(shared_node, "status", "--").values())


def test_candidates_of_the_agent(shared_node, pod):
    ident = str(pod.endpoint()["id"])
    assert complete(shared_node, "endpoint", "get", "") == {ident: "default/web"}
    assert complete(shared_node, "identity", "get", "1")["1"] == "reserved:host"
    assert "enable-ipv4" in complete(shared_node, "config", "get", "enable-")
    assert "Debug=" in complete(shared_node, "config", "")
    assert f"{pod.ipv4}/32" in complete(shared_node, "ip", "get", "")
    assert complete(shared_node, "identity", "list", "") != {}


def test_no_agent_no_candidates(shared_node):
    done = shared_node.exec(shared_node.program("cilium"), "__complete", "endpoint", "get", "",
                            env={"CILIUM_SOCK": "/nonexistent"})
    assert (done.stdout, done.stderr) == ("", "")


# Real shells, with a terminal.

class Terminal:
    """An interactive shell whose cilium is the one that was built."""

    def __init__(self, node, home, shell, *flags):
        path = os.path.dirname(node.program("cilium"))
        primary, secondary = pty.openpty()
        self.fd, self.seen = primary, ""
        self.process = node.popen(
            shell, *flags, stdin=secondary, stdout=secondary, stderr=secondary,
            env={"PATH": f"{path}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "$ ",
                 "CILIUM_SOCK": str(node.socket_path), "HOME": str(home)})
        os.close(secondary)

    def type(self, text):
        self.seen = ""
        os.write(self.fd, text.encode())

    def shows(self, text, seconds=5):
        """Whether it appears after what was typed last."""
        end = time.monotonic() + patience.stretch(seconds)
        while text not in self.seen and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.2)[0]:
                self.seen += os.read(self.fd, 4096).decode(errors="replace")
        return text in self.seen

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.fd)


SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], "source <(cilium completion bash); echo re''ady\r"),
    "zsh": (["-f", "-i"],
            "autoload -U compinit; compinit -u -D; source <(cilium completion zsh); echo re''ady\r"),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_shell(shared_node, pod, shell, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    flags, setup = SHELLS[shell]
    ident = str(pod.endpoint()["id"])
    terminal = Terminal(shared_node, tmp_path, shell, *flags)
    try:
        terminal.type(setup)
        assert terminal.shows("ready"), terminal.seen
        for begun, whole in (("cilium endpoint hea", "lth "), ("cilium endpoint get ", ident),
                             ("cilium status --verb", "ose "), ("cilium status --output=y", "aml "),
                             ("cilium completion ba", "sh "), ("cilium config Drop", "Notification="),
                             ("cilium -H /et", "c/")):
            terminal.type(f"{begun}\t")
            assert terminal.shows(whole), (begun, terminal.seen)
            terminal.type("\x15")
        terminal.type("cilium bpf \t\t")
        for word in "ct", "endpoint", "ipcache", "nat":
            assert terminal.shows(word), (word, terminal.seen)
    finally:
        terminal.close()


def test_fish(shared_node, pod, tmp_path):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    path = os.path.dirname(shared_node.program("cilium"))

    def offered(line):
        script = f"cilium completion fish | source; complete -C '{line}'"
        done = shared_node.exec("fish", "--no-config", "-c", script, env={
            "PATH": f"{path}:{os.environ['PATH']}", "HOME": str(tmp_path)})
        return [each.split("\t")[0] for each in done.stdout.splitlines()]

    assert offered("cilium endpoint hea") == ["health"]
    assert {"ct", "endpoint", "nat"} <= set(offered("cilium bpf "))
    assert offered("cilium endpoint get ") == [str(pod.endpoint()["id"])]
    assert offered("cilium status --output=y") == ["--output=yaml"]
    assert any("etc" in each for each in offered("cilium -H /et"))
