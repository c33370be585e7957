# SPDX-License-Identifier: Apache-2.0
"""
A virtual machine: a kernel, an initramfs that loads its modules and mounts the disk, and on the disk a
script whose exit status is the machine's.
"""

import pathlib
import re
import subprocess
import time

BUSYBOX = pathlib.Path("/bin/busybox")
# The disk stays as it is: what the script writes goes into memory.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
mount -t tmpfs tmpfs /memory
mkdir /memory/disk /memory/changed /memory/work /memory/root
mount -t ext4 -o ro /dev/vda /memory/disk
mount -t overlay -o lowerdir=/memory/disk,upperdir=/memory/changed,workdir=/memory/work overlay \\
	/memory/root
umount /dev /sys /proc
exec switch_root /memory/root {init}
"""
BOOT = """export PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
echo "vm: Linux $(uname -r)"
sh /test.sh
echo "vm: exit $?"
echo o >/proc/sysrq-trigger
sleep 60
"""


def make_initramfs(directory, modules, image, init="/bin/sh /boot.sh"):
    """modules: {name: bytes}, in the order of loading; init: of the disk."""
    root = pathlib.Path(directory)
    for name in ("bin", "proc", "sys", "dev", "memory", "modules"):
        (root / name).mkdir(parents=True)
    (root / "bin/busybox").write_bytes(BUSYBOX.read_bytes())
    (root / "init").write_text(INIT.format(init=init))
    for path in ("bin/busybox", "init"):
        (root / path).chmod(0o755)
    for name, data in modules.items():
        (root / f"modules/{name}.ko").write_bytes(data)
    (root / "modules/order").write_text("\n".join(modules) + "\n")
    names = "\n".join(str(entry.relative_to(root)) for entry in sorted(root.rglob("*")))
    with open(image, "wb") as file:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, check=True,
                       input=names.encode(), stdout=file)


def boot(kernel, initramfs, disk, seconds, append=""):
    """
    Runs /test.sh of the disk. Returns (its exit status or None, the console). Emulated: this has to
    work where a machine cannot start machines of its own.
    """
    # Without cx16: Debian 12's QEMU now and then leaves wrong flags behind an emulated cmpxchg16b,
    # and a kernel whose allocator uses it falls over in the middle of anything.
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max,-cx16", "-smp", "2",
               "-m", "3072", "-nographic", "-no-reboot", "-nic", "none", "-kernel", str(kernel),
               "-initrd", str(initramfs),
               "-drive", f"file={disk},format=raw,if=virtio,readonly=on",
               "-append", f"console=ttyS0 quiet panic=-1 mitigations=off {append}"]
    start = time.monotonic()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=seconds, check=False)
        console = done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as expired:
        console = (expired.stdout or b"").decode(errors="replace") + "\nvm: out of time\n"
    console = console.replace("\r", "")
    status = re.search(r"^vm: exit (\d+)", console, re.MULTILINE)
    console += f"vm: {time.monotonic() - start:.0f} s\n"
    return int(status.group(1)) if status else None, console
