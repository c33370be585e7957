# SPDX-License-Identifier: Apache-2.0
"""
Steady traffic beside a test. As a program: `flow.py serve|send udp|tcp ADDRESS PORT [RATE]`; the
sender counts what comes back and prints that as JSON when it gets SIGTERM.
"""

import json
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys
import time

KINDS = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
RECORD = struct.Struct("!Q")
GRACE_SECONDS = 10.0  # how long the last packets may take to come back
SO_RCVBUFFORCE, BUFFER_BYTES = 33, 1 << 24  # packets wait for who is not running just then


class Flow:
    """Packets from one namespace to a port of another and back, RATE a second, until stop()."""

    def __init__(self, kind, client, server, address, rate=1000):
        self.server = self._start(server, "serve", kind, address, 0)
        port = int(self.server.stdout.readline())
        self.client = self._start(client, "send", kind, address, port, rate)
        if self.client.stdout.readline() != "first echo\n":
            raise AssertionError(f"{kind} flow to {address} does not get through")

    @staticmethod
    def _start(namespace, *argv):
        return namespace.popen(sys.executable, str(pathlib.Path(__file__).resolve()), *argv,
                               stdout=subprocess.PIPE, text=True)

    def stop(self):
        """{"sent", "received", "gap_ms"}: gap_ms is the longest time without an echo."""
        self.client.terminate()
        result = json.loads(self.client.stdout.read())
        self.client.wait(timeout=60)
        self.server.kill()
        self.server.wait(timeout=60)
        return result

    def assert_nothing_lost(self):
        result = self.stop()
        assert result["sent"] > 0 and result["sent"] == result["received"], f"lost: {result}"
        return result


def serve(kind, address, _):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family, KINDS[kind])
    server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    server.bind((address, 0))
    if kind == "tcp":
        server.listen(1)
    print(server.getsockname()[1], flush=True)
    if kind == "udp":
        while True:
            data, peer = server.recvfrom(2048)
            server.sendto(data, peer)
    connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := connection.recv(65536):
        connection.sendall(data)


class Sender:
    def __init__(self, kind, address, port, rate):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, KINDS[kind])
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        self.socket.settimeout(15)
        self.socket.connect((address, port))
        if kind == "tcp":
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.is_stream = kind == "tcp"
        self.interval_ns = 1_000_000_000 // rate
        self.sent, self.seen, self.rest = 0, set(), b""
        self.last_echo_ns = self.gap_ns = 0
        self.stopping = False

    def receive(self):
        """Takes what has come back. Echoes of a stream must come in order, each once."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        if self.is_stream and not data:
            raise ConnectionError("the connection was closed")
        data = self.rest + data
        whole = len(data) - len(data) % RECORD.size
        self.rest = data[whole:]
        for number, in RECORD.iter_unpack(data[:whole]):
            if self.is_stream and number != len(self.seen):
                raise ConnectionError(f"echo {number} where {len(self.seen)} was due")
            self.seen.add(number)
        now = time.monotonic_ns()
        if not self.last_echo_ns:
            print("first echo", flush=True)
        else:
            self.gap_ns = max(self.gap_ns, now - self.last_echo_ns)
        self.last_echo_ns = now

    def run(self):
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stopping", True))
        due_ns = time.monotonic_ns()
        while not self.stopping:
            now = time.monotonic_ns()
            if now >= due_ns:
                self.socket.send(RECORD.pack(self.sent))
                self.sent += 1
                due_ns += self.interval_ns
            wait = max(due_ns - time.monotonic_ns(), 0) / 1e9
            if select.select([self.socket], [], [], wait)[0]:
                self.receive()
        end = time.monotonic() + GRACE_SECONDS
        while len(self.seen) < self.sent and time.monotonic() < end:
            if select.select([self.socket], [], [], 0.05)[0]:
                self.receive()
        return {"sent": self.sent, "received": len(self.seen), "gap_ms": self.gap_ns / 1e6}


def main():
    action, kind, address, port = sys.argv[1:5]
    if action == "serve":
        serve(kind, address, port)
    else:
        print(json.dumps(Sender(kind, address, int(port), int(sys.argv[5])).run()), flush=True)


if __name__ == "__main__":
    main()
