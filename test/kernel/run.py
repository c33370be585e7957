#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Boots Debian's kernels in virtual machines. Each loads every program in every main configuration, attaches
them all, takes them over and removes them, and then runs the network tests that are about the kernel. What
the verifier made of the programs is compared with what is on record.

    test/kernel/run.py [--build DIR] [--cache DIR] [--record] [VERSION...]
"""

import argparse
import concurrent.futures
import pathlib
import shutil
import subprocess
import sys
import tempfile

from debian import SUITES, Kernel
from disk import PACKAGES, Disk
from instructions import Record, parse
from vm import BOOT, boot, make_initramfs

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path.home() / ".cache/axoneme/kernels"
RECORD = ROOT / "test/kernel/instructions.json"
NEEDED = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "cpio": "cpio",
          "mke2fs": "e2fsprogs"}
TOOLS = ("kernel_load", "kernel_attach")
# Of src/datapath, on programs on sockets.
ROOT_TESTS = ("datapath_real_cgroup_test", "datapath_socket_test", "datapath_socket_killer_test")
PROGRAMS = ("src/agent/cilium-agent", "src/cni/cilium-cni", "src/cli/cilium")
# What a kernel can do otherwise: delivery, masquerading, attaching, taking over, repairing; services at
# sockets, by tc and by XDP.
TESTS = ("test_paths.py", "test_masquerade.py", "test_icmp.py", "test_drop.py", "test_repair.py",
         "test_agent.py", "test_service_socket.py", "test_service_outside.py",
         "test_service_xdp.py")
SECONDS = 3600


def install_missing():
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if missing:
        print(f"installing {' '.join(missing)}", flush=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def make_disk(directory, build, tests, image):
    disk = Disk(directory)
    disk.put_packages(PACKAGES)
    for name in TOOLS:
        disk.put_program(build / "test/kernel" / name, f"/usr/bin/{name}")
    for name in ROOT_TESTS:
        disk.put_program(build / "src/datapath" / name, f"/usr/bin/{name}")
    for name in PROGRAMS:
        disk.put_program(build / name, f"/axoneme/build/{name}")
    disk.put_tree(ROOT / "test/net", "/axoneme/test/net")
    disk.put(ROOT / "test/kernel/guest.sh", "/test.sh")
    disk.write("/boot.sh", BOOT)
    disk.write("/tests", tests + "\n")
    disk.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
               "tcpdump:x:100:100::/:/bin/false\n")
    disk.write("/etc/group", "root:x:0:\ntcpdump:x:100:\n")
    disk.write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    disk.pack(image)


def check(version, cache, disk):
    """(good?, console, instruction counts) of one kernel."""
    kernel = Kernel(cache, version).fetch()
    with tempfile.TemporaryDirectory() as directory:
        initramfs = pathlib.Path(directory) / "initramfs"
        make_initramfs(pathlib.Path(directory) / "root", kernel.modules(), initramfs)
        status, console = boot(kernel.image, initramfs, disk, SECONDS)
    return status == 0, console[max(console.find("vm: "), 0):], parse(console)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--cache", default=CACHE, type=pathlib.Path, help="of fetched kernels")
    parser.add_argument("--tests", default=" ".join(f"test/net/{name}" for name in TESTS),
                        help="arguments of pytest inside the machine, in one word")
    parser.add_argument("--record", action="store_true",
                        help="write the instruction counts down, to compare with from now on")
    parser.add_argument("--jobs", type=int, default=1, help="machines at a time")
    parser.add_argument("versions", nargs="*", default=list(SUITES), metavar="VERSION",
                        help=", ".join(SUITES))
    options = parser.parse_args()

    install_missing()
    record, results = Record(RECORD), {}
    with tempfile.TemporaryDirectory() as directory, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        disk = pathlib.Path(directory) / "disk"
        make_disk(pathlib.Path(directory) / "root", options.build.resolve(), options.tests, disk)
        runs = {version: pool.submit(check, version, options.cache, disk)
                for version in options.versions}
        for version, run in runs.items():
            good, console, counts = run.result()
            print(console, flush=True)
            results[version] = good
            record.compare(version, counts)
    if options.record:
        record.write()
    for version, good in results.items():
        print(f"Linux {version}: {'good' if good else 'FAILED'}")
    sys.exit(not all(results.values()))


if __name__ == "__main__":
    main()
