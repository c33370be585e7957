# SPDX-License-Identifier: Apache-2.0
"""A virtual machine that boots a kernel with an initramfs of our programs, and nothing else."""

import pathlib
import re
import subprocess
import time

BUSYBOX = pathlib.Path("/bin/busybox")
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /tmp
mount -t bpf bpf /sys/fs/bpf
mkdir -p /sys/fs/cgroup /var/run /var/lib
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
echo "vm: $(uname -r)"
sh /test
echo "vm: exit $?"
poweroff -f
"""


class Initramfs:
    """A file tree; programs bring the libraries that they are linked with."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        for path in ("bin", "proc", "sys", "dev", "tmp", "etc", "root", "modules"):
            (self.dir / path).mkdir(parents=True, exist_ok=True)
        self.put("/bin/busybox", BUSYBOX.read_bytes(), 0o755)
        self.put("/init", INIT.encode(), 0o755)

    def put(self, path, data, mode=0o644):
        target = self.dir / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(mode)

    def put_program(self, source, path):
        self.put(path, pathlib.Path(source).read_bytes(), 0o755)
        # Not static: "not a dynamic executable" is then its answer, and nothing is missing.
        found = subprocess.run(["ldd", source], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", found):
            if not (self.dir / library.lstrip("/")).exists():
                self.put(library, pathlib.Path(library).read_bytes(), 0o755)

    def put_modules(self, modules):
        for name, data in modules.items():
            self.put(f"/modules/{name}.ko", data)
        self.put("/modules/order", "\n".join(modules).encode() + b"\n")

    def pack(self, path):
        names = "\n".join(str(entry.relative_to(self.dir)) for entry in sorted(self.dir.rglob("*")))
        with open(path, "wb") as image:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=self.dir, check=True,
                           input=names.encode(), stdout=image)


def boot(image, initramfs, seconds=600):
    """
    Runs /test of the initramfs. Returns (its exit status or None, the console). Emulated: this has to
    work where a machine cannot start machines of its own.
    """
    # Without cx16: Debian 12's QEMU now and then leaves wrong flags behind an emulated cmpxchg16b,
    # and a kernel whose allocator uses it falls over in the middle of anything.
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max,-cx16", "-smp", "2",
               "-m", "2048", "-nographic", "-no-reboot", "-nic", "none", "-kernel", str(image),
               "-initrd", str(initramfs), "-append", "console=ttyS0 quiet panic=-1 mitigations=off"]
    start = time.monotonic()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=seconds, check=False)
        console = done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as expired:
        console = (expired.stdout or b"").decode(errors="replace") + "\nvm: out of time\n"
    status = re.search(r"^vm: exit (\d+)", console, re.MULTILINE)
    console += f"vm: {time.monotonic() - start:.0f} s\n"
    return int(status.group(1)) if status else None, console.replace("\r", "")
