# SPDX-License-Identifier: Apache-2.0
"""
Clients that open connections to a service all the time, keep each for a while and say which server answered.
As a program: `churn.py KIND ADDRESS PORT CONCURRENT PAUSE_MS ASKS ENOUGH`; prints a line when ENOUGH connections
have ended; on SIGTERM it lets those that are open come to their end and prints every connection as JSON.
"""

import json
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
SILENT_SECONDS = 10  # the third retransmission of a SYN is due after seven


class Churn:
    def __init__(self, namespace, kind, address, port, concurrent=40, pause_ms=20, asks=5, enough=1):
        self.process = namespace.popen(
            sys.executable, str(pathlib.Path(__file__).resolve()), kind, address, port, concurrent,
            pause_ms, asks, enough, stdout=subprocess.PIPE, text=True)

    def has_enough(self):
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def stop(self):
        """Dicts: opened, answers [(time, server)], ended, error (None: all was answered); CLOCK_MONOTONIC."""
        self.process.terminate()
        result = json.loads(self.process.stdout.read().splitlines()[-1])
        self.process.wait(timeout=60)
        return result


class Connection:
    def __init__(self, kind, address, pause, asks):
        self.socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, kind)
        self.socket.setblocking(False)
        self.pause, self.left, self.waits = pause, asks, True
        self.record = {"opened": time.monotonic(), "answers": [], "error": None}
        self.due = self.record["opened"] + SILENT_SECONDS
        self.is_connected = kind == socket.SOCK_DGRAM
        try:
            self.socket.connect(address)
            if self.is_connected:
                self.ask()
        except BlockingIOError:
            pass
        except OSError as error:
            self.end(str(error))

    def fileno(self):
        return self.socket.fileno()

    def ask(self):
        self.socket.send(b"?\n")
        self.waits, self.due = True, time.monotonic() + SILENT_SECONDS

    def end(self, error=None):
        self.record["ended"], self.record["error"] = time.monotonic(), error
        self.socket.close()

    def on_event(self):
        try:
            if not self.is_connected:
                error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, "connect")
                self.is_connected = True
                self.ask()
                return
            data = self.socket.recv(256)
            if not data:
                raise ConnectionError("closed")
            self.record["answers"].append((time.monotonic(), data.decode().split()[0]))
            self.left -= 1
            self.waits, self.due = False, time.monotonic() + self.pause
        except BlockingIOError:
            pass
        except OSError as error:
            self.end(str(error))

    def on_time(self):
        if self.waits:
            self.end("silent")
        elif not self.left:
            self.end()
        else:
            try:
                self.ask()
            except OSError as error:
                self.end(str(error))


def run(kind, address, concurrent, pause, asks, enough):
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    live, done = {}, []
    poller = select.epoll()
    begin = time.monotonic()
    while live or not stopping:
        # They begin one after the other, not in step.
        while not stopping and len(live) < min(concurrent, 1 + (time.monotonic() - begin) * concurrent):
            connection = Connection(kind, address, pause, asks)
            if connection.record["error"] is not None:
                done.append(connection.record)
                time.sleep(0.01)
                break
            live[connection.fileno()] = connection
            poller.register(connection.fileno(),
                            select.EPOLLIN if connection.is_connected else select.EPOLLOUT)
        for number, _ in poller.poll(0.005):
            was_connected = live[number].is_connected
            live[number].on_event()
            if live[number].is_connected and not was_connected and live[number].fileno() >= 0:
                poller.modify(number, select.EPOLLIN)
        now = time.monotonic()
        for number, connection in list(live.items()):
            if connection.fileno() >= 0 and connection.due <= now:
                connection.on_time()
            if connection.fileno() < 0:
                done.append(connection.record)
                del live[number]
        if enough and len(done) >= enough:
            print("enough", flush=True)
            enough = 0
    print(json.dumps(done), flush=True)


def main():
    kind, address, port, concurrent, pause_ms, asks, enough = sys.argv[1:]
    run(KINDS[kind], (address, int(port)), int(concurrent), int(pause_ms) / 1000, int(asks),
        int(enough))


if __name__ == "__main__":
    main()
