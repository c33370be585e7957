#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Boots Debian's kernels in virtual machines. Each loads every program in every main configuration, attaches
them all, takes them over and removes them, and then runs the agent with a pod. Prints what the
verifier made of the programs.

    test/kernel/run.py [--build DIR] [--cache DIR] [VERSION...]
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

from debian import SUITES, Kernel
from vm import Initramfs, boot

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path.home() / ".cache/axoneme/kernels"
PACKAGES = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "cpio": "cpio"}
PROGRAMS = {"src/agent/cilium-agent": "cilium-agent", "src/cli/cilium": "cilium",
            "test/kernel/kernel_load": "kernel_load", "test/kernel/kernel_attach": "kernel_attach"}


def install_missing():
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if missing:
        print(f"installing {' '.join(missing)}", flush=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def check(version, build, cache):
    kernel = Kernel(cache, version).fetch()
    with tempfile.TemporaryDirectory() as directory:
        initramfs = Initramfs(pathlib.Path(directory) / "root")
        initramfs.put_modules(kernel.modules())
        for source, name in PROGRAMS.items():
            initramfs.put_program(build / source, f"/bin/{name}")
        initramfs.put_program(shutil.which("ip"), "/usr/sbin/ip")
        initramfs.put("/test", (ROOT / "test/kernel/guest.sh").read_bytes())
        image = pathlib.Path(directory) / "initramfs"
        initramfs.pack(image)
        status, console = boot(kernel.image, image)
    print(console[console.find("vm: "):], flush=True)
    return status == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--cache", default=CACHE, type=pathlib.Path, help="of fetched kernels")
    parser.add_argument("versions", nargs="*", default=list(SUITES), metavar="VERSION",
                        help=", ".join(SUITES))
    options = parser.parse_args()

    install_missing()
    failed = [version for version in options.versions
              if not check(version, options.build.resolve(), options.cache)]
    for version in options.versions:
        print(f"Linux {version}: {'FAILED' if version in failed else 'good'}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
