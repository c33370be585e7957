/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the file of ip-masq-agent says, YAML or JSON: nonMasqueradeCIDRs, masqLinkLocal and
 * masqLinkLocalIPv6. Other members are left to the other programs that read the same file.
 */
#pragma once

#include "src/source/manifest.h"

/*
 * The prefixes that are not masqueraded: a GArray of struct cidr, NULL where the text is refused.
 * Problems (struct source_problem) are added either way. An empty text stands for no file: the built-in
 * list of private and reserved ranges.
 */
GArray *masquerade_config_parse(const char *file, const char *text, size_t n_bytes,
				GPtrArray *problems);
