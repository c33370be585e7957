#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
make check: every suite, one after the other, a line for each; the last line is the sum.

Four builds: gcc as it is shipped, gcc with the address and undefined-behaviour sanitizers, clang, and
another version of this tree to upgrade to; all with warnings as errors. Suites go on after a failure, so that one run tells everything.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
SANITIZED = {"ASAN_OPTIONS": "strict_string_checks=1:detect_stack_use_after_return=1",
             "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
# A test that hangs is to end some time; how fast the machine is, or what else it does, nobody knows.
LIMIT_MINUTES = 60
SLOWEST = 10  # times as slow as the limits of single tests are made for
CMOCKA = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] \w", re.M)


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Count(self.passed + other.passed, self.failed + other.failed,
                     self.skipped + other.skipped)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(argv, minutes, env=None, quiet=False):
    """Runs a program, with nothing to read, and all of its process group. Returns the status."""
    process = subprocess.Popen(
        [str(arg) for arg in argv], cwd=ROOT, env=dict(os.environ, **(env or {})),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None, text=True, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=minutes * 60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        print(f"{argv[0]}: not done within {minutes} minutes")
        return 124
    if quiet and process.returncode != 0:
        print(output)
    return process.returncode


def build(name, jobs, compiler, *options):
    directory = ROOT / name
    if not (directory / "build.ninja").exists():
        if run(["meson", "setup", directory, "-Dwerror=true", *options], 2, {"CC": compiler},
               quiet=True):
            return Count(failed=1)
    return Count(failed=1) if run(["ninja", "-C", directory, f"-j{jobs}"], LIMIT_MINUTES, quiet=True) \
        else Count(passed=1)


def other_version(jobs):
    """This tree with other layouts, and other instructions in its BPF programs."""
    failed = run([sys.executable, "tools/other_version.py", "build-other", f"--jobs={jobs}"], LIMIT_MINUTES,
                 quiet=True)
    return Count(failed=1) if failed else Count(passed=1)


def count_meson_test(entry):
    """One line of Meson's log: the cases that cmocka names, or the program as a whole."""
    found = [match.group(1) for match in CMOCKA.finditer(
        entry.get("stdout", "") + "\n" + entry.get("stderr", ""))]
    count = Count(found.count("OK"), found.count("FAILED"), found.count("SKIPPED"))
    if entry["result"] == "SKIP":
        return Count(skipped=1)
    if entry["result"] in ("OK", "EXPECTEDFAIL"):
        return count if found else Count(passed=1)
    return count if count.failed else count + Count(failed=1)


def meson_test(name, env=None):
    log = ROOT / name / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    status = run(["meson", "test", "-C", ROOT / name, "--no-rebuild", "--print-errorlogs",
                  f"--timeout-multiplier={SLOWEST}"], LIMIT_MINUTES, env, quiet=True)
    if not log.exists():
        return Count(failed=1)
    total = Count()
    for line in log.read_text().splitlines():
        total += count_meson_test(json.loads(line))
    return total if total.failed or not status else total + Count(failed=1)


def pytest(name, *options, env=None):
    report = ROOT / name / "pytest.xml"
    report.unlink(missing_ok=True)
    status = run([sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *options,
                  "test/net"], LIMIT_MINUTES,
                 {"AXONEME_BUILD": str(ROOT / name),
                  "AXONEME_UPGRADE_BUILD": str(ROOT / "build-other/build"), **(env or {})})
    if not report.exists():
        return Count(failed=1)
    total = Count()
    for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
        failed = int(suite.get("failures")) + int(suite.get("errors"))
        skipped = int(suite.get("skipped"))
        total += Count(max(int(suite.get("tests")) - failed - skipped, 0), failed, skipped)
    return total if total.failed or not status else total + Count(failed=1)


def lint():
    done = subprocess.run([sys.executable, "tools/lint.py"], cwd=ROOT, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        print(done.stdout + done.stderr)
    last = re.search(r"(\d+) passed, (\d+) failed, (\d+) skipped\s*\Z", done.stdout)
    return Count(*map(int, last.groups())) if last else Count(failed=1)


def suites(jobs):
    """(name, function) in the order of running: what is cheap and tells most comes first."""
    return [
        ("build, gcc", lambda: build("build-check", jobs, "gcc", "--buildtype=release")),
        ("unit, fuzz corpora, golden, policy, bpf", lambda: meson_test("build-check")),
        ("build, clang", lambda: build("build-clang", jobs, "clang-19", "-Dbpf-flags=-O3")),
        # The upgrade under traffic goes there and back.
        ("build, another version", lambda: other_version(jobs)),
        ("lint", lint),
        ("build, sanitizers", lambda: build(
            "build-asan", jobs, "gcc", "-Db_sanitize=address,undefined", "-Dbuildtype=debug")),
        ("unit under the sanitizers", lambda: meson_test("build-asan", SANITIZED)),
        ("network", lambda: pytest("build-check")),
        ("network under the sanitizers", lambda: pytest(
            "build-asan", "-m", "core", env={**SANITIZED, "AXONEME_TEST_PATIENCE": "2"})),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="run the suites whose name holds this")
    options = parser.parse_args()
    total, lines = Count(), []
    for name, function in suites(options.jobs):
        if options.only and options.only not in name:
            continue
        print(f"== {name}", flush=True)
        start = time.monotonic()
        count = function()
        total += count
        lines.append(f"{name:34} {count} ({time.monotonic() - start:.0f} s)")
        print(lines[-1], flush=True)
    print("\n" + "\n".join(lines) + "\n")
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
