# SPDX-License-Identifier: Apache-2.0
"""How many instructions the verifier looked at, for each kernel, configuration and program."""

import json
import pathlib
import re

# More than that is worth a thought: the verifier gives up at a million.
GROWTH = 1.10
LINE = re.compile(r"^(\S+) +\d+ ms((?: cil_\w+=\d+)+)$", re.M)


def parse(console):
    """{configuration: {program: instructions}} of what kernel_load printed."""
    return {variant: {name: int(number) for name, number in
                      (each.split("=") for each in counts.split())}
            for variant, counts in LINE.findall(console)}


class Record:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.known = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.seen = {}

    def compare(self, version, counts):
        """Prints what has grown by more than a tenth, and what was never recorded."""
        self.seen[version] = counts
        known = self.known.get(version, {})
        if not known:
            print(f"Linux {version}: no instruction counts on record")
            return
        for variant, programs in counts.items():
            for name, number in programs.items():
                before = known.get(variant, {}).get(name)
                if before is None:
                    print(f"Linux {version}: {variant} {name}: {number} instructions, not recorded")
                elif number > before * GROWTH:
                    print(f"Linux {version}: {variant} {name}: {number} instructions, "
                          f"{number / before - 1:.0%} more than the recorded {before}")

    def write(self):
        self.path.write_text(json.dumps({**self.known, **self.seen}, indent=1, sort_keys=True)
                             + "\n")
