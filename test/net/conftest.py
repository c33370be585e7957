# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the network tests. They need root, and nothing outside the namespaces they make."""

import os
import socket

import pytest

from harness.node import default_build
from harness.site import Site


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture
def site():
    """A world without nodes."""
    made = Site()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def node(site, request):
    """One node with a running agent. Its log is shown when the test fails."""
    made = site.node()
    yield made
    print(made.log())


@pytest.fixture(scope="module")
def shared_node():
    """One node for all tests of a module that leave it as they found it."""
    made = Site()
    try:
        node = made.node()
        yield node
        print(node.log())
    finally:
        made.close()


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def family(request):
    return request.param


@pytest.fixture(scope="session")
def build():
    return default_build()
