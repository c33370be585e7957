/* SPDX-License-Identifier: Apache-2.0 */
/* CHECK: is the attachment still what its ADD said? */
#pragma once

#include "src/cni/result.h"

/*
 * Compares interface, addresses, routes and the agent's endpoint with the result of the ADD. 0 or
 * CNI_ERROR_CHECK_FAILED, with what is missing.
 */
NODISCARD int check_attachment(struct api_client *client, const struct attachment *attachment,
			       int netns_fd, const struct result_expectation *expectation,
			       GError **error);
