#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Slow and plain: Maglev's tables and the hash of a flow, from their published descriptions.

Prints the vectors of src/model/maglev_test.c and test/services/flow_hash.c; shares nothing with them.
"""

import ipaddress
import struct

M64 = (1 << 64) - 1
M32 = (1 << 32) - 1


def rotl64(value, bits):
    return ((value << bits) | (value >> (64 - bits))) & M64


def fmix(k):
    k ^= k >> 33
    k = k * 0xFF51AFD7ED558CCD & M64
    k ^= k >> 33
    k = k * 0xC4CEB9FE1A85EC53 & M64
    return k ^ k >> 33


def murmur3_x64_128(data, seed):
    c1, c2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
    h1 = h2 = seed
    whole = len(data) // 16 * 16
    for at in range(0, whole, 16):
        k1, k2 = struct.unpack_from("<QQ", data, at)
        h1 ^= rotl64(k1 * c1 & M64, 31) * c2 & M64
        h1 = (((rotl64(h1, 27) + h2) & M64) * 5 + 0x52DCE729) & M64
        h2 ^= rotl64(k2 * c2 & M64, 33) * c1 & M64
        h2 = (((rotl64(h2, 31) + h1) & M64) * 5 + 0x38495AB5) & M64
    tail = data[whole:]
    if len(tail) > 8:
        h2 ^= rotl64(int.from_bytes(tail[8:], "little") * c2 & M64, 33) * c1 & M64
    if tail:
        h1 ^= rotl64(int.from_bytes(tail[:8], "little") * c1 & M64, 31) * c2 & M64
    h1 ^= len(data)
    h2 ^= len(data)
    h1 = (h1 + h2) & M64
    h2 = (h2 + h1) & M64
    h1, h2 = fmix(h1), fmix(h2)
    h1 = (h1 + h2) & M64
    return h1, (h2 + h1) & M64


def maglev(backends, size, seed):
    """backends: (text, weight) in any order. The table as indexes into backends."""
    order = sorted(range(len(backends)), key=lambda i: backends[i][0])
    permutations = {}
    for i in order:
        h1, h2 = murmur3_x64_128(backends[i][0].encode(), seed)
        offset, skip = h1 % size, h2 % (size - 1) + 1
        permutations[i] = [(offset + j * skip) % size for j in range(size)]
    table, tried, taken = [None] * size, dict.fromkeys(order, 0), dict.fromkeys(order, 0)
    for _ in range(size):
        # Who has had least for its weight; of equals the first in order.
        i = min(order, key=lambda k: taken[k] / backends[k][1])
        while table[permutations[i][tried[i]]] is not None:
            tried[i] += 1
        table[permutations[i][tried[i]]] = i
        taken[i] += 1
    return table


def text(addr, port, protocol="TCP"):
    ip = ipaddress.ip_address(addr)
    shown = addr if ip.version == 4 else f"[{addr}]"
    return f"[{shown}:{port}/{protocol},State:active]"


def fnv(values):
    result = 2166136261
    for value in values:
        for byte in value.to_bytes(4, "little"):
            result = ((result ^ byte) * 16777619) & M32
    return result


def rotl32(value, bits):
    return ((value << bits) | (value >> (32 - bits))) & M32


def lookup3(words, seed, second):
    """hashword2() of twelve words: what it begins with does not count their number here."""
    a = b = c = (0xDEADBEEF + seed) & M32
    for at in range(0, 9, 3):
        a, b, c = (a + words[at]) & M32, (b + words[at + 1]) & M32, (c + words[at + 2]) & M32
        a = ((a - c) & M32) ^ rotl32(c, 4)
        c = (c + b) & M32
        b = ((b - a) & M32) ^ rotl32(a, 6)
        a = (a + c) & M32
        c = ((c - b) & M32) ^ rotl32(b, 8)
        b = (b + a) & M32
        a = ((a - c) & M32) ^ rotl32(c, 16)
        c = (c + b) & M32
        b = ((b - a) & M32) ^ rotl32(a, 19)
        a = (a + c) & M32
        c = ((c - b) & M32) ^ rotl32(b, 4)
        b = (b + a) & M32
    a, b, c = (a + words[9]) & M32, (b + words[10]) & M32, (c + second) & M32
    c = ((c ^ b) - rotl32(b, 14)) & M32
    a = ((a ^ c) - rotl32(c, 11)) & M32
    b = ((b ^ a) - rotl32(a, 25)) & M32
    c = ((c ^ b) - rotl32(b, 16)) & M32
    a = ((a ^ c) - rotl32(c, 4)) & M32
    b = ((b ^ a) - rotl32(a, 14)) & M32
    return ((c ^ b) - rotl32(b, 24)) & M32


def flow_hash(saddr, daddr, sport, dport, protocol, seeds):
    words = []
    for addr in (saddr, daddr):
        ip = ipaddress.ip_address(addr)
        packed = ip.packed if ip.version == 6 else b"\0" * 10 + b"\xff\xff" + ip.packed
        words += struct.unpack(">IIII", packed)
    words += [0, sport << 16 | dport, protocol]
    return lookup3(words, seeds[0], seeds[1])


def main():
    seed = 0x24B7EF82
    three = [(text("10.0.0.1", 80), 100), (text("10.0.0.2", 80), 100), (text("10.0.0.10", 80), 100)]
    print("three", maglev(three, 13, seed))
    weighted = [(text("10.0.0.1", 80), 1), (text("10.0.0.2", 80), 3), (text("fd00::1", 8080, "UDP"), 2)]
    print("weighted", maglev(weighted, 31, seed))
    many = [(text(f"10.{i // 200}.7.{i % 200}", 8080), 100) for i in range(100)]
    print(f"many {fnv(maglev(many, 1021, seed)):#x}")
    uneven = [(text(f"fd00::{i:x}", 443), 1 + i % 5) for i in range(1, 40)]
    print(f"uneven {fnv(maglev(uneven, 2039, 7)):#x}")
    seeds = (0x71DCDA46, 0x92505688)
    for flow in (("10.0.0.1", "10.96.0.1", 40000, 80, 6), ("10.0.0.1", "10.96.0.1", 0, 80, 6),
                 ("fd00::1", "2001:db8::ffff:1", 65535, 53, 17), ("192.0.2.1", "198.51.100.9", 1, 65535, 132)):
        print(flow, f"{flow_hash(*flow, seeds):#010x}", f"{flow_hash(*flow, (0, 0)):#010x}")


main()
