/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses behind a Service, as the manifests of EndpointSlices and Endpoints say. */
#pragma once

#include <stdint.h>
#include "src/model/addr.h"
#include "src/model/object.h"

#define SLICE_ENDPOINT_READY       0x01
#define SLICE_ENDPOINT_SERVING     0x02
#define SLICE_ENDPOINT_TERMINATING 0x04

/* What says nothing of a weight has this one, as in Cilium. */
#define SLICE_DEFAULT_WEIGHT 100

struct slice_endpoint {
	struct addr addr;
	const char *node;  /* interned; NULL: not said */
	const char *zone;  /* interned; NULL: not said */
	const char *zones; /* hints.forZones: interned ",a,b,"; NULL: no hints */
	const char *nodes; /* hints.forNodes, likewise */
	uint16_t weight;   /* axoneme.io/weight; 0: maintenance */
	uint16_t group;    /* it has the ports of this group */
	uint8_t flags;     /* SLICE_ENDPOINT_* */
};

struct packed_endpoint;

struct slice_port {
	const char *name; /* interned; NULL: without a name */
	uint8_t protocol;
	uint16_t port;  /* 0: all, which no service uses */
	uint16_t group; /* of an Endpoints object: its subset; of an EndpointSlice all are 0 */
};

/*
 * One row for an EndpointSlice or an Endpoints object. Key: "<Kind>/<namespace>/<name>". It keeps no labels, for
 * nobody asks: what they say is in service.
 */
struct endpoint_slice {
	struct row row;
	struct object_meta meta;
	const char
		*service; /* interned: the name of the service in the same namespace; may be NULL */
	GArray *ports;    /* struct slice_port */
	struct packed_endpoint *endpoints; /* in the order of the manifest; endpoint_slice_get() */
	unsigned int n_endpoints;
};

extern const struct row_class endpoint_slice_class;

/* Without endpoints and ports, of a new row; service may be NULL. Returns the row. */
struct endpoint_slice *endpoint_slice_init(struct endpoint_slice *slice, const char *service);
/* Append copies. */
void endpoint_slice_add(struct endpoint_slice *slice, const struct slice_endpoint *endpoint);
void endpoint_slice_add_port(struct endpoint_slice *slice, const struct slice_port *port);

/* By value: a slice keeps them smaller. The texts live as long as the slice. */
struct slice_endpoint endpoint_slice_get(const struct endpoint_slice *slice, unsigned int i);
void endpoint_slice_set_weight(struct endpoint_slice *slice, unsigned int i, uint16_t weight);

/* When all is added: equal ports are one array from here on. */
void endpoint_slice_share(struct endpoint_slice *slice);

/* Appends the addresses of those that serve, or will; also what is to end and still answers: struct addr. */
void endpoint_slice_get_addrs(const struct endpoint_slice *slice, GArray *addrs);
