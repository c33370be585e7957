# SPDX-License-Identifier: Apache-2.0
"""What the commands print, to the letter where it is the same each time, and how they end."""

import json
import re

import pytest

pytestmark = pytest.mark.core

LABELS = ["k8s:app=web", "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=shop",
          "k8s:io.cilium.k8s.policy.cluster=default",
          "k8s:io.cilium.k8s.policy.serviceaccount=default", "k8s:io.kubernetes.pod.namespace=shop"]
PAD = len(LABELS[1])

ENDPOINT_LIST = "\n".join([
    "ENDPOINT   POLICY (ingress)   POLICY (egress)   IDENTITY   "
    f"{'LABELS (source:key[=value])':{PAD}}   IPv6            IPv4         STATUS",
    "           ENFORCEMENT        ENFORCEMENT",
    f"1          Disabled           Disabled          256        {LABELS[0]:{PAD}}"
    "   fd00:200:1::2   10.200.1.2   ready",
    *(f"{'':59}{label}" for label in LABELS[1:])])

TABLES = {
    "endpoint list": ENDPOINT_LIST,
    "endpoint health 1": "Overall Health:   OK\nBPF Health:       OK\nPolicy Health:    OK\n"
                         "Connected:        yes",
    "endpoint labels 1": "\n".join(f"{label:{PAD}}   Enabled" for label in LABELS),
    "identity get 1": "ID   LABELS\n1    reserved:host",
    "identity get --label reserved:host": "ID   LABELS\n1    reserved:host",
    "identity list reserved:world": "ID   LABELS\n2    reserved:world",
    "identity get 256": "\n".join(["ID    LABELS", f"256   {LABELS[0]}",
                                   *(f"      {label}" for label in LABELS[1:])]),
    "identity list --endpoints": "\n".join(
        [f"ID    {'LABELS':{PAD}}   REFCOUNT", f"256   {LABELS[0]:{PAD}}   1",
         *(f"      {label}" for label in LABELS[1:])]),
    "ip list -n": """\
IP                   IDENTITY   SOURCE
::/0                 10         local
0.0.0.0/0            9          local
10.200.1.1/32        1          local
10.200.1.2/32        256        local
192.0.2.11/32        1          local
2001:db8:1::11/128   1          local
fd00:200:1::1/128    1          local
fd00:200:1::2/128    256        local""",
    "ip get 10.200.1.1/32": "IP              IDENTITY        SOURCE\n"
                            "10.200.1.1/32   reserved:host   local",
    "node list": """\
Name            IPv4 Address   Endpoint CIDR   IPv6 Address     Endpoint CIDR      Source
default/node1   192.0.2.11     10.200.1.0/24   2001:db8:1::11   fd00:200:1::/112   local""",
    "bpf ipcache get 10.200.1.2": "10.200.1.2 maps to identity identity=256 encryptkey=0 "
                                  "tunnelendpoint=0.0.0.0 flags=<none>",
    "config": """\
##### Read-write configurations #####
Debug                             : Disabled
DropNotification                  : Enabled
MonitorAggregationLevel           : Medium
PolicyAuditMode                   : Disabled
PolicyVerdictNotification         : Enabled
TraceNotification                 : Enabled
MonitorNumPages                   : 256
PolicyEnforcement                 : default""",
    "config get enable-ipv6": "true",
}

HEADERS = {
    "identity list": "ID LABELS", "ip list -v": "IP IDENTITY SOURCE HOST ENCRYPT_KEY",
    "bpf endpoint list": "IP ADDRESS LOCAL ENDPOINT INFO",
    "bpf ipcache list": "IP PREFIX/ADDRESS IDENTITY",
    "bpf metrics list": "REASON DIRECTION PACKETS BYTES LINE FILE",
    "policy selectors": "SELECTOR LABELS USERS IDENTITIES",
    "map list": "Name Num entries Num errors Cache enabled",
    "config -r": "#### Read-only configurations ####",
}

FAILURES = {
    # Cilium's, of subjects that this version lacks: no usage, as there is no typing error.
    "policy import x": 'unknown command "import" for "cilium policy": Cilium has it, this version '
                       "takes policies from manifests: put them into the directory that "
                       '"cilium config get manifest-dir" names',
    "bpf egress list": 'unknown command "egress" for "cilium bpf": Cilium has it, this version '
                       "has no egress gateway",
    "endpoint get 99": "cannot get endpoint 99: there is no endpoint 99: "
                       'see "cilium endpoint list"',
    "endpoint health 99": "cannot get endpoint 99: there is no endpoint 99: "
                       'see "cilium endpoint list"',
    "identity get 9999": "Cannot get identity for given ID 9999: identity 9999 was not found: "
                         'see "cilium identity list"',
    "ip get 203.0.113.1": "Cannot get ip/cidr list: 203.0.113.1/32 has no entry of its own: "
                          '"cilium bpf ipcache get 203.0.113.1" says what it belongs to',
    "ip get 203.0.113.0/24": "Cannot get ip/cidr list: 203.0.113.0/24 has no entry of its own: "
                             'see "cilium ip list"',
    "ip get -l k8s:app=none": "Cannot get ip/cidr list: no address has an identity with all of "
                              'these labels: see "cilium ip list"',
    "endpoint get nobody": "cannot get endpoint nobody: there is no endpoint "
                           'pod-name:default:nobody: see "cilium endpoint list"',
    "endpoint log shop/nobody": "Cannot get endpoint log of shop/nobody: there is no endpoint "
                                'pod-name:shop:nobody: see "cilium endpoint list"',
    "bpf ct list cluster 1": "this version joins no clusters and has no connections of them "
                             'apart: "global" has all',
    "bpf ct list endpoint 4711": 'there is no endpoint 4711: see "cilium bpf endpoint list"',
    "bpf nat retries list": 'unknown command "retries" for "cilium bpf nat": Cilium has it, this '
                            'version counts no retries: "cilium metrics list -p drop" has the '
                            "connections that found no port",
    "config get nothing": "Configuration does not exist: nothing is no option and no "
                          'key; see "cilium config view"',
    "config set nothing 1": 'Nothing was written: nothing: no such key; "cilium config view" '
                            "lists them all",
    "config -n 64": 'The ring of events has 256 pages and cannot be changed while the agent '
                    'runs; fewer events: "cilium config MonitorAggregationLevel=max"',
    "config nonsense": 'Improper configuration format provided: "nonsense" is not '
                       'OPTION=VALUE; "cilium config get NAME" shows one, "cilium config view" '
                       "all",
    "config Debug=maybe": 'Unable to change agent configuration: Debug "maybe": '
                          "expected Enabled or Disabled",
    "-H unix:///no/such/sock endpoint list": None,
}

MISUSES = {
    "endpoint get": "expected an endpoint id, or labels with -l",
    "status --nonsense": "unknown flag: --nonsense",
    "endpoint list -x": "unknown shorthand flag: -x",
    "status extra": 'unexpected argument "extra"', "ip get": None,
    "status --timeout": "flag needs an argument: --timeout",
    "status --timeout soon": 'invalid argument "soon" for --timeout: expected a '
                             "duration with units, as 30s, 1m30s or 500ms",
    "bpf ipcache get nonsense": '"nonsense" is not an address',
    "bpf ct list global 1": 'unexpected argument "1" behind global',
    "bpf ct list nonsense 1": '"nonsense": expected global, or endpoint ID',
    "bpf ipcache match nonsense": 'identity "nonsense" is not a number',
    "nonsense": 'unknown command "nonsense" for "cilium"',
    "endpoint nonsense": 'unknown command "nonsense" for "cilium endpoint"',
}


@pytest.fixture(scope="module")
def settled(shared_node):
    """A node with one pod, the first that it ever had."""
    shared_node.pod("web", labels={"app": "web"}, namespace="shop")
    return shared_node


def trimmed(text):
    """Without the blanks that a table's empty cells leave at the end of lines."""
    return "\n".join(line.rstrip() for line in text.rstrip("\n").split("\n"))


@pytest.mark.parametrize("command", TABLES)
def test_text(settled, command):
    done = settled.cli(*command.split())
    assert trimmed(done.stdout) == TABLES[command] and not done.stderr


@pytest.mark.parametrize("command", HEADERS)
def test_headers(settled, command):
    done = settled.cli(*command.split())
    assert " ".join(done.stdout.splitlines()[0].split()) == HEADERS[command] and not done.stderr


@pytest.mark.parametrize("name", ["shop/web", "pod-name:shop/web", "cep-name:shop/web",
                                  "pod-name:shop:web", "ipv4:10.200.1.2", "ipv6:fd00:200:1::2"])
def test_names_of_an_endpoint(settled, name):
    """Each command knows the endpoint by each of its names."""
    for command in ("get", "health", "labels", "log", "config"):
        named, numbered = (settled.cli("endpoint", command, each, "-o", "json").stdout
                           for each in (name, "1"))
        assert named == numbered, command
    assert settled.cli("endpoint", "regenerate", name).stdout.startswith(f"Endpoint {name} succ")


def test_no_headers(settled):
    with_headers = settled.cli("endpoint", "list").stdout.split()
    assert settled.cli("endpoint", "list", "--no-headers").stdout.split() == \
        with_headers[with_headers.index("STATUS") + 3:]


@pytest.mark.parametrize("command", FAILURES)
def test_failures(settled, command):
    """One line on standard error, nothing else, and 1."""
    done = settled.cli(*command.split(), check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"Error: [^\n]+\n", done.stderr)
    assert FAILURES[command] is None or done.stderr == f"Error: {FAILURES[command]}\n"


@pytest.mark.parametrize("command", MISUSES)
def test_misuses(settled, command):
    """The error, an empty line, and how it is used."""
    done = settled.cli(*command.split(), check=False)
    assert (done.returncode, done.stdout) == (1, "")
    error, empty, rest = done.stderr.split("\n", 2)
    assert error.startswith("Error: ") and empty == "" and "Usage:\n  cilium" in rest
    assert MISUSES[command] is None or error == f"Error: {MISUSES[command]}"


@pytest.mark.parametrize("command", [
    "status", "endpoint list", "endpoint get 1", "identity list", "identity get 1", "ip list",
    "node list", "map list", "config", "version", "bpf endpoint list", "bpf ipcache list",
    "bpf metrics list", "bpf ct list global", "bpf nat list", "endpoint health 1",
    "endpoint labels 1"])
def test_structured_output(settled, command):
    """JSON and YAML say the same; a JSON path picks from it."""
    yaml = pytest.importorskip("yaml")
    made = json.loads(settled.cli(*command.split(), "-o", "json").stdout)
    other = yaml.safe_load(settled.cli(*command.split(), "-o", "yaml").stdout)
    assert type(made) is type(other)
    if command not in ("status", "bpf metrics list", "bpf ct list global", "bpf nat list"):
        assert made == other
    assert settled.cli(*command.split(), "-o", "nonsense", check=False).returncode == 1


def test_json_path(settled):
    assert settled.cli("endpoint", "get", "1", "-o", "jsonpath={[0].status.identity.id}").stdout \
        .strip() == "256"


def test_help(settled):
    """Of every command: on standard output, with success."""
    overview = settled.cli("--help").stdout
    commands = re.findall(r"^  (\w[\w ]*?) {2,}", overview, re.M)
    assert {"status", "endpoint list", "bpf ct list", "monitor", "version"} <= set(commands)
    for command in commands:
        done = settled.cli(*command.split(), "--help")
        assert f"Usage:\n  cilium {command}" in done.stdout and not done.stderr


# status.

def test_status_lines(settled):
    text = settled.cli("status").stdout
    values = dict(re.findall(r"^([A-Z][^:\n]*): +(.*?) *$", text, re.M))
    assert values["Masquerading"] == \
        "BPF   [eth0]   10.200.0.0/16 fd00:200::/32 [IPv4: Enabled, IPv6: Enabled]"
    assert values["IPAM"] == ("IPv4: 2/254 allocated from 10.200.1.0/24, "
                              "IPv6: 2/65534 allocated from fd00:200:1::/112")
    assert values["Routing"] == "Network: Native   Host: BPF"
    assert values["Attach Mode"] in ("TCX", "Legacy TC")
    assert values["Global Identity Range"] == "min 256, max 65535"
    assert re.fullmatch(r"(\d+)/\1 healthy", values["Controller Status"])
    assert values["Cilium"].startswith("Ok ")
    order = [label for label in ("KVStore", "Kubernetes", "KubeProxyReplacement", "Host firewall",
                                 "SRv6", "CNI Chaining", "Cilium", "NodeMonitor", "IPAM",
                                 "BandwidthManager", "Routing", "Attach Mode", "Device Mode",
                                 "Masquerading", "Controller Status", "Proxy Status", "Hubble",
                                 "Encryption")]
    found = [text.index(f"\n{label}:") if text.find(f"\n{label}:") >= 0 else 0 for label in order]
    assert found == sorted(found)


def test_status_with_a_mistake_in_a_manifest(settled):
    """A warning: it is told, and is no failure."""
    settled.put_manifest("bad.yaml", "kind: Pod\nmetadata: [\n")
    settled.wait_log("bad.yaml")
    done = settled.cli("status")
    assert re.search(r"^Cilium: +Warning +1 problem\(s\) in the manifests$", done.stdout, re.M)
    assert re.search(r"^Source problems: +1$", done.stdout, re.M) and "bad.yaml:" in done.stdout
    assert re.search(r"^Controller Status: +(\d+)/\1 healthy$", done.stdout, re.M)
    brief = settled.cli("status", "--brief")
    assert (brief.stdout, brief.stderr) == ("OK\n", "")
    (settled.manifest_dir / "bad.yaml").unlink()


def test_status_without_an_agent(settled):
    done = settled.cli("-H", "unix:///no/such/sock", "status", "--brief", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "cilium: daemon unreachable\n"


def test_version(node):
    assert re.fullmatch(r"Client: (\S+) \(axoneme\) linux/\w+\nDaemon: \1 \(axoneme\)\n",
                        node.cli("version").stdout)
    shown = node.cli_json("version")
    assert shown["Client"]["Version"] == shown["Daemon"]["Version"]
    node.kill_agent()
    assert node.cli("version").stdout.endswith("\nDaemon: Not responding\n")
    shown = node.cli_json("version")
    assert shown["Client"]["Version"] and shown["Daemon"] == {}
    assert node.cli("version", "--client").stdout.startswith("Client: ")
    assert set(node.cli_json("version", "--client")) == {"Client"}
