# SPDX-License-Identifier: Apache-2.0
"""What is told of policy while it happens: verdicts and drops with the rule, in monitor and ping."""

import json
import re
import socket

import pytest

from harness import observe, policy_shop
from harness.policy_shop import connects, number

pytestmark = pytest.mark.core

V4 = socket.AF_INET


@pytest.fixture
def shop(site):
    node = policy_shop.make(site)
    yield node
    print(node.log())


def test_verdicts(shop, family):
    web, front = number(shop.web), number(shop.front)
    identity = shop.front.endpoint()["status"]["identity"]["id"]
    with observe.monitor(shop, "-t", "policy-verdict", "--related-to", str(web)) as monitor:
        connects(shop.front, shop.web, family, 80)
        line = monitor.wait_line(":80 tcp SYN", "ingress")
        assert re.fullmatch(
            rf"Policy verdict log: flow 0x[0-9a-f]+ local EP ID {web}, remote ID {identity}, proto 6, "
            r"ingress, action allow, auth: disabled, match L3-L4, \S+ -> \S+:80 tcp SYN, "
            r"rule CiliumNetworkPolicy shop/web spec\.ingress\[0\]", line), line
        connects(shop.front, shop.web, family, 90)
        line = monitor.wait_line(":90 tcp SYN", "ingress")
        assert "action deny, auth: disabled, match none" in line
        assert line.endswith(", no rule allows it")
        line = monitor.wait_line(":90 tcp SYN", "egress")
        assert line.endswith("rule allow-any") and f"local EP ID {front}, " in line


def test_drops(shop, family):
    with observe.monitor(shop, "-t", "drop") as monitor:
        connects(shop.front, shop.web, family, 443)
        line = monitor.wait_line("xx drop (Policy denied by denylist)")
        assert line.endswith("tcp SYN, rule CiliumNetworkPolicy shop/web spec.ingressDeny[0]")
    with observe.monitor(shop, "-t", "drop", "-n") as monitor:
        connects(shop.front, shop.web, family, 443)
        assert re.search(r", rule \d+$", monitor.wait_line("xx drop"))


def test_the_way_on(shop, family):
    """The command that a drop hands on says by which rule."""
    with observe.monitor(shop, "-t", "drop", "-v") as monitor:
        connects(shop.front, shop.web, family, 443)
        line = monitor.wait_line("Why: cilium explain")
        assert "rule CiliumNetworkPolicy shop/web spec.ingressDeny[0]\n" in monitor.text
    done = shop.cli("explain", *line.split("cilium explain ")[1].split(), check=False)
    assert done.returncode == 1 and "spec.ingressDeny[0]" in done.stdout


def test_json(shop, family):
    with observe.monitor(shop, "-t", "policy-verdict", "-j") as monitor:
        connects(shop.front, shop.web, family, 443)
        record = json.loads(monitor.wait_line("ingressDeny"))
    assert record["type"] == "policy-verdict" and record["action"] == "deny"
    assert record["reason"] == "Policy denied by denylist"
    assert record["localEndpoint"] == number(shop.web) and record["direction"] == "ingress"
    assert record["ruleText"] == "CiliumNetworkPolicy shop/web spec.ingressDeny[0]"


def test_they_can_be_off(shop):
    shop.cli("config", "PolicyVerdictNotification=Disabled")
    with observe.monitor(shop, "-t", "policy-verdict") as monitor:
        connects(shop.front, shop.web, V4, 90)
        shop.cli("endpoint", "config", str(number(shop.web)), "PolicyVerdictNotification=Enabled")
        connects(shop.front, shop.web, V4, 91)
        monitor.wait_line(":91 tcp SYN", "ingress")
        assert ":90 " not in monitor.text and "egress" not in monitor.text


def test_ping_names_the_rule(shop, family):
    other = shop.pod("other", {"app": "other"}, "shop")
    done = shop.cli("ping", "-c", "1", shop.web.address(family), "--endpoint", str(number(other)),
                    "-W", "0.3", check=False)
    assert done.returncode == 1 and ", no rule allows it\n" in done.stdout, done.stdout


def test_over_a_restart(shop):
    """The name of a rule that was asked for once stays; one that is new is asked for."""
    with observe.monitor(shop, "-t", "drop") as monitor:
        connects(shop.front, shop.web, V4, 443)
        monitor.wait_line("spec.ingressDeny[0]")
        shop.kill_agent()
        shop.start_agent()
        monitor.wait_listening()
        monitor.text = ""
        connects(shop.front, shop.web, V4, 443)
        monitor.wait_line("spec.ingressDeny[0]")
        connects(shop.front, shop.web, V4, 8080)
        assert monitor.wait_line(":8080 tcp SYN").endswith("spec.ingress[1]")
