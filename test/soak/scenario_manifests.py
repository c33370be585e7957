# SPDX-License-Identifier: Apache-2.0
"""The manifest directory in every bad state: huge, missing, replaced, rewritten without end, full of junk."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

from harness import paths
from harness.site import Site

WHAT = "manifests: 100,000 files, 500 MB, 1,000 changes a second, a directory that goes and comes"
PATIENCE_SECONDS = 120


def pod_text(name, app, extra=""):
    return (f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: default\n"
            f"  labels: {{app: {app}}}\n{extra}---\n")


def rss_mb(node):
    """Resident memory of the agent: (now, highest since the last call), in MB."""
    status = pathlib.Path(f"/proc/{node.agent.pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    pathlib.Path(f"/proc/{node.agent.pid}/clear_refs").write_text("5")
    return tuple(round(int(fields[key].split()[0]) / 1024, 1) for key in ("VmRSS", "VmHWM"))


class Watch:
    """Asks the API all the time, from a thread: how long it takes at most, and what it says of `pod`."""

    def __init__(self, node):
        self.node, self.slowest, self.n, self.failed = node, 0.0, 0, 0
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.ends.wait(0.02):
            begin = time.monotonic()
            try:
                status, _ = self.node.request("GET", "/v1/config")
                self.failed += status != 200
            except OSError:
                self.failed += 1
            self.slowest = max(self.slowest, time.monotonic() - begin)
            self.n += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()

    def text(self):
        return f"slowest of {self.n} answers {self.slowest * 1000:.0f} ms"


def app_of(pod):
    labels = pod.endpoint()["status"]["identity"]["labels"]
    return next((label.split("=")[1] for label in labels if label.startswith("k8s:app=")), None)


def eventually(what, seconds=PATIENCE_SECONDS):
    """Seconds until what() holds, or None."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        with contextlib.suppress(OSError, StopIteration):
            if what():
                return round(time.monotonic() - begin, 2)
        time.sleep(0.02)
    return None


def in_force(soak, what, pod, app, seconds=PATIENCE_SECONDS):
    took = eventually(lambda: app_of(pod) == app, seconds)
    return soak.check(what, took is not None, f"after {took} s" if took is not None
                      else f"app={app_of(pod)}")


def problems(node):
    return node.cli("status", "--verbose", check=False).stdout


def add_latency(node, n):
    """(median, slowest) in ms of so many CNI ADDs, one after another."""
    took = []
    for i in range(n):
        pod = node.sandbox(f"late{i}")
        begin = time.monotonic()
        pod.add()
        took.append((time.monotonic() - begin) * 1000)
        pod.delete()
    took.sort()
    return round(took[len(took) // 2]), round(took[-1])


def marker(node, pod, app):
    """The pod's manifest, last in the order of names: when it counts everything before it has been read."""
    node.put_manifest("zz.yaml", pod_text(pod.pod_name, app))


def run(soak):
    site = Site()
    try:
        node = site.node(build=soak.build)
        pod, other = node.pod("web", labels={"app": "v0"}), node.pod("other")
        (node.manifest_dir / "default-web.yaml").unlink()
        marker(node, pod, "v1")
        in_force(soak, "a change counts", pod, "v1")
        for step in (many_files, one_long_file, too_long_a_file, renamed_all_the_time,
                     rewritten_in_place, emptied_for_a_moment, directory_goes_and_comes,
                     config_map, unreadable, full_disk, junk, broken_files):
            mark = len(node.log())
            soak.say(f"-- {step.__name__}")
            step(soak, node, pod)
            if node.agent.poll() is not None:
                soak.check(f"{step.__name__}: the agent lives", False, node.log()[mark:][-500:])
                return
        for family in (socket.AF_INET, socket.AF_INET6):
            paths.check_all(node, pod, other, family)
        soak.check("status is good at the end", "Cilium:" in problems(node)
                   and node.request("GET", "/v1/healthz")[1]["cilium"]["state"] == "Ok")
    finally:
        site.close()


def many_files(soak, node, pod):
    n = soak.count(100_000)
    before = rss_mb(node)[0]
    staging = node.dir / "staging"
    staging.mkdir()
    for i in range(n):
        (staging / f"f{i}.yaml").write_text(pod_text(f"p{i}", f"a{i % 250}"))
    with Watch(node) as watch:
        begin = time.monotonic()
        for entry in os.scandir(staging):
            os.rename(entry.path, node.manifest_dir / entry.name)
        marker(node, pod, "many")
        in_force(soak, f"{n} files count", pod, "many")
        soak.figure(f"{n} files moved in and read: seconds", round(time.monotonic() - begin, 1))
        soak.figure("CNI ADD meanwhile and after, median and slowest ms", add_latency(node, 10))
        soak.figure("memory before, with them, highest: MB", (before, *rss_mb(node)))
        begin = time.monotonic()
        for entry in os.scandir(node.manifest_dir):
            if entry.name.startswith("f"):
                os.unlink(entry.path)
        marker(node, pod, "few")
        in_force(soak, f"{n} files go", pod, "few")
        soak.figure("deleted: seconds", round(time.monotonic() - begin, 1))
    soak.check("the API answered all the time", not watch.failed, watch.text())
    after = eventually(lambda: rss_mb(node)[0] < before + 12, 10)
    soak.check("memory comes back", after is not None, f"{rss_mb(node)[0]} MB, before {before}")
    staging.rmdir()


def one_long_file(soak, node, pod):
    n = soak.count(50_000)
    before = rss_mb(node)[0]
    for ending, text in (("yaml", "".join(pod_text(f"q{i}", f"a{i % 250}") for i in range(n))),
                         ("json", json.dumps({"kind": "List", "apiVersion": "v1", "items": [
                             {"apiVersion": "v1", "kind": "Pod", "metadata": {
                                 "name": f"q{i}", "namespace": "default",
                                 "labels": {"app": f"a{i % 250}"},
                                 "annotations": {"note": "x" * 300}}} for i in range(n)]}))):
        path = node.manifest_dir / f"long.{ending}"
        with Watch(node) as watch:
            partial = node.manifest_dir / ".long"
            partial.write_text(text)
            partial.rename(path)
            latency = add_latency(node, 10)
            marker(node, pod, f"long-{ending}")
            in_force(soak, f"one file of {len(text) >> 20} MB ({ending}), {n} pods", pod,
                     f"long-{ending}")
            now, highest = rss_mb(node)
            soak.figure("CNI ADD meanwhile, median and slowest ms", latency)
            soak.check("memory with it at most 50 MB", now <= 50, f"{now} MB, highest {highest}")
            path.unlink()
            marker(node, pod, f"gone-{ending}")
            in_force(soak, "and gone", pod, f"gone-{ending}")
        soak.check("the API answered all the time", not watch.failed and watch.slowest < 2,
                   watch.text())
    after = eventually(lambda: rss_mb(node)[0] < before + 12, 10)
    soak.check("memory comes back", after is not None, f"{rss_mb(node)[0]} MB, before {before}")


def too_long_a_file(soak, node, pod):
    path, n_bytes = node.manifest_dir / "huge.yaml", soak.count(500_000_000)
    block = pod_text("huge", "huge") * 1000
    with Watch(node) as watch:
        with open(path, "w", encoding="ascii") as file:
            for _ in range(max(n_bytes, 40_000_000) // len(block)):
                file.write(block)
        marker(node, pod, "huge")
        in_force(soak, f"beside a file of {path.stat().st_size >> 20} MB others count", pod, "huge")
        soak.check("status names it", eventually(lambda: "huge.yaml" in problems(node) and
                                                 "split it" in problems(node), 5) is not None)
        path.unlink()
        marker(node, pod, "no-huge")
        in_force(soak, "and when it is gone", pod, "no-huge")
    soak.check("the API answered all the time", not watch.failed and watch.slowest < 1, watch.text())
    soak.check("status forgets it", eventually(lambda: "huge.yaml" not in problems(node), 10)
               is not None)


def rewrite(node, soak, how, n_seconds):
    """Rewrites a file of 21 pods 1,000 times a second; what the pod's labels were seen to be."""
    seen = set()
    path = node.manifest_dir / "zz.yaml"
    pads = "".join(pod_text(f"pad{i}", "pad") for i in range(10))
    n = soak.count(1000 * n_seconds)
    begin = time.monotonic()
    looker = threading.Thread(target=lambda: look(node, seen, n_seconds), daemon=True)
    looker.start()
    for i in range(n):
        how(path, pads, pod_text("web", f"w{i}"), pads.replace("pad", "dap"))
        wait = begin + i / 1000 - time.monotonic()
        if wait > 0:
            time.sleep(wait)
    took = time.monotonic() - begin
    looker.join()
    return seen, round(n / took), f"w{n - 1}"


def look(node, seen, n_seconds):
    end = time.monotonic() + n_seconds
    while time.monotonic() < end:
        for endpoint in node.request("GET", "/v1/endpoint")[1]:
            if "default/web" in json.dumps(endpoint["status"]["external-identifiers"]):
                labels = endpoint["status"]["identity"]["labels"]
                seen.add(next((label for label in labels if label.startswith("k8s:app=")), None))
        time.sleep(0.01)


def by_rename(path, *texts):
    partial = path.with_name(".partial")
    partial.write_text("".join(texts))
    partial.rename(path)


def in_place(path, *texts):
    with open(path, "w", encoding="ascii") as file:
        for text in texts:
            file.write(text)
            file.flush()  # half-written between two system calls


def rewritten(soak, node, pod, name, how):
    seconds = 10
    with Watch(node) as watch:
        seen, rate, last = rewrite(node, soak, how, seconds)
        in_force(soak, f"{name}, {rate} times a second: the last counts", pod, last)
    soak.check(f"{name}: the pod was never without its labels", None not in seen,
               f"{len(seen)} states seen")
    soak.check(f"{name}: the API answered", not watch.failed and watch.slowest < 1, watch.text())


def renamed_all_the_time(soak, node, pod):
    rewritten(soak, node, pod, "by rename", by_rename)


def rewritten_in_place(soak, node, pod):
    rewritten(soak, node, pod, "in place", in_place)


def emptied_for_a_moment(soak, node, pod):
    path, lost = node.manifest_dir / "zz.yaml", 0
    for i in range(soak.count(50, 5)):
        path.write_text("")
        time.sleep(0.1)
        lost += app_of(pod) is None
        path.write_text(pod_text("web", f"e{i}"))
        lost += eventually(lambda i=i: app_of(pod) == f"e{i}", 5) is None
    soak.check("emptied in place, filled 0.1 s later: labels stay", not lost)


def directory_goes_and_comes(soak, node, pod):
    directory, away = node.manifest_dir, node.dir / "away"
    marker(node, pod, "before")
    in_force(soak, "before", pod, "before")
    lost = 0
    for i in range(soak.count(50, 5)):
        directory.rename(away)
        time.sleep(0.05)
        away.rename(directory)
        lost += app_of(pod) != "before"
    soak.check("away for 50 ms, again and again: labels stay", not lost)
    for i in range(soak.count(20, 3)):
        new = node.dir / "new"
        new.mkdir()
        (new / "web.yaml").write_text(pod_text("web", f"d{i}"))
        directory.rename(away)
        new.rename(directory)
        lost += eventually(lambda i=i: app_of(pod) == f"d{i}", 5) is None
        node.exec("rm", "-r", away)
    soak.check("replaced by rename: the new one counts", not lost)
    directory.rename(away)
    soak.check("gone for good: status says so", eventually(
        lambda: str(directory) in problems(node) and "not there" in problems(node), 10) is not None)
    soak.check("and its labels go", eventually(lambda: app_of(pod) is None, 10) is not None)
    away.rename(directory)
    (directory / "web.yaml").unlink()
    marker(node, pod, "back")
    in_force(soak, "and come back", pod, "back", 5)


def config_map(soak, node, pod):
    """As Kubernetes mounts one: the link ..data is moved."""
    directory, lost, seen = node.manifest_dir, 0, set()
    for entry in directory.iterdir():
        entry.unlink()
    for i in range(soak.count(100, 5)):
        version = directory / f"..v{i}"
        version.mkdir()
        (version / "web.yaml").write_text(pod_text("web", f"c{i}"))
        (directory / "..tmp").symlink_to(version.name)
        (directory / "..tmp").rename(directory / "..data")
        if not i:
            (directory / "web.yaml").symlink_to("..data/web.yaml")
        else:
            seen.add(app_of(pod))
        lost += eventually(lambda i=i: app_of(pod) == f"c{i}", 5) is None
        if i:
            node.exec("rm", "-r", directory / f"..v{i - 1}")
    soak.check("..data moved: each version counts", not lost)
    soak.check("..data moved: never without labels", None not in seen)
    node.exec("sh", "-c", f"rm -rf {directory}/..* {directory}/web.yaml", check=False)
    marker(node, pod, "plain")
    in_force(soak, "plain files again", pod, "plain")


def unreadable(soak, node, pod):
    """The agent is root without CAP_DAC_READ_SEARCH: modes bind it only where it has dropped those."""
    directory = node.manifest_dir
    node.exec("mount", "--bind", "/proc/self/ns", directory)  # a directory of strange files
    soak.check("another file system over it: status tells or labels go", eventually(
        lambda: app_of(pod) is None or "zz.yaml" in problems(node), 15) is not None)
    node.exec("umount", directory)
    in_force(soak, "and away again", pod, "plain", 10)


def full_disk(soak, node, pod):
    directory = node.manifest_dir
    node.exec("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", directory)
    node.exec("sh", "-c", f"cat >{directory}/web.yaml", stdin=pod_text("web", "small-disk"))
    in_force(soak, "a small file system mounted over it", pod, "small-disk", 15)
    node.exec("sh", "-c", f"head -c 1M /dev/zero >{directory}/filler; "
              f"cat >{directory}/web.yaml", stdin=pod_text("web", "full") * 10, check=False)
    time.sleep(1)
    soak.check("a file that the full disk cut off", app_of(pod) in ("small-disk", "full", None),
               f"app={app_of(pod)}")
    node.exec("sh", "-c", f"rm {directory}/filler; cat >{directory}/web.yaml",
              stdin=pod_text("web", "room"))
    in_force(soak, "room again", pod, "room", 15)
    node.exec("umount", directory)
    in_force(soak, "what was below counts again", pod, "plain", 15)


def junk(soak, node, pod):
    """Names and kinds of files that nobody expects."""
    directory = node.manifest_dir
    node.exec("sh", "-c", f"cd {directory} && mkfifo fifo.yaml && mknod null.yaml c 1 3 && "
              "mknod zero.yaml c 1 5 && ln -s nowhere dangling.yaml && ln -s self.yaml self.yaml && "
              "ln -s . loop && ln -s / root && mkdir -p d.yaml/deep/deeper && mkdir x.json")
    with socket.socket(socket.AF_UNIX) as listener:
        cwd = os.getcwd()
        os.chdir(directory)
        listener.bind("socket.yaml")
        os.chdir(cwd)
    for name in (b"\xff\xfe.yaml", b"a\nb.yaml", b"\x1b[31mred.yaml", b"n" * 250 + b".yaml"):
        (pathlib.Path(os.fsdecode(bytes(directory)) + "/" + os.fsdecode(name))).write_text("kind: [")
    marker(node, pod, "junk")
    in_force(soak, "beside FIFOs, devices, sockets, loops", pod, "junk", 10)
    text = problems(node)
    soak.check("status names each", all(word in text for word in (
        "fifo.yaml", "zero.yaml", "self.yaml", "socket.yaml", "nnnn")))
    soak.check("and stays readable: UTF-8, no escapes", "\x1b" not in text)
    answer = node.request("GET", "/v1/healthz")
    soak.check("the API too", answer[0] == 200)
    node.exec("sh", "-c", f"cd {directory} && rm -rf -- * && ls -A >&2")
    marker(node, pod, "clean")
    in_force(soak, "cleaned", pod, "clean", 10)


def broken_files(soak, node, pod):
    n = soak.count(10_000)
    mark = len(node.log())
    with Watch(node) as watch:
        for i in range(n):
            (node.manifest_dir / f"b{i}.yaml").write_text("kind: Pod\nmetadata: [\n")
        marker(node, pod, "broken")
        in_force(soak, f"beside {n} broken files", pod, "broken")
        status = node.request("GET", "/v1/healthz")[1]
        soak.figure("status, kB", len(json.dumps(status)) // 1024)
        soak.figure("log lines", node.log()[mark:].count("\n"))
        soak.figure("memory, MB", rss_mb(node)[0])
        subprocess.run(["sh", "-c", f"cd {node.manifest_dir} && find . -name 'b*.yaml' -delete"],
                       check=True)
        marker(node, pod, "mended")
        in_force(soak, "mended", pod, "mended")
    soak.check("the API answered all the time", not watch.failed, watch.text())
    soak.check("status is good again", eventually(
        lambda: node.request("GET", "/v1/healthz")[1]["cilium"]["state"] == "Ok", 10) is not None)
