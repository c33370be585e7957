/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy's author should know that only shows beside other objects: what is legal and surely not
 * meant. Pure, and made anew for each question: nothing of it is kept.
 */
#pragma once

#include "src/derive/config.h"
#include "src/model/policy.h"
#include "src/store/tables.h"

struct policy_warnings;

/*
 * What there is at the moment, for the warnings of many policies; tables and config are borrowed, and no
 * row may change before it is freed.
 */
struct policy_warnings *policy_warnings_new(const struct tables *tables,
					    const struct derive_config *config);
void policy_warnings_free(struct policy_warnings *warnings); /* takes NULL */
/* struct policy_note, in the order of the manifest; the caller owns the array. */
GPtrArray *policy_warnings_find(const struct policy_warnings *warnings,
				const struct policy *policy);
