#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What can be said about the tree without running it: layers, documents, the API's description, licence
headers, reference pages, format, Python, shell, static analysis. Each check prints its complaints; the
last line counts the checks.
"""

import argparse
import ast
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
KERNEL_SIDE = "(GPL-2.0-only OR BSD-2-Clause)"
# Static analysis needs the compiler's arguments; tools/check.py builds this directory.
CLANG_BUILD = ROOT / "build-clang"


def tracked(*suffixes):
    """Files of the tree, also new ones that git does not ignore."""
    # CI may have checked out the tree as another user, which git distrusts unless told.
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
        text=True, capture_output=True, check=True).stdout.split()
    return sorted(path for path in set(listed)
                  if path.endswith(suffixes) and (ROOT / path).exists())


def run(argv):
    """The complaints of a program: what it prints when it fails."""
    done = subprocess.run(argv, cwd=ROOT, text=True, capture_output=True, stdin=subprocess.DEVNULL)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines() or ["failed"]


def check_layers():
    return run([sys.executable, "tools/check_layers.py"])


def check_docs():
    return run([sys.executable, "tools/check_docs.py"])


def check_openapi():
    return run([sys.executable, "tools/check_openapi.py"])


def check_licences():
    """BPF and what it shares with user space have the kernel's licences, all else is Apache's."""
    for path in tracked(".c", ".h", ".def", ".py", ".sh"):
        kernel_side = path.startswith(("abi/", "bpf/lib/", "bpf/prog/")) or path.endswith(".bpf.c")
        expected = KERNEL_SIDE if kernel_side else "Apache-2.0"
        head = "\n".join((ROOT / path).read_text(encoding="utf-8").splitlines()[:2])
        if f"SPDX-License-Identifier: {expected}" not in head:
            yield f"{path}: no 'SPDX-License-Identifier: {expected}' in its first two lines"


def check_format():
    output = run(["clang-format-19", "--dry-run", "-Werror", *tracked(".c", ".h")])
    return sorted({line.split(":")[0] + ": make format would change it"
                   for line in output if ": error:" in line})


class UnusedImports(ast.NodeVisitor):
    """Names that a module imports and never uses."""

    def __init__(self):
        self.imported, self.used = {}, set()

    def visit_Import(self, node):
        for alias in node.names:
            self.imported[(alias.asname or alias.name).split(".")[0]] = node.lineno

    visit_ImportFrom = visit_Import

    def visit_Name(self, node):
        self.used.add(node.id)


def check_python():
    """Every script parses and uses what it imports."""
    for path in tracked(".py"):
        try:
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"), path)
        except SyntaxError as error:
            yield f"{path}:{error.lineno}: {error.msg}"
            continue
        names = UnusedImports()
        names.visit(tree)
        for name, line in names.imported.items():
            if name not in names.used:
                yield f"{path}:{line}: imports {name} and does not use it"


def check_privileges():
    """The unit's bounding set is the table's."""
    table = set(re.findall(r"^PRIVILEGE\((\w+),", (ROOT / "src/agent/privilege.def").read_text(), re.M))
    unit = (ROOT / "deploy/cilium-agent.service.in").read_text()
    granted = re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.M).group(1).split()
    for name in sorted(table ^ {each.removeprefix("CAP_") for each in granted}):
        yield f"deploy/cilium-agent.service.in: CAP_{name} is not in both the unit and privilege.def"
    documented = (ROOT / "docs/security.md").read_text()
    for name in sorted(table):
        if f"| `{name}` |" not in documented:
            yield f"docs/security.md: no row for {name} of privilege.def"


def check_shell():
    return run(["shellcheck", *tracked(".sh"), ".ci/run"])


def build_clang(*targets):
    if not (CLANG_BUILD / "compile_commands.json").exists():
        subprocess.run(["meson", "setup", str(CLANG_BUILD), "-Dwerror=true"], cwd=ROOT,
                       env=dict(os.environ, CC="clang-19"), check=True, capture_output=True)
    subprocess.run(["ninja", "-C", str(CLANG_BUILD), *targets], check=True, capture_output=True)


def check_reference():
    """docs/reference is what make reference would write."""
    build_clang("src/reference/reference")
    return run([sys.executable, "tools/reference.py", "--build", CLANG_BUILD, "--check"])


def check_tidy():
    """clang-tidy over the C files that the clang build compiles."""
    build_clang()
    sources = [path for path in tracked(".c") if path.startswith(("src/", "test/"))]
    output = run(["run-clang-tidy-19", "-quiet", "-p", str(CLANG_BUILD), "-j", str(os.cpu_count()),
                  *[f"^{ROOT}/{path}$" for path in sources]])
    return [line for line in output if ": error:" in line] or output[-5:]


CHECKS = [
    ("layers", check_layers, None),
    ("documents", check_docs, None),
    ("openapi", check_openapi, None),
    ("licences", check_licences, None),
    ("format", check_format, "clang-format-19"),
    ("python", check_python, None),
    ("privileges", check_privileges, None),
    ("shell", check_shell, "shellcheck"),
    ("reference", check_reference, "clang-19"),
    ("tidy", check_tidy, "run-clang-tidy-19"),
]


def main():
    names = [name for name, _, _ in CHECKS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(names) + "; all")
    wanted = parser.parse_args().checks or names
    if unknown := set(wanted) - set(names):
        parser.error(f"no check {', '.join(sorted(unknown))}")
    passed = failed = skipped = 0
    for name, check, program in CHECKS:
        if name not in wanted:
            continue
        if program and not shutil.which(program):
            print(f"lint {name}: skipped, {program} is not installed")
            skipped += 1
            continue
        complaints = list(check())
        for complaint in complaints:
            print(complaint)
        print(f"lint {name}: {'failed' if complaints else 'passed'}", flush=True)
        passed, failed = passed + (not complaints), failed + bool(complaints)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
