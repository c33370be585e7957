/* SPDX-License-Identifier: Apache-2.0 */
/* A Kubernetes Service, and the addresses behind it: what policies need of them. */
#pragma once

#include "src/model/addr.h"
#include "src/model/object.h"

struct service {
	struct row row;
	struct object_meta meta;
	const struct label_set
		*selector; /* source k8s; NULL: none, its endpoints are made by hand */
};

extern const struct row_class service_class;

/* One row for an EndpointSlice or an Endpoints object. Key: "<Kind>/<namespace>/<name>". */
struct endpoint_slice {
	struct row row;
	struct object_meta meta;
	const char
		*service; /* interned: the name of the service in the same namespace; may be NULL */
	GArray *addrs;    /* struct addr, in the order of the manifest */
};

extern const struct row_class endpoint_slice_class;
