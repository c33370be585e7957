/* SPDX-License-Identifier: Apache-2.0 */
/* ~/.cilium.yaml, or the file of --config: the global flags of the command line, written down. */
#pragma once

#include <stdbool.h>
#include "src/base/error.h"

struct user_config {
	char *host; /* NULL: not said */
	bool debug;
};

/* path NULL: ~/.cilium.yaml, which need not exist. −errno with *error: file, line, key, cause. */
NODISCARD int user_config_load(const char *path, struct user_config *ret_config, GError **error);
/* The same from the text of a file; name is for messages. */
NODISCARD int user_config_parse(const char *name, const char *text, size_t n_bytes,
				struct user_config *ret_config, GError **error);
void user_config_fini(struct user_config *config);
