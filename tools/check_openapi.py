#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
src/api/openapi.yaml and src/api/call.def say the same: the same calls, and below the same names. Each
call, parameter and answer has a text, each reference leads somewhere. Part of make lint.
"""

import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
METHODS = "get", "put", "post", "patch", "delete"


def calls():
    """{(METHOD, path): handler} of call.def."""
    text = (ROOT / "src/api/call.def").read_text(encoding="utf-8")
    return {(match[2], match[3]): match[1]
            for match in re.finditer(r'API_CALL\(\w+, (\w+), "(\w+)",\s*"([^"]+)"', text)}


def operations(api):
    """{(METHOD, path): operation}; a path's parameters are those of each operation without its own."""
    def parameters(item, operation):
        own = operation.get("parameters", [])
        names = {(resolve(api, each)["in"], resolve(api, each)["name"]) for each in own}
        return own + [each for each in item.get("parameters", [])
                      if (resolve(api, each)["in"], resolve(api, each)["name"]) not in names]

    return {(method.upper(), path): {**item[method], "parameters": parameters(item, item[method])}
            for path, item in api["paths"].items() for method in METHODS if method in item}


def resolve(api, node):
    for part in node["$ref"].removeprefix("#/").split("/") if "$ref" in node else ():
        api = api[part]
    return api if "$ref" in node else node


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def check_operation(api, call, operation):
    if not operation.get("summary"):
        yield f"{call}: no summary"
    named = set()
    for each in operation["parameters"]:
        parameter = resolve(api, each)
        if not parameter.get("description"):
            yield f"{call}: parameter {parameter['name']} has no description"
        if parameter["in"] == "path":
            named.add(parameter["name"])
    if named != set(re.findall(r"{(\w+)}", call)):
        yield f"{call}: its path parameters are {sorted(named)}"
    for status, answer in operation["responses"].items():
        if not resolve(api, answer).get("description"):
            yield f"{call}: answer {status} has no description"


def complaints(api):
    rows, described = calls(), operations(api)
    for call, handler in rows.items():
        if call not in described:
            yield f"{' '.join(call)} of call.def is missing"
        elif described[call].get("operationId") != handler:
            yield f"{' '.join(call)}: operationId is not {handler}, as call.def has it"
    for call in described.keys() - rows.keys():
        yield f"{' '.join(call)} is not in call.def"
    for call, operation in described.items():
        yield from check_operation(api, " ".join(call), operation)
    used = set(references(api))
    existing = {f"#/components/{kind}/{name}" for kind, items in api["components"].items()
                for name in items}
    for reference in sorted(used - existing):
        yield f"{reference} does not exist"
    for reference in sorted(existing - used):
        yield f"{reference} is not used"


def main():
    api = yaml.safe_load((ROOT / "src/api/openapi.yaml").read_text(encoding="utf-8"))
    found = sorted(complaints(api))
    for complaint in found:
        print(f"src/api/openapi.yaml: {complaint}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
