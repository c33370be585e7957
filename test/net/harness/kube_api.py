# SPDX-License-Identifier: Apache-2.0
"""
As much of a Kubernetes API server as a client that lists and watches needs: objects are put into it by
the test, every kind that nobody put is an empty list. It listens on the loopback of a namespace.
"""

import bisect
import http.server
import json
import socket
import threading
import time
import urllib.parse

# Path of a kind's list: its apiVersion and kind.
KINDS = {
    "/api/v1/services": ("v1", "Service"),
    "/api/v1/nodes": ("v1", "Node"),
    "/apis/discovery.k8s.io/v1/endpointslices": ("discovery.k8s.io/v1", "EndpointSlice"),
    "/apis/networking.k8s.io/v1/servicecidrs": ("networking.k8s.io/v1", "ServiceCIDR"),
}
PATHS = {kind: path for path, kind in KINDS.items()}
INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}
WATCH_SECONDS = 3600


def key_of(item):
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def selects(query, item):
    """Only the selectors that kube-proxy uses: `!label`, `metadata.name=`, `spec.clusterIP!=None`."""
    labels = item["metadata"].get("labels") or {}
    for term in filter(None, query.get("labelSelector", "").split(",")):
        if term.lstrip("!") in labels:
            return False
    field = query.get("fieldSelector", "")
    if field == "spec.clusterIP!=None":
        return item["spec"].get("clusterIP") != "None"
    return not field or field == "metadata.name=" + item["metadata"]["name"]


class Collection:
    """The objects of one path, and what happened to them."""

    def __init__(self):
        self.items = {}
        self.revisions, self.events = [], []  # of the same index


class Api:
    def __init__(self, namespace):
        self.changed = threading.Condition()
        self.revision = 1
        self.collections = {}
        listener = namespace.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        self.server = http.server.ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
        self.server.socket.close()
        self.server.socket, self.server.server_address = listener, listener.getsockname()
        self.server.api, self.server.daemon_threads, self.server.ending = self, True, False
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        with self.changed:
            self.server.ending = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def collection(self, path):
        return self.collections.setdefault(path, Collection())

    def change(self, put=(), delete=()):
        """Objects as manifests have them; all become visible at once."""
        with self.changed:
            for event, items in ("MODIFIED", put), ("DELETED", delete):
                for item in items:
                    self._change(event, item)
            self.changed.notify_all()

    def _change(self, event, item):
        kind = (item["apiVersion"], item["kind"])
        if kind not in PATHS:
            return
        collection = self.collection(PATHS[kind])
        self.revision += 1
        metadata = {"namespace": "default", "uid": "/".join(key_of(item)),
                    "creationTimestamp": "2026-01-01T00:00:00Z", **item["metadata"],
                    "resourceVersion": str(self.revision)}
        if kind[1] == "Node":
            metadata.pop("namespace")
        item = {**item, "metadata": metadata}
        if kind[1] == "EndpointSlice":
            item["ports"] = [{"name": "", **each} for each in item.get("ports") or []]
        if event == "DELETED":
            if collection.items.pop(key_of(item), None) is None:
                return
        else:
            if key_of(item) not in collection.items:
                event = "ADDED"
            collection.items[key_of(item)] = item
        collection.revisions.append(self.revision)
        collection.events.append((event, item))

    def snapshot(self, path, query):
        with self.changed:
            return self.revision, [item for item in self.collection(path).items.values()
                                   if selects(query, item)]

    def events_after(self, path, query, revision, seconds):
        """(revision, events) since a revision; waits until there is one, or the time is over."""
        deadline = time.monotonic() + seconds
        with self.changed:
            collection = self.collection(path)
            while not self.server.ending:
                begin = bisect.bisect_right(collection.revisions, revision)
                if begin < len(collection.events):
                    found = [event for event in collection.events[begin:]
                             if selects(query, event[1])]
                    return collection.revisions[-1], found
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self.changed.wait(left)
        return revision, None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if query.get("watch") in ("true", "1"):
            self.watch(url.path, query)
        else:
            self.list(url.path, query)

    def do_POST(self):
        """Events and the like: taken, and forgotten."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(201, body)

    do_PATCH = do_PUT = do_POST

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def list(self, path, query):
        version, kind = KINDS.get(path, ("v1", "Status"))
        revision, items = self.server.api.snapshot(path, query)
        self.answer(200, json.dumps({
            "apiVersion": version, "kind": kind + "List",
            "metadata": {"resourceVersion": str(revision)}, "items": items}).encode())

    def chunk(self, events):
        data = b"".join(json.dumps({"type": kind, "object": item}).encode() + b"\n"
                        for kind, item in events)
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def bookmark(self, path, revision, annotations=None):
        version, kind = KINDS.get(path, ("v1", "Status"))
        self.chunk([("BOOKMARK", {"apiVersion": version, "kind": kind, "metadata": {
            "resourceVersion": str(revision), "annotations": annotations or {}}})])

    def watch(self, path, query):
        api = self.server.api
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        revision = int(query.get("resourceVersion") or 0)
        try:
            if query.get("sendInitialEvents") == "true":
                revision, items = api.snapshot(path, query)
                if items:
                    self.chunk([("ADDED", item) for item in items])
                self.bookmark(path, revision, INITIAL_EVENTS_END)
            deadline = time.monotonic() + WATCH_SECONDS
            while time.monotonic() < deadline and not self.server.ending:
                revision, events = api.events_after(path, query, revision, 60)
                if events:
                    self.chunk(events)
                elif events is None and not self.server.ending:
                    self.bookmark(path, revision)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True  # the client has gone
