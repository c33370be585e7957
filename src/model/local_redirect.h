/* SPDX-License-Identifier: Apache-2.0 */
/* A CiliumLocalRedirectPolicy: what goes to an address or a service goes to pods of this node. */
#pragma once

#include "src/model/addr.h"
#include "src/model/object.h"
#include "src/model/selector.h"

struct redirect_port {
	const char *name; /* interned, in lower case; NULL: none */
	uint8_t protocol; /* IPPROTO_TCP or _UDP */
	uint16_t port;
};

/* Key: "namespace/name". */
struct local_redirect {
	struct row row;
	struct object_meta meta;
	struct addr addr;               /* addressMatcher; zero: serviceMatcher */
	const char *service;            /* interned: its name, in the policy's namespace; or NULL */
	GArray *frontend_ports;         /* struct redirect_port; NULL: all of the service */
	GArray *backend_ports;          /* struct redirect_port */
	const struct selector *backend; /* localEndpointSelector, with the namespace */
	bool skip_from_backend; /* what such a pod itself sends to the address is left alone */
};

extern const struct row_class local_redirect_class;

/* An empty array of struct redirect_port that owns its names. */
GArray *redirect_ports_new(void);
