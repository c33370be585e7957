/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of source "cidr": the prefix that an identity stands for. Their form is Cilium's. */
#pragma once

#include "src/model/addr.h"
#include "src/model/label.h"

#define CIDR_LABEL_SOURCE "cidr"
/* Room for the longest key with its end. */
#define CIDR_LABEL_KEY_BYTES (CIDR_TEXT_BYTES + 2)

/* Of an identity whose prefix is in a CiliumCIDRGroup; behind it the group's name. */
#define CIDR_GROUP_LABEL_SOURCE "cidrgroup"
#define CIDR_GROUP_LABEL_PREFIX "io.cilium.policy.cidrgroupname/"

/*
 * The key: "10.0.0.0/8", "2001-db8--0/32", "0--1/128": keys of labels have no colons, and neither begin
 * nor end with a dash. Writes it into buffer and returns it.
 */
const char *cidr_label_format(const struct cidr *cidr, char buffer[static CIDR_LABEL_KEY_BYTES]);
/* False, and *ret_cidr untouched, for a label that names no prefix. */
bool cidr_label_get(const struct label *label, struct cidr *ret_cidr);
/* The first such label of the set. */
bool cidr_label_find(const struct label_set *set, struct cidr *ret_cidr);
