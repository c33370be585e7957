# SPDX-License-Identifier: Apache-2.0
"""
Random policies on a running node, by real packets: what arrives is what the judge of test/policy allows.
POLICY_SEED=N begins there; POLICY_WORLDS=N goes through so many.
"""

import os
import random
import secrets

import pytest

from harness.policy_world import PolicyWorld, Prober, generate

WORLDS = int(os.environ.get("POLICY_WORLDS", "4"))
CHANGES = 4
SHARE = 0.45


def run(site, seed, changes, share):
    """A world and others on its pods. The number of packets."""
    node = site.node(start=False)
    config = generate_config(node, seed)
    node.configure(**{key.replace("-", "_"): value for key, value in config.items()})
    node.start_agent()
    print(f"POLICY_SEED={seed}")
    chance = random.Random(seed)
    world = PolicyWorld(node, seed)
    with Prober(node, world.namespaces()) as prober:
        n_packets = world.check(prober, world.packets(chance, share))
        for i in range(1, changes):
            # The configuration is the first one's.
            world.put({**generate(node, seed * 1000 + i), "config": config})
            n_packets += world.check(prober, world.packets(chance, share))
    print(node.log())
    return n_packets


def generate_config(node, seed):
    return generate(node, seed)["config"]


@pytest.mark.core
def test_random_policies_core(site):
    assert run(site, 1, 2, 0.1) > 100


@pytest.mark.parametrize("number", range(WORLDS))
def test_random_policies(site, number):
    first = os.environ.get("POLICY_SEED")
    # The first ones are the same each time; the last is another, and is printed.
    seed = int(first) + number if first else secrets.randbelow(1 << 31) \
        if number == WORLDS - 1 else number + 2
    n_packets = run(site, seed, CHANGES, SHARE)
    print(f"{n_packets} packets")
    assert n_packets > 1000 * CHANGES // 2
