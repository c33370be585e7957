# SPDX-License-Identifier: Apache-2.0
"""The CNI plugin while the agent is away, stopped, slow or restarting, and plugins that are killed themselves."""

import contextlib
import os
import signal
import statistics
import threading
import time

import audit
from harness.site import Site

WHAT = "CNI calls while the agent is down, stopped, slow or restarting; plugins killed at any moment"
N_KILLED_PLUGINS = 200
N_LOST_ANSWERS = 100
N_DOWN = 20
N_SLOW = 20
ADD_SECONDS = 0.12  # within which a plugin has done its work as a rule


class Scene:
    def __init__(self, soak, node):
        self.soak, self.node, self.random = soak, node, soak.random
        self.before = audit.common(node)
        self.kept = [node.pod("kept")]
        self.n = 0

    def sandbox(self):
        self.n += 1
        return self.node.sandbox(f"p{self.n}")

    def call(self, pod, command):
        """(seconds, code of the error or 0, its text)."""
        before = time.monotonic()
        process = pod.start_cni(command)
        answer = pod.finish_cni(process, check=False)
        code = 0 if process.returncode == 0 else (answer or {}).get("code", -1)
        if code == 0 and command == "ADD":
            pod.take_result(answer)
        return time.monotonic() - before, code, (answer or {}).get("msg", "") if code else ""

    def audit(self, what, pods=(), patience=15):
        """Whatever the agent has to notice by itself, it notices within its ten seconds."""
        deadline = time.monotonic() + patience
        while (problems := audit.audit(self.node, [*self.kept, *pods], self.before)) and \
                time.monotonic() < deadline:
            time.sleep(0.5)
        self.soak.check(f"{what}: the audit finds nothing", not problems, "; ".join(problems[:6]))

    def delete(self, pods):
        return all([self.call(pod, "DEL")[1] == 0 for pod in pods])

    @contextlib.contextmanager
    def stopped(self):
        """The agent lives and does nothing."""
        os.kill(self.node.agent.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.node.agent.pid, signal.SIGCONT)
            self.node.wait_ready()


def down_for_a_moment(scene):
    """ADD and DEL wait for the agent, and it comes."""
    pods, taken = [], []
    for _ in range(scene.soak.count(N_DOWN)):
        scene.node.kill_agent()
        pod = scene.sandbox()
        process = pod.start_cni("ADD")
        time.sleep(scene.random.uniform(0, 2))
        before = time.monotonic()
        scene.node.start_agent(wait=False)
        pods.append(pod.take_result(pod.finish_cni(process)))
        taken.append(time.monotonic() - before)
    scene.soak.figure("down for up to 2 s: ADD answered after the agent's start",
                      f"median {1000 * statistics.median(taken):.0f} ms, most {max(taken):.1f} s")
    scene.node.wait_ready()
    scene.audit("down for up to 2 s", pods)
    scene.node.kill_agent()
    scene.soak.check("DEL succeeds without an agent", scene.delete(pods))
    scene.node.start_agent()
    scene.audit("the queue of DELs")


def down_for_long(scene):
    scene.node.kill_agent()
    pod = scene.sandbox()
    seconds, code, text = scene.call(pod, "ADD")
    scene.soak.check("down for long: ADD says try again later", code == 11,
                     f"after {seconds:.1f} s: {text}")
    scene.soak.check("down for long: DEL succeeds", scene.delete([pod]))
    pod.close()
    scene.node.start_agent()
    scene.audit("down for long")


def stopped_agent(scene):
    """What was asked by callers that have gone is done when the agent goes on, and undone by their DEL."""
    short, late = scene.sandbox(), scene.sandbox()
    with scene.stopped():
        process = short.start_cni("ADD")
        time.sleep(2)
    short.take_result(short.finish_cni(process))
    scene.audit("stopped for 2 s", [short])
    with scene.stopped():
        seconds, code, text = scene.call(late, "ADD")
        scene.soak.check("stopped for long: ADD says try again later", code == 11,
                         f"after {seconds:.1f} s: {text}")
        before = time.monotonic()
        scene.soak.check("stopped for long: DELs succeed", scene.delete([late, short]),
                         f"{time.monotonic() - before:.1f} s for two")
    scene.audit("stopped for long")


def slow_agent(scene):
    """Runs for 10 ms of every 200."""
    over = threading.Event()

    def hold_up():
        while not over.wait(0.01):
            os.kill(scene.node.agent.pid, signal.SIGSTOP)
            time.sleep(0.19)
            os.kill(scene.node.agent.pid, signal.SIGCONT)

    thread = threading.Thread(target=hold_up, daemon=True)
    thread.start()
    pods = [scene.sandbox() for _ in range(scene.soak.count(N_SLOW))]
    calls = [scene.call(pod, "ADD") for pod in pods]
    over.set()
    thread.join()
    scene.soak.check("slow agent: every ADD succeeds", not any(code for _, code, _ in calls),
                     f"most {max(call[0] for call in calls):.1f} s")
    scene.audit("slow agent", pods)
    scene.delete(pods)
    scene.audit("slow agent, deleted")


def lost_answers(scene):
    """The agent is killed at some moment of an ADD, or of a DEL, and another is started at once."""
    pods, failed = [], []
    for i in range(scene.soak.count(N_LOST_ANSWERS)):
        pod, command = (pods.pop(), "DEL") if pods and i % 3 == 2 else (scene.sandbox(), "ADD")
        process = pod.start_cni(command)
        time.sleep(scene.random.uniform(0, ADD_SECONDS))
        scene.node.kill_agent()
        scene.node.start_agent(wait=False)
        answer = pod.finish_cni(process, check=False)
        if process.returncode:
            failed.append(f"{command}: {answer}")
            scene.delete([pod])
        elif command == "ADD":
            pods.append(pod.take_result(answer))
        scene.node.wait_ready()
    scene.soak.check("killed in an ADD or DEL: the call succeeds with the next agent", not failed,
                     "; ".join(failed[:3]))
    scene.audit("killed in an ADD or DEL", pods)
    scene.delete(pods)
    scene.audit("killed in an ADD or DEL, deleted")


def kill_call(scene, pod, command):
    process = pod.start_cni(command)
    time.sleep(scene.random.uniform(0, ADD_SECONDS))
    process.kill()
    process.communicate()
    return process.returncode == 0


def killed_plugins(scene):
    """By the runtime, which then calls DEL; or nothing, until it calls GC."""
    half = scene.soak.count(N_KILLED_PLUGINS / 2, least=3)
    finished = 0
    for i in range(half):
        pod = scene.sandbox()
        finished += kill_call(scene, pod, "ADD")
        if i % 2:
            kill_call(scene, pod, "DEL")
        if not scene.delete([pod]):
            scene.soak.check("killed plugin: DEL", False, pod.pod_name)
        pod.close()
    scene.audit("plugins killed, then DEL")
    for i in range(half):
        pod = scene.sandbox()
        finished += kill_call(scene, pod, "ADD")
    scene.soak.figure("plugins killed", f"{2 * half - finished} of {2 * half} before they had ended")
    keep = scene.kept[0]
    keep.cni_version = "1.1.0"
    valid = [{"containerID": keep.container_id, "ifname": keep.ifname}]
    keep.cni("GC", **{"cni.dev/valid-attachments": valid})
    scene.audit("plugins killed, then GC")


def run(soak):
    site = Site()
    try:
        scene = Scene(soak, site.node(build=soak.build))
        for part in (down_for_a_moment, down_for_long, stopped_agent, slow_agent, lost_answers,
                     killed_plugins):
            part(scene)
        scene.kept.pop().delete()
        scene.audit("at the end")
    finally:
        site.close()
