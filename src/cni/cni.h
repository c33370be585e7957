/* SPDX-License-Identifier: Apache-2.0 */
/* What the CNI specification numbers: versions of the protocol and codes of errors. */
#pragma once

#include <stdbool.h>
#include "src/base/error.h"

enum cni_version {
	CNI_VERSION_0_3_0,
	CNI_VERSION_0_3_1,
	CNI_VERSION_0_4_0, /* CHECK */
	CNI_VERSION_1_0_0, /* addresses without a version field */
	CNI_VERSION_1_1_0, /* GC, STATUS; MTUs in results */
	CNI_VERSION__MAX,
};

/* "0.3.0", … */
const char *cni_version_text(enum cni_version version);
/* 0 or −EINVAL. */
NODISCARD int cni_version_parse(const char *text, enum cni_version *ret_version);

/*
 * The code of an error's JSON. Functions of this folder return 0 or one of these, with the text in a
 * GError.
 */
enum cni_error {
	CNI_ERROR_INCOMPATIBLE_VERSION = 1,
	CNI_ERROR_UNSUPPORTED_FIELD = 2,
	CNI_ERROR_UNKNOWN_CONTAINER = 3, /* nothing was made: the runtime need not call DEL */
	CNI_ERROR_INVALID_ENVIRONMENT = 4,
	CNI_ERROR_IO = 5,
	CNI_ERROR_DECODING = 6,
	CNI_ERROR_INVALID_CONFIG = 7,
	CNI_ERROR_TRY_AGAIN_LATER = 11,
	CNI_ERROR_NOT_AVAILABLE = 50, /* STATUS: an ADD would fail */
	/* Our own, from 100 on. */
	CNI_ERROR_FAILED = 100,
	CNI_ERROR_EXISTS = 101,
	CNI_ERROR_EXHAUSTED = 102,
	CNI_ERROR_CHECK_FAILED = 103,
};

/* As error_set, for any of the codes: sets the text and returns the code. */
int cni_fail(GError **error, enum cni_error code, const char *format, ...) G_GNUC_PRINTF(3, 4);
