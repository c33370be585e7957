#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
docs/reference, made of the tables in the code. Without arguments the pages are rewritten; with --check
(part of make lint) they are compared, no row may lack its help, each reason that a program drops for has
its text, and the manual pages have no warning.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from check_openapi import operations, resolve  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs/reference"
NOTICE = "<!-- Made by make reference: change the tables, not this page. -->\n"


def program(build, *argv):
    return subprocess.run([build / "src/reference/reference", *argv], text=True, check=True,
                          capture_output=True).stdout


# The page of the API: from YAML.

def type_text(api, schema):
    """"array of Endpoint", "ipv4 or ipv6", "integer 0..255"."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        texts = (json.dumps(value).strip('"') or '""' for value in schema["enum"])
        return " or ".join(f"`{text}`" for text in texts)
    if schema["type"] == "array":
        return f"array of {type_text(api, schema['items'])}"
    if "additionalProperties" in schema and schema["additionalProperties"] is not False:
        return f"object of {type_text(api, schema['additionalProperties'])}"
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['type']} {schema['minimum']}..{schema['maximum']}"
    return schema["type"]


def cell(text):
    return str(text).replace("|", "\\|").replace("<", "\\<").replace("\n", " ")


def members(api, schema, prefix=""):
    """(name, type, text) of an object's members and of those inside."""
    for name, member in schema.get("properties", {}).items():
        where = f"{prefix}{name}"
        text = member.get("description") or resolve(api, member).get("description", "")
        required = "" if name in schema.get("required", ()) else "; may be missing"
        yield where, type_text(api, member) + required, text
        inner = member.get("items", member) if member.get("type") == "array" else member
        if "$ref" not in inner:
            yield from members(api, inner, where + (".*." if inner is not member else "."))


def operation_text(api, call, operation):
    method, path = call
    yield f"### {method} {path}\n\n{operation['summary']}."
    if "description" in operation:
        yield f" {operation['description']}"
    yield "\n"
    if operation["parameters"]:
        yield "\n| Parameter | In | Type | What it is |\n|---|---|---|---|\n"
    for each in operation["parameters"]:
        parameter = resolve(api, each)
        name = parameter["name"] + (", required" if parameter.get("required") else "")
        yield (f"| {name} | {parameter['in']} | {cell(type_text(api, parameter['schema']))} "
               f"| {cell(parameter['description'])} |\n")
    body = operation.get("requestBody")
    if body:
        (kind, content), = body["content"].items()
        yield f"\nBody: {type_text(api, content['schema'])}, as `{kind}`.\n"
    yield "\n| Status | Answer | What it means |\n|---|---|---|\n"
    for status, each in operation["responses"].items():
        answer = resolve(api, each)
        schemas = [type_text(api, content["schema"])
                   for content in answer.get("content", {}).values() if "schema" in content]
        yield f"| {status} | {cell(', '.join(schemas))} | {cell(answer['description'])} |\n"
    yield "\n"


def api_page():
    api = yaml.safe_load((ROOT / "src/api/openapi.yaml").read_text(encoding="utf-8"))
    text = [f"# REST API\n\nBelow `{api['servers'][0]['url']}`. {api['info']['description']} "
            "[../api.md](../api.md) says what is not Cilium's.\n\n"]
    for tag in api["tags"]:
        text.append(f"## {tag['name'].capitalize()}\n\n{tag['description']}\n\n")
        for call, operation in operations(api).items():
            if tag["name"] in operation["tags"]:
                text += operation_text(api, call, operation)
    text.append("## Objects\n\n")
    for name, schema in api["components"]["schemas"].items():
        text.append(f"### {name}\n\n")
        if "description" in schema:
            text.append(f"{schema['description']}\n\n")
        rows = list(members(api, schema))
        if not rows:
            text.append(f"{type_text(api, schema)}\n\n")
            continue
        text.append("| Member | Type | What it is |\n|---|---|---|\n")
        text += [f"| `{where}` | {cell(kind)} | {cell(what)} |\n" for where, kind, what in rows]
        text.append("\n")
    return "".join(text).rstrip() + "\n"


def pages(build):
    """{file name: text} of docs/reference."""
    made = {f"{name}.md": program(build, name) for name in program(build, "list").split()}
    made["api.md"] = api_page()
    titles = {name: re.match(r"# (.*)", text)[1] for name, text in made.items()}
    made["README.md"] = "# Reference\n\nMade of the tables in the code.\n\n" + "".join(
        f"- [{titles[name]}]({name})\n" for name in sorted(titles))
    return {name: NOTICE + text for name, text in made.items()}


# What is checked.

def check_helps(made):
    """A row of a table whose last cell is empty says nothing, but where what follows does."""
    for name, text in made.items():
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"[^|-]\|\s+\|$", line) and not re.search(r"\| (object|\[\w+\]\(#)", line):
                yield f"docs/reference/{name}:{number}: a row without a help: {line.strip()}"


def check_drops():
    """abi/drop_help.def: the reasons that the programs drop for, and no other."""
    used = {name for path in (ROOT / "bpf").glob("[lp]*/*.[ch]")
            for name in re.findall(r"\bDROP\(\w+, (\w+)\)", path.read_text(encoding="utf-8"))
            if name != "reason"}
    told = set(re.findall(r"^DROP_HELP\((\w+),", (ROOT / "abi/drop_help.def").read_text(), re.M))
    for name in sorted(used ^ told):
        yield (f"abi/drop_help.def: {name} "
               + ("has no row, and a program drops for it" if name in used
                  else "is a reason that no program drops for"))


def check_manual(build):
    with tempfile.TemporaryDirectory() as directory:
        program(build, "man", directory)
        found = sorted(str(path) for path in pathlib.Path(directory).glob("man*/*"))
        if shutil.which("mandoc"):
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *found], text=True,
                                  capture_output=True)
            yield from (done.stdout + done.stderr).replace(directory + "/", "").splitlines()
        plugin = (pathlib.Path(directory) / "man8/cilium-cni.8").read_text().replace("\\-", "-")
    source = (ROOT / "src/cni/netconf.c").read_text(encoding="utf-8")
    for name in re.findall(r'(?:netconf->root, |^\t\t\{)"([\w-]+)"', source, re.M):
        if name not in plugin:
            yield f"src/reference/man.c: the page of the plugin does not tell of {name}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    made = pages(build)
    if not arguments.check:
        PAGES.mkdir(exist_ok=True)
        for path in PAGES.glob("*.md"):
            path.unlink()
        for name, text in made.items():
            (PAGES / name).write_text(text, encoding="utf-8")
        return 0
    complaints = [*check_helps(made), *check_drops(), *check_manual(build)]
    there = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    complaints += [f"docs/reference/{name}: make reference would change it"
                   for name in sorted(made.keys() | there.keys())
                   if made.get(name) != there.get(name)]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
