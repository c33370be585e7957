# SPDX-License-Identifier: Apache-2.0
"""HTTP as nobody should speak it: every call of the API stays well for the others."""

import contextlib
import json
import pathlib
import socket
import time

import pytest

from harness import probe
from harness.node import ROOT, UnixConnection
from test_rest import calls

LIMIT = 1024  # connections at once: HTTP_CONNECTIONS_MAX


@pytest.fixture(autouse=True)
def stays_well(shared_node):
    """After each: the same agent, it answers, and no connection is left open."""
    descriptors = pathlib.Path(f"/proc/{shared_node.agent.pid}/fd")
    before = len(list(descriptors.iterdir()))
    yield
    assert shared_node.agent.poll() is None
    probe.eventually(lambda: len(list(descriptors.iterdir())) <= before, seconds=20,
                     what="every connection is closed")
    status, answer = shared_node.request("GET", "/v1/healthz")
    assert (status, answer["cilium"]["state"]) == (200, "Ok")


def say(node, data, seconds=10):
    """What comes back until the other side closes, or says nothing more."""
    heard = b""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(seconds)
        client.connect(str(node.socket_path))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65536):
                heard += part
    return heard


def status(heard):
    return int(heard.split(b" ", 2)[1]) if heard.startswith(b"HTTP/") else None


def request(line, *headers, body=b""):
    return b"\r\n".join([line, b"Host: x", b"Connection: close", *headers, b"", body])


GET = b"GET /v1/healthz HTTP/1.1"


REQUESTS = {
    "header of 1 MiB": (request(GET, b"A: " + b"b" * 2**20), {413, 431, None}),
    "10,000 headers": (request(GET, *[b"A%d: b" % i for i in range(10000)]), {413, 431, None}),
    "path of 100 KiB": (request(b"GET /v1/endpoint/" + b"1" * 102400 + b" HTTP/1.1"),
     {404, 413, 414, 431, None}),
    "query of 10,000 names": (request(b"GET /v1/ip?" + b"a=b&" * 10000 + b" HTTP/1.1"),
     {200, 413, 414, 431, None}),
    "NUL in a header": (request(GET, b"A: b\0c"), {200, 400, None}),
    "NUL in the path": (request(b"GET /v1/heal\0thz HTTP/1.1"), {400, 404, None}),
    "bytes that are no text": (request(b"GET /v1/\xff\xfe HTTP/1.1"), {400}),
    "overlong UTF-8": (request(b"GET /v1/%c0%ae HTTP/1.1"), {400}),
    "half a surrogate": (request(b"GET /v1/endpoint/%ed%a0%80 HTTP/1.1"), {400}),
    "bad percent": (request(b"GET /v1/endpoint/%2 HTTP/1.1"), {400}),
    "percent NUL": (request(b"GET /v1/endpoint/1%00 HTTP/1.1"), {400}),
    "absolute target": (request(b"GET http://x/v1/healthz HTTP/1.1"), {200, 400, 404}),
    "authority as target": (request(b"CONNECT x:1 HTTP/1.1"), {404, 405}),
    "star as target": (request(b"OPTIONS * HTTP/1.1"), {404, 405}),
    "method in small letters": (request(b"get /v1/healthz HTTP/1.1"), {405}),
    "a long method": (request(b"G" * 10000 + b" /v1/healthz HTTP/1.1"), {400, 405, 413, 414, 431,
                                                                        None}),
    "TRACE": (request(b"TRACE /v1/healthz HTTP/1.1", b"Secret: x"), {405}),
    "HTTP/0.9": (b"GET /v1/healthz\r\n\r\n", {200, 400, 505, None}),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 404, 405, 505, None}),
    "HTTP/9.9": (request(b"GET /v1/healthz HTTP/9.9"), {200, 400, 505, None}),
    "no host": (b"GET /v1/healthz HTTP/1.1\r\nConnection: close\r\n\r\n", {200, 400}),
    "two lengths": (request(b"PUT /v1/endpoint/0 HTTP/1.1", b"Content-Length: 2",
                            b"Content-Length: 3", body=b"{} "), {400, None}),
    "length and chunks": (request(b"PUT /v1/endpoint/0 HTTP/1.1", b"Content-Length: 2",
                                  b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), {400, None}),
    "negative length": (request(b"PUT /v1/endpoint/0 HTTP/1.1", b"Content-Length: -5"),
     {400, 413, None}),
    "endless length": (request(b"PUT /v1/endpoint/0 HTTP/1.1", b"Content-Length: " + b"9" * 40),
     {400, 413, None}),
    "a length of letters": (request(b"PUT /v1/endpoint/0 HTTP/1.1", b"Content-Length: abc"),
     {400, None}),
    "a chunk of letters": (request(b"PUT /v1/endpoint/0 HTTP/1.1", b"Transfer-Encoding: chunked",
                                   body=b"zz\r\n{}\r\n0\r\n\r\n"), {400, None}),
    "unknown coding": (request(b"PUT /v1/endpoint/0 HTTP/1.1", b"Transfer-Encoding: gzip"),
     {400, 501, None}),
    "expectation": (request(b"PUT /v1/endpoint/0 HTTP/1.1", b"Expect: 100-continue",
                            b"Content-Length: 2", body=b"{}"), {100, 400}),
    "range": (request(GET, b"Range: bytes=5-1"), {200}),
    "upgrade": (request(GET, b"Upgrade: websocket"), {200}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_request(shared_node, name):
    """Refused, answered or cut off; and no answer shows what was sent as a header."""
    data, expected = REQUESTS[name]
    heard = say(shared_node, data)
    assert status(heard) in expected, (name, heard[:300])
    assert b"Secret" not in heard


def test_many_requests_in_one_write(shared_node):
    """They are answered one after the other, the last one closes."""
    data = (b"GET /v1/identity/1 HTTP/1.1\r\nHost: x\r\n\r\n" * 200 +
            request(b"GET /v1/identity/2 HTTP/1.1"))
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(shared_node.socket_path))
        client.sendall(data)
        heard = b""
        while part := client.recv(65536):
            heard += part
    assert heard.count(b"HTTP/1.1 200 ") == 201
    assert heard.count(b"reserved:host") == 200 and b"reserved:world" in heard


BODIES = {
    "deep array": "[" * 400000, "deep object": '{"a":' * 150000,
    "whole deep array": "[" * 100000 + "]" * 100000, "number": "1" * 500000,
    "exponent": '{"id": 1e400}', "NUL": '{"container-id": "a\\u0000b"}',
    "half a surrogate": '{"container-id": "\\ud800"}', "twice": '{"id": 0, "id": 1}',
    "a name of 500 KiB": '{"' + "x" * 500000 + '": 1}', "no text": b'{"container-id": "\xff\xfe"}',
    "UTF-16": '{"options": {}}'.encode("utf-16"), "a mark in front": b"\xef\xbb\xbf{}",
    "text": '"a"', "null": "null", "behind the end": "{} {}", "50,000 members":
    "{" + ",".join(f'"m{i}": 1' for i in range(50000)) + "}",
}


@pytest.mark.parametrize("name", BODIES)
def test_body(shared_node, name):
    """Of every call that takes one: refused as the request's fault, with a text."""
    for call, method, path in calls():
        if method not in ("PUT", "PATCH", "POST", "DELETE") or "{ip}" in path or path == "/ipam":
            continue
        connection = UnixConnection(shared_node.socket_path)
        body = BODIES[name]
        connection.request(method, "/v1" + path.replace("{id}", "0"),
                           body.encode() if isinstance(body, str) else body)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status < 500, (call, answer.status, text[:300])
        if text:
            json.loads(text)
        if method in ("PUT", "PATCH"):
            assert answer.status in (400, 404), (call, answer.status, text[:300])
            assert len(text) < 4096, (call, len(text))


def test_more_connections_than_there_may_be(shared_node):
    """Those beyond the limit wait or are turned away; when the others go, it answers again."""
    clients = []
    try:
        for _ in range(LIMIT + 200):
            client = socket.socket(socket.AF_UNIX)
            clients.append(client)
            client.settimeout(1)
            try:
                client.connect(str(shared_node.socket_path))
            except (BlockingIOError, TimeoutError):
                break  # the queue of those that wait is full
            client.settimeout(10)
        clients[0].sendall(request(GET))
        assert clients[0].recv(100).startswith(b"HTTP/1.1 200 ")
    finally:
        for client in clients:
            client.close()
    probe.eventually(lambda: shared_node.request("GET", "/v1/endpoint") == (200, []), seconds=15,
                     what="the agent answers again")


def test_slow_clients(shared_node):
    """A byte now and then keeps a connection for 10 s and not longer, and keeps nobody else out."""
    slow = []
    for data in (b"GET /v1/healthz HTTP/1.1\r\nA: ",
                 b"PUT /v1/endpoint/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"):
        for _ in range(20):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(shared_node.socket_path))
            client.sendall(data)
            slow.append(client)
    started, cut = time.monotonic(), set()
    while len(cut) < len(slow) and time.monotonic() - started < 60:
        for client in set(slow) - cut:
            try:
                client.send(b"x", socket.MSG_NOSIGNAL)
            except OSError:
                cut.add(client)
        assert shared_node.request("GET", "/v1/identity/1")[0] == 200
        time.sleep(0.5)
    for client in slow:
        client.close()
    assert len(cut) == len(slow)


def test_who_does_not_read(shared_node):
    """Answers that nobody takes are not kept for ever."""
    clients = []
    for _ in range(50):
        client = socket.socket(socket.AF_UNIX)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(str(shared_node.socket_path))
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            for _ in range(100):
                client.send(b"GET /v1/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        clients.append(client)
    assert shared_node.request("GET", "/v1/identity/1")[0] == 200
    descriptors = pathlib.Path(f"/proc/{shared_node.agent.pid}/fd")
    probe.eventually(lambda: len(list(descriptors.iterdir())) < 80, seconds=30,
                     what="the connections are cut")
    for client in clients:
        client.close()


def test_list_of_the_limit():
    text = (ROOT / "src/rpc/http_server.h").read_text()
    assert f"HTTP_CONNECTIONS_MAX  {LIMIT}" in text
