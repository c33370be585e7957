# SPDX-License-Identifier: Apache-2.0
"""Looking at policy: the commands and calls that show it, against a real agent and real packets."""

import json
import re
import socket

import pytest

from harness import observe, patience, probe

PORT = 9962
WEB = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
       "metadata": {"name": "web", "namespace": "shop"},
       "spec": {"endpointSelector": {"matchLabels": {"app": "web"}}, "ingress": [
           {"fromEndpoints": [{"matchLabels": {"app": "front"}}],
            "toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}]}]},
           {"fromEndpoints": [{"matchLabels": {"app": "front"}}],
            "toPorts": [{"ports": [{"port": "8080", "protocol": "TCP"}],
                         "rules": {"http": [{"path": "/x"}]}}]},
           {"fromCIDR": ["192.0.2.0/24"]}]}}
DB = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
      "metadata": {"name": "db", "namespace": "shop"},
      "spec": {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress", "Egress"],
               "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}}
BAD = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
       "metadata": {"name": "bad", "namespace": "shop"},
       "spec": {"endpointSelector": {},
                "ingress": [{"toPorts": [{"ports": [{"port": "99999"}]}]}]}}
FRONT = ("&LabelSelector{MatchLabels:map[string]string{any.app: front,"
         "k8s.io.kubernetes.pod.namespace: shop,},MatchExpressions:[]LabelSelectorRequirement{},}")


def status_of(node, key):
    return next((policy for policy in node.request("GET", "/v1/policy/status")[1]["policies"]
                 if policy["policy"] == key), None)


def wait_active(node, key):
    probe.eventually(lambda: (status_of(node, key) or {}).get("active"), what=f"{key} in force")


@pytest.fixture
def shop(site):
    """A node with pods web and front, and a policy for web."""
    node = site.node(prometheus_serve_addr=f":{PORT}")
    node.web = node.pod("web", {"app": "web"}, "shop")
    node.front = node.pod("front", {"app": "front"}, "shop")
    node.put_manifest("web.yaml", WEB)
    wait_active(node, "CiliumNetworkPolicy/shop/web")
    yield node
    print(node.log())


def endpoint_id(pod):
    return pod.endpoint()["id"]


def samples(node):
    """{(name, labels): value} of a scrape."""
    text = node.exec("curl", "-sS", "--fail", f"http://127.0.0.1:{PORT}/metrics").stdout
    found = re.findall(r"^cilium_(\w+)(?:\{(.*)\})? (\S+)$", text, re.M)
    return {(name, labels): float(value) for name, labels, value in found}


def test_policy_get(shop):
    shop.put_manifest("db.yaml", DB)
    wait_active(shop, "NetworkPolicy/shop/db")
    text = shop.cli("policy", "get").stdout
    rules, revision = text.rsplit("Revision: ", 1)
    web, db = json.loads(rules)
    assert int(revision) > 1
    assert web["endpointSelector"] == {"matchLabels": {
        "any:app": "web", "k8s:io.kubernetes.pod.namespace": "shop"}}
    assert web["ingress"][0] == {
        "fromEndpoints": [{"matchLabels": {"any:app": "front",
                                           "k8s:io.kubernetes.pod.namespace": "shop"}}],
        "toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}]}]}
    assert web["ingress"][1]["toPorts"][0]["axoneme-refused"] == "L7 rules"
    assert web["ingress"][2] == {"fromCIDR": ["192.0.2.0/24"]}
    assert {"key": "io.cilium.k8s.policy.derived-from", "value": "CiliumNetworkPolicy",
            "source": "k8s"} in web["labels"]
    # What a NetworkPolicy denies by saying nothing of it is an element that allows nothing.
    assert db["egress"] == [{}]
    assert db["enableDefaultDeny"] == {"ingress": True, "egress": True}
    found = shop.cli("policy", "get", "k8s:io.cilium.k8s.policy.name=db").stdout
    assert json.loads(found.rsplit("Revision", 1)[0]) == [db]
    assert json.loads(shop.cli_json("policy", "get")["policy"]) == [web, db]


def test_policy_selectors(shop):
    front = shop.front.endpoint()["status"]["identity"]["id"]
    header, *lines = shop.cli("policy", "selectors").stdout.splitlines()
    assert header.split() == ["SELECTOR", "LABELS", "USERS", "IDENTITIES"]
    assert any(line.startswith(FRONT) and line.split()[-3:] == ["shop/web", "2", str(front)]
               for line in lines)
    found = {selector["selector"]: selector for selector in shop.cli_json("policy", "selectors")}
    assert found[FRONT]["identities"] == [front] and found[FRONT]["users"] == 2
    assert "k8s:io.cilium.k8s.policy.name=web" in shop.cli("policy", "selectors", "-v").stdout
    other = shop.pod("front2", {"app": "front", "tier": "x"}, "shop")
    identities = sorted([front, other.endpoint()["status"]["identity"]["id"]])
    found = {selector["selector"]: selector for selector in shop.cli_json("policy", "selectors")}
    assert found[FRONT]["identities"] == identities


def test_policy_list_and_log(shop):
    since = len(shop.log())
    shop.put_manifest("bad.yaml", BAD)
    probe.eventually(lambda: status_of(shop, "CiliumNetworkPolicy/shop/bad"), what="it is refused")
    text = shop.cli("policy", "list").stdout
    web = re.search(r"^CiliumNetworkPolicy/shop/web +True +yes +3 +1 +1 part fails closed",
                    text, re.M)
    assert web, text
    assert re.search(r"^CiliumNetworkPolicy/shop/bad +False +no +0 +0 +1 problem", text, re.M)
    assert "CiliumNetworkPolicy/shop/bad: refused: spec.ingress[0].toPorts[0].ports[0].port: " \
        'got "99999"' in text
    assert "CiliumNetworkPolicy/shop/web: fails closed: spec.ingress[1].toPorts[0]: " in text
    shop.wait_log("Policy in force", "policy=CiliumNetworkPolicy/shop/web", "rules=3")
    shop.wait_log("fails closed", "policy=CiliumNetworkPolicy/shop/web", "spec.ingress[1]")
    shop.wait_log("Manifest refused", "CiliumNetworkPolicy/shop/bad", since=since)
    # A bad version leaves the good one in force, and is told.
    bad = json.loads(json.dumps(WEB))
    bad["spec"]["ingress"][0]["toPorts"][0]["ports"][0]["port"] = "x" * 40
    shop.put_manifest("web.yaml", bad)
    probe.eventually(lambda: not status_of(shop, "CiliumNetworkPolicy/shop/web")["valid"],
                     what="the new version is refused")
    assert "the last good version" in shop.cli("policy", "list").stdout
    status = shop.cli("status").stdout
    assert re.search(r"^Policy: +Enforcement: default   Revision: \d+   1 policies with 3 rules   "
                     r"1/2 endpoints enforced$", status, re.M), status
    assert "refused: 2, refusing more than they say: 1" in status
    (shop.manifest_dir / "web.yaml").unlink()
    shop.wait_log("Policy removed", "policy=CiliumNetworkPolicy/shop/web")


def test_endpoint(shop):
    number = endpoint_id(shop.web)
    row = next(line for line in shop.cli("endpoint", "list").stdout.splitlines()
               if line.startswith(f"{number} "))
    assert row.split()[1:3] == ["Enabled", "Disabled"]
    realized = shop.web.endpoint()["status"]["policy"]["realized"]
    assert realized["policy-enabled"] == "ingress" and realized["id"] == number
    assert realized["allowed-egress-identities"] == [0]
    prefix, = realized["allowed-ingress-identities"]
    assert shop.request("GET", f"/v1/identity/{prefix}")[1]["labels"][0] == "cidr:192.0.2.0/24"
    ports = [json.loads(rule["rule"])["port"] for rule in realized["l4"]["ingress"]]
    assert ports == [80, 8080, 0]
    assert FRONT in realized["l4"]["ingress"][0]["rules-by-selector"]
    assert [rule["rule"] for rule in realized["cidr-policy"]["ingress"]] == ["192.0.2.0/24"]
    assert shop.front.endpoint()["status"]["policy"]["realized"]["policy-enabled"] == "none"
    answer = shop.request("GET", f"/v1/policy/endpoint/{number}")[1]
    assert answer["egress"] == {"enforced": False, "policies": []}
    policy, = answer["ingress"]["policies"]
    assert answer["ingress"]["enforced"] and policy["default-deny"] and policy["line"] == 1
    assert policy["policy"] == "CiliumNetworkPolicy/shop/web" and policy["path"] == "spec"
    assert shop.request("GET", "/v1/policy/endpoint/0")[0] == 404


def test_rules(shop):
    rules = {rule.get("path"): rule for rule in shop.request("GET", "/v1/policy/rules")[1]
             if rule["policy"] == "CiliumNetworkPolicy/shop/web"}
    assert list(sorted(rules)) == [f"spec.ingress[{i}]" for i in range(3)]
    rule = rules["spec.ingress[1]"]
    assert rule["file"].endswith("/web.yaml") and rule["line"] > 1
    assert shop.request("GET", f"/v1/policy/rules?rule={rule['rule']}") == (200, [rule])
    assert shop.request("GET", "/v1/policy/rules?rule=16")[0] == 404
    assert shop.request("GET", "/v1/policy/rules?rule=x")[0] == 400


def test_bpf_policy(shop):
    number = endpoint_id(shop.web)
    rows = observe.rows(shop.cli("bpf", "policy", "get", str(number), "-n", "-v").stdout)
    front = str(shop.front.endpoint()["status"]["identity"]["id"])
    allowed, refused, prefix, egress = rows
    assert (allowed["POLICY"], allowed["DIRECTION"], allowed["IDENTITY"], allowed["PORT/PROTO"],
            allowed["PROXY PORT"], allowed["AUTH TYPE"], allowed["PREFIX"]) == (
                "Allow", "Ingress", front, "80/TCP", "NONE", "disabled", "16")
    assert allowed["RULE"] == "CiliumNetworkPolicy/shop/web spec.ingress[0]"
    assert (refused["POLICY"], refused["PORT/PROTO"], refused["PROXY PORT"]) == (
        "Deny", "8080/TCP", "MISSING")
    assert (prefix["PORT/PROTO"], egress["DIRECTION"], egress["IDENTITY"]) == (
        "ANY", "Egress", "ANY")
    text = shop.cli("bpf", "policy", "get", str(number)).stdout
    assert "LABELS (source:key[=value])" in text and "k8s:app=front" in text
    every = shop.cli("bpf", "policy", "list", "-n").stdout
    assert every == shop.cli("bpf", "policy", "get", "--all", "-n").stdout
    assert f"Endpoint ID: {number}\n" in every
    before = shop.cli("bpf", "policy", "get", str(number), "-n").stdout
    json_rows = shop.cli_json("bpf", "policy", "get", str(number))
    assert json_rows[0]["origin"]["path"] == "spec.ingress[0]" and len(json_rows) == 4
    # The maps are the kernel's: they are read while the agent is dead.
    shop.kill_agent()
    assert shop.cli("bpf", "policy", "get", str(number), "-n").stdout == before
    assert str(json_rows[0]["rule"]) in shop.cli("bpf", "policy", "get", str(number), "-v").stdout
    assert shop.cli("bpf", "policy", "get", "60000", check=False).returncode == 1
    assert shop.cli("bpf", "policy", "get", check=False).returncode == 1
    shop.start_agent()


def reaches(client, server, seconds=patience.stretch(2)):
    """Whether a connection to the pod's echo server is answered."""
    connection = client.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect((server.ipv4, 80))
        return True
    except OSError:
        return False
    finally:
        connection.close()


def test_modes_at_run_time(shop):
    other = shop.pod("other", {"app": "other"}, "shop")
    probe.Server(shop.web, socket.AF_INET, probe.TCP, port=80)
    assert reaches(shop.front, shop.web) and not reaches(other, shop.web, 0.4)
    config = shop.cli("config").stdout
    assert re.search(r"^PolicyEnforcement +: default$", config, re.M)
    assert re.search(r"^PolicyAuditMode +: Disabled$", config, re.M)
    number = str(endpoint_id(shop.web))
    shop.cli("endpoint", "config", number, "PolicyAuditMode=Enabled")
    assert reaches(other, shop.web)
    row = next(line for line in shop.cli("endpoint", "list").stdout.splitlines()
               if line.startswith(f"{number} "))
    assert "Disabled (Audit)" in row
    shop.cli("endpoint", "config", number, "PolicyAuditMode=default")
    assert not reaches(other, shop.web, 0.4)
    shop.cli("config", "PolicyAuditMode=Enabled")
    assert reaches(other, shop.web)
    shop.cli("config", "PolicyAuditMode=Disabled", "PolicyEnforcement=never")
    assert reaches(other, shop.web)
    assert re.search(r"^PolicyEnforcement +: never$", shop.cli("config").stdout, re.M)
    shop.cli("config", "PolicyEnforcement=always")
    assert not reaches(shop.front, shop.web, 0.4), "nothing lets front out"
    shop.cli("config", "PolicyEnforcement=default")
    assert reaches(shop.front, shop.web) and not reaches(other, shop.web, 0.4)
    done = shop.cli("config", "PolicyEnforcement=maybe", check=False)
    assert done.returncode == 1 and "default, always or never" in done.stderr


def test_metrics(shop):
    other = shop.pod("other", {"app": "other"}, "shop")
    probe.Server(shop.web, socket.AF_INET, probe.TCP, port=80)
    before = samples(shop)
    assert reaches(shop.front, shop.web) and not reaches(other, shop.web, 0.4)
    after = samples(shop)

    def grown(name, labels=""):
        return after[name, labels] - before[name, labels]

    assert grown("policy_l3_l4_allowed_total", 'direction="ingress"') == 1
    assert grown("policy_l3_l4_denied_total", 'direction="ingress"') >= 1
    assert grown("policy_l3_l4_denied_total", 'direction="egress"') == 0
    assert after["policy", ""] == 1
    assert after["policy_max_revision", ""] == shop.cli_json("policy", "get")["revision"]
    assert after["policy_endpoint_enforcement_status", 'enforcement="ingress"'] == 1
    assert after["policy_endpoint_enforcement_status", 'enforcement="none"'] == 2
    assert after["policy_selector_match_count_max", 'class="cluster"'] == 1
    assert after["policy_selector_match_count_max", 'class="world"'] == 1
    assert ("bpf_map_pressure", 'map_name="policy_peer"') in after
    shop.put_manifest("bad.yaml", BAD)
    probe.eventually(lambda: status_of(shop, "CiliumNetworkPolicy/shop/bad"), what="it is refused")
    (shop.manifest_dir / "web.yaml").unlink()
    probe.eventually(lambda: not status_of(shop, "CiliumNetworkPolicy/shop/web"), what="it is gone")
    last = samples(shop)
    assert last["policy_change_total", 'outcome="fail"'] == 1
    assert last["policy_change_total", 'outcome="success"'] == 2
    kind = "feature_network_policies_cilium_network_policies_total"
    assert last[kind, 'action="add"'] == last[kind, 'action="delete"'] == 1


def test_agent_events(shop):
    with observe.monitor(shop, "--type", "agent") as shown:
        shop.put_manifest("db.yaml", DB)
        line = shown.wait_line("Policy updated")
        event = json.loads(line.split(": ", 1)[1])
        assert event["rule_count"] == 1 and event["revision"] > 1
        assert "k8s:io.cilium.k8s.policy.name=db" in event["labels"]
        shown.wait_line("Endpoint regenerated", '"id":' + str(endpoint_id(shop.web)))
        (shop.manifest_dir / "db.yaml").unlink()
        shown.wait_line("Policy deleted", "io.cilium.k8s.policy.name=db")


def test_validate(site, tmp_path):
    """Without an agent, what the agent would say."""
    node = site.node()
    node.stop_agent()
    (tmp_path / "good.yaml").write_text(json.dumps(WEB))
    done = node.cli("policy", "validate", str(tmp_path / "good.yaml"))
    assert done.stdout == "1 policy in 1 file: all valid\n"
    assert "fails closed: CiliumNetworkPolicy/shop/web: spec.ingress[1].toPorts[0]: " in done.stderr
    printed = node.cli("policy", "validate", "--print", str(tmp_path / "good.yaml"), "--verbose=false")
    assert json.loads(printed.stdout)[0]["ingress"][2] == {"fromCIDR": ["192.0.2.0/24"]}
    (tmp_path / "bad.json").write_text(json.dumps(BAD, indent=1))
    done = node.cli("policy", "validate", str(tmp_path), check=False)
    assert done.returncode == 1
    assert re.search(r"bad\.json:\d+: CiliumNetworkPolicy/shop/bad: "
                     r'spec\.ingress\[0\]\.toPorts\[0\]\.ports\[0\]\.port: got "99999"', done.stderr)
    found = node.cli("policy", "validate", str(tmp_path), "-o", "json", check=False)
    assert found.returncode == 1 and json.loads(found.stdout)["valid"] is False
    assert node.cli("policy", "validate", str(tmp_path / "none"), check=False).returncode == 1
    (tmp_path / "empty.yaml").write_text("")
    assert "no policy" in node.cli("policy", "validate", str(tmp_path / "empty.yaml"),
                                   check=False).stderr
    # The same policy twice: the agent would take the first alone.
    (tmp_path / "twice").mkdir()
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / "twice" / name).write_text(json.dumps(WEB))
    done = node.cli("policy", "validate", str(tmp_path / "twice"), check=False)
    assert done.returncode == 1
    assert re.search(r"b\.yaml:1: CiliumNetworkPolicy web: metadata\.name: "
                     r"is already defined in \S*/a\.yaml:1\n", done.stderr)
    # As the guides call it: what the agent reads.
    node.start_agent()
    node.put_manifest("web.yaml", WEB)
    done = node.cli("policy", "validate")
    assert str(node.manifest_dir) in done.stderr and "1 policy in 1 file" in done.stdout
