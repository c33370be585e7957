# SPDX-License-Identifier: Apache-2.0
"""Figures: medians, spread, and the table that they end in."""

import dataclasses
import datetime
import os
import pathlib
import platform
import statistics

BEGIN, END = "<!-- begin of make bench -->\n", "<!-- end of make bench -->\n"


def quantile(values, part):
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def spread(values):
    """Middle half of the values."""
    return quantile(values, 0.25), quantile(values, 0.75)


@dataclasses.dataclass
class Figure:
    """One budget: what was measured, in which unit, and whether more or less is better."""
    what: str
    values: list  # of one round each
    budget: float
    at_least: bool
    unit: str = ""
    note: str = ""

    def value(self):
        return statistics.median(self.values)

    def met(self):
        return self.value() >= self.budget if self.at_least else self.value() <= self.budget

    def cells(self):
        digits = 0 if self.value() >= 100 else 1 if self.value() >= 10 else 2
        low, high = spread(self.values)
        sign = "≥" if self.at_least else "≤"
        between = f"{low:.{digits}f}–{high:.{digits}f}" if len(self.values) > 1 else "one value"
        return (self.what, f"{self.value():.{digits}f}{self.unit}", between,
                f"{sign} {self.budget:g}{self.unit}", "met" if self.met() else "**missed**",
                self.note)


class Report:
    def __init__(self):
        self.figures = []

    def add(self, *args, **kwargs):
        self.figures.append(Figure(*args, **kwargs))
        print("  ".join(self.figures[-1].cells()), flush=True)

    def markdown(self):
        lines = [f"{datetime.date.today()}, Linux {platform.release()}, {os.cpu_count()} CPUs "
                 f"({cpu_model()}), {memory_gib():.0f} GiB.", "",
                 "| What | Median | Middle half | Budget | | |", "|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join(figure.cells()) + " |" for figure in self.figures]
        return "\n".join(lines) + "\n"

    def write(self, path):
        """Replaces the table of the page between its two marks."""
        text = path.read_text()
        head, rest = text.split(BEGIN)
        path.write_text(head + BEGIN + self.markdown() + END + rest.split(END)[1])


def rss_mb(node):
    """Resident memory of its agent."""
    for line in pathlib.Path(f"/proc/{node.agent.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError("no VmRSS")


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
