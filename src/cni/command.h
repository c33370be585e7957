/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the plugin. */
#pragma once

#include "src/cni/environment.h"
#include "src/cni/netconf.h"

/*
 * Does what the environment says (VERSION apart, which needs no configuration). 0, or an enum cni_error with *error. *ret_answer: the JSON for
 * standard output (json_decref), NULL where there is none.
 */
NODISCARD int command_run(const struct environment *environment, struct netconf *netconf,
			  json_t **ret_answer, GError **error);

/* The answer to VERSION, in the form of a version. */
json_t *command_version(enum cni_version version);
