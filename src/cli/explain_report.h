/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cilium explain answers: first as JSON, with everything that is known, then as text made of that.
 * Asks nobody but through struct explain_agent.
 */
#pragma once

#include <stdbool.h>
#include <glib.h>
#include <jansson.h>
#include "abi/explain.h"
#include "src/api/call.h"
#include "src/model/addr.h"

struct explain_agent {
	/* The agent's answer, borrowed; NULL where it does not know, or there is none. arg, query: may be NULL. */
	const json_t *(*ask)(enum api_call call, const char *arg, const char *query, void *data);
	void *data;
};

enum explain_where {
	EXPLAIN_ENDPOINT,   /* of this node */
	EXPLAIN_THIS_NODE,  /* an address of its own */
	EXPLAIN_OTHER_NODE, /* an address of another one */
	EXPLAIN_OTHER_POD,  /* a pod of another node */
	EXPLAIN_OUTSIDE,
};

struct explain_end {
	struct addr addr;
	const char *name; /* by which it was asked for, or NULL */
	enum explain_where where;
	uint16_t endpoint; /* of EXPLAIN_ENDPOINT */
	uint32_t ifindex;  /* the same: the host's side of its device */
	uint32_t identity; /* as the maps say */
};

struct explain_report {
	const char *packet;         /* "10.0.0.1:80 -> 10.0.0.2:4321 tcp SYN" */
	struct explain_end ends[2]; /* source, destination */
	const char *program;        /* attached at the device; NULL: no program sees the packet */
	const char *device;         /* name */
	uint32_t ifindex;
	struct explain explain; /* where there is a program */
	bool is_truncated;      /* of a capture that does not hold all of the packet */
};

/* json_decref. */
json_t *explain_report_to_json(const struct explain_report *report,
			       const struct explain_agent *agent);
/* The text of such an object. */
void explain_report_append(GString *text, const json_t *report);
