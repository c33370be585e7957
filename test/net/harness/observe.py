# SPDX-License-Identifier: Apache-2.0
"""What the node says about packets: its metrics map and its monitor."""

import contextlib
import os
import re
import select
import subprocess
import time

from . import patience

# Columns are separated by at least two spaces, words inside a cell by one.
CELL = re.compile(r"\s{2,}")


def rows(text):
    """A table of the CLI as a list of dicts by column header."""
    lines = [line for line in text.splitlines() if line.strip()]
    header = CELL.split(lines[0].strip())
    return [dict(zip(header, CELL.split(line.strip()))) for line in lines[1:]]


def metric(node, reason, direction):
    """Packets of `cilium bpf metrics list` with this reason and direction."""
    return sum(int(row["PACKETS"]) for row in rows(node.cli("bpf", "metrics", "list").stdout)
               if row["REASON"] == reason and row["DIRECTION"].lower() == direction)


class Monitor:
    """`cilium monitor` and the lines it has printed."""

    def __init__(self, node, *options):
        self.process = node.popen(node.program("cilium"), "monitor", *options,
                                  env=node.environment(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.text = ""
        self.wait_listening()

    @staticmethod
    def _read(stream, take, enough, seconds):
        deadline = time.monotonic() + seconds
        while not enough() and time.monotonic() < deadline:
            if select.select([stream], [], [], 0.05)[0]:
                data = os.read(stream.fileno(), 65536)
                if not data:
                    break
                take(data.decode())

    def _take(self, text):
        self.text += text

    def wait_listening(self, seconds=patience.stretch(10)):
        """Until it says that it listens: at its start, and after each restart of the agent."""
        said = []
        self._read(self.process.stderr, said.append, lambda: "Press Ctrl-C" in "".join(said),
                   seconds)
        assert "Press Ctrl-C" in "".join(said), f"monitor does not listen: {said}"

    def read_until(self, enough, seconds=5):
        """Adds what it prints to .text until enough() or the time is over."""
        self._read(self.process.stdout, self._take, enough, seconds)

    def wait_line(self, *words, seconds=5):
        """The first line that holds all words."""
        def found():
            return [line for line in self.text.splitlines() if all(word in line for word in words)]

        self.read_until(found, patience.stretch(seconds))
        assert found(), f"monitor shows no line with {words}:\n{self.text}"
        return found()[0]

    def close(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def monitor(node, *options):
    made = Monitor(node, *options)
    try:
        yield made
    finally:
        made.close()
