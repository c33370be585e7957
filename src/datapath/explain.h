/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs in force make of a packet, asked of their twins cil_explain_… (abi/explain.h): these are
 * loaded for the caller alone, with the configuration and the maps of those in force, and run by the kernel
 * on the packet. They write to no map of the node, and go with the explainer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "abi/config.h"
#include "abi/explain.h"
#include "src/base/error.h"

/* By the hook at which the packet is seen. */
enum explain_program {
	EXPLAIN_CONTAINER, /* ingress of an endpoint's device */
	EXPLAIN_HOST,      /* egress of cilium_host */
	EXPLAIN_NETDEV,    /* ingress of a device of the node */
	EXPLAIN_TO_NETDEV, /* egress of a device of the node */
	EXPLAIN_PROGRAM__MAX,
};

/* The attached program that is explained: "cil_from_container". */
const char *explain_program_name(enum explain_program program);

/* Longer frames do not fit into a run of every kernel: cut them, with the lengths in their headers. */
#define EXPLAIN_FRAME_BYTES_MAX 2048
#define EXPLAIN_FRAME_BYTES_MIN 14

struct explain_packet {
	const uint8_t *frame; /* Ethernet */
	size_t n_bytes;       /* EXPLAIN_FRAME_BYTES_MIN..EXPLAIN_FRAME_BYTES_MAX */
	uint32_t ifindex; /* of the device, in the network namespace of the caller; 0: of none */
	uint32_t mark;    /* MARK_* of abi/config.h */
};

struct explainer;

/*
 * bpf_root: as bpffs_find() says. NULL and *error: ENOENT where no agent has run since the boot, EPROTO where
 * the programs in force are not those of this version.
 */
struct explainer *explainer_new(const char *bpf_root, GError **error);
void explainer_free(struct explainer *explainer); /* takes NULL */
/* What the programs in force were loaded with. */
const struct node_config *explainer_get_config(const struct explainer *explainer);
/* Loads the program where that has not been done. 0 or −errno. */
NODISCARD int explainer_run(struct explainer *explainer, enum explain_program program,
			    const struct explain_packet *packet, struct explain *ret_explain,
			    GError **error);
