# SPDX-License-Identifier: Apache-2.0
"""
What the kernel's ipip and ip6tnl devices do at a back end, for kernels without them: packets that come
in IPv4 or IPv6 protocol 4 or 41 are taken out and go on as if they had come by a device of their own.
As a program: `decap.py DEVICE`.
"""

import fcntl
import os
import selectors
import socket
import struct
import sys

from . import probe

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
IPPROTO_IPIP, IPPROTO_IPV6 = 4, 41


def open_tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def main(name):
    tun, selector = open_tun(name), selectors.DefaultSelector()
    for family, protocol in (socket.AF_INET, IPPROTO_IPIP), (socket.AF_INET6, IPPROTO_IPV6):
        raw = socket.socket(family, socket.SOCK_RAW, protocol)
        selector.register(raw, selectors.EVENT_READ, family)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            packet = key.fileobj.recv(65536)
            # A raw socket of IPv4 shows the outer header too.
            os.write(tun, packet[(packet[0] & 15) * 4:] if key.data == socket.AF_INET else packet)


class Decapsulator:
    """In a namespace; addresses: those that clients ask for."""

    def __init__(self, namespace, *addresses):
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        namespace.sysctl(ipv4__conf__all__rp_filter=0, ipv4__conf__default__rp_filter=0)
        self.process = namespace.popen(sys.executable, "-m", "harness.decap", "decap0",
                                       stdout=-1, text=True, env={"PYTHONPATH": root})
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError(f"{namespace.name}: no decapsulation")
        namespace.ip("link set decap0 up",
                     *(f"addr add {address}{'/128' if ':' in address else '/32'} dev lo"
                       + (" nodad" if probe.family_of(address) == socket.AF_INET6 else "")
                       for address in addresses))


if __name__ == "__main__":
    main(sys.argv[1])
