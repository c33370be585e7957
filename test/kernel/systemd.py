#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Boots this Debian's systemd in a virtual machine, with the agent installed as `make install` does, and
has systemd start, reload, restart, watch and stop it while a pod's packets flow.

    test/kernel/systemd.py [--build DIR] [--cache DIR]
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from debian import Kernel
from disk import Disk
from run import CACHE, ROOT, install_missing
from vm import boot, make_initramfs

VERSION = "6.1"  # of this Debian
PACKAGES = ("systemd", "systemd-sysv", "dbus", "bash", "coreutils", "dash", "grep", "iproute2", "iputils-ping",
            "mount", "procps", "sed", "util-linux")
UNIT = """[Unit]
Description=Test of cilium-agent.service
DefaultDependencies=no
After=sysinit.target dbus.socket
Requires=sysinit.target dbus.socket

[Service]
Type=oneshot
ExecStart=/bin/sh /test.sh
ExecStopPost=/bin/systemctl --force --force poweroff
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
TimeoutStartSec=1200
"""
# The shipped one waits a minute, and a test has better things to do.
DROP_IN = "[Service]\nWatchdogSec=10\n"
SECONDS = 900


def make_disk(directory, build, image):
    disk = Disk(directory)
    disk.put_packages(PACKAGES)
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet"], check=True,
                   env={**os.environ, "DESTDIR": str(disk.dir)}, stdout=subprocess.DEVNULL)
    prefix = next(disk.dir.rglob("cilium-agent.service")).parents[3]
    for name in ("cilium-agent", "cilium"):
        program = prefix / "bin" / name
        disk.put_libraries(program)
        if prefix != disk.dir / "usr":
            (disk.dir / "usr/bin" / name).symlink_to("/" / program.relative_to(disk.dir))
    disk.put(ROOT / "test/kernel/systemd.sh", "/test.sh")
    disk.write("/etc/systemd/system/test.service", UNIT)
    disk.write("/etc/systemd/system/cilium-agent.service.d/test.conf", DROP_IN)
    disk.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nmessagebus:x:100:100::/:/bin/false\n")
    disk.write("/etc/group", "root:x:0:\nmessagebus:x:100:\n")
    disk.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    disk.pack(image)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--cache", default=CACHE, type=pathlib.Path, help="of fetched kernels")
    options = parser.parse_args()
    install_missing()
    kernel = Kernel(options.cache, VERSION).fetch()
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        make_disk(directory / "disk", options.build.resolve(), directory / "image")
        make_initramfs(directory / "root", kernel.modules(), directory / "initramfs",
                       init="/lib/systemd/systemd")
        _, console = boot(kernel.image, directory / "initramfs", directory / "image", SECONDS,
                          append="systemd.unit=test.service systemd.show_status=false")
    print(console, flush=True)
    sys.exit(not re.search(r"^systemd: exit 0$", console, re.MULTILINE))


if __name__ == "__main__":
    main()
