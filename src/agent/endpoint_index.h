/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints by every name that people and runtimes have for them. */
#pragma once

#include "src/base/error.h"
#include "src/model/endpoint.h"
#include "src/store/tables.h"

/* Before the first row is put. The index belongs to the table. */
struct table_index *endpoint_index_new(struct table *endpoints);
/* As endpoint_manager_find(). */
NODISCARD int endpoint_index_find(const struct table_index *index, const struct table *endpoints,
				  const char *id, const struct endpoint **ret_endpoint,
				  GError **error);
/* The endpoint with the lowest id under "<kind>:<name>", or NULL. */
const struct endpoint *endpoint_index_get(const struct table_index *index, const char *kind,
					  const char *name);
