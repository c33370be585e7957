# SPDX-License-Identifier: Apache-2.0
"""
A network namespace, held open by a process of its own: nothing is written to /run/netns, so tests
of several users do not meet, and a namespace is gone when its process is, whatever happened.
"""

import contextlib
import ctypes
import os
import pathlib
import socket
import subprocess
import tempfile
import threading

from . import patience
from .cgroup import SocketMaker

CLONE_NEWNET = 0x40000000
# Every process of a test run has this in its environment; the leak check looks for it.
MARK = "AXONEME_TEST"
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """
    A network namespace, with a mount namespace too where asked for. Mounts come in from the machine
    but do not go out ("slave"): were they private, the copies would keep the machine's own alive.
    With a Cgroup, which close() removes, all programs run in it, and all sockets belong to it; beside a
    mount namespace there is a cgroup namespace, whose root it is.
    """

    def __init__(self, name, mount=False, cgroup=None):
        argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net"]
        if mount:
            argv += ["--mount", "--propagation", "slave"]
        if mount and cgroup:
            argv += ["--cgroup"]
        self.name = name
        self.mount = mount
        self.cgroup = cgroup
        argv += ["--", "sh", "-c", "echo ready; exec sleep infinity"]
        self.holder = subprocess.Popen(
            cgroup.wrap(argv) if cgroup else argv,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=dict(os.environ, **{MARK: name}))
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"cannot make namespace {name}")
        self.pid = self.holder.pid
        self._enter_as(self.pid)

    def _enter_as(self, pid):
        self.pid = pid
        self.children = []
        self.maker, self.maker_lock = None, threading.Lock()
        self.netns_path = f"/proc/{pid}/ns/net"
        self.fd = os.open(self.netns_path, os.O_RDONLY | os.O_CLOEXEC)
        self.ip("link set lo up")

    @classmethod
    def of_process(cls, name, pid, mount=False, cgroup=None):
        """The namespace of a process that somebody else started and will end."""
        self = cls.__new__(cls)
        self.name, self.mount, self.holder, self.cgroup = name, mount, None, cgroup
        self._enter_as(pid)
        return self

    def _argv(self, argv):
        enter = ["nsenter", "--target", str(self.pid), "--net"]
        if self.mount:
            enter += ["--mount"] + (["--cgroup"] if self.cgroup else [])
        enter += ["--"] + [str(arg) for arg in argv]
        return self.cgroup.wrap(enter) if self.cgroup else enter

    def _env(self, env):
        return dict(os.environ, **{MARK: self.name}, **(env or {}))

    def exec(self, *argv, check=True, stdin=None, timeout=patience.stretch(30), env=None):
        """Runs a program in the namespace to its end. Output is text in .stdout and .stderr."""
        done = subprocess.run(
            self._argv(argv), input=stdin if stdin is not None else "", text=True,
            capture_output=True, timeout=timeout, env=self._env(env))
        if check and done.returncode != 0:
            raise AssertionError(
                f"{self.name}: {' '.join(map(str, argv))} ended with {done.returncode}\n"
                f"{done.stdout}{done.stderr}")
        return done

    def popen(self, *argv, env=None, **kwargs):
        """Starts a program in the namespace; it ends when the namespace or the test does."""
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        argv = ["setpriv", "--pdeathsig", "KILL"] + self._argv(argv)
        self.children.append(subprocess.Popen(argv, env=self._env(env), **kwargs))
        return self.children[-1]

    def ip(self, *lines):
        """One or more commands of ip(8), in one process."""
        self.exec("ip", "-batch", "-", stdin="\n".join(lines) + "\n")

    def sysctl(self, **values):
        """net.ipv4.ip_forward=1 is sysctl(ipv4__ip_forward=1)."""
        script = "".join(f"echo {value} >/proc/sys/net/{name.replace('__', '/')}\n"
                         for name, value in values.items())
        self.exec("sh", "-e", stdin=script)

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in the namespace; sockets made meanwhile stay in it for good."""
        with open("/proc/thread-self/ns/net", "rb") as before:
            _setns(self.fd)
            try:
                yield self
            finally:
                _setns(before.fileno())

    def socket(self, family, kind, protocol=0):
        if self.cgroup:
            with self.maker_lock:
                self.maker = self.maker or SocketMaker(self)
                return self.maker.make(family, kind, protocol)
        with self.entered():
            return socket.socket(family, kind, protocol)

    def processes(self):
        """Pids of the processes in the namespace, its holder excepted."""
        own = os.stat(self.fd).st_ino
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.stat(entry / "ns/net").st_ino == own and int(entry.name) != self.pid:
                    found.append(int(entry.name))
        return found

    def close(self):
        if self.fd < 0:
            return
        os.close(self.fd)
        self.fd = -1
        if self.maker:
            self.maker.close()
        for child in self.children + ([self.holder] if self.holder else []):
            child.kill()
            child.wait()
            for stream in filter(None, (child.stdout, child.stderr)):
                stream.close()
        if self.cgroup and self.holder:
            self.cgroup.close()


def marked_processes(prefix):
    """(pid, command) of the processes whose mark starts with the prefix."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={prefix}".encode() in (entry / "environ").read_bytes():
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                found.append((int(entry.name), command))
    return found


def temporary_directory(prefix):
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix + "-"))
