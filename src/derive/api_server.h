/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of the cluster's API server: of the Endpoints and EndpointSlices of the service kubernetes
 * in the namespace default. Whoever has one gets the label reserved:kube-apiserver.
 */
#pragma once

#include "src/model/addr.h"
#include "src/store/tables.h"

struct api_server;

/* Before the first row is put, as it makes an index. */
struct api_server *api_server_new(const struct tables *tables);
void api_server_free(struct api_server *server); /* takes NULL */
/* Reads the tables again. True when there are other addresses than before. */
bool api_server_update(struct api_server *server);
bool api_server_has(const struct api_server *server, const struct addr *addr);
/* struct addr, sorted; borrowed until the next update. */
const GArray *api_server_get_addrs(const struct api_server *server);
/* True for the key of a row of endpoint_slices that has a part in it. */
bool api_server_is_slice(const struct row_key *key);
