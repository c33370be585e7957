/* SPDX-License-Identifier: Apache-2.0 */
/* ServiceSpec: a service that somebody makes by hand with PUT /service/{id}, as Cilium writes it. */
#pragma once

#include <jansson.h>
#include "src/base/error.h"
#include "src/model/service_request.h"

/*
 * Decodes the JSON of a request for the number id, which the text may repeat. 0, and the caller owns the row; or
 * −EINVAL with *error naming each bad member.
 */
NODISCARD int service_spec_decode(uint32_t id, const char *body, size_t n_bytes,
				  struct service_request **ret_request, GError **error);
/* The same again: what is decoded from it is equal. */
json_t *service_spec_encode(const struct service_request *request);
