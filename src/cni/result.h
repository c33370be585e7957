/* SPDX-License-Identifier: Apache-2.0 */
/* The result of an ADD in the form of each version, and what CHECK needs of one. */
#pragma once

#include <jansson.h>
#include "src/cni/cni.h"
#include "src/join/join.h"

/* The JSON of an ADD's result (json_decref). */
json_t *result_encode(enum cni_version version, const struct join_result *result,
		      const char *ifname, const char *netns);

struct result_ip {
	struct addr addr;
};

struct result_route {
	struct cidr destination;
	struct addr gateway; /* zero: none */
};

/* What a result says of the container's interface; what later plugins added for others is left out. */
struct result_expectation {
	bool has_mac;
	struct mac mac;
	GArray *ips;    /* struct result_ip */
	GArray *routes; /* struct result_route */
};

/* 0 or CNI_ERROR_INVALID_CONFIG. */
NODISCARD int result_decode(const json_t *result, const char *ifname,
			    struct result_expectation *ret_expectation, GError **error);
void result_expectation_fini(struct result_expectation *expectation);
