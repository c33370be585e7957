/* SPDX-License-Identifier: Apache-2.0 */
/* What bpf/lib/flow_hash.h needs of the header of this name, to be compiled for the machine that runs the test. */
#pragma once

#include <arpa/inet.h>
#include "abi/types.h"

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define bpf_ntohl       ntohl
#define bpf_ntohs       ntohs
