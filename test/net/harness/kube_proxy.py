# SPDX-License-Identifier: Apache-2.0
"""kube-proxy itself in a namespace, fed by a mock of the API server: the reference for services."""

import json
import os
import pathlib
import shutil
import subprocess
import time

from .kube_api import Api
from .namespace import temporary_directory

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODULE = ROOT / "test/bench/kube_proxy"
SYNC_SECONDS = 240
PACKAGE = "k8s.io/kubernetes/cmd/kube-proxy"


# Of the two programs called iptables kube-proxy gets the one that writes to iptables proper: through the other
# one, which writes to nftables, 10,000 services take minutes, 30,000 never end.
IPTABLES = [f"ip{version}tables{what}" for version in ("", "6") for what in ("", "-save", "-restore")]
LEGACY = "/usr/sbin/xtables-legacy-multi"


class NoKubeProxy(Exception):
    """It is not there and cannot be built here; says why."""


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "axoneme"


def program():
    """Path of kube-proxy, which is built where it is not yet: some minutes, and Go must be there."""
    version = next(line.split()[2] for line in (MODULE / "go.mod").read_text().splitlines()
                   if line.startswith("require k8s.io/kubernetes "))
    built = cache_directory() / f"kube-proxy-{version}"
    if built.exists():
        return built
    if not shutil.which("go"):
        raise NoKubeProxy("kube-proxy is not built and Go is not there: install Go to compare with it")
    built.parent.mkdir(parents=True, exist_ok=True)
    partial = built.with_suffix(f".{os.getpid()}")
    done = subprocess.run(
        ["nice", "go", "build", "-trimpath", "-ldflags", f"-s -w -X k8s.io/component-base/version."
         f"gitVersion={version}", "-o", partial, PACKAGE], cwd=MODULE, text=True,
        capture_output=True, env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"})
    if done.returncode != 0:
        raise NoKubeProxy(f"kube-proxy cannot be built: {done.stderr.strip()[-500:]}")
    partial.rename(built)
    return built


def needs(mode):
    """Raises where what the mode needs beside kube-proxy is missing."""
    tool = {"iptables": LEGACY, "nftables": "nft"}[mode]
    if not shutil.which(tool):
        raise NoKubeProxy(f"kube-proxy --proxy-mode {mode} needs {tool}, which is not installed")


class KubeProxy:
    """
    Runs from start() on; objects put before are there at once. Manifest files are put as into a node's
    directory: a file put again replaces what it held before.
    """

    def __init__(self, namespace, mode, node_name, addresses, **config):
        """addresses: of the node, the primary one first."""
        needs(mode)
        self.program = program()
        self.namespace, self.mode, self.node_name = namespace, mode, node_name
        self.dir = temporary_directory(f"{namespace.name}-kube-proxy")
        self.files, self.process = {}, None
        self.api = Api(namespace)
        self.api.change(put=[{
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": node_name}, "spec": {},
            "status": {"addresses": [{"type": "InternalIP", "address": address}
                                     for address in addresses]}}])
        self._configure(config)

    def _configure(self, config):
        zero = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
        (self.dir / "kubeconfig").write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": self.api.url}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {}}]}))
        (self.dir / "config").write_text(json.dumps({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
            "mode": self.mode, "hostnameOverride": self.node_name, "conntrack": zero,
            # As fast as it can be: it batches changes for a second by default.
            "iptables": {"minSyncPeriod": "1ms"}, "nftables": {"minSyncPeriod": "1ms"},
            "detectLocalMode": "ClusterCIDR", "clusterCIDR": "10.200.0.0/16,fd00:200::/32",
            "clientConnection": {
                "kubeconfig": str(self.dir / "kubeconfig"), "contentType": "application/json",
                "acceptContentTypes": "application/json", "qps": 1000, "burst": 1000},
            **config}))

    def put_manifest(self, name, *documents):
        """Documents are objects, or lists of them."""
        objects = [item for document in documents
                   for item in (document["items"] if document["kind"] == "List" else [document])]
        identity = lambda item: (item["kind"], item["metadata"].get("namespace", "default"),
                                 item["metadata"]["name"])
        kept = {identity(item) for item in objects}
        gone = [item for item in self.files.get(name, []) if identity(item) not in kept]
        self.files[name] = objects
        self.api.change(put=objects, delete=gone)

    def remove_manifest(self, name):
        self.api.change(delete=self.files.pop(name))

    def start(self):
        self.log = open(self.dir / "log", "ab")
        for name in IPTABLES:
            (self.dir / name).symlink_to(LEGACY)
        self.process = self.namespace.popen(
            self.program, "--config", self.dir / "config", stdout=self.log, stderr=self.log,
            env={"PATH": f"{self.dir}:{os.environ['PATH']}"})
        self.wait_synced(time.time() - 1)
        return self

    def metrics(self):
        done = self.namespace.exec("curl", "-sf", "http://127.0.0.1:10249/metrics", check=False)
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in done.stdout.splitlines() if not line.startswith("#")}

    def is_synced(self, since):
        metrics = self.metrics()
        begin = "kubeproxy_sync_proxy_rules_last_"
        done, queued = ({name.partition("{")[2]: value for name, value in metrics.items()
                         if name.startswith(begin + what)}
                        for what in ("timestamp_seconds", "queued_timestamp_seconds"))
        return (done and max(done.values()) >= since
                and all(done[family] >= queued.get(family, 0) for family in done))

    def wait_synced(self, since):
        """Until a synchronisation that ended after a time (of time.time()) has written its rules."""
        deadline = time.monotonic() + SYNC_SECONDS
        while not (self.is_synced(since) and self.is_synced(since)):  # the other family may begin late
            if self.process.poll() is not None:
                raise AssertionError(f"kube-proxy ended\n{(self.dir / 'log').read_text()[-3000:]}")
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"kube-proxy never synced\n{(self.dir / 'log').read_text()[-3000:]}")
            time.sleep(0.05)

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.log.close()
        self.api.close()
        shutil.rmtree(self.dir)
