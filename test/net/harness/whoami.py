# SPDX-License-Identifier: Apache-2.0
"""
A server that says who it is and whom it sees. As a program: `whoami.py NAME PORT…` answers each message
to any of the ports, TCP and UDP, IPv4 and IPv6, with "NAME PEER PORT\\n"; % in the name: the port asked.
"""

import contextlib
import dataclasses
import pathlib
import selectors
import socket
import struct
import subprocess
import sys

from . import patience, probe

IPV6_PKTINFO, SO_RCVBUFFORCE = 50, 33
REFUSED, SILENT = "refused", "silent"
QUIET_SECONDS = 1.8
BUFFER_BYTES = 1 << 24  # a burst of datagrams waits for a server that is not running just then


@dataclasses.dataclass(frozen=True)
class Answer:
    server: str
    peer: str


class Whoami:
    def __init__(self, namespace, name, *ports):
        root = pathlib.Path(__file__).resolve().parents[1]
        self.namespace, self.name = namespace, name
        self.process = namespace.popen(sys.executable, "-m", "harness.whoami", name, *ports,
                                       stdout=subprocess.PIPE, text=True,
                                       env={"PYTHONPATH": str(root)})
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError(f"{namespace.name}: nothing listens on {ports}")

    def close(self):
        self.process.kill()
        self.process.wait(timeout=patience.stretch(10))


def parse(data):
    server, peer, _ = data.decode().split()
    return Answer(server, peer)


def ask(namespace, kind, address, port, timeout=patience.stretch(1), source=None):
    """
    An Answer, or REFUSED (an ICMP error or a reset), or SILENT. An error that comes back while connect() still
    has the socket counts only for the next SYN, which goes out after a second: whoever expects silence waits
    for QUIET_SECONDS at least.
    """
    try:
        with probe.connect(namespace, kind, address, port, timeout=timeout, source=source) as client:
            client.sendall(b"?\n")
            data = client.recv(256)
            return parse(data) if data else REFUSED
    except TimeoutError:
        return SILENT
    except OSError:
        return REFUSED


class Conversation:
    """A kept connection: says who answers each time."""

    def __init__(self, namespace, kind, address, port, timeout=patience.stretch(2)):
        self.socket = probe.connect(namespace, kind, address, port, timeout=timeout)

    def ask(self):
        self.socket.sendall(b"?\n")
        data = self.socket.recv(256)
        if not data:
            raise ConnectionError("closed by the server")
        return parse(data)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def text_of(name, server, peer):
    name = name.replace("%", str(server.getsockname()[1]))
    return f"{name} {peer[0].removeprefix('::ffff:')} {peer[1]}\n".encode()


def open_port(kind, port):
    server = socket.socket(socket.AF_INET6, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", port))
    server.setblocking(False)
    if kind == socket.SOCK_STREAM:
        server.listen(1024)
    else:
        server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    return server


def answer_datagrams(name, server):
    with contextlib.suppress(OSError):
        while True:
            _, control, _, peer = server.recvmsg(2048, 256)
            # The answer must come from the address that was asked, whatever the routes say.
            info = [(level, kind, data[:16] + struct.pack("I", 0)) for level, kind, data in control
                    if (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO)]
            server.sendmsg([text_of(name, server, peer)], info, 0, peer)


def serve(name, ports):
    selector = selectors.DefaultSelector()
    for port in ports:
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            selector.register(open_port(kind, port), selectors.EVENT_READ, kind)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            if key.data == socket.SOCK_DGRAM:
                answer_datagrams(name, key.fileobj)
            elif key.data == socket.SOCK_STREAM:
                with contextlib.suppress(OSError):
                    while True:
                        connection, peer = key.fileobj.accept()
                        connection.setblocking(False)
                        selector.register(connection, selectors.EVENT_READ, peer)
            else:
                answer_stream(name, selector, key.fileobj, key.data)


def answer_stream(name, selector, connection, peer):
    try:
        data = connection.recv(4096)
        if data:
            connection.settimeout(5)  # what does not fit into the buffer is not to be lost
            connection.sendall(text_of(name, connection, peer) * data.count(b"\n"))
            connection.setblocking(False)
            return
    except BlockingIOError:
        return
    except OSError:
        pass
    selector.unregister(connection)
    connection.close()


if __name__ == "__main__":
    serve(sys.argv[1], [int(port) for port in sys.argv[2:]])
