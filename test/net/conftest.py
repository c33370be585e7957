# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the network tests. They need root, and nothing outside the namespaces they make."""

import os
import pathlib
import signal
import socket

import pytest

from harness.site import Site


# A shell that starts the tests in the background has them ignore these, which would be handed down.
for number in signal.SIGINT, signal.SIGHUP:
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


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
def node(site):
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
def upgrade_build():
    """Another version of the programs: its maps have other layouts."""
    path = os.environ.get("AXONEME_UPGRADE_BUILD")
    if not path:
        pytest.skip("AXONEME_UPGRADE_BUILD names no build of tools/other_version.py")
    return pathlib.Path(path).resolve()
