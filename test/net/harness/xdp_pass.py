# SPDX-License-Identifier: Apache-2.0
"""
A program of XDP that passes everything. A veth gets frames that its peer sends back in XDP only while it
runs one itself.
"""

import ctypes
import os
import platform
import socket
import struct

BPF_PROG_LOAD, BPF_LINK_CREATE = 5, 28
PROG_TYPE_XDP, ATTACH_XDP = 6, 37
FLAGS_DRIVER = 1 << 2
SYSCALLS = {"x86_64": 321, "aarch64": 280}
# r0 = XDP_PASS; exit
PROGRAM = struct.pack("<BBhi", 0xB7, 0, 0, 2) + struct.pack("<BBhi", 0x95, 0, 0, 0)
_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    fd = _libc.syscall(SYSCALLS[platform.machine()], command, buffer, len(attributes))
    if fd < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return fd


def _load():
    instructions = ctypes.create_string_buffer(PROGRAM, len(PROGRAM))
    license_text = ctypes.create_string_buffer(b"GPL")
    return _bpf(BPF_PROG_LOAD, struct.pack(
        "=IIQQ", PROG_TYPE_XDP, len(PROGRAM) // 8, ctypes.addressof(instructions),
        ctypes.addressof(license_text)).ljust(72, b"\0"))


def attach(namespace, device):
    """Until the returned descriptor is closed."""
    program = _load()
    try:
        with namespace.entered():
            ifindex = socket.if_nametoindex(device)
            return _bpf(BPF_LINK_CREATE, struct.pack("=IIII", program, ifindex, ATTACH_XDP,
                                                     FLAGS_DRIVER))
    finally:
        os.close(program)
