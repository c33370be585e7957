/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What every header of bpf/lib rests on.
 *
 * A stage returns 0 or a verdict (TC_ACT_*), or a negative number that says why the packet is
 * dropped and where that was decided: see DROP(). One place per entry point turns it into metric
 * and event.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi/drop.h"
#include "abi/event.h"
#include "abi/types.h"

#define AF_INET  2
#define AF_INET6 10

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* From here on the compiler knows nothing of the value, so that it tests what the code says. */
#define value_barrier(variable) asm volatile("" : "+r"(variable))

/*
 * Behind two like calls, with their results and different numbers: keeps the compiler from making
 * one call of them, with its arguments chosen before.
 */
#define branch_mark(variable, number) asm volatile("" : "+r"(variable) : "i"(number))

/* The internet checksum, of a sum of its words as bpf_csum_diff() makes it. */
static __always_inline __sum16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* −(line << 16 | file << 8 | reason). file: name of a row of source_file.def. */
#define DROP(file, reason) (-(__LINE__ << 16 | SOURCE_##file << 8 | DROP_##reason))

static __always_inline __u8 drop_reason(int verdict)
{
	return -verdict & 0xff;
}

static __always_inline __u8 drop_file(int verdict)
{
	return -verdict >> 8 & 0xff;
}

static __always_inline __u16 drop_line(int verdict)
{
	return -verdict >> 16;
}
