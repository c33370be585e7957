# SPDX-License-Identifier: Apache-2.0
"""
Directories of the unified cgroup hierarchy. A socket belongs to the cgroup that its maker was in, for
good: so a namespace with a cgroup has its sockets made by a process in there.

As a program: `cgroup.py FD` makes sockets and hands them to the other end of the socket FD.
"""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import time


def _mount_point():
    """Of the unified hierarchy, or None."""
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        fields = line.split()
        if fields[2] == "cgroup2":
            return pathlib.Path(fields[1])
    return None


class Cgroup:
    """A directory made for a test; close() removes it with those below it."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.mkdir()

    @classmethod
    def of_test(cls, name):
        root = _mount_point()
        if not root:
            root = pathlib.Path("/run/axoneme-test-cgroup2")
            root.mkdir(exist_ok=True)
            subprocess.run(["mount", "-t", "cgroup2", "none", root], check=True)
        return cls(root / name)

    def child(self, name):
        return Cgroup(self.path / name)

    def wrap(self, argv):
        """The command, run in the cgroup."""
        return ["sh", "-c", 'echo 0 >"$0" && exec "$@"', str(self.path / "cgroup.procs"), *argv]

    def close(self):
        """Waits for its processes, which whoever started them has killed."""
        if not self.path.exists():
            return
        for below in self.path.iterdir():
            if below.is_dir():
                child = Cgroup.__new__(Cgroup)
                child.path = below
                child.close()
        deadline = time.monotonic() + 60
        while True:
            try:
                self.path.rmdir()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


class SocketMaker:
    """A process in a namespace and its cgroup."""

    def __init__(self, namespace):
        self.channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self.process = namespace.popen(
                sys.executable, "-S", "-E", str(pathlib.Path(__file__).resolve()), other.fileno(),
                pass_fds=[other.fileno()])

    def make(self, family, kind, protocol):
        self.channel.send(f"{int(family)} {int(kind)} {int(protocol)}".encode())
        answer, fds, _, _ = socket.recv_fds(self.channel, 64, 1)
        if not fds:
            number = int(answer) if answer else 0
            raise OSError(number, os.strerror(number))
        return socket.socket(fileno=fds[0])

    def close(self):
        self.channel.close()


def serve(channel):
    while request := channel.recv(64):
        family, kind, protocol = map(int, request.split())
        try:
            with socket.socket(family, kind, protocol) as made:
                socket.send_fds(channel, [b"ok"], [made.fileno()])
        except OSError as error:
            channel.send(str(error.errno).encode())


if __name__ == "__main__":
    with contextlib.suppress(ConnectionError, KeyboardInterrupt):
        serve(socket.socket(fileno=int(sys.argv[1])))
