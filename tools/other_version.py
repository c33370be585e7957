#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Builds another version of the programs: this tree, with other layouts of maps and another member in the
files of state. The upgrade tests go there and back (test/net/test_upgrade.py).

    tools/other_version.py build-other [--jobs N]
    tools/other_version.py build-from --commit 5afa6ce [--jobs N]

With --commit it is the tree of that commit, as it was.

The tree is in build-other/tree, its programs in build-other/build. What did not change is not copied
again, so that a second call builds little.
"""

import argparse
import filecmp
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGETS = ["src/agent/cilium-agent", "src/cni/cilium-cni", "src/cli/cilium"]


def insert(struct, line, n_bytes, offsets=()):
    """A member at the beginning: everything behind it moves."""
    def change(text):
        text, n = re.subn(rf"(struct {struct} {{\n)", rf"\1\t{line}\n", text)
        assert n == 1, struct
        return grow(struct, n_bytes, offsets)(text)
    return change


def grow(struct, n_bytes, offsets):
    def change(text):
        def add(match):
            return f"{match.group(1)}{int(match.group(2)) + n_bytes});"
        text, n = re.subn(rf"(ABI_ASSERT_SIZE\(struct {struct}, )(\d+)\);", add, text)
        assert n == 1, struct
        for member in offsets:
            text, n = re.subn(rf"(ABI_ASSERT_OFFSET\(struct {struct}, {member}, )(\d+)\);", add, text)
            assert n == 1, (struct, member)
        return text
    return change


def swap(first, second):
    """Two members change places: the same size, another meaning."""
    def change(text):
        match = re.search(rf"\t__u32 {first};[^\n]*\n\t__u32 {second};[^\n]*\n", text)
        assert match, (first, second)
        lines = match.group(0).splitlines(keepends=True)
        return text.replace(match.group(0), lines[1] + lines[0])
    return change


def replace(old, new):
    def change(text):
        assert text.count(old) == 1, old
        return text.replace(old, new)
    return change


CHANGES = {
    "abi/conntrack.h": [insert(
        "ct_entry", "__u64 other_version;", 8,
        ["generation", "policy_version", "identity", "nat_addr", "service_addr"])],
    "abi/lb.h": [insert(struct, "__u64 other_version;", 8)
                 for struct in ("lb_frontend", "lb_backend", "lb_socket")],
    "abi/nat.h": [swap("created", "generation")],
    "abi/endpoint.h": [insert("endpoint_info", "__u64 other_version;", 8, ["mac"])],
    "abi/ipcache.h": [insert("ipcache_info", "__u64 other_version;", 8)],
    "abi/config.h": [insert("runtime_config", "__u32 other_version[2];", 8)],
    "src/agent/persist.c": [replace(
        '\tset_mac(object, "mac", &endpoint->mac);\n',
        '\tset_mac(object, "mac", &endpoint->mac);\n'
        '\tjson_object_set_new(object, "other_version", json_true());\n')],
}


def sources():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
        text=True, capture_output=True).stdout.splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


def put(path, text):
    """Writes what differs, so that a build looks at no more."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def make_tree(tree):
    for name in sources():
        source, copy = ROOT / name, tree / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if name in CHANGES:
            text = source.read_text()
            for change in CHANGES[name]:
                text = change(text)
            put(copy, text)
        elif not copy.exists() or not filecmp.cmp(source, copy, shallow=False):
            shutil.copy2(source, copy)


def make_tree_of(commit, tree):
    archive = subprocess.run(["git", "archive", "--format=tar", commit], cwd=ROOT,
                             stdout=subprocess.PIPE, check=True).stdout
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", tree], input=archive, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--commit", help="the tree of this commit instead")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    tree, build = options.directory / "tree", options.directory / "build"
    if options.commit:
        make_tree_of(options.commit, tree)
    else:
        make_tree(tree)
    if not (build / "build.ninja").exists():
        done = subprocess.run(
            ["meson", "setup", build, tree, "--buildtype=release", "-Dwerror=true",
             "-Dbpf-flags=-O3"])
        if done.returncode:
            return 1
    return subprocess.run(["ninja", "-C", build, f"-j{options.jobs}", *TARGETS]).returncode


if __name__ == "__main__":
    sys.exit(main())
