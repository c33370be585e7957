# SPDX-License-Identifier: Apache-2.0
"""Real traffic: servers, clients, pings, hops, captures."""

import contextlib
import ctypes
import errno
import fcntl
import select
import socket
import struct
import subprocess
import threading
import time

from . import patience

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
IPPROTO_SCTP = 132
ANY = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
# From <linux/in.h>, <linux/in6.h>, <linux/errqueue.h>: the socket module lacks them.
IP_RECVERR, IPV6_RECVERR = 11, 25
IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_PMTUDISC_DONT, IP_MTU = 10, 2, 0, 14
IPV6_MTU_DISCOVER, IPV6_MTU = 23, 24
MSG_ERRQUEUE = 0x2000
SIOCETHTOOL = 0x8946
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
SOL_PACKET, PACKET_STATISTICS, ETH_P_ALL = 263, 6, 3
ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO = 0x17, 0x1F, 0x24


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Server:
    """Echoes what it is sent, and remembers from whom. kind is TCP or UDP."""

    def __init__(self, namespace, family, kind, address=None, port=0, protocol=0):
        self.kind, self.peers, self.connections = kind, [], []
        self.socket = namespace.socket(family, kind, protocol)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address or ANY[family], port))
        self.port = self.socket.getsockname()[1]
        if kind == TCP:
            self.socket.listen(64)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                if self.kind == TCP:
                    connection, peer = self.socket.accept()
                    self.peers.append(peer[:2])
                    self.connections.append(connection)
                    threading.Thread(target=self._echo, args=(connection,), daemon=True).start()
                else:
                    data, peer = self.socket.recvfrom(65536)
                    if not peer:
                        return
                    self.peers.append(peer[:2])
                    self.socket.sendto(data, peer)

    @staticmethod
    def _echo(connection):
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    def close(self):
        # A thread that is blocked in accept or recvfrom is woken by shutdown, not by close.
        for each in [self.socket] + self.connections:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self.thread.join(timeout=2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(namespace, kind, address, port, timeout=patience.stretch(3), source=None, protocol=0):
    """A connected socket in the namespace."""
    client = namespace.socket(family_of(address), kind, protocol)
    client.settimeout(timeout)
    if source:
        client.bind(source)
    try:
        client.connect((address, port))
    except OSError:
        client.close()
        raise
    return client


def exchange(client, payload=b"hello"):
    """Sends and waits for the echo. Returns it."""
    client.sendall(payload)
    got = client.recv(65536)
    while client.type == TCP and len(got) < len(payload):
        more = client.recv(65536)
        if not more:
            break
        got += more
    return got


def talk(namespace, kind, address, port, payload=b"hello", **kwargs):
    """One exchange over a socket of its own. Returns the client's own (address, port)."""
    with connect(namespace, kind, address, port, **kwargs) as client:
        got = exchange(client, payload)
        assert got == payload, f"sent {len(payload)} bytes, got other {len(got)} back"
        return client.getsockname()[:2]


def ping(namespace, address, *options, count=1, seconds=10):
    """True when every echo request was answered."""
    done = namespace.exec("ping", "-n", "-q", "-i", "0.02", "-c", count, "-W", seconds, *options,
                          address, check=False, timeout=count + patience.stretch(2 * seconds))
    return done.returncode == 0 and " 0% packet loss" in done.stdout


def enable_errors(client, family):
    if family == socket.AF_INET:
        client.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    else:
        client.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)


def _offender(control):
    """(type, code, address) of an ICMP error, from the ancillary data of the error queue."""
    for level, kind, data in control:
        if (level, kind) not in ((socket.IPPROTO_IP, IP_RECVERR),
                                 (socket.IPPROTO_IPV6, IPV6_RECVERR)):
            continue
        icmp_type, code = struct.unpack_from("BB", data, 5)
        family, = struct.unpack_from("H", data, 16)
        if family == socket.AF_INET:
            return icmp_type, code, socket.inet_ntop(family, data[20:24])
        return icmp_type, code, socket.inet_ntop(family, data[24:40])
    return None


def icmp_error(client, seconds=patience.stretch(2)):
    """The next ICMP error about what a UDP socket sent, or None."""
    poller = select.poll()
    poller.register(client, 0)
    if not poller.poll(seconds * 1000):
        return None
    _, control, _, _ = client.recvmsg(2048, 512, MSG_ERRQUEUE)
    return _offender(control)


def hops(namespace, address, port=33434, most=8):
    """The routers on the way to an address, as traceroute finds them; ends with the address."""
    family = family_of(address)
    found = []
    for ttl in range(1, most + 1):
        with namespace.socket(family, UDP) as client:
            enable_errors(client, family)
            if family == socket.AF_INET:
                client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            else:
                client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
            client.connect((address, port))
            client.send(b"x" * 32)
            error = icmp_error(client)
            found.append(error[2] if error else None)
            if error and error[2] == address:
                return found
    return found


def eventually(condition, seconds=5, what="condition"):
    """
    Waits until the function returns something true, and returns that. What it raises counts as not yet: a port
    that nobody has opened, an object that is not there, an assertion about both of two things.
    """
    seconds = patience.stretch(seconds)
    deadline = time.monotonic() + seconds
    while True:
        error = None
        try:
            if result := condition():
                return result
        except Exception as raised:  # told below, if it never ends
            error = raised
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} not true within {seconds:g} s") from error
        time.sleep(0.01)


def refused(call):
    """True when the call ends with ECONNREFUSED, False when it times out."""
    try:
        call()
    except OSError as error:
        return error.errno == errno.ECONNREFUSED
    return False


def compiled(expression):
    """A filter in tcpdump's language, as SO_ATTACH_FILTER takes it: the buffer that it points to must stay."""
    done = subprocess.run(["tcpdump", "-ddd", "-y", "EN10MB", "-s", "65535", expression], check=True, text=True,
                          capture_output=True)
    lines = [tuple(map(int, line.split())) for line in done.stdout.splitlines()[1:]]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    return code, struct.pack("HP", len(lines), ctypes.addressof(code))


@contextlib.contextmanager
def capture(namespace, device, expression):
    """
    Yields a function that returns the packets (scapy) that the device has seen since then. What has been
    answered has been seen; for anything else it must be asked until it is there.
    """
    from scapy.layers.l2 import Ether

    with namespace.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        code, program = compiled(expression)
        raw.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)
        raw.setblocking(False)
        raw.bind((device, ETH_P_ALL))

        packets = []

        def seen():
            with contextlib.suppress(BlockingIOError):
                while True:
                    packets.append(Ether(raw.recv(1 << 17)))
            lost = struct.unpack("II", raw.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
            assert not lost, f"{lost} packets did not fit into the capture's buffer"
            return packets

        yield seen


def link_address(namespace, device):
    with namespace.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((device, 0))
        return ":".join(f"{byte:02x}" for byte in raw.getsockname()[4])


def set_features(namespace, device, commands, enabled):
    """commands: ETHTOOL_S… that take one number."""
    with namespace.socket(socket.AF_INET, UDP) as control:
        for command in commands:
            value = ctypes.create_string_buffer(struct.pack("II", command, enabled), 8)
            request = struct.pack("16sP", device.encode(), ctypes.addressof(value))
            fcntl.ioctl(control, SIOCETHTOOL, request)


def set_offload(namespace, device, enabled):
    """Off: packets leave the device as they would on a wire, checksummed and cut to the MTU."""
    set_features(namespace, device, (ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO), enabled)
