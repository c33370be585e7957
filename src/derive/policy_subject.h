/* SPDX-License-Identifier: Apache-2.0 */
/* Which specs select whom. Endpoints with the same labels are one subject; the host is its own. */
#pragma once

#include "src/derive/policy_compile.h"

struct policy_subjects;

struct policy_subject {
	const struct label_set *labels;
	bool is_host;           /* nodeSelector selects it, endpointSelector never */
	bool is_init;           /* it has the label reserved:init */
	bool is_changed;        /* other specs than when policy_subjects_settle() was called last */
	GPtrArray *specs;       /* struct compiled_spec, in their order */
	GArray *ids;            /* uint32_t, of specs; and whether it is init */
	GHashTable *port_names; /* interned: of ports of its own that the specs name */
	unsigned int n_users;
};

struct policy_subjects *policy_subjects_new(void);
void policy_subjects_free(struct policy_subjects *subjects); /* takes NULL */

/* One with the same labels is the same; ids and port_names are there after policy_subjects_settle(). */
struct policy_subject *policy_subject_ref(struct policy_subjects *subjects,
					  const struct label_set *labels, bool is_host);
void policy_subject_unref(struct policy_subjects *subjects, struct policy_subject *subject);

/* The spec is borrowed until it is removed. */
void policy_subjects_add_spec(struct policy_subjects *subjects, struct compiled_spec *spec);
void policy_subjects_remove_spec(struct policy_subjects *subjects, struct compiled_spec *spec);
/* Makes ids and port_names of subjects that have changed. */
void policy_subjects_settle(struct policy_subjects *subjects);
/* From now on no subject counts as changed. */
void policy_subjects_take_changes(struct policy_subjects *subjects);
