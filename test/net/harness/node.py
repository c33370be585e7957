# SPDX-License-Identifier: Apache-2.0
"""A node: network and mount namespace with a bpffs of its own, an agent, and the pods on it."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import yaml

from . import patience
from .cgroup import Cgroup
from .namespace import Namespace

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = {"cilium-agent": "src/agent", "cilium-cni": "src/cni", "cilium": "src/cli"}
READY_SECONDS = patience.stretch(10)


def default_build():
    return pathlib.Path(os.environ.get("AXONEME_BUILD", ROOT / "build")).resolve()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the agent's socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=READY_SECONDS)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Pod(Namespace):
    """A container as the runtime sees it: a namespace that the CNI plugin made an endpoint."""

    def __init__(self, node, name, namespace="default", ifname="eth0", cni_version="1.0.0",
                 args=None):
        cgroup = node.cgroup.child(f"pod-{len(node.pods)}-{name}") if node.cgroup else None
        super().__init__(f"{node.name}-{name}", cgroup=cgroup)
        self.node, self.pod_name, self.pod_namespace = node, name, namespace
        self.ifname, self.cni_version, self.args = ifname, cni_version, args or {}
        self.container_id = f"{name}-{self.pid}-{time.monotonic_ns()}"
        self.result = None
        self.ipv4 = self.ipv6 = None

    def start_cni(self, command, **config):
        """Calls the plugin as a runtime does, and does not wait for its answer."""
        arguments = {"IgnoreUnknown": "1", "K8S_POD_NAME": self.pod_name,
                     "K8S_POD_NAMESPACE": self.pod_namespace, **self.args}
        env = {"CNI_COMMAND": command, "CNI_CONTAINERID": self.container_id,
               "CNI_NETNS": self.netns_path, "CNI_IFNAME": self.ifname, "CNI_PATH": "/opt/cni/bin",
               "CNI_ARGS": ";".join(f"{key}={value}" for key, value in arguments.items())}
        config = {"cniVersion": self.cni_version, "name": "cilium", "type": "cilium-cni", **config}
        process = self.node.popen(
            self.node.program("cilium-cni"), env={**self.node.environment(), **env},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdin.write(json.dumps(config))
        process.stdin.close()
        process.stdin = None  # so that communicate() does not flush it
        return process

    def finish_cni(self, process, check=True):
        """Waits for a started call. Returns what it printed, decoded."""
        stdout, stderr = process.communicate(timeout=patience.stretch(30))
        if check and process.returncode != 0:
            raise AssertionError(f"CNI call of {self.name} failed: {stdout}{stderr}")
        return json.loads(stdout) if stdout.strip() else None

    def cni(self, command, check=True, **config):
        return self.finish_cni(self.start_cni(command, **config), check)

    def take_result(self, result):
        """Remembers the answer of an ADD."""
        self.result = result
        for ip in result["ips"]:
            address = ip["address"].split("/")[0]
            if ":" in address:
                self.ipv6 = address
            else:
                self.ipv4 = address
        return self

    def add(self):
        return self.take_result(self.cni("ADD"))

    def delete(self):
        """What a runtime does at the end: DEL, then the namespace goes."""
        if self.fd < 0:
            return
        try:
            self.cni("DEL")
        finally:
            self.close()

    def address(self, family):
        return self.ipv4 if family == socket.AF_INET else self.ipv6

    def endpoint(self):
        """The endpoint as `cilium endpoint get` shows it."""
        found = self.node.cli_json("endpoint", "get",
                                   f"pod-name:{self.pod_namespace}:{self.pod_name}")
        return found[0]


class RunPod(Namespace):
    """A command started by `cilium run`, with the namespace it got."""

    @classmethod
    def start(cls, node, name, labels=None, namespace=None, command="exec sleep infinity"):
        argv = ["run", "--name", name]
        if labels:
            argv += ["--labels", ",".join(f"{key}={value}" for key, value in labels.items())]
        if namespace:
            argv += ["--namespace", namespace]
        process = node.popen(node.program("cilium"), *argv, "--", "sh", "-c",
                             f"echo $$; {command}", env=node.environment(),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = process.stdout.readline()
        if not line.strip().isdigit():
            process.wait(timeout=READY_SECONDS)
            raise AssertionError(f"cilium run: {line}{process.stderr.read()}")
        self = cls.of_process(f"{node.name}-{name}", int(line), cgroup=node.cgroup)
        self.node, self.process, self.pod_name = node, process, name
        self.ipv4, self.ipv6 = self._addresses()
        return self

    def _addresses(self):
        found = {}
        for link in json.loads(self.exec("ip", "-json", "addr", "show", "dev", "eth0").stdout):
            for info in link["addr_info"]:
                if info["scope"] == "global":
                    found[info["family"]] = info["local"]
        return found.get("inet"), found.get("inet6")

    def address(self, family):
        return self.ipv4 if family == socket.AF_INET else self.ipv6

    def delete(self):
        if self.fd < 0:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.process.wait(timeout=READY_SECONDS)
        self.close()


class Node(Namespace):
    """
    Node number `index` of a site; its eth0 is plugged into the world by the site. With cgroup it has a
    cgroup hierarchy of its own at /sys/fs/cgroup, and its pods have directories in that.
    """

    def __init__(self, site, index, config=None, build=None, cgroup=False):
        self.site, self.index = site, index
        self.build = pathlib.Path(build or default_build())
        self.dir = site.tmp / f"n{index}"
        self.ipv4_range = f"10.200.{index}.0/24"
        self.ipv6_range = f"fd00:200:{index}::/112"
        self.state_dir, self.manifest_dir = self.dir / "state", self.dir / "manifests"
        self.config_dir, self.socket_path = self.dir / "config", self.dir / "run/cilium.sock"
        self.lib_dir, self.log_path = self.dir / "lib", self.dir / "agent.log"
        self.agent = None
        self.pods = []
        name = f"{site.prefix}-n{index}"
        super().__init__(name, mount=True, cgroup=Cgroup.of_test(name) if cgroup else None)
        for path in ("state", "manifests", "config", "run", "lib"):
            (self.dir / path).mkdir(parents=True)
        # A sysfs of this network namespace, and a bpffs of this node.
        self.exec("sh", "-e", stdin="mount -t sysfs sysfs /sys\nmount -t bpf bpf /sys/fs/bpf\n")
        if cgroup:
            self.exec("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
        self.configure(**(config or {}))

    def configure(self, **keys):
        """Writes the configuration directory; a_b=1 is the key a-b."""
        defaults = {
            "state_source": "directory", "manifest_dir": self.manifest_dir,
            "state_dir": self.state_dir, "socket_path": self.socket_path, "bpf_root": "/sys/fs/bpf",
            "lib_dir": self.lib_dir,
            "enable_ipv4": "true", "enable_ipv6": "true", "routing_mode": "native",
            "ipv4_range": self.ipv4_range, "ipv6_range": self.ipv6_range,
            "ipv4_native_routing_cidr": "10.200.0.0/16",
            "ipv6_native_routing_cidr": "fd00:200::/32",
            "enable_bpf_masquerade": "true", "enable_ipv4_masquerade": "true",
            "enable_ipv6_masquerade": "true",
        }
        for old in self.config_dir.iterdir():
            old.unlink()
        for key, value in {**defaults, **keys}.items():
            if value is not None:
                value = str(value).lower() if isinstance(value, bool) else str(value)
                (self.config_dir / key.replace("_", "-")).write_text(value)

    def program(self, name):
        return self.build / PROGRAMS[name] / name

    def environment(self):
        return {"CILIUM_SOCK": f"unix://{self.socket_path}", "K8S_NODE_NAME": f"node{self.index}"}

    def exec(self, *argv, env=None, **kwargs):
        return super().exec(*argv, env={**self.environment(), **(env or {})}, **kwargs)

    # The agent.

    def start_agent(self, *options, wait=True, env=None, wrapper=()):
        """wrapper: a program, with its options, that executes the agent."""
        with open(self.log_path, "ab") as log:
            self.agent = self.popen(
                *wrapper, self.program("cilium-agent"), "--config-dir", self.config_dir, *options,
                env={**self.environment(), **(env or {})}, stdout=log, stderr=log)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.agent.poll() is not None:
                raise AssertionError(f"agent ended with {self.agent.returncode}\n{self.log()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, answer = self.request("GET", "/v1/healthz")
                if status == 200 and answer.get("cilium", {}).get("state") == "Ok":
                    return
            time.sleep(0.005)
        raise AssertionError(f"agent not ready within {READY_SECONDS} s\n{self.log()}")

    def programs(self):
        """Ids of the programs on its first device."""
        shown = self.exec("bpftool", "-j", "net", "show", "dev", "eth0").stdout
        return {each["prog_id"] for each in json.loads(shown)[0]["tc"]}

    def kill_agent(self):
        self.agent.kill()
        self.agent.wait(timeout=READY_SECONDS)

    def stop_agent(self):
        """SIGTERM. Returns the exit status."""
        self.agent.terminate()
        return self.wait_ended()

    def wait_ended(self):
        """Until the agent has ended by itself. Returns the exit status."""
        return self.agent.wait(timeout=READY_SECONDS)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, *words, since=0, seconds=5):
        """Waits for a log line that holds all words. Returns it."""
        deadline = time.monotonic() + patience.stretch(seconds)
        while time.monotonic() < deadline:
            for line in self.log()[since:].splitlines():
                if all(word in line for word in words):
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no log line with {words}\n{self.log()[since:]}")

    def request(self, method, path, body=None):
        """(status, decoded answer) of the agent's REST API."""
        connection = UnixConnection(self.socket_path)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(text) if text.strip() else None

    def cli(self, *argv, check=True, timeout=patience.stretch(30)):
        """The cilium program. Returns .stdout, .stderr, .returncode."""
        return self.exec(self.program("cilium"), *argv, check=check, timeout=timeout)

    def cli_json(self, *argv):
        return json.loads(self.cli(*argv, "-o", "json").stdout)

    # Manifests and pods.

    def put_manifest(self, name, *documents):
        """Writes a file of the manifest directory in one step (text stays as it is)."""
        text = "---\n".join(document if isinstance(document, str) else yaml.safe_dump(document)
                            for document in documents)
        partial = self.manifest_dir / f".{name}.partial"
        partial.write_text(text)
        partial.rename(self.manifest_dir / name)

    def put_pod_manifest(self, name, labels, namespace="default"):
        self.put_manifest(f"{namespace}-{name}.yaml", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"nodeName": f"node{self.index}", "containers": [{"name": "main"}]}})

    def sandbox(self, name, namespace="default", **kwargs):
        """A pod's namespace before ADD."""
        self.pods.append(Pod(self, name, namespace, **kwargs))
        return self.pods[-1]

    def pod(self, name, labels=None, namespace="default", **kwargs):
        """Adds a pod by CNI; with labels, its manifest first."""
        if labels is not None:
            self.put_pod_manifest(name, labels, namespace)
        return self.sandbox(name, namespace, **kwargs).add()

    def run(self, name, **kwargs):
        pod = RunPod.start(self, name, **kwargs)
        self.pods.append(pod)
        return pod

    def close(self):
        if self.fd < 0:
            return
        for pod in self.pods:
            with contextlib.suppress(Exception):
                pod.close() if isinstance(pod, Pod) else pod.delete()
        if self.agent and self.agent.poll() is None:
            self.kill_agent()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        super().close()
