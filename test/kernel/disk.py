# SPDX-License-Identifier: Apache-2.0
"""
A disk for a virtual machine: the files of some of this machine's Debian packages, of what those depend
on, and of the project. Nothing is downloaded, and the libraries are those that the build linked with.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

# What test/net needs: Python with its modules, and the programs that the tests call.
PACKAGES = ("bpftool", "python3", "python3-pytest", "python3-yaml", "python3-scapy", "bash", "coreutils", "dash",
            "findutils", "grep", "iproute2", "iputils-ping", "mount", "procps", "sed", "tcpdump",
            "util-linux")
# Of a merged /usr: links to the folder of the same name below /usr.
MERGED = ("bin", "sbin", "lib", "lib64")
SKIPPED = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/",
           "/usr/share/i18n/", "/usr/share/zoneinfo/")
EMPTY = ("proc", "sys", "dev", "tmp", "run", "root", "var/lib", "var/log", "etc")
NAME = r"([a-z0-9][a-z0-9.+-]+)"


def installed_packages():
    """{name: names of what it may depend on} of what is installed; what is provided counts as a name."""
    found = {}
    listing = subprocess.run(
        ["dpkg-query", "-W", "-f",
         "${db:Status-Status}\\t${Package}\\t${Pre-Depends}, ${Depends}\\t${Provides}\\n"],
        check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        status, name, depends, provides = line.split("\t")
        if status == "installed":
            found.setdefault(name, []).extend(re.findall(rf"(?:^|[,|])\s*{NAME}", depends))
            for virtual in re.findall(rf"(?:^|,)\s*{NAME}", provides):
                found.setdefault(virtual, []).append(name)
    return found


def with_dependencies(names):
    known, found = installed_packages(), set()
    if missing := sorted(set(names) - set(known)):
        sys.exit(f"packages that the machine's disk needs: apt-get install {' '.join(missing)}")
    names = list(names)
    while names:
        name = names.pop()
        if name in known and name not in found:
            found.add(name)
            names += known[name]
    return sorted(found)


def files_of(packages):
    """Paths of the packages' files; a name that is only provided has none."""
    listing = subprocess.run(["dpkg-query", "-L", *packages], check=False, capture_output=True,
                             text=True).stdout
    return [path for path in listing.splitlines()
            if path.startswith("/") and not path.startswith(SKIPPED)]


class Disk:
    """A file tree that becomes a file system image."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        for name in EMPTY:
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        for name in MERGED:
            (self.dir / "usr" / name).mkdir(parents=True, exist_ok=True)
            (self.dir / name).symlink_to(f"usr/{name}")

    def put(self, source, path=None):
        """A file or a link of this machine, at the same path where no other is named."""
        source = pathlib.Path(source)
        target = self.dir / str(path or source).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            if not target.is_symlink():
                target.symlink_to(os.readlink(source))
            if str(source.readlink()).startswith("/etc/alternatives/"):
                self.put(source.readlink())
        elif source.is_file():
            shutil.copy2(source, target)

    def put_packages(self, names):
        for path in files_of(with_dependencies(names)):
            if not os.path.isdir(path) or os.path.islink(path):
                self.put(path)

    def put_libraries(self, program):
        """Those that a program of the build is linked with."""
        found = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", found):
            if not os.path.lexists(self.dir / library.lstrip("/")):
                self.put(pathlib.Path(library).resolve(), library)

    def put_program(self, source, path=None):
        self.put(source, path)
        self.put_libraries(source)

    def put_tree(self, source, path, pattern="**/*"):
        for entry in pathlib.Path(source).glob(pattern):
            if entry.is_file() and "__pycache__" not in entry.parts:
                self.put(entry, pathlib.Path(path) / entry.relative_to(source))

    def write(self, path, text, mode=0o644):
        target = self.dir / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def pack(self, image):
        """Read-only in the machine: no journal, no checksums, no room left."""
        n_bytes = sum(entry.lstat().st_size + 4096 for entry in self.dir.rglob("*"))
        with open(image, "wb") as file:
            file.truncate(n_bytes * 5 // 4 + (32 << 20))
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal,^metadata_csum", "-m", "0",
                        "-d", self.dir, image], check=True)
