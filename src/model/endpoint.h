/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A local endpoint. Two rows share the noun: struct endpoint is what whoever joined a container asked
 * for, with what an operator changed since, and is kept on disk; struct endpoint_state is what has been
 * derived from it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "src/base/row.h"
#include "src/model/addr.h"
#include "src/model/label.h"

enum endpoint_option {
#define ENDPOINT_OPTION(name, text, help) ENDPOINT_OPTION_##name,
#include "src/model/endpoint_option.def"
#undef ENDPOINT_OPTION
	ENDPOINT_OPTION__MAX,
};

enum endpoint_option_value {
	ENDPOINT_OPTION_UNSET, /* as the node */
	ENDPOINT_OPTION_ON,
	ENDPOINT_OPTION_OFF,
};

const char *endpoint_option_name(enum endpoint_option option);
/* The option of the name, in any case; or ENDPOINT_OPTION__MAX. */
enum endpoint_option endpoint_option_find(const char *name);

/* Key: id, 2 bytes in host order. */
struct endpoint {
	struct row row;
	uint16_t id;         /* 1..65535 */
	uint32_t generation; /* never used before on this node; in conntrack entries */
	char *container_id;
	char *container_name;   /* may be NULL, as all below */
	char *container_ifname; /* "eth0" */
	char *netns;            /* path */
	uint64_t netns_cookie;  /* as BPF programs see it; 0: not known */
	char *namespace;        /* of the pod */
	char *pod_name;
	char *pod_uid;
	/* May be empty, never NULL. */
	const struct label_set *runtime_labels; /* given by the runtime */
	const struct label_set *user_labels;    /* given by an operator, beside those */
	const struct label_set
		*disabled_labels;              /* taken away by an operator; values do not count */
	uint8_t options[ENDPOINT_OPTION__MAX]; /* enum endpoint_option_value */
	char *host_ifname;                     /* "lxc…" */
	uint32_t ifindex;                      /* of the host's side */
	struct mac mac;                        /* of the interface inside */
	struct mac host_mac;
	struct addr addr4; /* zero: none */
	struct addr addr6;
	int64_t created_ns; /* CLOCK_REALTIME */
};

extern const struct row_class endpoint_class;

/* A new row without labels. */
struct endpoint *endpoint_new(void);
/* A new row that says the same; whoever changes it puts it in the place of the other. */
struct endpoint *endpoint_copy(const struct endpoint *endpoint);

enum endpoint_phase { /* texts as in Cilium's API: endpoint_phase_name() */
	ENDPOINT_WAITING_FOR_IDENTITY,
	ENDPOINT_REGENERATING, /* some object in the kernel is not applied yet */
	ENDPOINT_RESTORING,
	ENDPOINT_READY,
	ENDPOINT_DISCONNECTING,
	ENDPOINT_INVALID,
	ENDPOINT_PHASE__MAX,
};

const char *endpoint_phase_name(enum endpoint_phase phase);

/* Key: id, as struct endpoint. */
struct endpoint_state {
	struct row row;
	uint16_t id;
	uint32_t identity;
	const struct label_set *labels; /* all that count */
	const struct label_set
		*disabled_labels; /* the endpoint's, with the values they would have */
	const struct label_set *identity_labels; /* those that make the identity */
};

extern const struct row_class endpoint_state_class;
