/* SPDX-License-Identifier: Apache-2.0 */
/* The network configuration that a runtime writes to the plugin's standard input. */
#pragma once

#include <jansson.h>
#include "src/cni/cni.h"
#include "src/model/addr.h"
#include "src/model/label.h"

/* More than any runtime sends: GC names every container of the node. */
#define NETCONF_MAX_BYTES (4 * 1024 * 1024)

/* One of cni.dev/valid-attachments. */
struct netconf_attachment {
	const char *container_id; /* borrowed from the configuration */
	const char *ifname;
};

struct netconf {
	json_t *root;
	enum cni_version version;
	/* Borrowed from root; NULL: not given. */
	const char *name;
	const char
		*socket_path; /* ours: of the agent, where it is not CILIUM_SOCK or the default */
	const char *log_file;
	const char *log_format;
	const json_t *prev_result;
	bool enable_debug;
	/* struct netconf_attachment; NULL: not given. */
	GArray *valid_attachments;
	/* Set by netconf_decode_wishes; zero or NULL: nothing is wanted. */
	uint32_t mtu;
	struct addr addr4;
	struct addr addr6;
	struct mac mac;
	const struct label_set *labels;
};

/*
 * Decodes what every command needs. 0, or CNI_ERROR_DECODING, _INCOMPATIBLE_VERSION or _INVALID_CONFIG;
 * *ret_version (set in any case) is what the answer is to be written in.
 */
NODISCARD int netconf_decode(const char *text, size_t n_bytes, struct netconf *ret_netconf,
			     enum cni_version *ret_version, GError **error);
/*
 * Decodes what an ADD wants: mtu, runtimeConfig, args.cni. Apart, because a DEL must not fail over what
 * an ADD has refused. 0, CNI_ERROR_INVALID_CONFIG or _UNSUPPORTED_FIELD.
 */
NODISCARD int netconf_decode_wishes(struct netconf *netconf, GError **error);
void netconf_fini(struct netconf *netconf);
