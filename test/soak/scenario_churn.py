# SPDX-License-Identifier: Apache-2.0
"""Endpoints come and go by eight callers, the agent is killed all the time, and nothing is left or doubled."""

import collections
import random
import socket
import statistics
import threading
import time

import audit
from harness import probe
from harness.site import Site

WHAT = "1,000 endpoints added and deleted by eight callers while the agent is killed again and again"
N_ENDPOINTS = 1000
N_CALLERS = 8
N_AT_ONCE = 12  # of a caller
N_LABEL_SETS = 20
N_KEPT = 3  # of a caller: there at the end


class Callers:
    """What runtimes do, and what they were answered."""

    def __init__(self, soak, node):
        self.soak, self.node, self.lock = soak, node, threading.Lock()
        self.alive, self.problems, self.kept = {}, [], []
        self.done, self.over = threading.Semaphore(0), threading.Event()
        self.seconds = collections.defaultdict(list)
        self.failures = collections.Counter()
        self.n_per_caller = soak.count(N_ENDPOINTS / N_CALLERS, least=N_KEPT)

    def call(self, pod, command):
        """Answer, and whether it was one."""
        before = time.monotonic()
        process = pod.start_cni(command)
        answer = pod.finish_cni(process, check=False)
        self.seconds[command].append(time.monotonic() - before)
        if process.returncode:
            self.failures[f"{command}: {answer['msg'] if answer else 'no answer'}"[:160]] += 1
        return answer, process.returncode == 0

    def add(self, name, random):
        """Tried until it works, as a kubelet does: DEL, and another sandbox."""
        for attempt in range(5):
            pod = self.node.sandbox(f"{name}-{random.randrange(N_LABEL_SETS)}")
            answer, good = self.call(pod, "ADD")
            if good:
                self.born(pod.take_result(answer))
                return pod
            self.delete(pod)
        self.problems.append(f"{name}: no ADD succeeds")
        return None

    def born(self, pod):
        with self.lock:
            for address in (pod.ipv4, pod.ipv6):
                if self.alive.setdefault(address, pod) is not pod:
                    self.problems.append(f"{address} is given to two pods")

    def delete(self, pod):
        # From here on the agent may give the addresses to another.
        with self.lock:
            for address in (pod.ipv4, pod.ipv6):
                self.alive.pop(address, None)
        for attempt in range(5):
            if self.call(pod, "DEL")[1]:
                break
        else:
            self.problems.append(f"{pod.pod_name}: no DEL succeeds")
        pod.close()

    def work(self, number, random):
        """The callers' pods have labels that are the same for some of them."""
        mine = []
        for i in range(self.n_per_caller):
            pod = self.add(f"c{number}", random)
            if pod:
                mine.append(pod)
            while len(mine) > random.randrange(1, N_AT_ONCE + 1):
                self.delete(mine.pop(random.randrange(len(mine))))
        while len(mine) > N_KEPT:
            self.delete(mine.pop(random.randrange(len(mine))))
        with self.lock:
            self.kept += mine
        self.done.release()
        self.over.wait()  # a namespace goes with the thread that has made it


class Killer(threading.Thread):
    """Kills the agent, at any moment of its start too, until told to stop."""

    def __init__(self, soak, node):
        super().__init__(daemon=True)
        self.node, self.random = node, soak.random
        self.over, self.n_kills, self.error = threading.Event(), 0, None

    def run(self):
        while not self.over.wait(self.random.expovariate(1 / 0.4)):
            self.node.kill_agent()
            self.n_kills += 1
            self.node.start_agent(wait=False)

    def finish(self):
        self.over.set()
        self.join()
        self.node.kill_agent()
        self.node.start_agent()


def label_sets(node):
    for caller in range(N_CALLERS):
        for number in range(N_LABEL_SETS):
            node.put_pod_manifest(f"c{caller}-{number}", {"set": str(number)})


def settled(node, pods, before):
    """What the audit finds once the agent, left alone, has had time to notice what vanished."""
    deadline = time.monotonic() + 15
    while (problems := audit.audit(node, pods, before)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return problems


def run(soak):
    site = Site()
    callers = None
    try:
        node = site.node(build=soak.build)
        label_sets(node)
        before = audit.common(node)
        callers, killer = Callers(soak, node), Killer(soak, node)
        threads = [threading.Thread(target=callers.work, daemon=True,
                                    args=(i, random.Random(soak.random.random())))
                   for i in range(N_CALLERS)]
        start = time.monotonic()
        for thread in [*threads, killer]:
            thread.start()
        for _ in threads:
            callers.done.acquire()
        killer.finish()
        report(soak, callers, killer, time.monotonic() - start)
        check_end(soak, node, callers.kept, before)
    finally:
        if callers:
            callers.over.set()
        site.close()


def report(soak, callers, killer, seconds):
    soak.figure("endpoints added", f"{N_CALLERS * callers.n_per_caller} in {seconds:.0f} s")
    soak.figure("agents killed meanwhile", killer.n_kills)
    for command, taken in callers.seconds.items():
        soak.figure(f"{command} took", f"median {1000 * statistics.median(taken):.0f} ms, "
                                       f"most {max(taken):.1f} s")
    soak.figure("calls that failed and were made again", callers.failures.total())
    for text, count in callers.failures.most_common(8):
        soak.say(f"{count} × {text}")
    soak.check("every call works in the end, no address is given twice", not callers.problems,
               "; ".join(callers.problems[:5]))


def check_end(soak, node, kept, before):
    problems = settled(node, kept, before)
    soak.check("the audit finds what should be there and nothing else", not problems,
               f"{len(kept)} endpoints" if not problems else "; ".join(problems[:8]))
    family = socket.AF_INET6
    soak.check("they reach each other", all(probe.ping(kept[i - 1], kept[i].address(family))
                                            for i in range(len(kept))))
    identities = {each["status"]["identity"]["id"] for each in node.cli_json("endpoint", "list")}
    soak.check("as many identities as sets of labels",
               len(identities) == len({pod.pod_name.split("-")[1] for pod in kept}))
    for pod in kept:
        pod.delete()
    problems = settled(node, [], before)
    soak.check("nothing is left when all are deleted", not problems, "; ".join(problems[:8]))
