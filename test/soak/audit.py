# SPDX-License-Identifier: Apache-2.0
"""
What a node has, held against what it should have: the kernel by ip(8) and bpftool(8), the files of state, and
the agent's API, each read on its own, none taken for true. The layouts are those of abi/, written once more.

    before = audit.common(node)             # whatever does not depend on pods
    …
    problems = audit.audit(node, pods, before)      # texts; none: exactly these pods are there, whole

pods are those of the harness (their .result is the answer of ADD). The agent runs.
"""

import collections
import ipaddress
import json
import re
import struct

GLOBALS = "/sys/fs/bpf/tc/globals"
OBJECTS = "/sys/fs/bpf/cilium"
ENDPOINT = struct.Struct("<IIIHH6s6sI")
IPCACHE = struct.Struct("<16sIBBH")
CT_KEY = struct.Struct("<16s16sHHBBH")
CT_ENTRY = struct.Struct("<IHBBII")
NAT_ENTRY = struct.Struct("<16sHHIII")
F_HOST = 0x0001
PROTOCOL_OF_OURS = "67"


def address_text(raw):
    address = ipaddress.IPv6Address(raw)
    return str(address.ipv4_mapped or address)


def mac_text(raw):
    return raw.hex(":")


def dump(node, name):
    """(key, value) of each entry of a pinned map, as bytes."""
    shown = node.exec("bpftool", "-j", "map", "dump", "pinned", f"{GLOBALS}/{name}").stdout
    return [tuple(bytes(int(byte, 16) for byte in entry[part]) for part in ("key", "value"))
            for entry in json.loads(shown)]


def ip(node, *argv):
    return json.loads(node.exec("ip", "-json", "-details", *argv).stdout or "[]")


class Expected:
    """A pod as its ADD was answered."""

    def __init__(self, pod):
        host, inside = pod.result["interfaces"]
        self.host_ifname, self.host_mac, self.mac = host["name"], host["mac"], inside["mac"]
        self.container = pod.container_id
        self.attachment = f"{pod.container_id}:{pod.ifname}"
        self.addresses = sorted(each["address"].split("/")[0] for each in pod.result["ips"])


class Audit:
    def __init__(self, node, pods):
        self.node, self.problems = node, []
        self.pods = {each.host_ifname: each for each in map(Expected, pods)}
        self.by_address = {address: pod for pod in self.pods.values() for address in pod.addresses}
        if len(self.by_address) != sum(len(pod.addresses) for pod in self.pods.values()):
            self.problems.append("ADD answered with one address for two pods")
        self.ifindex = {}

    def differ(self, what, found, wanted):
        """Problems for what is there and should not be, is missing, or is there twice."""
        found, wanted = collections.Counter(list(found)), set(wanted)
        for each in sorted(found, key=str):
            if each not in wanted:
                self.problems.append(f"{what}: {each} is left over")
            elif found[each] > 1:
                self.problems.append(f"{what}: {each} is there {found[each]} times")
        self.problems += [f"{what}: {each} is missing"
                          for each in sorted(wanted - set(found), key=str)]

    def equal(self, what, found, wanted):
        if found != wanted:
            self.problems.append(f"{what}: {found}, not {wanted}")

    # The kernel.

    def links(self):
        links = [link for link in ip(self.node, "link") if link["ifname"].startswith("lxc")]
        self.differ("link", [link["ifname"] for link in links], self.pods)
        self.differ("alias", [link.get("ifalias", link["ifname"]) for link in links],
                    [f"cilium:cilium:{pod.attachment}" for pod in self.pods.values()])
        for link in links:
            self.ifindex[link["ifname"]] = link["ifindex"]
            if pod := self.pods.get(link["ifname"]):
                self.equal(f"MAC of {link['ifname']}", link["address"], pod.host_mac)
                self.equal(f"{link['ifname']} is up", "UP" in link["flags"], True)

    def routes(self):
        routes = [(route["dst"], route["dev"]) for family in ("-4", "-6")
                  for route in ip(self.node, family, "route", "show", "table", "all", "proto",
                                  PROTOCOL_OF_OURS) if route["dev"] != "cilium_host"]
        wanted = [(address, pod.host_ifname) for pod in self.pods.values()
                  for address in pod.addresses] if self.has("enable-endpoint-routes") else []
        self.differ("route", routes, wanted)

    def has(self, key, value="true"):
        """The configuration says so."""
        path = self.node.config_dir / key
        return path.exists() and path.read_text().strip() == value

    def wanted_programs(self):
        """(device, where, program) of the pods."""
        places = [("ingress", "cil_from_container")]
        if self.has("enable-endpoint-routes"):
            places.append(("egress", "cil_to_container"))
        return [(name, *place) for name in self.pods for place in places]

    def programs(self):
        """Each pod's programs once, and of the set that is pinned."""
        sets = self.node.exec("ls", f"{OBJECTS}/programs").stdout.split()
        self.equal("sets of programs pinned", len(sets), 1)
        ids = {}
        for name in self.node.exec("ls", f"{OBJECTS}/programs/{sets[0]}").stdout.split():
            shown = self.node.exec("bpftool", "-j", "prog", "show", "pinned",
                                   f"{OBJECTS}/programs/{sets[0]}/{name}").stdout
            ids[json.loads(shown)["id"]] = name
        self.equal("names of programs", len(set(ids.values())), len(ids))
        self.filters(ids)
        self.pinned_links(ids)

    def filters(self, ids):
        shown = json.loads(self.node.exec("bpftool", "-j", "net", "show").stdout)[0]["tc"]
        found = [(each["devname"], each["kind"].split("/")[-1], each["name"][:15])
                 for each in shown if each["kind"].startswith("clsact")]
        wanted = [] if self.has("pod-attach-mode", "tcx") else self.wanted_programs()
        self.differ("filter", found,
                    [(name, where, program[:15]) for name, where, program in wanted])
        for each in shown:
            if each.get("prog_id", each.get("id")) not in ids:
                self.problems.append(f"filter: {each['name']} of {each['devname']} is of old programs")

    def pinned_links(self, ids):
        links = self.node.exec("find", f"{OBJECTS}/devices", "-type", "f").stdout.split()
        wanted = self.wanted_programs() if self.has("pod-attach-mode", "tcx") else []
        found = [(path.split("/")[-3], path.split("/")[-1]) for path in links]
        self.differ("pinned link", [each for each in found if each[0].startswith("lxc")],
                    [(name, program) for name, _, program in wanted])
        for path, (_, name) in zip(links, found):
            shown = json.loads(self.node.exec("bpftool", "-j", "link", "show", "pinned", path).stdout)
            self.equal(f"program of {path}", ids.get(shown["prog_id"]), name)
        pinned = {path.split("/")[-3] for path in links}
        folders = self.node.exec("ls", f"{OBJECTS}/devices").stdout.split()
        self.differ("folder of pins", folders, pinned)

    def maps(self, endpoints):
        by_ifname = {each["status"]["networking"]["interface-name"]: each for each in endpoints}
        # By the number of their interface: what both maps should say of each pod.
        wanted = {}
        for name, pod in self.pods.items():
            if name in by_ifname and name in self.ifindex:
                wanted[self.ifindex[name]] = (by_ifname[name]["status"]["identity"]["id"],
                                              by_ifname[name]["id"], pod.mac, pod.host_mac)
        found, generations = {}, {}
        for key, value in dump(self.node, "cilium_lxc_device"):
            found[struct.unpack("<I", key)[0]] = value
        self.differ("cilium_lxc_device", found, wanted)
        for ifindex, value in found.items():
            info = ENDPOINT.unpack(value)
            self.equal(f"ifindex in cilium_lxc_device of {ifindex}", info[0], ifindex)
            if ifindex in wanted:
                self.equal(f"cilium_lxc_device of {ifindex}",
                           (info[1], info[3], mac_text(info[5]), mac_text(info[6])),
                           wanted[ifindex])
            generations[ifindex] = info[2]
        self.equal("generations that are of one endpoint", len(set(generations.values())),
                   len(generations))
        self.addresses(found, generations)
        self.ipcache(by_ifname)
        self.connections(generations)

    def addresses(self, by_device, generations):
        entries = {address_text(key): value for key, value in dump(self.node, "cilium_lxc")}
        pods = {address: value for address, value in entries.items()
                if not ENDPOINT.unpack(value)[4] & F_HOST}
        self.differ("cilium_lxc", pods, self.by_address)
        for address, value in pods.items():
            pod = self.by_address.get(address)
            ifindex = pod and self.ifindex.get(pod.host_ifname)
            if ifindex in generations:
                self.equal(f"cilium_lxc of {address}", value, by_device[ifindex])
        hosts = [info["local"] for link in ip(self.node, "addr") for info in link["addr_info"]
                 if info["scope"] == "global"]
        self.differ("cilium_lxc, address of the node", set(entries) - set(pods), hosts)

    def ipcache(self, by_ifname):
        entries = {address_text(key): IPCACHE.unpack(value)
                   for key, value in dump(self.node, "cilium_ipcache")}
        pods = {address: value[1] for address, value in entries.items() if value[1] != 1}
        self.differ("cilium_ipcache", pods, self.by_address)
        for address, identity in pods.items():
            pod = self.by_address.get(address)
            if pod and pod.host_ifname in by_ifname:
                self.equal(f"identity of {address} in cilium_ipcache", identity,
                           by_ifname[pod.host_ifname]["status"]["identity"]["id"])

    def connections(self, generations):
        """No entry calls an address by the generation of an endpoint that does not have it."""
        owners = {generation: ifindex for ifindex, generation in generations.items()}
        names = {ifindex: name for name, ifindex in self.ifindex.items()}

        def check(what, raw, generation):
            if generation in owners:
                pod = self.pods.get(names.get(owners[generation]))
                if pod and address_text(raw) not in pod.addresses:
                    self.problems.append(f"{what}: {address_text(raw)} has the generation of "
                                         f"{pod.container}")

        for name in "cilium_ct_tcp_global", "cilium_ct_any_global":
            for key, value in dump(self.node, name):
                ends, entry = CT_KEY.unpack(key)[:2], CT_ENTRY.unpack_from(value)
                for raw, generation in zip(ends, entry[4:6]):
                    check(name, raw, generation)
        for key, value in dump(self.node, "cilium_snat_external"):
            entry = NAT_ENTRY.unpack(value)
            check("cilium_snat_external", entry[0], entry[4])

    # The agent.

    def endpoints(self):
        _, endpoints = self.node.request("GET", "/v1/endpoint")
        self.differ("endpoint", [each["status"]["external-identifiers"]["cni-attachment-id"]
                                 for each in endpoints],
                    [pod.attachment for pod in self.pods.values()])
        self.equal("endpoint ids that are used once", len({each["id"] for each in endpoints}),
                   len(endpoints))
        for each in endpoints:
            networking = each["status"]["networking"]
            what, pod = f"endpoint {each['id']}", self.pods.get(networking["interface-name"])
            self.equal(f"state of {what}", each["status"]["state"], "ready")
            self.equal(f"health of {what}", each["status"]["health"]["overallHealth"], "OK")
            if pod:
                self.equal(f"addresses of {what}",
                           sorted(networking["addressing"][0].values()), pod.addresses)
                self.equal(f"interface of {what}", networking["interface-index"],
                           self.ifindex.get(networking["interface-name"]))
                self.equal(f"MACs of {what}", (networking["mac"], networking["host-mac"]),
                           (pod.mac, pod.host_mac))
        return endpoints

    def identities(self, endpoints):
        listed = {each["id"]: tuple(sorted(each["labels"]))
                  for each in self.node.request("GET", "/v1/identity")[1]}
        self.equal("identities with labels of their own", len(set(listed.values())), len(listed))
        for each in endpoints:
            identity = each["status"]["identity"]
            self.equal(f"labels of identity {identity['id']}", listed.get(identity["id"]),
                       tuple(sorted(identity["labels"])))
        kept = []
        for name in "identities.json", "local-identities.json":
            path = self.node.lib_dir / "state" / name
            kept += json.loads(path.read_text())["identities"] if path.exists() else []
        self.differ("files of identities", [each["id"] for each in kept],
                    [number for number in listed if number >= 256])

    def ipam(self):
        status = self.node.request("GET", "/v1/healthz")[1]
        given = [address for address, owner in status["ipam"]["allocations"].items()
                 if owner != "router"]
        self.differ("address given out", given, self.by_address)
        self.differ("file of an address",
                    [path.stem for path in (self.node.state_dir / "state/ipam").iterdir()],
                    list(self.by_address) + self.routers(status))
        for controller in status["controllers"]:
            if controller["status"].get("consecutive-failure-count"):
                self.problems.append(f"controller {controller['name']} fails: "
                                     f"{controller['status'].get('last-failure-msg')}")

    @staticmethod
    def routers(status):
        return [address for address, owner in status["ipam"]["allocations"].items()
                if owner == "router"]

    # Files.

    def files(self, endpoints):
        state = self.node.state_dir / "state"
        found = [int(path.parent.name) for path in state.glob("[0-9]*/ep_config.json")]
        self.differ("file of an endpoint", found, [each["id"] for each in endpoints])
        self.differ("folder of an endpoint", [int(path.name) for path in state.glob("[0-9]*")],
                    [each["id"] for each in endpoints])
        for each in endpoints:
            path = state / str(each["id"]) / "ep_config.json"
            if path.exists():
                self.equal(f"container in {path.parent.name}/ep_config.json",
                           json.loads(path.read_text())["container_id"],
                           each["status"]["external-identifiers"]["container-id"])
        for directory in self.node.state_dir, self.node.lib_dir, self.node.dir / "run":
            for path in directory.rglob("*"):
                if re.search(r"tmp|partial|corrupt|~|\.new|/\.", str(path.relative_to(directory))):
                    self.problems.append(f"file {path} is left over")
        queue = self.node.dir / "run/deleteQueue"
        self.differ("deleteQueue", [path.name for path in queue.glob("*")], [])

    def descriptors(self):
        """The agent holds the maps that are pinned, and no others."""
        pinned = {json.loads(self.node.exec("bpftool", "-j", "map", "show", "pinned",
                                            f"{GLOBALS}/{name}").stdout)["id"]
                  for name in self.node.exec("ls", GLOBALS).stdout.split()}
        held = self.node.exec("sh", "-c", f"grep -h map_id /proc/{self.node.agent.pid}/fdinfo/*")
        self.differ("map of the agent", {int(line.split()[1]) for line in held.stdout.splitlines()},
                    pinned)

    def run(self):
        self.links()
        self.routes()
        endpoints = self.endpoints()
        self.maps(endpoints)
        self.programs()
        self.identities(endpoints)
        self.ipam()
        self.files(endpoints)
        self.descriptors()
        return self.problems


def common(node):
    """What is there whatever pods are: to be compared with the same at another time."""
    links = [(link["ifname"], link["ifindex"], link["address"], link["mtu"])
             for link in ip(node, "link") if not link["ifname"].startswith("lxc")]
    addresses = [(link["ifname"], info["local"], info["prefixlen"])
                 for link in ip(node, "addr") if not link["ifname"].startswith("lxc")
                 for info in link["addr_info"]]
    routes = [tuple(str(route.get(key)) for key in ("dst", "dev", "prefsrc", "metric", "table"))
              for family in ("-4", "-6")
              for route in ip(node, family, "route", "show", "table", "all")
              if not route.get("dev", "").startswith("lxc")]
    rules = [json.dumps(ip(node, family, "rule")) for family in ("-4", "-6")]
    pins = node.exec("ls", GLOBALS).stdout.split()
    kept = {name: sorted(dump(node, name)) for name in
            ("cilium_ipcache_prefix", "cilium_ipmasq", "cilium_devices")}
    return {"links": sorted(links), "addresses": sorted(addresses), "routes": sorted(routes),
            "rules": rules, "pinned maps": sorted(pins), **kept}


def audit(node, pods, before=None):
    problems = Audit(node, pods).run()
    if before:
        after = common(node)
        problems += [f"{what} of the node: {after[what]}, were {before[what]}"
                     for what in before if after[what] != before[what]]
    return problems
