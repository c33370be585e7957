#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Fails where a document says what the tree does not: links and files that are not there, make
targets, commands and keys that do not exist, a table of the house that differs from
check_layers.py, a key without help, a drop reason without explanation, a message quoted in
operating.md that no program says.
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from check_layers import MAY_INCLUDE, PROGRAMS  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
# `src/agent/agent.c`, `test/golden`; what has <, > or * in it is a pattern, and is passed over.
FILE = re.compile(r"`((?:abi|bpf|deploy|docs|src|test|tools)/[\w./-]*)`")
TARGET = re.compile(r"(?:^    |`)make ([a-z][a-z-]*)", re.M)
COMMAND = re.compile(r"(?:^    |`)cilium ([a-z][a-z ]*)", re.M)
# Key, default, what is allowed, help.
OPTION = re.compile(r'OPTION(?:_LIVE\(\w+,|\()\s*\w+,(?:\s*\w+,)?\s*"([^"]*)",\s*"[^"]*",\s*"[^"]*",'
                    r'\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)')

# Adjacent string literals, as the compiler joins them; a macro between them (PRIu64) is a gap.
LITERAL = r'"(?:[^"\\\n]|\\.)*"'
LITERALS = re.compile(rf"{LITERAL}(?:\s*{LITERAL})*")
QUOTE = re.compile(r"`([^`]+)`")
# What is neither: words of the kernel and of libraries, and names of labels.
NOT_OURS = {"File exists", "No space left on device", "No such file or directory",
            "Read-only file system", "reserved:init"}


def options(name):
    """(key, help) of each row of a .def file."""
    text = (ROOT / "src/agent" / name).read_text(encoding="utf-8")
    return [(match.group(1), "".join(re.findall(r'"([^"]*)"', match.group(2))))
            for match in OPTION.finditer(text)]


def check_help():
    rows = options("option.def")
    n_rows = len(re.findall(r"^OPTION(?:_LIVE)?\(", (ROOT / "src/agent/option.def").read_text(), re.M))
    if len(rows) != n_rows:
        yield f"src/agent/option.def: {n_rows} rows, of which this script understands {len(rows)}"
    for key, text in rows:
        if not text.strip():
            yield f"src/agent/option.def: {key} has no help"


def check_keys():
    """The first column of the table of keys in standalone.md."""
    known = {key for name in ("option.def", "option_later.def") for key, _ in options(name)}
    text = (ROOT / "docs/standalone.md").read_text(encoding="utf-8")
    for row in re.findall(r"^\| (`[^|]*`) \|", text.split("| Key |")[1].split("\n\n")[0], re.M):
        for key in re.findall(r"`([a-z0-9-]+)`", row):
            if key not in known:
                yield f"docs/standalone.md: there is no key {key}"


def check_names(path, text):
    """Links, files, make targets and commands of one document."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    paths = [command for file in (ROOT / "src/cli").glob("c*.c")
             for command in re.findall(r'\.path = "([^"]+)"', file.read_text(encoding="utf-8"))]
    for link in LINK.findall(text):
        if "://" not in link and not (path.parent / link).exists():
            yield f"the link {link} leads nowhere"
    for name in FILE.findall(text):
        if not (ROOT / name).exists():
            yield f"there is no {name}"
    for target in TARGET.findall(text):
        if not re.search(rf"^{target}:", makefile, re.M):
            yield f"make has no target {target}"
    for words in COMMAND.findall(text):
        if not any((words.strip() + " ").startswith(command + " ") for command in paths):
            yield f"there is no command cilium {words.strip()}"


def said_texts():
    """Every text in the sources, with quotation marks as they are printed."""
    for folder in ("src", "abi"):
        for path in (ROOT / folder).glob("**/*"):
            if path.suffix in (".c", ".h", ".def") and not path.name.endswith("_test.c"):
                for run in LITERALS.findall(path.read_text(encoding="utf-8")):
                    yield "".join(re.findall(LITERAL, run)).replace('""', "")[1:-1]


def unescape(text):
    return text.replace('\\"', '"').replace("\\t", " ")


def quotes_of(text):
    """The messages that operating.md quotes: in headings all, below them what looks like one: it begins
    with a capital and has a blank, or has a gap and is no command."""
    for heading in re.findall(r"^### (.*)$", text, re.M):
        yield from QUOTE.findall(heading)
    body = text.split("## The agent does not start")[1].split("\n## Tasks")[0]
    for quote in QUOTE.findall(re.sub(r"^### .*$", "", body, flags=re.M)):
        if re.match(r"[A-Z]\S* ", quote) or re.match(r"(?!cilium |ip )\S+ .*…", quote):
            yield quote


def check_quotes():
    """Each stretch of a quoted message between two … must be in a text that a program can print."""
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    said = "\n".join(unescape(one) for one in said_texts())
    pieces = [piece.strip(" :;,.()\"") for quote in quotes_of(text) for piece in quote.split("…")]
    for piece in pieces:
        if piece and piece not in NOT_OURS and piece not in said:
            yield f"docs/operating.md: no program says \"{piece}\""
    if len(pieces) < 60:
        yield f"docs/operating.md: {len(pieces)} quotes understood, which cannot be all"


def check_house():
    """The rows of the table in architecture.md, each folder with what it may include."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w/]+)` \| [^|]* \| ([^|]*) \|$", text.split("## The house")[1],
                           re.M))
    for folder, allowed in MAY_INCLUDE.items():
        if folder in PROGRAMS or folder == "src/reference":
            continue
        said = {word for word in re.split(r"[,\s]+", rows.get(folder, "")) if word}
        meant = {name.removeprefix("src/") for name in allowed}
        if folder not in rows or (allowed and said != meant):
            yield (f"docs/architecture.md: {folder} may include {sorted(meant) or 'nothing'}, "
                   f"not {sorted(said) or 'nothing'}")


def main():
    complaints = [*check_help(), *check_keys(), *check_house(), *check_quotes()]
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        complaints += [f"{path.relative_to(ROOT)}: {what}" for what in check_names(path, text)]
    for text in complaints:
        print(text)
    print(f"check_docs: {len(DOCUMENTS)} documents, {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
