#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
make soak: hostile use, for as long as it takes. Each scenario is a file scenario_<name>.py here with

    WHAT = "one line"
    def run(soak): ...

It makes what it needs with the harness of test/net, does harm, and calls soak.check() for everything that
must hold and soak.figure() for what is worth a line in docs/reliability.md. The sum is a table.

    test/soak/run.py [--build DIR] [--scale FACTOR] [--seed N] [SCENARIO...]
"""

import argparse
import importlib
import os
import pathlib
import random
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class Soak:
    """What a scenario is given: the build, how much to do, and where results go."""

    def __init__(self, name, build, scale, seed):
        self.name, self.build, self.scale = name, build, scale
        self.random = random.Random(f"{seed}-{name}")
        self.results, self.broken = [], []

    def count(self, number, least=1):
        """The scenario's number of repetitions, times --scale."""
        return max(least, round(number * self.scale))

    def say(self, text):
        print(f"   {text}", flush=True)

    def check(self, what, holds, seen=""):
        """Something that must be so. Goes on when it is not: one run tells everything."""
        self.results.append((what, "yes" if holds else "NO", seen))
        if not holds:
            self.broken.append(what)
        self.say(f"{what}: {'yes' if holds else 'NO'}{f' ({seen})' if seen != '' else ''}")
        return holds

    def figure(self, what, value):
        self.results.append((what, str(value), ""))
        self.say(f"{what}: {value}")


def scenarios():
    return sorted(path.stem.removeprefix("scenario_") for path in HERE.glob("scenario_*.py"))


def run(name, options):
    module = importlib.import_module(f"scenario_{name}")
    soak = Soak(name, options.build, options.scale, options.seed)
    print(f"== {name}: {module.WHAT}", flush=True)
    start = time.monotonic()
    try:
        module.run(soak)
    except Exception:  # the other scenarios are worth running
        traceback.print_exc()
        soak.check("ran to its end", False)
    soak.figure("seconds", round(time.monotonic() - start))
    return soak


def print_table(done):
    print("\n| Scenario | What | | |\n|---|---|---|---|")
    for soak in done:
        for i, (what, value, seen) in enumerate(soak.results):
            print(f"| {soak.name if not i else ''} | {what} | {value} | {seen} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--scale", default=1.0, type=float, help="of the numbers of repetitions")
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("scenarios", nargs="*", default=scenarios(), metavar="SCENARIO",
                        help=", ".join(scenarios()))
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("make soak needs root: it makes network namespaces and loads BPF programs")
    options.build = options.build.resolve()
    os.environ["AXONEME_BUILD"] = str(options.build)  # the harness looks there
    sys.path[:0] = [str(HERE), str(ROOT / "test/net")]

    done = [run(name, options) for name in options.scenarios]
    print_table(done)
    broken = sum(len(soak.broken) for soak in done)
    print(f"\n{sum(len(soak.results) for soak in done)} lines, {broken} broken")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
