# SPDX-License-Identifier: Apache-2.0
"""
The running agent against src/api/openapi.yaml: a schema fuzzer asks every call with data that fits the
description and data that does not; no answer is a failure of the server, and each has a status, a
content type and a body that the description has. OPENAPI_SECONDS=600 goes on for so long, from
another seed each time; OPENAPI_SEED repeats one.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

import pytest
import yaml

from harness import patience, probe
from harness.node import ROOT
from harness.site import Site

VERSION = "4.32.5"
VENV = pathlib.Path.home() / f".cache/axoneme/schemathesis-{VERSION}"
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_headers_conformance", "response_schema_conformance", "unsupported_method",
          "allow_header_conformance", "missing_required_header", "negative_data_rejection",
          "use_after_free"]


@pytest.fixture(scope="module")
def fuzzer():
    """The program of schemathesis, in a virtual environment of its own."""
    program = VENV / "bin/st"
    if not (VENV / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True, capture_output=True)
        done = subprocess.run([VENV / "bin/pip", "install", "-q", f"schemathesis=={VERSION}"],
                              text=True, capture_output=True, timeout=300)
        if done.returncode:
            pytest.skip(f"schemathesis {VERSION} cannot be had from PyPI: {done.stderr.strip()}")
        (VENV / "complete").touch()
    return program


@pytest.fixture(scope="module")
def shared_node():
    """With more addresses than are asked for: that none is left has another test."""
    made = Site()
    try:
        node = made.node(ipv4_range="10.200.0.0/16")
        yield node
        print(node.log())
    finally:
        made.close()


@pytest.fixture(scope="module")
def port(shared_node):
    """Of the node's loopback, in front of the agent's socket."""
    bridge = shared_node.popen(sys.executable, ROOT / "test/net/harness/bridge.py",
                               shared_node.socket_path, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    yield int(bridge.stdout.readline())
    bridge.stdin.close()
    bridge.wait(timeout=10)


def close_objects(api, node, seen):
    """What an answer holds and the description does not name is a fault of one of the two."""
    if isinstance(node, list):
        for each in node:
            close_objects(api, each, seen)
    if not isinstance(node, dict):
        return
    reference = node.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        seen.add(reference)
        target = api
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        close_objects(api, target, seen)
    if node.get("type") == "object" and "properties" in node:
        node.setdefault("additionalProperties", False)
    for value in node.values():
        close_objects(api, value, seen)


def strict_description():
    api = yaml.safe_load((ROOT / "src/api/openapi.yaml").read_text())
    seen = set()
    for path in api["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict):
                close_objects(api, operation["responses"], seen)
    return api


def run(node, fuzzer, port, api, tmp_path, *arguments):
    """The fuzzer over these calls. The agent is the same, and well, at the end."""
    description = tmp_path / "openapi.json"
    description.write_text(json.dumps(api))
    seconds = os.environ.get("OPENAPI_SECONDS")
    seed = os.environ.get("OPENAPI_SEED", str(time.time_ns() % 2**32) if seconds else "1")
    done = node.exec(
        fuzzer, "run", description, "--url", f"http://127.0.0.1:{port}/v1", "--seed", seed,
        "--generation-database", "none", "--request-timeout", "10", "--request-retries", "2",
        "--no-color", "--warnings", "off", "--suppress-health-check", "all", *arguments,
        *(["--max-time", seconds] if seconds else ["--max-examples", "40"]),
        check=False, timeout=int(seconds or 0) + patience.stretch(300), env={"HOME": str(tmp_path)})
    print(f"seed {seed}\n{done.stdout}{done.stderr}")
    assert done.returncode == 0
    assert node.agent.poll() is None
    assert node.request("GET", "/v1/healthz")[1]["cilium"]["state"] == "Ok"
    return done.stdout


def test_every_call(shared_node, fuzzer, port, tmp_path):
    run(shared_node, fuzzer, port, strict_description(), tmp_path, "--checks", ",".join(CHECKS),
        "--phases", "examples,coverage,fuzzing")


def test_endpoints_come_and_go(shared_node, fuzzer, port, tmp_path):
    """With values of this node, so that endpoints are made; then what the answers lead to."""
    names = [f"fuzz{i}" for i in range(4)]
    for name in names:
        shared_node.ip(f"link add {name} type veth peer name {name}p", f"link set {name} up")
    api = strict_description()
    request = api["components"]["schemas"]["EndpointChangeRequest"]
    members, mac = request["properties"], {"type": "string", "enum": ["02:00:00:00:00:0a",
                                                                      "02:00:00:00:00:0b"]}
    members |= {"mac": mac, "host-mac": mac, "id": {"type": "integer", "enum": [0]},
                "interface-name": {"type": "string", "enum": names},
                "interface-index": {"type": "integer", "enum": [0]},
                "container-interface-name": {"type": "string", "enum": ["eth0", "eth1"]},
                "labels": {"type": "array", "items": {"type": "string", "enum": [
                    "container:app=web", "container:tier", "k8s:x=y"]}}}
    members["addressing"]["properties"] = {
        "ipv4": {"type": "string", "enum": [f"10.200.222.{i}" for i in range(4)]}}
    members["addressing"]["required"] = ["ipv4"]
    output = run(shared_node, fuzzer, port, api, tmp_path, "--include-tag", "endpoint",
                 "--include-tag", "ipam", "--include-tag", "identity", "--mode", "positive",
                 "--phases", "fuzzing,stateful",
                 "--checks", ",".join(set(CHECKS) - {"negative_data_rejection"}))
    assert "Stateful" in output and shared_node.log().count("Endpoint created") > 0
    for name in names:
        shared_node.ip(f"link del {name}")
    probe.eventually(lambda: shared_node.request("GET", "/v1/endpoint") == (200, []), seconds=10,
                     what="the endpoints go with their interfaces")
