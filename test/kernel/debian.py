# SPDX-License-Identifier: Apache-2.0
"""
Debian's kernels, fetched by apt into a directory of their own: the machine's package sources and
database stay as they are.
"""

import lzma
import pathlib
import re
import subprocess

MIRROR = "http://deb.debian.org/debian"
KEYRINGS = pathlib.Path("/usr/share/keyrings")
SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie"}
# Modules that the test needs.
MODULES = ("virtio_pci", "virtio_blk", "ext4", "overlay", "veth", "dummy", "bridge", "sch_ingress",
           "cls_bpf", "sctp", "tcp_diag", "udp_diag", "tun")


class Kernel:
    def __init__(self, cache, version):
        self.version = version
        self.dir = cache / version
        self.image = self.dir / "vmlinuz"

    def fetch(self):
        if not self.image.exists():
            self.dir.mkdir(parents=True, exist_ok=True)
            self._unpack(self._download())
        return self

    def _apt(self, *argv):
        (self.dir / "lists/partial").mkdir(parents=True, exist_ok=True)
        (self.dir / "archives/partial").mkdir(parents=True, exist_ok=True)
        (self.dir / "status").touch()
        suite = SUITES[self.version]
        (self.dir / "sources.list").write_text(
            f"deb [signed-by={KEYRINGS}/debian-archive-keyring.gpg arch=amd64] "
            f"{MIRROR} {suite} main\n")
        options = {"Dir::Etc::sourcelist": self.dir / "sources.list", "Dir::Etc::sourceparts": "-",
                   "Dir::State::lists": self.dir / "lists", "Dir::State::status": self.dir / "status",
                   "Dir::Cache": self.dir, "Acquire::Languages": "none", "APT::Sandbox::User": "root",
                   "Acquire::Check-Valid-Until": "false"}
        argv = list(argv)
        for name, value in options.items():
            argv[1:1] = ["-o", f"{name}={value}"]
        return subprocess.run(argv, cwd=self.dir, check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def _download(self):
        self._apt("apt-get", "-qq", "update")
        depends = self._apt("apt-cache", "depends", "linux-image-cloud-amd64")
        package = re.search(r"Depends: (linux-image-\S+)", depends).group(1)
        self._apt("apt-get", "-qq", "download", package)
        return next(self.dir.glob(f"{package}_*.deb"))

    def _unpack(self, package):
        subprocess.run(["dpkg-deb", "-x", package, self.dir / "root"], check=True)
        next((self.dir / "root/boot").glob("vmlinuz-*")).rename(self.image)
        package.unlink()

    def modules(self):
        """(name, bytes) of the modules in the order in which they are to be loaded."""
        found = {}
        for path in (self.dir / "root").rglob("*.ko*"):
            found[path.name.split(".")[0].replace("-", "_")] = path
        loaded = {}

        def load(name):
            path = found.get(name)
            if path is None or name in loaded:
                return  # built in, or already there
            data = path.read_bytes()
            data = lzma.decompress(data) if path.suffix == ".xz" else data
            depends = re.search(rb"\0depends=([^\0]*)", b"\0" + data)
            for needed in filter(None, depends.group(1).decode().split(",") if depends else []):
                load(needed.replace("-", "_"))
            loaded[name] = data

        for name in MODULES:
            load(name)
        return loaded
