# SPDX-License-Identifier: Apache-2.0
"""Services and what stands behind them, as manifests."""

import ipaddress
import json

FAMILY_NAME = {False: "IPv4", True: "IPv6"}


def families_of(addresses):
    return list(dict.fromkeys(FAMILY_NAME[":" in address] for address in addresses))


def port(number, target=None, protocol="TCP", node_port=None, name=None):
    """One entry of a service's ports. target: the back ends' port."""
    entry = {"port": number, "protocol": protocol, "targetPort": target or number}
    return {**entry, **({"nodePort": node_port} if node_port else {}),
            **({"name": name} if name else {})}


def service(name, cluster_ips, ports, ingress=(), annotations=None, namespace="default", **spec):
    """spec: of Kubernetes, in its own spelling (externalTrafficPolicy=…); ingress: addresses."""
    families = families_of(cluster_ips)
    made = {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"type": "ClusterIP", "clusterIP": cluster_ips[0],
                     "clusterIPs": list(cluster_ips), "ipFamilies": families,
                     "ipFamilyPolicy": "PreferDualStack" if len(families) > 1 else "SingleStack",
                     "internalTrafficPolicy": "Cluster", "sessionAffinity": "None",
                     "ports": ports, **spec}}
    if annotations:
        made["metadata"]["annotations"] = annotations
    if made["spec"]["type"] in ("NodePort", "LoadBalancer"):
        made["spec"].setdefault("externalTrafficPolicy", "Cluster")
    if ingress:
        made["status"] = {"loadBalancer": {"ingress": [{"ip": ip, "ipMode": "VIP"} for ip in ingress]}}
    return made


def node(of):
    """The Node of a node of the site."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node{of.index}"},
            "spec": {"podCIDRs": [of.ipv4_range, of.ipv6_range]},
            "status": {"addresses": [{"type": "InternalIP", "address": address}
                                     for address in of.addresses.values()]}}


def endpoint(address, node=None, ready=True, serving=True, terminating=False):
    return {"addresses": [address], **({"nodeName": node} if node else {}),
            "conditions": {"ready": ready, "serving": serving, "terminating": terminating}}


def slices(name, endpoints, ports, namespace="default"):
    """One slice for each address family that the endpoints have; ports: as of the service."""
    made = []
    for family in families_of(each["addresses"][0] for each in endpoints) or ["IPv4"]:
        is_ipv6 = family == "IPv6"
        made.append({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-{family.lower()}", "namespace": namespace,
                         "labels": {"kubernetes.io/service-name": name}},
            "addressType": family,
            "endpoints": [each for each in endpoints
                          if (":" in each["addresses"][0]) == is_ipv6],
            "ports": [{"port": each["targetPort"], "protocol": each["protocol"],
                       **({"name": each["name"]} if "name" in each else {})} for each in ports]})
    return made


def many(n, backends, first="172.20.0.0", port_number=80, target=8080, name="many"):
    """
    n ClusterIP services, each with a slice of its own; backends is a list of addresses, or a function of
    the service's number that gives one.
    """
    base = ipaddress.ip_address(first)
    for number in range(n):
        ports = [port(port_number, target)]
        addresses = backends(number) if callable(backends) else backends
        yield service(f"{name}{number}", [str(base + number + 1)], ports)
        yield from slices(f"{name}{number}", [endpoint(each) for each in addresses], ports)


def put_list(node, name, objects):
    """A file of JSON: YAML of many objects takes Python minutes to write."""
    partial = node.manifest_dir / f".{name}.partial"
    partial.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
    partial.rename(node.manifest_dir / name)
