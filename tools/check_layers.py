#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails on an upward include, a sibling include or a header cycle (docs/architecture.md, "The house")."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Folder -> folders it may include from, besides itself.
MAY_INCLUDE = {
    "abi": [],
    "bpf/lib": ["abi"],
    "bpf/prog": ["abi", "bpf/lib"],
    "bpf/test": ["abi", "bpf/lib", "bpf/prog", "src/base"],
    "src/base": [],
    "src/wire": ["src/base"],
    "src/sys": ["src/base", "abi"],
    "src/rpc": ["src/base", "src/wire"],
    "src/model": ["src/base", "abi"],
    "src/store": ["src/base", "src/model"],
    "src/source": ["src/base", "src/wire", "src/rpc", "src/model", "src/store"],
    "src/derive": ["src/base", "abi", "src/model", "src/store"],
    "src/datapath": ["src/base", "abi", "src/sys", "src/model", "src/store"],
    "src/observe": ["src/base", "abi", "src/wire", "src/rpc", "src/sys", "src/model", "src/store"],
    "src/api": ["src/base", "src/wire", "src/rpc", "src/model"],
    "src/join": ["src/base", "abi", "src/wire", "src/sys", "src/rpc", "src/model", "src/api"],
}
BELOW_PROGRAMS = list(MAY_INCLUDE)
PROGRAMS = ["src/agent", "src/cni", "src/cli"]
for program in PROGRAMS:
    MAY_INCLUDE[program] = BELOW_PROGRAMS

# Of the build, not of the node: it reads the tables of all programs.
MAY_INCLUDE["src/reference"] = [*BELOW_PROGRAMS, *PROGRAMS]

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def folder_of(path):
    """The row of the table that a path of the tree belongs to, or None."""
    for folder in sorted(MAY_INCLUDE, key=len, reverse=True):
        if path.startswith(folder + "/"):
            return folder
    return None


def includes(path):
    return INCLUDE.findall((ROOT / path).read_text(encoding="utf-8"))


def check_file(path):
    """Yields the complaints about one file."""
    folder = folder_of(path)
    for included in includes(path):
        if included.endswith((".skel.h", ".inc")) or "/" not in included:
            continue
        if not (ROOT / included).exists():
            yield f"{path}: includes {included}, which is not a path from the root of the tree"
            continue
        target = folder_of(included)
        if folder and target != folder and target not in MAY_INCLUDE[folder]:
            yield f"{path}: {folder} must not include {included}"


def find_cycle(graph):
    """One cycle of headers as a list, or None."""
    state = {}

    def visit(node, trail):
        state[node] = "open"
        for following in graph.get(node, ()):
            if state.get(following) == "open":
                return trail[trail.index(following):] + [following]
            if following not in state:
                cycle = visit(following, trail + [following])
                if cycle:
                    return cycle
        state[node] = "done"
        return None

    for node in graph:
        if node not in state:
            cycle = visit(node, [node])
            if cycle:
                return cycle
    return None


def main():
    files = [str(path.relative_to(ROOT)) for pattern in ("abi/*", "bpf/*/*", "src/*/*")
             for path in ROOT.glob(pattern) if path.suffix in (".c", ".h", ".def")]
    complaints = [text for path in sorted(files) for text in check_file(path)]
    cycle = find_cycle({path: includes(path) for path in files if path.endswith(".h")})
    if cycle:
        complaints.append("header cycle: " + " -> ".join(cycle))
    for text in complaints:
        print(text)
    print(f"check_layers: {len(files)} files, {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
